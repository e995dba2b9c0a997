/** Step: what has become of the Job and its pod. Tells a start, tells trouble, and notices the end in whatever form. */
import type { Job } from '../../../common/kube/core-types.ts';
import { isNotFound } from '../../../common/kube/errors.ts';
import { jobs } from '../../../common/kube/resource.ts';
import { findCondition } from '../../../common/rules/conditions.ts';
import { failed, stopped, stopping } from '../../../common/rules/outcome.ts';
import type { FailureReason, Outcome } from '../../../common/rules/outcome.ts';
import { formatDuration } from '../../../common/rules/wording.ts';
import { isOlder } from '../resource-version.ts';
import { jobNameFor } from './job.ts';
import { lastWarningAbout, whyNotStarted } from './job-events.ts';
import { podFacts } from './pod-facts.ts';
import type { PodFacts, PodTrouble } from './pod-facts.ts';
import { stopOf, timeLeftToStop } from './stop.ts';
import { WAITING } from './workload.ts';
import { trimJob } from './trim.ts';
import type { Ending, Look, StepResult } from './step.ts';

/** The watch of Jobs lags behind our own creation; the event that ends this comes by itself. */
const LAG_RETRY_MS = 1000;
/** A Job controller that is not overloaded makes a pod within a second; after this we ask why it did not. */
const POD_EXPECTED_MS = 10_000;
const POD_RETRY_MS = 30_000;

const finished = (job: Job): boolean =>
  job.status?.conditions?.some(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  ) === true;

export async function observe(look: Look): Promise<StepResult> {
  const { pod, uid, controller } = look;
  if (look.job === undefined && pod === undefined) {
    const result = await confirmAbsence(look);
    if (result !== 'continue') return result;
  }
  if (pod === undefined) return await withoutPod(look);

  const facts = podFacts(pod, controller.clock.now());
  if (facts.container !== undefined) controller.memory.note(uid, { containerEnd: facts.container });
  if (facts.end !== undefined) controller.memory.note(uid, { podEnd: facts.end });
  if (facts.startTime !== undefined) noteStarted(look, facts.startTime);

  switch (facts.state) {
    case 'over':
      return end(look, facts);
    case 'running':
      return running(look, facts);
    case 'waiting':
      return await waiting(look, facts);
  }
}

function running(look: Look, facts: PodFacts): StepResult {
  const { draft, controller, pod, uid } = look;
  controller.memory.clearTrouble(uid);
  const stop = stopOf(look.session);
  const left = timeLeftToStop(look);
  if (left !== undefined && left <= 0) return stopNow(look, facts);
  if (left !== undefined && stop !== undefined) {
    draft.message(stopping(stop));
    return { lookAgainMs: left };
  }
  const paused = findCondition(look.session.status?.conditions, 'BudgetPaused');
  draft.message(
    facts.deleting
      ? 'The pod is being deleted.'
      : paused?.status === 'True'
        ? paused.message
        : `Running${pod?.spec.nodeName === undefined ? '' : ` on node ${pod.spec.nodeName}`}.`,
  );
  if (!facts.deleting) return 'done';
  const overdue = Date.parse(pod?.metadata.deletionTimestamp ?? '') - controller.clock.now();
  return { lookAgainMs: Math.max(1000, overdue + 31_000) };
}

async function waiting(look: Look, facts: PodFacts): Promise<StepResult> {
  // Nobody listens in there yet, so there is nothing to wait for.
  if (look.session.status?.stop !== undefined) return stopNow(look, facts);
  return facts.trouble === undefined
    ? await startExpected(look, facts)
    : inTrouble(look, facts, facts.trouble);
}

/** A node that can start the pod is expected to have done so, or to be pulling its image, after this; then we ask what it says. */
const START_EXPECTED_MS = 60_000;

async function startExpected(look: Look, facts: PodFacts): Promise<StepResult> {
  const { uid, draft, controller, pod, signal } = look;
  const { memory, client, clock } = controller;
  const wait = (lookAgainMs: number): StepResult => {
    // No message for each step of an ordinary start: it would be worth a write to nobody.
    draft.message(WAITING);
    return { lookAgainMs };
  };
  const now = clock.elapsed();
  const isKnown = memory.of(uid).trouble?.kind === 'node';
  const since = isKnown ? -Infinity : memory.trouble(uid, 'starting', '', now).since;
  const expected = since + START_EXPECTED_MS - now;
  if (expected > 0) return wait(facts.deleting ? POD_RETRY_MS : expected);
  const why = pod === undefined ? undefined : await whyNotStarted(client, pod, signal);
  if (why !== undefined)
    return inTrouble(look, facts, { kind: 'node', message: `The node cannot start the pod (${why}).` });
  memory.trouble(uid, 'starting', '', now);
  return wait(POD_RETRY_MS);
}

/** Trouble that passes by itself within moments, as with pods that come at once, would be worth a write to nobody. */
const TELL_AFTER_MS = 3000;

const TROUBLE: Record<
  'image' | 'container' | 'node' | 'hopeless',
  { reason: FailureReason; remedy: string }
> = {
  image: {
    reason: 'ImagePullFailed',
    remedy: "Check the name of the image in the framework, and that the cluster's nodes can pull it.",
  },
  container: { reason: 'ContainerNotStarted', remedy: "Check the framework's image." },
  node: {
    reason: 'ContainerNotStarted',
    remedy: 'Ask whoever runs the cluster: its nodes lack something that the session needs.',
  },
  hopeless: { reason: 'ImagePullFailed', remedy: 'Correct the name of the image in the framework.' },
};

