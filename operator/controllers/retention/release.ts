/**
 * A session's object and its data go together: the finalizer keeps a deleted object until its Job is on its way out and its
 * data are gone, and says in the object why that takes long. Admission sets the finalizer; sessions that have data without
 * it, as from before it existed, are given it here.
 */
import type { Logger } from 'pino';
import { FINALIZER_DATA } from '../../../common/api/names.ts';
import { isTerminal } from '../../../common/api/session.ts';
import type { Session } from '../../../common/api/session.ts';
import { isAmbientError, messageOf } from '../../../common/errors.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import type { Job } from '../../../common/kube/core-types.ts';
import { isConflict, isInvalid, isNotFound } from '../../../common/kube/errors.ts';
import type { Reflector } from '../../../common/kube/reflector.ts';
import { jobs, sessions } from '../../../common/kube/resource.ts';
import { holdsData, withDataHeld } from '../../../common/rules/retention.ts';
import type { AuditTrail } from '../../record/audit.ts';
import { removalOf } from '../../record/removal.ts';
import { keys, refOf } from '../../store/keys.ts';
import { markSpent } from '../../sessions/webhooks/spent.ts';
import type { ArtifactStore } from '../../store/store.ts';
import type { Clock } from '../clock.ts';
import { Pace } from '../pace.ts';
import { WorkQueue } from '../queue.ts';
import type { Result } from '../queue.ts';
import { SESSION_INDEX, sessionKey } from '../session/reconcile.ts';
import type { SessionKey } from '../session/reconcile.ts';
import { assertThere } from './assert-there.ts';

/** A session is given its finalizer only once its first, busy moments are over. */
const HOLD_AFTER_MS = 5000;
const LOST_RACE_MS = 1000;

export interface ReleaseOptions {
  client: KubeClient;
  sessions: Reflector<Session>;
  jobs: Reflector<Job>;
  store: ArtifactStore;
  audit: AuditTrail;
  /** What must be settled while the object can still be read, such as its cost. Repeated until it succeeds. */
  settleDeleted: (session: Session, signal: AbortSignal) => Promise<void>;
  clock: Clock;
  random: () => number;
  /** Sessions that are given a finalizer in a second, at most. */
  perSecond: number;
  log: Logger;
}

export class Releases {
  readonly #options: ReleaseOptions;
  readonly #pace: Pace;
  readonly #queue: WorkQueue<SessionKey>;
  #subscription: Disposable | undefined;

