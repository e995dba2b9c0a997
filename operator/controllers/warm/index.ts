/**
 * The controller of pods that are kept ready: as many of each kind as the namespace's policy wants, none of a kind that no session
 * would have by now. It makes them and takes them away; a session claims one (controllers/session/claim.ts).
 */
import type { Logger } from 'pino';
import type { Framework } from '../../../common/api/framework.ts';
import { LABEL_SESSION_UID, LABEL_WARM, OPERATOR_ACTOR, POLICY_NAME } from '../../../common/api/names.ts';
import type { KubeObject } from '../../../common/api/kubernetes.ts';
import type { NamespacePolicy, NamespacePolicyStatus } from '../../../common/api/namespace-policy.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import type { Job, Pod } from '../../../common/kube/core-types.ts';
import { isConflict, isNotFound, isTransient, KubeError } from '../../../common/kube/errors.ts';
import type { Reflector } from '../../../common/kube/reflector.ts';
import { jobs } from '../../../common/kube/resource.ts';
import { shorten } from '../../../common/rules/conditions.ts';
import { tend, WARM_AGE_MS } from '../../../common/rules/warm-pods.ts';
import { oneLine } from '../../../common/rules/wording.ts';
import type { AuditTrail } from '../../record/audit.ts';
import type { Policies } from '../../sessions/policies.ts';
import type { Clock } from '../clock.ts';
import { WorkQueue } from '../queue.ts';
import type { Result } from '../queue.ts';
import { isOlder } from '../resource-version.ts';
import { Backoff } from './backoff.ts';
import { stateOf } from './kept-pod.ts';
import type { Kept } from './kept-pod.ts';
import { Promises } from './promises.ts';
import type { Endpoint } from './template.ts';
import { wishesOf } from './wishes.ts';
import type { Wish } from './wishes.ts';
import { warmJob } from './warm-job.ts';

/** Index of the stores of Jobs and pods: the namespace of those that are kept ready and no session's. */
export const WARM_INDEX = 'warm';
export const byWarmNamespace = ({ metadata }: KubeObject): string[] =>
  metadata.labels?.[LABEL_WARM] !== undefined && metadata.labels[LABEL_SESSION_UID] === ''
    ? [metadata.namespace ?? '']
    : [];

export type WarmStanding = NonNullable<NamespacePolicyStatus['warmPods']>;

export interface WarmPodsOptions {
  client: KubeClient;
  reflectors: {
    jobs: Reflector<Job>;
    pods: Reflector<Pod>;
    frameworks: Reflector<Framework>;
    namespacePolicies: Reflector<NamespacePolicy>;
  };
  policies: Pick<Policies, 'of'>;
  endpoint: () => Endpoint;
  prepareNamespace: (namespace: string, signal: AbortSignal) => Promise<void>;
  audit: AuditTrail;
  clock: Clock;
  random: () => number;
  /** Whether a session that could have had a pod got one. */
  onAsked?: (isHit: boolean) => void;
  log: Logger;
}

/** Should the watch not tell of what was made: it may have to connect anew. */
const RETOLD_MS = 500;

export class WarmPods {
  readonly #options: WarmPodsOptions;
  readonly #queue: WorkQueue<string>;
  readonly #subscriptions = new DisposableStack();
  readonly #standing = new Map<string, WarmStanding>();
  readonly #listeners = new Set<(namespace: string) => void>();
  /** resourceVersion of the Job that was made last, by namespace. */
  readonly #made = new Map<string, string>();
  readonly #backoff: Backoff;
  readonly #promises: Promises;

