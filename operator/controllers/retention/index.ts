/**
 * Retention: finished sessions lose their logs and artifacts, later themselves, when their namespace's policy says so. Each
 * has its timer; what fell due while no operator ran is caught up with at a bounded rate. What fails is tried again: a store
 * or an audit record that is down delays, and nothing is removed that was not recorded.
 */
import type { Logger } from 'pino';
import type { AuditEvent } from '../../../common/api/audit.ts';
import { OPERATOR_ACTOR } from '../../../common/api/names.ts';
import type { NamespacePolicy } from '../../../common/api/namespace-policy.ts';
import { isTerminal } from '../../../common/api/session.ts';
import type { Session } from '../../../common/api/session.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import { isConflict, isNotFound } from '../../../common/kube/errors.ts';
import type { Reflector } from '../../../common/kube/reflector.ts';
import { sessions } from '../../../common/kube/resource.ts';
import { dueOf, REASON_EXPIRED } from '../../../common/rules/retention.ts';
import type { AuditTrail } from '../../record/audit.ts';
import type { Policies } from '../../sessions/policies.ts';
import { keys, refOf } from '../../store/keys.ts';
import type { ArtifactStore } from '../../store/store.ts';
import { timestamp } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { Pace } from '../pace.ts';
import { WorkQueue } from '../queue.ts';
import type { Result } from '../queue.ts';
import { Committer } from '../session/committer.ts';
import type { AppendHistory } from '../session/committer.ts';
import { Draft } from '../session/draft.ts';
import { Memory } from '../session/memory.ts';
import { sessionKey } from '../session/reconcile.ts';
import type { SessionKey } from '../session/reconcile.ts';
import { assertThere } from './assert-there.ts';
import { SettledTime } from './settled-time.ts';

/** No timer runs longer, so that a clock that was set meanwhile is noticed. */
const LOOK_AGAIN_MS = 86_400_000;
const LOST_RACE_MS = 1000;

export interface RetentionOptions {
  client: KubeClient;
  sessions: Reflector<Session>;
  namespacePolicies: Reflector<NamespacePolicy>;
  policies: Pick<Policies, 'of'>;
  store: ArtifactStore;
  append: AppendHistory;
  audit: AuditTrail;
  clock: Clock;
  random: () => number;
  /** Sessions that lose something in a second, at most. */
  perSecond: number;
  log: Logger;
}

export class RetentionController {
  readonly #options: RetentionOptions;
  readonly #memory = new Memory();
  readonly #committer: Committer;
  readonly #time: SettledTime;
  readonly #pace: Pace;
  readonly #queue: WorkQueue<SessionKey>;
  readonly #subscriptions = new DisposableStack();
  /** Whose data are gone, while the note about it is not written yet. */
  readonly #removed = new Set<SessionKey>();

