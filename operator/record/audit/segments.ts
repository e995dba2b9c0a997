/** Chains as they lie in the store: segments in order, and the lines in them. */
import { buffer } from 'node:stream/consumers';
import type { AuditRecord } from '../../../common/api/audit.ts';
import { isAmbientError } from '../../../common/errors.ts';
import { keys } from '../../store/keys.ts';
import type { ChainRef } from '../../store/keys.ts';
import type { ArtifactStore } from '../../store/store.ts';

export interface SegmentKey {
  key: string;
  /** Number of its first record. */
  first: number;
}

/** Oldest first. */
export async function segmentsOf(store: ArtifactStore, ref: ChainRef): Promise<SegmentKey[]> {
  const found = await store.listKeys(keys.auditChain(ref));
  return found.flatMap((key) => {
    const first = keys.parseAuditSegment(key);
    return first === undefined ? [] : [{ key, first }];
  });
}

/** The lines of a segment, a last one without its line break included. Nothing when it was trimmed meanwhile. */
export async function linesOf(store: ArtifactStore, key: string): Promise<string[]> {
  try {
    const { body } = await store.get(key);
    const text = (await buffer(body)).toString('utf8');
    return (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
  } catch (error) {
    if (isAmbientError(error, 'not_found')) return [];
    throw error;
  }
}

export async function* chainLines(
  store: ArtifactStore,
  ref: ChainRef,
): AsyncGenerator<string, void, undefined> {
  for (const { key } of await segmentsOf(store, ref)) yield* await linesOf(store, key);
}

/** What a line says, for those who look for something in it; only a verifier may rely on it. */
export function recordIn(line: string | undefined): AuditRecord | undefined {
  try {
    const value = JSON.parse(line ?? '') as Partial<AuditRecord> | null;
    return typeof value?.seq === 'number' && typeof value.hash === 'string'
      ? (value as AuditRecord)
      : undefined;
  } catch {
    return undefined;
  }
}

export const writersOf = (store: ArtifactStore, namespace: string): Promise<string[]> =>
  store.listFolders(keys.auditNamespace(namespace));

/** Namespaces that have audit records, those that no longer exist included. */
export const auditedNamespaces = (store: ArtifactStore): Promise<string[]> => store.listFolders(keys.audit);