  constructor(options: WarmPodsOptions) {
    this.#options = options;
    const { clock, random, log } = options;
    this.#backoff = new Backoff(clock);
    this.#promises = new Promises(clock);
    this.#queue = new WorkQueue<string>({
      work: (namespace, signal) => this.#reconcile(namespace, signal),
      onError: (namespace, err, { attempt }) =>
        log.warn({ namespace, err, attempt }, 'keeping pods ready failed'),
      concurrency: 2,
      clock,
      random,
    });
  }

  /** Call when the reflectors are synced. */
  start(): void {
    const { reflectors } = this.#options;
    const { namespacePolicies: policies, frameworks } = reflectors;
    const all = (): void => {
      for (const { metadata, spec } of policies.store.list())
        if (spec.warmPods !== undefined) this.#queue.add(metadata.namespace ?? '');
    };
    this.#subscriptions.use(
      policies.onChange(({ type, object, previous }) => {
        // Its status changes with every session.
        const isNews = type !== 'updated' || previous?.metadata.generation !== object.metadata.generation;
        if (isNews) this.#queue.add(object.metadata.namespace ?? '');
      }),
    );
    this.#subscriptions.use(frameworks.onChange(all));
    // Also when it becomes a session's, after which it is in no index of ours.
    const look = ({ metadata }: KubeObject): void => {
      if (metadata.labels?.[LABEL_WARM] !== undefined) this.#queue.add(metadata.namespace ?? '');
    };
    this.#subscriptions.use(reflectors.jobs.onChange(({ object }) => look(object)));
    this.#subscriptions.use(reflectors.pods.onChange(({ object }) => look(object)));
    all();
    for (const job of reflectors.jobs.store.list()) look(job);
  }

  /** What the policy of the namespace has come to; undefined where it wants none. */
  standing(namespace: string): WarmStanding | undefined {
    return this.#standing.get(namespace);
  }

  onChange(listener: (namespace: string) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** One for a session, which nobody else is told of for a while; the API server decides who gets it. */
  pick(
    namespace: string,
    digest: string,
    sessionUid: string,
  ): { jobName: string; podName: string } | undefined {
    const ready = this.#kept(namespace).flatMap((kept) =>
      kept.digest === digest && kept.state === 'ready' && kept.podName !== undefined
        ? [{ uid: kept.uid, ageMs: kept.ageMs, jobName: kept.name, podName: kept.podName }]
        : [],
    );
    const oldestFirst = ready.toSorted((a, b) => b.ageMs - a.ageMs);
    const found = oldestFirst.find(({ uid }) => this.#promises.make(uid, sessionUid));
    this.#options.onAsked?.(found !== undefined);
    return found === undefined ? undefined : { jobName: found.jobName, podName: found.podName };
  }

  /** Over all namespaces. */
  counts(): { ready: number; starting: number } {
    const counts = { ready: 0, starting: 0 };
    for (const namespace of this.#standing.keys())
      for (const { state } of this.#kept(namespace)) if (state !== 'over') counts[state]++;
    return counts;
  }

  async close(drainMs: number): Promise<void> {
    this.#subscriptions.dispose();
    await this.#queue.close(drainMs);
  }

  async #reconcile(namespace: string, signal: AbortSignal): Promise<Result> {
    const { reflectors, policies, endpoint } = this.#options;
    const kept = this.#kept(namespace);
    const policy = reflectors.namespacePolicies.store.get({ namespace, name: POLICY_NAME });
    const isWanted = policy?.spec.warmPods !== undefined && policy.metadata.deletionTimestamp === undefined;
    if (!isWanted && kept.length === 0) {
      this.#made.delete(namespace);
      this.#stand(namespace, undefined);
      return undefined;
    }
    if (isOlder(reflectors.jobs.resourceVersion, this.#made.get(namespace)))
      return { requeueAfterMs: RETOLD_MS };
    const wishes = isWanted
      ? wishesOf(policy, reflectors.frameworks.store.list(), policies.of(namespace), endpoint())
      : [];
    const again: number[] = [];
    const standing: WarmStanding = [];
    const isStale = new Set(kept.map(({ digest }) => digest));
    for (const wish of wishes) {
      if (wish.template !== undefined) isStale.delete(wish.template.digest);
      const mine = kept.filter(({ digest }) => digest === wish.template?.digest);
      const trouble = await this.#keep(namespace, policy, wish, mine, { signal, again });
      standing.push({
        framework: wish.framework,
        ...(wish.version === undefined ? {} : { version: wish.version }),
        wanted: wish.count,
        ready: Math.min(wish.count, mine.filter(({ state }) => state === 'ready').length),
        ...(trouble === undefined ? {} : { message: shorten(oneLine(trouble), 1024) }),
      });
    }
    for (const pod of kept) if (isStale.has(pod.digest)) await this.#remove(namespace, pod, signal);
    for (const { ageMs } of kept) again.push(Math.max(1000, WARM_AGE_MS - ageMs));
    this.#stand(namespace, isWanted ? standing : undefined);
    this.#promises.tidy();
    const soonest = Math.min(...again);
    return soonest === Infinity ? undefined : { requeueAfterMs: soonest };
  }

  /** Makes and takes away. Why there are too few, if there is a reason. */
  async #keep(
    namespace: string,
    policy: NamespacePolicy | undefined,
    wish: Wish,
    mine: readonly Kept[],
    { signal, again }: { signal: AbortSignal; again: number[] },
  ): Promise<string | undefined> {
    const { template } = wish;
    if (template === undefined || policy === undefined) return wish.message;
    const { make, remove } = tend(mine, wish.count);
    const key = `${namespace}/${template.digest}`;
    const leaving = mine.filter(({ name }) => remove.includes(name));
    for (const pod of leaving) {
      if (pod.state === 'over') this.#backoff.failed(key, pod.trouble);
      await this.#remove(namespace, pod, signal);
    }
    if (mine.some(({ state, ageMs }) => state === 'ready' && ageMs > LASTING_MS)) this.#backoff.forget(key);
    const trouble = mine.find(
      ({ state, trouble: said }) => state === 'starting' && said !== undefined,
    )?.trouble;
    if (make === 0) return trouble;
    const { leftMs, why } = this.#backoff.of(key);
    if (leftMs > 0) {
      again.push(leftMs);
      return why;
    }
    const refusal = await this.#make(namespace, policy, template, make, signal);
    if (refusal === undefined) return trouble;
    // A quota has room again when other work ends, of which nobody tells us.
    this.#backoff.failed(key, refusal);
    again.push(this.#backoff.of(key).leftMs);
    return refusal;
  }

  /** Why the cluster refuses. */
  async #make(
    namespace: string,
    policy: NamespacePolicy,
    template: NonNullable<Wish['template']>,
    count: number,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { client, audit, endpoint, random, prepareNamespace } = this.#options;
    await prepareNamespace(namespace, signal);
    for (let nth = 0; nth < count; nth++) {
      const job = warmJob(template, policy, endpoint(), random);
      await audit.record(this.#record('create', namespace, job.metadata.name));
      try {
        const made = await client.create(jobs, job, { signal, answer: 'metadata' });
        this.#made.set(namespace, made.metadata.resourceVersion ?? '');
      } catch (error) {
        if (!(error instanceof KubeError) || isTransient(error) || error.status === 0) throw error;
        return `The cluster refuses the pods: ${error.message}`;
      }
    }
    return undefined;
  }

  /** Only as it is known here: what a session has claimed meanwhile stays. */
  async #remove(namespace: string, { name, uid, resourceVersion }: Kept, signal: AbortSignal): Promise<void> {
    const { client, audit } = this.#options;
    await audit.record(this.#record('delete', namespace, name));
    try {
      await client.delete(
        jobs,
        { namespace, name },
        { propagationPolicy: 'Background', preconditions: { uid, resourceVersion }, signal },
      );
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }

  #kept(namespace: string): Kept[] {
    const { reflectors, clock } = this.#options;
    const now = clock.now();
    const ofJob = new Map<string, Pod>();
    for (const pod of reflectors.pods.store.byIndex(WARM_INDEX, namespace)) {
      const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true);
      if (owner !== undefined) ofJob.set(owner.uid, pod);
    }
    return reflectors.jobs.store
      .byIndex(WARM_INDEX, namespace)
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map((job) => stateOf(job, ofJob.get(job.metadata.uid ?? ''), now));
  }

  #stand(namespace: string, standing: WarmStanding | undefined): void {
    const before = JSON.stringify(this.#standing.get(namespace));
    if (standing === undefined) this.#standing.delete(namespace);
    else this.#standing.set(namespace, standing);
    if (before === JSON.stringify(standing)) return;
    for (const listener of this.#listeners) listener(namespace);
  }

  readonly #record = (action: 'create' | 'delete', namespace: string, job: string) => ({
    namespace,
    actor: OPERATOR_ACTOR,
    action,
    resource: 'jobs',
    outcome: 'allowed' as const,
    details: { job, warm: true },
  });
}

/** What has been ready for so long is no pod that ends as soon as it begins. */
const LASTING_MS = 60_000;