  constructor(options: RetentionOptions) {
    this.#options = options;
    const { client, append, audit, clock, random, log } = options;
    this.#committer = new Committer({ client, clock, append, audit, memory: this.#memory });
    this.#time = new SettledTime(clock);
    this.#pace = new Pace(options.perSecond, clock);
    this.#queue = new WorkQueue<SessionKey>({
      work: (key, signal) => this.#look(key, signal),
      onError: (session, err, { attempt }) => log.warn({ session, err, attempt }, 'retention is delayed'),
      concurrency: 2,
      clock,
      random,
    });
  }

  /** Call when the reflectors are synced. */
  start(): void {
    const { sessions: reflector, namespacePolicies } = this.#options;
    this.#subscriptions.use(
      reflector.onChange(({ type, object }) => {
        if (type === 'deleted') this.#forget(object);
        else this.#add(object);
      }),
    );
    this.#subscriptions.use(
      namespacePolicies.onChange(({ object }) => {
        for (const session of reflector.store.list(object.metadata.namespace ?? '')) this.#add(session);
      }),
    );
    for (const session of reflector.store.list()) this.#add(session);
  }

  async close(drainMs: number): Promise<void> {
    this.#subscriptions.dispose();
    await this.#queue.close(drainMs);
  }

  #add(session: Session): void {
    if (isTerminal(session.status?.phase)) this.#queue.add(keyOf(session));
  }

  #forget(session: Session): void {
    const key = keyOf(session);
    this.#queue.forget(key);
    this.#pace.forget(key);
    this.#removed.delete(key);
    this.#memory.forget(session.metadata.uid ?? '');
  }

  async #look(key: SessionKey, signal: AbortSignal): Promise<Result> {
    const slash = key.indexOf('/');
    const namespace = key.slice(0, slash);
    const session = this.#options.sessions.store.get({ namespace, name: key.slice(slash + 1) });
    // What this process wrote itself is about to be told.
    if (session === undefined || this.#committer.isStale(session)) return undefined;
    const periods = this.#options.policies.of(namespace).retention;
    const now = this.#time.now();
    const due = dueOf(session, periods, now);
    if (due.what === 'nothing') return later(due.next - now);

    const wait = this.#pace.turn(key);
    if (wait > 0) return { requeueAfterMs: wait };
    if (due.what === 'session') return await this.#delete(session, periods.sessions, signal);
    if (!this.#removed.has(key) && !(await this.#hasData(session)))
      return later(dueWithoutData(session, periods, now) - now);
    return await this.#expire(session, periods.artifacts, signal);
  }

  /** Or had, as its status still tells: the operator was ended between removing them and writing the note. */
  async #hasData(session: Session): Promise<boolean> {
    const ref = refOf(session);
    await assertThere(this.#options.store);
    if ((session.status?.artifacts?.count ?? 0) > 0) return true;
    const folders = await this.#options.store.listFolders(keys.session(ref));
    return keys.expiring(ref).some((prefix) => folders.some((folder) => prefix.endsWith(`/${folder}/`)));
  }

  /** The data first, so that no note tells of what is still there. */
  async #expire(session: Session, period: string, signal: AbortSignal): Promise<Result> {
    const { store, audit, clock, log } = this.#options;
    const key = keyOf(session);
    if (!this.#removed.has(key)) {
      await audit.record(auditOf(session, 'sessions/artifacts', period));
      for (const prefix of keys.expiring(refOf(session))) await store.remove(prefix);
      this.#removed.add(key);
    }

    const draft = new Draft(session, timestamp(clock.now()));
    const { count = 0, totalBytes = 0 } = session.status?.artifacts ?? {};
    draft.condition({
      type: 'ArtifactsGenerated',
      status: 'False',
      reason: REASON_EXPIRED,
      message: `Log and artifacts were removed ${period} after the end, as the namespace's policy has it.`,
    });
    if (session.status?.artifacts !== undefined) draft.artifacts({ generated: [], count: 0, totalBytes: 0 });
    draft.record('ArtifactsExpired', { retention: period, count, totalBytes });
    const written = await this.#committer.commit(session, draft, signal);
    if (written === 'conflict') return { requeueAfterMs: LOST_RACE_MS };
    this.#removed.delete(key);
    const { namespace, name } = session.metadata;
    log.info({ namespace, session: name, period }, 'removed the log and artifacts of an old session');
    return undefined;
  }

  /**
   * Its data go by the finalizer (release.ts). Whatever is written to it meanwhile, it stays finished since then, and hence due: that
   * it is this session is all that must hold, and one decision is recorded once.
   */
  async #delete(session: Session, period: string, signal: AbortSignal): Promise<Result> {
    const { client, audit, log } = this.#options;
    const { namespace, name, uid = '' } = session.metadata;
    await audit.record(auditOf(session, 'sessions', period));
    try {
      await client.delete(
        sessions,
        { namespace, name },
        { propagationPolicy: 'Background', preconditions: { uid }, signal },
      );
    } catch (error) {
      // Deleted already, or another one of its name by now.
      if (isNotFound(error) || isConflict(error)) return undefined;
      throw error;
    }
    log.info({ namespace, session: name, period }, 'deleted an old session');
    return undefined;
  }
}

const keyOf = ({ metadata }: Session): SessionKey => sessionKey(metadata.namespace ?? '', metadata.name);

const later = (delayMs: number): Result =>
  Number.isFinite(delayMs) ? { requeueAfterMs: Math.min(delayMs, LOOK_AGAIN_MS) } : undefined;

/** A session that never had data gets no note about losing them. */
function dueWithoutData(session: Session, periods: { sessions: string }, now: number): number {
  const due = dueOf(session, { sessions: periods.sessions, artifacts: periods.sessions }, now);
  return due.what === 'nothing' ? due.next : now;
}

const auditOf = ({ metadata }: Session, resource: string, period: string): AuditEvent => ({
  namespace: metadata.namespace ?? '',
  sessionId: metadata.name,
  ...(metadata.uid === undefined ? {} : { sessionUid: metadata.uid }),
  actor: OPERATOR_ACTOR,
  action: 'delete',
  resource,
  outcome: 'allowed',
  details: { reason: 'Retention', retention: period },
});
