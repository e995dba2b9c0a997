/** What objects lose before they are kept in memory. */
import type { KubeObject, ObjectMeta } from '../api/kubernetes.ts';

/**
 * Drops managedFields: often a third of an object, of use to nobody who reads. Metadata is rebuilt rather than deleted
 * from, since V8 turns an object with a deleted property into a hash table several times its size.
 */
export function dropManagedFields<T extends KubeObject>(object: T): T {
  if (object.metadata.managedFields === undefined) return object;
  const metadata: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(object.metadata)) {
    if (name !== 'managedFields') metadata[name] = value;
  }
  object.metadata = metadata as unknown as ObjectMeta;
  return object;
}
