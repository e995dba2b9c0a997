/**
 * Deliveries whose sessions are deleted: a mark each, so that a redelivery, or a replay of something signed long ago, starts no
 * second session. As long as a session is there, the API server knows.
 */
import type { Session } from '../../../common/api/session.ts';
import { keys } from '../../store/keys.ts';
import type { ArtifactStore } from '../../store/store.ts';

/** Sources let people send again for days; who replays older things has had them for a year. */
const KEPT_MS = 400 * 24 * 3600_000;

/** Call before the object goes. Nothing for a session that no delivery started. */
export async function markSpent(store: ArtifactStore, { metadata, spec }: Session): Promise<void> {
  if (spec.trigger?.received === undefined || spec.trigger.delivery === undefined) return;
  const key = keys.spentDelivery(metadata.namespace ?? '', metadata.name);
  await store.put(key, Buffer.alloc(0), { contentType: 'application/octet-stream' });
}

export async function isSpent(store: ArtifactStore, namespace: string, session: string): Promise<boolean> {
  return (await store.stat(keys.spentDelivery(namespace, session))) !== undefined;
}

export async function sweepSpent(store: ArtifactStore, now: number): Promise<void> {
  for await (const { key, createdAt } of store.list(keys.spentDeliveries))
    if (createdAt.getTime() < now - KEPT_MS) await store.remove(key);
}
