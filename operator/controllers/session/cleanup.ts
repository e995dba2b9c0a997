/**
 * The data of sessions that are gone: logs, artifacts and sources do not outlive the object. Told by the watch at once;
 * what was deleted while nobody watched, or written by a pod in its last moments, is found by sweeping.
 */
import type { Logger } from 'pino';
import type { Session } from '../../../common/api/session.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import type { Reflector } from '../../../common/kube/reflector.ts';
import { sessions } from '../../../common/kube/resource.ts';
import { removeOrphans } from '../../sessions/orphans.ts';
import { keys, refOf } from '../../store/keys.ts';
import type { AuditTrail } from '../../record/audit.ts';
import { removalOf } from '../../record/removal.ts';
import type { ArtifactStore } from '../../store/store.ts';
import type { Clock } from '../clock.ts';
import { WorkQueue } from '../queue.ts';
import type { Result } from '../queue.ts';

/** Index of the store of sessions, by UID. */
export const UID_INDEX = 'uid';
export const byUid = ({ metadata }: Session): string[] => (metadata.uid === undefined ? [] : [metadata.uid]);

/** `namespace/uid`, or `sweep` */
type CleanupKey = `${string}/${string}` | 'sweep';

export interface CleanupOptions {
  client: KubeClient;
  sessions: Reflector<Session>;
  store: ArtifactStore;
  audit: AuditTrail;
  clock: Clock;
  random: () => number;
  /** Between two sweeps, and how old data without a session must be to be removed by one. */
  sweepMs: number;
  log: Logger;
}

export class Cleanup {
  readonly #options: CleanupOptions;
  readonly #queue: WorkQueue<CleanupKey>;
  #subscription: Disposable | undefined;

  constructor(options: CleanupOptions) {
    this.#options = options;
    this.#queue = new WorkQueue<CleanupKey>({
      work: (key, signal) => (key === 'sweep' ? this.#sweep(signal) : this.#remove(key)),
      onError: (key, err, { attempt }) => options.log.warn({ key, err, attempt }, 'removing data failed'),
      concurrency: 2,
      clock: options.clock,
      random: options.random,
    });
  }

  /** Call when the reflector is synced. */
  start(): void {
    this.#subscription = this.#options.sessions.onChange(({ type, object }) => {
      const { namespace, uid } = refOf(object);
      if (type === 'deleted' && uid !== '') this.#queue.add(`${namespace}/${uid}`);
    });
    this.#queue.add('sweep');
  }

  async close(drainMs: number): Promise<void> {
    this.#subscription?.[Symbol.dispose]();
    await this.#queue.close(drainMs);
  }

  async #remove(key: CleanupKey): Promise<Result> {
    const slash = key.indexOf('/');
    const ref = { namespace: key.slice(0, slash), uid: key.slice(slash + 1) };
    const { store, audit, log } = this.#options;
    // Mostly gone with the object: what is here came from a pod in its last moments.
    if ((await store.listKeys(keys.session(ref))).length === 0) return undefined;
    await audit.record(removalOf(ref, 'SessionDeleted'));
    await store.remove(keys.session(ref));
    log.debug(ref, 'removed the data of a deleted session');
    return undefined;
  }

  async #sweep(signal: AbortSignal): Promise<Result> {
    const { client, sessions: reflector, store, audit, clock, sweepMs, log } = this.#options;
    const removed = await removeOrphans(
      {
        store,
        isKnown: ({ uid }) => reflector.store.countByIndex(UID_INDEX, uid) > 0,
        listUids: async (namespace) => {
          const { items } = await client.list(sessions, { namespace }, { signal });
          return new Set(items.flatMap(byUid));
        },
        beforeRemoval: (ref) => audit.record(removalOf(ref, 'NoSession')),
        minimumAgeMs: sweepMs,
        now: () => new Date(clock.now()),
      },
      signal,
    );
    for (const ref of removed) log.info(ref, 'removed data without a session');
    const broken = await store.sweepTemporary();
    if (broken > 0) log.info({ broken }, 'removed what broken writes had left');
    return { requeueAfterMs: sweepMs };
  }
}
