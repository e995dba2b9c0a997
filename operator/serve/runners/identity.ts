/** Which session a runner may report on: the one whose Job owns its pod, as long as that pod runs. */
import {
  API_VERSION,
  LABEL_SESSION,
  LABEL_SESSION_UID,
  LABEL_STEP,
  LABEL_WARM,
  TOKEN_AUDIENCE,
} from '../../../common/api/names.ts';
import type { OwnerReference } from '../../../common/api/kubernetes.ts';
import type { Session } from '../../../common/api/session.ts';
import { AmbientError, isAmbientError } from '../../../common/errors.ts';
import type { Job, Pod } from '../../../common/kube/core-types.ts';
import type { SessionLookup } from '../../sessions/lookup.ts';
import { Tokens } from './tokens.ts';
import type { Bearer, TokenPod, TokenReviewer } from './tokens.ts';

export interface PodLookup {
  /** What is known here and now. */
  get(namespace: string, name: string): Pod | undefined;
  /** What the API server says, for a pod too young to be known. */
  fetch(namespace: string, name: string, signal?: AbortSignal): Promise<Pod | undefined>;
}

export interface JobLookup {
  get(namespace: string, name: string): Job | undefined;
  /** What the API server says: a Job that the watch does not know is too young, or deleted and its runner to be sent away. */
  fetch?(namespace: string, name: string, signal?: AbortSignal): Promise<Job | undefined>;
}

export interface RunnerIdentityOptions {
  reviewer: TokenReviewer;
  /** Of the tokens it takes; default: those of runners. */
  audience?: string;
  pods: PodLookup;
  jobs: JobLookup;
  sessions: SessionLookup;
  /** LABEL_STEP of the pods; undefined: sessions' own workloads. */
  step?: string;
  /** Name of the session's Job that the pods are of. */
  jobNameFor: (session: Session) => string;
  now: () => Date;
}

const forbidden = (why: string): AmbientError => new AmbientError('forbidden', why);

export class RunnerIdentity {
  readonly #options: RunnerIdentityOptions;
  readonly #tokens: Tokens;

