/** One look at one session: the steps in order, then one write at most. */
import { isTerminal } from '../../../common/api/session.ts';
import { LABEL_SESSION_UID, LABEL_STEP, LABEL_WARM } from '../../../common/api/names.ts';
import type { Session } from '../../../common/api/session.ts';
import type { KubeObject } from '../../../common/api/kubernetes.ts';
import type { ObjectStore } from '../../../common/kube/object-store.ts';
import type { Pod } from '../../../common/kube/core-types.ts';
import { timestamp } from '../clock.ts';
import type { Result } from '../queue.ts';
import { admit } from './admit.ts';
import { approval } from './approval.ts';
import type { Committer } from './committer.ts';
import { deliver } from './deliver.ts';
import { Draft } from './draft.ts';
import { finish } from './finish.ts';
import { jobNameFor } from './job.ts';
import { observe } from './observe.ts';
import { pullRequest } from './pull-request.ts';
import { push } from './push.ts';
import { reap } from './reap.ts';
import { source } from './source.ts';
import { hasJob, stopBeforeStart } from './stop.ts';
import { turn } from './turn.ts';
import { workload } from './workload.ts';
import type { Look, SessionDependencies, Step, StepResult } from './step.ts';

const LIFECYCLE: readonly Step[] = [
  stopBeforeStart,
  admit,
  approval,
  source,
  turn,
  workload,
  observe,
  finish,
];
/** None waits for another. */
const AFTERLIFE: readonly Step[] = [reap, deliver, push, pullRequest];

/** Should the watch not tell: it may have to connect anew. */
const RETOLD_MS = 1000;

export const SESSION_INDEX = 'session';
/** Of its own workload, not of what else is done for it. */
export const bySessionUid = ({ metadata: { labels = {} } }: KubeObject): string[] => {
  const uid = labels[LABEL_SESSION_UID];
  // Empty: of a pod that is kept ready.
  return uid === undefined || uid === '' || labels[LABEL_STEP] !== undefined ? [] : [uid];
};

/** `namespace/name` */
export type SessionKey = `${string}/${string}`;
export const sessionKey = (namespace: string, name: string): SessionKey => `${namespace}/${name}`;

export function makeReconcile(controller: SessionDependencies, committer: Committer) {
  return async (key: SessionKey, signal: AbortSignal): Promise<Result> => {
    const slash = key.indexOf('/');
    const session = controller.sessions.get({ namespace: key.slice(0, slash), name: key.slice(slash + 1) });
    // Its Job goes with it by owner reference, its data by the cleanup.
    if (session === undefined) return undefined;
    if (session.metadata.deletionTimestamp !== undefined) {
      controller.turns.withdraw(session);
      return undefined;
    }
    // The event that brings our own last write brings this key again.
    if (committer.isStale(session)) return undefined;

    const look = lookAt(session, controller, signal);
    try {
      const outcome = await (isTerminal(session.status?.phase)
        ? runAll(AFTERLIFE, look)
        : run(LIFECYCLE, look));
      if (outcome === 'retold') return { requeueAfterMs: RETOLD_MS };
      const written = await committer.commit(session, look.draft, signal);
      if (written === 'conflict') return { requeueAfterMs: 1000 };
      return typeof outcome === 'object' ? { requeueAfterMs: outcome.lookAgainMs } : undefined;
    } catch (error) {
      await committer.tellWhy(session, error, signal);
      throw error;
    } finally {
      // Whoever cannot use a turn must not keep others from it; with a Job it has used it.
      if (!look.asksForTurn && !hasJob(look)) controller.turns.withdraw(session);
    }
  };
}

async function run(steps: readonly Step[], look: Look): Promise<StepResult> {
  for (const step of steps) {
    const result = await step(look);
    if (result !== 'continue') return result;
  }
  return 'done';
}

async function runAll(steps: readonly Step[], look: Look): Promise<StepResult> {
  let lookAgainMs = Infinity;
  for (const step of steps) {
    const result = await step(look);
    if (typeof result === 'object') lookAgainMs = Math.min(lookAgainMs, result.lookAgainMs);
  }
  return lookAgainMs === Infinity ? 'done' : { lookAgainMs };
}

function lookAt(session: Session, controller: SessionDependencies, signal: AbortSignal): Look {
  const uid = session.metadata.uid ?? '';
  return {
    session,
    uid,
    draft: new Draft(session, timestamp(controller.clock.now())),
    signal,
    controller,
    job: owned(controller.jobs, uid).find((job) => isOfRun(job, session)),
    pod: podOf(
      session,
      owned(controller.pods, uid).filter((pod) => isOfRun(pod, session)),
    ),
    asksForTurn: false,
    plan: undefined,
    ending: undefined,
  };
}

const owned = <T extends KubeObject>(store: ObjectStore<T>, uid: string): T[] =>
  uid === '' ? [] : store.byIndex(SESSION_INDEX, uid);

/** A pod that was kept ready and died before it had the session's run stays labelled until it is gone: another is the session's. */
export function isOfRun({ kind, metadata }: KubeObject, session: Session): boolean {
  if (metadata.labels?.[LABEL_WARM] === undefined) return true;
  const job =
    kind === 'Job' ? metadata.name : metadata.ownerReferences?.find(({ controller }) => controller)?.name;
  return job === jobNameFor(session);
}

/** The pod that was seen running, or else the newest. */
function podOf(session: Session, pods: readonly Pod[]): Pod | undefined {
  const known = session.status?.workload?.podName;
  return (
    pods.find(({ metadata }) => metadata.name === known) ??
    pods.toSorted((a, b) =>
      (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? ''),
    )[0]
  );
}
