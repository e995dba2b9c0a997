/** What objects lose before they are kept in memory. */
import type { KubeObject, ObjectMeta } from '../api/kubernetes.ts';
import type { Session } from '../api/session.ts';

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

/** For readers that show or reconcile sessions: also drops the event that caused one, which may be very long. */
export function trimSession(session: Session): Session {
  if (session.spec.trigger?.payload !== undefined) {
    const { source, event } = session.spec.trigger;
    session.spec.trigger = event === undefined ? { source } : { source, event };
  }
  return dropManagedFields(session);
}