  constructor(options: RunnerIdentityOptions) {
    this.#options = options;
    this.#tokens = new Tokens({
      reviewer: options.reviewer,
      audience: options.audience ?? TOKEN_AUDIENCE,
      now: options.now,
      mayExist: async (pod) => {
        const found = await this.#pod(pod);
        const { uid, labels = {} } = found?.metadata ?? {};
        return uid === pod.uid && ((labels[LABEL_SESSION_UID] ?? '') !== '' || isKept(labels));
      },
    });
  }

  /** The pod of the bearer, also one that is kept ready and no session's. Throws unauthenticated, forbidden, unavailable. */
  async podOf(authorization: string | undefined, signal?: AbortSignal): Promise<Pod> {
    const at = await this.#tokens.podOf(authorization);
    const pod = await this.#pod(at, signal);
    if (pod?.metadata.uid !== at.uid) throw forbidden(`pod ${at.name} is gone`);
    return pod;
  }

  /**
   * The session of the bearer of a token. Labels alone prove nothing, as whoever may create pods may write them: the chain
   * of owners from pod to Job to session is what counts. Throws unauthenticated, forbidden, unavailable.
   */
  async sessionOf(authorization: string | undefined, signal?: AbortSignal): Promise<Session> {
    return await this.#sessionOf(await this.#tokens.podOf(authorization), signal);
  }

  /** Whom a token that was refused speaks of, and whose pod that is if it is proven. Throws what the API server's absence throws. */
  async bearerOf(
    authorization: string | undefined,
  ): Promise<{ bearer: Bearer; session: Session | undefined } | undefined> {
    const bearer = await this.#tokens.bearerOf(authorization);
    if (bearer === undefined) return undefined;
    return { bearer, session: bearer.isProven ? await this.ownerOf(bearer.pod) : undefined };
  }

  /** Whose pod it is, if that is proven. Throws what the API server's absence throws. */
  async ownerOf(pod: TokenPod): Promise<Session | undefined> {
    try {
      return await this.#sessionOf(pod);
    } catch (error) {
      if (isAmbientError(error)) return undefined;
      throw error;
    }
  }

  async #sessionOf(at: TokenPod, signal?: AbortSignal): Promise<Session> {
    const pod = await this.#pod(at, signal);
    if (pod?.metadata.uid !== at.uid) throw forbidden(`pod ${at.name} is gone`);
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') {
      throw forbidden(`pod ${at.name} has ended`);
    }
    const { labels = {}, ownerReferences } = pod.metadata;
    const name = labels[LABEL_SESSION] ?? '';
    const uid = labels[LABEL_SESSION_UID] ?? '';
    if (name === '' || uid === '') throw forbidden(`pod ${at.name} is not a session's`);
    const { sessions, step, jobNameFor } = this.#options;
    if (labels[LABEL_STEP] !== step) throw forbidden(`pod ${at.name} is there for something else`);
    const owner = controllerOf(ownerReferences);
    let session = sessions.get(at.namespace, name);
    // Our watch of sessions may not have told yet that there is one, or that it has claimed this pod.
    if (session === undefined || (labels[LABEL_WARM] !== undefined && jobNameFor(session) !== owner?.name))
      session = await sessions.fetch(at.namespace, name, signal);
    // While it is being deleted its data are removed: nothing more may come.
    if (session?.metadata.uid !== uid || session.metadata.deletionTimestamp !== undefined)
      throw forbidden(`session ${name} is gone`);
    await this.#checkJob(at, session, owner, signal);
    const expected = session.status?.workload?.podName;
    if (step === undefined && expected !== undefined && expected !== at.name)
      throw forbidden(`session ${name} runs in pod ${expected}`);
    return session;
  }

  async #checkJob(
    { namespace, name }: TokenPod,
    session: Session,
    owner: OwnerReference | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { jobs, jobNameFor } = this.#options;
    const jobName = jobNameFor(session);
    if (owner?.kind !== 'Job' || owner.apiVersion !== 'batch/v1' || owner.name !== jobName) {
      throw forbidden(`pod ${name} does not belong to the Job of its session`);
    }
    const isOurs = (job: Job): boolean => {
      const of = controllerOf(job.metadata.ownerReferences);
      return (
        job.metadata.uid === owner.uid &&
        of?.kind === 'Session' &&
        of.apiVersion === API_VERSION &&
        of.uid === session.metadata.uid
      );
    };
    let job = jobs.get(namespace, jobName);
    // It may be too young for our watch, or claimed a moment ago.
    const isBehind = job === undefined || (session.status?.warmPod !== undefined && !isOurs(job));
    if (isBehind && jobs.fetch !== undefined) {
      job = await jobs.fetch(namespace, jobName, signal);
      if (job === undefined) throw forbidden(`Job ${jobName} is gone`);
    }
    // Our watch of Jobs is behind: the runner asks again.
    if (job === undefined) throw new AmbientError('unavailable', `Job ${jobName} is not known yet`);
    if (!isOurs(job)) throw forbidden(`Job ${jobName} does not belong to the session of pod ${name}`);
  }

  async #pod({ namespace, name, uid }: TokenPod, signal?: AbortSignal): Promise<Pod | undefined> {
    const { pods } = this.#options;
    const known = pods.get(namespace, name);
    return known?.metadata.uid === uid ? known : await pods.fetch(namespace, name, signal);
  }
}

const isKept = (labels: Record<string, string>): boolean =>
  labels[LABEL_WARM] !== undefined && labels[LABEL_SESSION_UID] === '';

const controllerOf = (owners: OwnerReference[] | undefined): OwnerReference | undefined =>
  owners?.find(({ controller }) => controller === true);