  constructor(options: ReleaseOptions) {
    this.#options = options;
    this.#pace = new Pace(options.perSecond, options.clock);
    this.#queue = new WorkQueue<SessionKey>({
      work: (key, signal) => this.#look(key, signal),
      onError: (session, err, { attempt }) =>
        options.log.warn({ session, err, attempt }, 'a deleted session has to stay for now'),
      concurrency: 4,
      clock: options.clock,
      random: options.random,
    });
  }

  /** Call when the reflectors are synced. */
  start(): void {
    const { sessions: reflector } = this.#options;
    this.#subscription = reflector.onChange(({ type, object }) => {
      if (type === 'deleted') {
        this.#queue.forget(keyOf(object));
        this.#pace.forget(keyOf(object));
      } else this.#add(object);
    });
    for (const session of reflector.store.list()) this.#add(session);
  }

  async close(drainMs: number): Promise<void> {
    this.#subscription?.[Symbol.dispose]();
    await this.#queue.close(drainMs);
  }

  #add(session: Session): void {
    const isDeleted = session.metadata.deletionTimestamp !== undefined;
    if (isDeleted === holdsData(session)) this.#queue.add(keyOf(session), { ahead: isDeleted });
  }

  async #look(key: SessionKey, signal: AbortSignal): Promise<Result> {
    const slash = key.indexOf('/');
    const session = this.#options.sessions.store.get({
      namespace: key.slice(0, slash),
      name: key.slice(slash + 1),
    });
    if (session === undefined) return undefined;
    if (session.metadata.deletionTimestamp === undefined)
      return holdsData(session) ? undefined : await this.#hold(key, session, signal);
    return holdsData(session) ? await this.#release(session, signal) : undefined;
  }

  async #hold(key: SessionKey, session: Session, signal: AbortSignal): Promise<Result> {
    const { client, store, clock } = this.#options;
    const { namespace, name, uid, resourceVersion, creationTimestamp = '', finalizers } = session.metadata;
    const phase = session.status?.phase;
    // Nothing was begun for it; when something is, the watch tells.
    if (phase === undefined) return undefined;
    const age = clock.now() - Date.parse(creationTimestamp);
    if (age >= 0 && age < HOLD_AFTER_MS) return { requeueAfterMs: HOLD_AFTER_MS - age };
    const runs = !isTerminal(phase) && session.status?.workload?.jobName !== undefined;
    if (!runs && (await store.listFolders(keys.session(refOf(session)))).length === 0) return undefined;
    const wait = this.#pace.turn(key);
    if (wait > 0) return { requeueAfterMs: wait };
    try {
      const patch = { metadata: { uid, resourceVersion, finalizers: withDataHeld(finalizers) } };
      await client.mergePatch(sessions, { namespace, name }, patch, { signal, answer: 'metadata' });
    } catch (error) {
      if (isConflict(error)) return { requeueAfterMs: LOST_RACE_MS };
      if (!isNotFound(error)) throw error;
    }
    return undefined;
  }

  async #release(session: Session, signal: AbortSignal): Promise<Result> {
    const { store, audit, settleDeleted, log } = this.#options;
    await this.#deleteJob(session, signal);
    try {
      await assertThere(store);
      // Its cost is read from the data for the last time.
      await settleDeleted(session, signal);
      const ref = refOf(session);
      if ((await store.listKeys(keys.session(ref))).length > 0)
        await audit.record(removalOf(ref, 'SessionDeleted', session.metadata.name));
      await store.remove(keys.session(ref));
      await markSpent(store, session);
    } catch (error) {
      await this.#explain(session, error, signal);
      throw error;
    }
    const { namespace, name, uid, finalizers = [] } = session.metadata;
    const index = finalizers.indexOf(FINALIZER_DATA);
    try {
      // Tests what it removes instead of the version: the status of a deleted session may still change.
      await this.#options.client.jsonPatch(
        sessions,
        { namespace, name },
        [
          { op: 'test', path: '/metadata/uid', value: uid },
          { op: 'test', path: `/metadata/finalizers/${index}`, value: FINALIZER_DATA },
          { op: 'remove', path: `/metadata/finalizers/${index}` },
        ],
        { signal },
      );
    } catch (error) {
      if (isNotFound(error)) return undefined;
      if (isConflict(error) || isInvalid(error)) return { requeueAfterMs: LOST_RACE_MS };
      throw error;
    }
    log.debug({ namespace, session: name }, 'a deleted session has gone with its data');
    return undefined;
  }

  /** By owner reference it would go only after the object. */
  async #deleteJob({ metadata }: Session, signal: AbortSignal): Promise<void> {
    const { client, jobs: reflector } = this.#options;
    for (const job of reflector.store.byIndex(SESSION_INDEX, metadata.uid ?? '')) {
      const { namespace, name, uid, deletionTimestamp } = job.metadata;
      if (deletionTimestamp !== undefined) continue;
      try {
        await client.delete(
          jobs,
          { namespace, name },
          { propagationPolicy: 'Background', preconditions: uid === undefined ? {} : { uid }, signal },
        );
      } catch (error) {
        if (!isNotFound(error) && !isConflict(error)) throw error;
      }
    }
  }

  async #explain(session: Session, cause: unknown, signal: AbortSignal): Promise<void> {
    const { client, log } = this.#options;
    const why = isAmbientError(cause) ? `${messageOf(cause)}. ${cause.remedy}` : messageOf(cause);
    const message = `Is being deleted, and stays until its data are removed: ${why}`.slice(0, 1024);
    const { namespace, name, uid } = session.metadata;
    if (session.status?.message === message) return;
    try {
      await client.mergePatch(
        sessions,
        { namespace, name, subresource: 'status' },
        { metadata: { uid }, status: { message } },
        { signal, answer: 'metadata' },
      );
    } catch (err) {
      log.warn({ namespace, session: name, err }, 'could not say why a deleted session stays');
    }
  }
}

const keyOf = ({ metadata }: Session): SessionKey => sessionKey(metadata.namespace ?? '', metadata.name);
