/** The controller of sessions: which change makes which session be looked at again. */
import type { Session } from '../../../common/api/session.ts';
import { LABEL_SESSION, LABEL_SESSION_UID, LABEL_STEP } from '../../../common/api/names.ts';
import type { Framework } from '../../../common/api/framework.ts';
import type { NamespacePolicy } from '../../../common/api/namespace-policy.ts';
import type { KubeObject } from '../../../common/api/kubernetes.ts';
import type { Job, Pod } from '../../../common/kube/core-types.ts';
import type { Reflector } from '../../../common/kube/reflector.ts';
import { isTransient } from '../../../common/kube/errors.ts';
import { WorkQueue } from '../queue.ts';
import type { QueueMetrics } from '../queue.ts';
import { Committer } from './committer.ts';
import type { AppendHistory } from './committer.ts';
import { Memory } from './memory.ts';
import { podFacts } from './pod-facts.ts';
import { isOfRun, makeReconcile, sessionKey } from './reconcile.ts';
import type { SessionKey } from './reconcile.ts';
import type { SessionDependencies } from './step.ts';
import { isNews } from './trim.ts';

export { bySessionUid, SESSION_INDEX } from './reconcile.ts';
export { jobNameFor, jobNameOf } from './job.ts';
export { pushJobNameOf } from './push-job.ts';
export { trimJob, trimPod, trimSession } from './trim.ts';
export { Turns } from './turns.ts';
export type { AppendHistory } from './committer.ts';
export type { SessionRecords, SessionSettings } from './step.ts';

export interface SessionControllerOptions extends Omit<
  SessionDependencies,
  'memory' | 'sessions' | 'jobs' | 'pods' | 'frameworks' | 'jobsVersion'
> {
  reflectors: {
    sessions: Reflector<Session>;
    jobs: Reflector<Job>;
    pods: Reflector<Pod>;
    frameworks: Reflector<Framework>;
    namespacePolicies: Reflector<NamespacePolicy>;
  };
  append: AppendHistory;
  workers: number;
  random: () => number;
  metrics?: QueueMetrics;
}

export class SessionController {
  readonly #options: SessionControllerOptions;
  readonly #memory = new Memory();
  readonly #queue: WorkQueue<SessionKey>;
  readonly #subscriptions = new DisposableStack();

  constructor(options: SessionControllerOptions) {
    this.#options = options;
    const { client, clock, append, audit, log, reflectors } = options;
    const committer = new Committer({ client, clock, append, audit, memory: this.#memory });
    const reconcile = makeReconcile(
      {
        ...options,
        memory: this.#memory,
        sessions: reflectors.sessions.store,
        jobs: reflectors.jobs.store,
        pods: reflectors.pods.store,
        frameworks: reflectors.frameworks.store,
        jobsVersion: () => reflectors.jobs.resourceVersion,
      },
      committer,
    );
    this.#queue = new WorkQueue<SessionKey>({
      work: reconcile,
      onError: (session, err, { attempt, delayMs }) =>
        log[isTransient(err) ? 'warn' : 'error'](
          { session, err, attempt, retryInMs: Math.round(delayMs) },
          'reconciling a session failed',
        ),
      concurrency: options.workers,
      clock,
      random: options.random,
      ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
    });
  }

  /** Call when the reflectors are synced: looks at every session, then at each again when something about it changes. */
  start(): void {
    const { sessions, jobs, pods, frameworks, namespacePolicies } = this.#options.reflectors;
    this.#subscriptions.use(
      sessions.onChange(({ type, object }) => {
        const key = keyOf(object);
        if (type === 'deleted') {
          this.#queue.forget(key);
          this.#memory.forget(object.metadata.uid ?? '');
        } else this.#queue.add(key, { ahead: isWaiting(object), ofMany: type === 'added' && isNew(object) });
      }),
    );
    this.#subscriptions.use(
      // Like a new session's: somebody waits for the Job.
      this.#options.turns.onWake((namespace, name) =>
        this.#queue.add(sessionKey(namespace, name), { ahead: true }),
      ),
    );
    this.#subscriptions.use(
      jobs.onChange(({ type, object, previous }) => {
        if (type === 'deleted' || isNews(object, previous)) this.#addOwner(object);
      }),
    );
    this.#subscriptions.use(
      pods.onChange(({ type, object, previous }) => {
        if (type === 'deleted') this.#rememberEnd(object);
        if (type === 'deleted' || isNews(object, previous)) this.#addOwner(object);
      }),
    );
    this.#subscriptions.use(
      frameworks.onChange(() => {
        // Only sessions nobody could place yet depend on the registry.
        for (const session of sessions.store.list()) if (isNew(session)) this.#queue.add(keyOf(session));
      }),
    );
    this.#subscriptions.use(
      namespacePolicies.onChange(({ type, object, previous }) => {
        // Its status changes with every session; only the rules concern those that wait.
        if (type === 'updated' && previous?.metadata.generation === object.metadata.generation) return;
        for (const session of sessions.store.list(object.metadata.namespace))
          if (isWaiting(session)) this.#queue.add(keyOf(session));
      }),
    );
    for (const session of sessions.store.list())
      this.#queue.add(keyOf(session), { ahead: isWaiting(session) });
  }

  /** Something about the session changed that no watch tells, such as its source being complete: it waits for its Job. */
  wake(namespace: string, name: string): void {
    this.#queue.add(sessionKey(namespace, name), { ahead: true });
  }

  /** Looks at nothing more; looks under way may finish within `drainMs`. */
  async close(drainMs: number): Promise<void> {
    this.#subscriptions.dispose();
    await this.#queue.close(drainMs);
  }

  #addOwner(object: KubeObject): void {
    const name = object.metadata.labels?.[LABEL_SESSION];
    if (name !== undefined && name !== '') this.#queue.add(sessionKey(object.metadata.namespace ?? '', name));
  }

  /** The last thing a pod says is how it ended; the store forgets it together with the pod. */
  #rememberEnd(pod: Pod): void {
    const { namespace, labels = {} } = pod.metadata;
    const session = this.#options.reflectors.sessions.store.get({
      namespace,
      name: labels[LABEL_SESSION] ?? '',
    });
    const uid = labels[LABEL_SESSION_UID];
    const isOther = labels[LABEL_STEP] !== undefined;
    if (uid === undefined || isOther || session?.metadata.uid !== uid || !isOfRun(pod, session)) return;
    const { container, end } = podFacts(pod, this.#options.clock.now());
    this.#memory.note(uid, {
      ...(container === undefined ? {} : { containerEnd: container }),
      podEnd: end ?? { kind: 'Deleted', message: '' },
    });
  }
}

const keyOf = ({ metadata }: Session): SessionKey => sessionKey(metadata.namespace ?? '', metadata.name);

/** Nothing has been done for it yet. */
const isNew = ({ status }: Session): boolean => status?.phase === undefined;

/** It has not started: the rules of today decide about it, and a Job for it counts more to people than news of the others. */
const isWaiting = ({ status }: Session): boolean =>
  status?.phase === undefined || (status.phase === 'Pending' && status.workload === undefined);
