/** Data whose session is gone: found by comparing the store with the sessions that exist. */
import { isNamespace, keys } from '../store/keys.ts';
import type { SessionRef } from '../store/keys.ts';
import type { ArtifactStore } from '../store/store.ts';

export interface OrphanOptions {
  store: ArtifactStore;
  /** Whether the watched store knows the session; asked first, as it costs nothing. It may lag. */
  isKnown: (ref: SessionRef) => boolean;
  /** The UIDs of all sessions of a namespace, from the API server itself. */
  listUids: (namespace: string, signal?: AbortSignal) => Promise<ReadonlySet<string>>;
  /** Data younger than this is left alone: its session may be too young for every list. */
  minimumAgeMs: number;
  now: () => Date;
}

/** Removes data of sessions that the API server does not have, and returns whose it was. Throws what store and lister throw. */
export async function removeOrphans(options: OrphanOptions, signal?: AbortSignal): Promise<SessionRef[]> {
  const { store, isKnown, listUids } = options;
  const removed: SessionRef[] = [];
  for (const namespace of await store.listFolders('')) {
    if (!isNamespace(namespace)) continue;
    const refs = (await store.listFolders(`${namespace}/`)).map((uid) => ({ namespace, uid }));
    const suspects = refs.filter((ref) => !isKnown(ref));
    if (suspects.length === 0) continue;
    const alive = await listUids(namespace, signal);
    for (const ref of suspects) {
      signal?.throwIfAborted();
      if (alive.has(ref.uid) || !(await isOld(ref, options))) continue;
      await store.remove(keys.session(ref));
      removed.push(ref);
    }
  }
  return removed;
}

async function isOld(ref: SessionRef, { store, minimumAgeMs, now }: OrphanOptions): Promise<boolean> {
  const limit = now().getTime() - minimumAgeMs;
  for await (const { createdAt } of store.list(keys.session(ref))) {
    if (createdAt.getTime() > limit) return false;
  }
  return true;
}