function inTrouble(look: Look, facts: PodFacts, { kind, message }: PodTrouble): StepResult {
  const { draft, uid, controller } = look;
  const now = controller.clock.elapsed();
  const trouble = controller.memory.trouble(uid, kind, message, now);
  const passing = trouble.since + TELL_AFTER_MS - now;
  if (kind !== 'hopeless' && passing > 0) {
    draft.message(WAITING);
    return { lookAgainMs: passing };
  }
  if (kind === 'unschedulable') {
    draft.message(`${message} The session starts when one can, and can be stopped until then.`);
    return 'done';
  }
  const left = kind === 'hopeless' ? 0 : trouble.since + controller.settings.startPatienceMs - now;
  const { reason, remedy } = TROUBLE[kind];
  if (left > 0) {
    draft.message(`${trouble.message} Kubernetes tries again.`);
    // No watch tells of events.
    return { lookAgainMs: kind === 'node' ? Math.min(left, POD_RETRY_MS) : left };
  }
  const tried =
    kind === 'hopeless' ? '' : ` This went on for ${formatDuration(controller.settings.startPatienceMs)}.`;
  return end(look, facts, failed(reason, `${trouble.message}${tried} ${remedy}`));
}

const stopNow = (look: Look, facts: PodFacts): StepResult =>
  end(look, facts, stopped(stopOf(look.session) ?? { requestedBy: 'somebody' }));

function end(look: Look, facts: PodFacts, outcome?: Outcome): StepResult {
  look.ending = {
    container: facts.container,
    pod: facts.end,
    completionTime: facts.completionTime,
    outcome,
  };
  return 'continue';
}

/** The Job is there, or was, but no pod of it. */
async function withoutPod(look: Look): Promise<StepResult> {
  const { session, job, uid, draft, controller } = look;
  const known = controller.memory.of(uid);
  const gone = (pod: Ending['pod']): StepResult => {
    look.ending = {
      container: known.containerEnd,
      pod: known.podEnd ?? pod,
      completionTime: undefined,
      outcome: undefined,
    };
    return 'continue';
  };
  const wasRunning = session.status?.phase === 'Running';
  const stop = stopOf(session);
  if (job === undefined)
    return gone({ kind: 'Deleted', message: `Job ${jobNameFor(session)} is not there any more` });
  if (finished(job)) return gone(undefined);
  if (job.spec.suspend === true) {
    if (wasRunning) return gone({ kind: 'Evicted', message: 'the Job was suspended, which ends its pod' });
    if (stop !== undefined) return giveUp(look, stopped(stop));
    draft.message('Waiting for its turn in the queue: the Job is suspended.');
    return 'done';
  }
  if (stop !== undefined && !wasRunning) return giveUp(look, stopped(stop));
  // Between the end of a running pod and the Job's own verdict there is but a moment.
  return wasRunning ? { lookAgainMs: POD_RETRY_MS } : await podExpected(look, job);
}

async function podExpected(look: Look, job: Job): Promise<StepResult> {
  const { uid, draft, controller, signal } = look;
  const now = controller.clock.elapsed();
  const { since } = controller.memory.trouble(uid, 'no-pod', '', now);
  const expected = since + POD_EXPECTED_MS - now;
  if (expected > 0) return { lookAgainMs: expected };

  // Without its ServiceAccount no pod is made; somebody may have deleted it.
  await controller.prepareNamespace(job.metadata.namespace ?? '', signal);
  const warning = await lastWarningAbout(controller.client, job, signal);
  if (warning === undefined) {
    draft.message('Waiting for Kubernetes to make the pod.');
    return { lookAgainMs: POD_RETRY_MS };
  }
  const left = since + controller.settings.startPatienceMs - now;
  if (left > 0 || /exceeded quota/i.test(warning)) {
    draft.message(`Kubernetes cannot make the pod: ${warning}`);
    return { lookAgainMs: left > 0 ? Math.min(left, POD_RETRY_MS) : POD_RETRY_MS };
  }
  return giveUp(
    look,
    failed(
      'WorkloadRejected',
      `The cluster refused the session's pod: ${warning} Change the session or ask an administrator of the namespace.`,
    ),
  );
}

function giveUp(look: Look, outcome: Outcome): StepResult {
  look.ending = { container: undefined, pod: undefined, completionTime: undefined, outcome };
  return 'continue';
}

/** The store may lag; only the API server itself can say that a Job is not there. */
async function confirmAbsence(look: Look): Promise<StepResult> {
  const { session, uid, controller, signal } = look;
  if (isOlder(controller.jobsVersion(), controller.memory.of(uid).jobVersion))
    return { lookAgainMs: LAG_RETRY_MS };
  const { namespace = '' } = session.metadata;
  try {
    const job = await controller.client.get(jobs, { namespace, name: jobNameFor(session) }, { signal });
    look.job = trimJob(job);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return 'continue';
}

function noteStarted(look: Look, containerStart: string): void {
  const { draft, pod } = look;
  if (draft.status.workload?.startTime !== undefined) return;
  // A pod that was kept ready has been waiting: the session's own time begins when it has got it.
  const claimedAt = draft.status.warmPod?.claimedAt ?? containerStart;
  const startTime = Date.parse(claimedAt) > Date.parse(containerStart) ? claimedAt : containerStart;
  const nodeName = pod?.spec.nodeName;
  draft.workload({
    startTime,
    ...(pod === undefined ? {} : { podName: pod.metadata.name }),
    ...(nodeName === undefined ? {} : { nodeName }),
  });
  draft.record('Started', {
    pod: pod?.metadata.name ?? '',
    ...(nodeName === undefined ? {} : { node: nodeName }),
  });
  if (draft.phase === 'Pending') draft.moveTo('Running');
}
