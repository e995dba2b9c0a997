/**
 * The data of sessions that are gone: logs, artifacts and sources do not outlive the object. Told by the watch at once;
 * what was deleted while nobody watched, or written by a pod in its last moments, is found by sweeping.
 */
import type { Logger } from 'pino';
import type { Session } from '../../../common/api/session.ts';
import type { Reflector } from '../../../common/kube/reflector.ts';
import { keys } from '../../store/keys.ts';
import type { ArtifactStore } from '../../store/store.ts';
import type { Clock } from '../clock.ts';
import { WorkQueue } from '../queue.ts';
import type { Result } from '../queue.ts';

/** A pod has this long to die with its session, and may send data until then. */
const SECOND_LOOK_MS = 12 * 60_000;
const SWEEP_MS = 3_600_000;
/** Data without a session is removed only when still without one after this: a watch may lag behind a door. */
const SUSPECT_MS = 60_000;

/** Index of the store of sessions, by UID. */
export const UID_INDEX = 'uid';
export const byUid = (session: Session): string[] =>
  session.metadata.uid === undefined ? [] : [session.metadata.uid];

/** `namespace/uid`, or `sweep` */
type CleanupKey = `${string}/${string}` | 'sweep';

export interface CleanupOptions {
  sessions: Reflector<Session>;
  store: ArtifactStore;
  clock: Clock;
  random: () => number;
  log: Logger;
}

export class Cleanup {
  readonly #options: CleanupOptions;
  readonly #queue: WorkQueue<CleanupKey>;
  /** Since when data was seen without its session, by `namespace/uid`. */
  readonly #suspects = new Map<CleanupKey, number>();
  #subscription: Disposable | undefined;

  constructor(options: CleanupOptions) {
    this.#options = options;
    this.#queue = new WorkQueue<CleanupKey>({
      work: (key) => (key === 'sweep' ? this.#sweep() : this.#remove(key)),
      onError: (key, err, { attempt }) => options.log.warn({ key, err, attempt }, 'removing data failed'),
      concurrency: 2,
      clock: options.clock,
      random: options.random,
    });
  }

  /** Call when the reflector is synced. */
  start(): void {
    this.#subscription = this.#options.sessions.onChange(({ type, object }) => {
      const { namespace = '', uid = '' } = object.metadata;
      if (type !== 'deleted' || uid === '') return;
      const key: CleanupKey = `${namespace}/${uid}`;
      this.#suspects.set(key, -Infinity);
      this.#queue.add(key);
    });
    this.#queue.add('sweep');
  }

  async close(drainMs: number): Promise<void> {
    this.#subscription?.[Symbol.dispose]();
    await this.#queue.close(drainMs);
  }

  async #remove(key: CleanupKey): Promise<Result> {
    const { sessions, store, clock, log } = this.#options;
    const slash = key.indexOf('/');
    const ref = { namespace: key.slice(0, slash), uid: key.slice(slash + 1) };
    if (sessions.store.byIndex(UID_INDEX, ref.uid).length > 0) {
      this.#suspects.delete(key);
      return undefined;
    }
    const since = this.#suspects.get(key) ?? clock.elapsed();
    const left = since + SUSPECT_MS - clock.elapsed();
    if (left > 0) {
      this.#suspects.set(key, since);
      return { requeueAfterMs: left };
    }
    await store.remove(keys.session(ref));
    this.#suspects.delete(key);
    if (since !== -Infinity) return undefined;
    log.info(ref, 'removed the data of a deleted session');
    this.#suspects.set(key, clock.elapsed());
    return { requeueAfterMs: SECOND_LOOK_MS };
  }

  async #sweep(): Promise<Result> {
    const { sessions, store } = this.#options;
    for (const namespace of await store.listFolders(''))
      for (const uid of await store.listFolders(`${namespace}/`))
        if (sessions.store.byIndex(UID_INDEX, uid).length === 0) this.#queue.add(`${namespace}/${uid}`);
    return { requeueAfterMs: SWEEP_MS };
  }
}
