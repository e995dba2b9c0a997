/** How a session ended: from what the runner, the pod and the person who stopped it say, one reason and a message that helps. */
import type { RunResult } from '../api/runner.ts';
import { RUNNER_EXIT } from '../api/runner.ts';
import type { Refusal } from './admission.ts';
import { formatDuration, oneLine } from './wording.ts';

/** Reasons of the condition Failed. */
export type FailureReason =
  | Refusal
  | 'PolicyViolation'
  | 'SourceUnavailable'
  | 'WorkloadRejected'
  | 'ImagePullFailed'
  | 'ContainerNotStarted'
  | 'CommandFailed'
  | 'CommandNotFound'
  | 'OutOfMemory'
  | 'DeadlineExceeded'
  | 'Evicted'
  | 'NodeLost'
  | 'PodDeleted'
  | 'Stopped'
  | 'BudgetExceeded'
  | 'Rejected'
  | 'StorageFull'
  | 'ArtifactsIncomplete'
  | 'RunnerFailed';

export interface Outcome {
  phase: 'Completed' | 'Failed';
  reason: 'Succeeded' | FailureReason;
  message: string;
  exitCode?: number;
}

/** How the runner's container ended, from the pod's status. */
export interface ContainerEnd {
  exitCode: number;
  reason: string;
  message: string;
}

/** Why Kubernetes ended the pod, when it was not the container that ended by itself. */
export interface PodEnd {
  kind: 'Deadline' | 'Evicted' | 'NodeLost' | 'Deleted';
  message: string;
}

/** A wish to stop. `isBudget`: by the operator, as there is no money left. */
export interface StopFacts {
  requestedBy: string;
  reason?: string | undefined;
  isBudget?: boolean;
}

export interface RunFacts {
  result: RunResult | undefined;
  container: ContainerEnd | undefined;
  pod: PodEnd | undefined;
  stop: StopFacts | undefined;
  /** A write to the artifact store would fail now for want of space. */
  storageFull: boolean;
  limits: { timeoutSeconds: number; memory: string };
  /** Its calls to models waited for a higher budget when it ended. */
  paused?: boolean;
}

/** The verdict over a run that is over. What the runner reported of its command outranks how the pod then ended. */
export function judge(facts: RunFacts): Outcome {
  const exitCode = facts.result?.exitCode;
  const outcome = verdict(facts);
  return exitCode === undefined ? outcome : { ...outcome, exitCode };
}

function verdict(facts: RunFacts): Outcome {
  const { result, container, pod, stop } = facts;
  switch (result?.outcome) {
    case 'Succeeded':
      return {
        phase: 'Completed',
        reason: 'Succeeded',
        message: `The command succeeded${tookOf(result)}.`,
      };
    case 'CommandFailed':
      // The kernel kills the command first and the runner, which lives on, sees only a signal.
      if (container?.reason === 'OOMKilled') return outOfMemory(facts);
      return result.exitCode === RUNNER_EXIT.notFound
        ? failed('CommandNotFound', commandNotFound(result.message))
        : failed(
            'CommandFailed',
            `${sentence(result.message)} See the log for what went wrong, then launch again.`,
          );
    case 'CommandNotFound':
      return failed('CommandNotFound', commandNotFound(result.message));
    case 'SourceUnavailable':
      return failed(
        'SourceUnavailable',
        `${sentence(result.message)} Check the source of the session, then launch again.`,
      );
    case 'DeadlineExceeded':
      return deadlineExceeded(facts);
    case 'ArtifactsIncomplete':
      return facts.storageFull
        ? storageFull(result.message)
        : failed(
            'ArtifactsIncomplete',
            `${sentence(result.message)} What could be stored is there; launch again for the rest.`,
          );
    case 'Stopped':
    case 'RunnerError':
    case undefined:
      break;
  }
  // From here on the runner does not know better than what stood around it.
  if (stop !== undefined && pod?.kind !== 'NodeLost') return stopped(stop);
  if (container?.reason === 'OOMKilled' && container.exitCode !== 0) return outOfMemory(facts);
  if (pod !== undefined) return podEnded(pod, facts);
  if (facts.storageFull) return storageFull(result?.message ?? '');
  if (result?.outcome === 'Stopped')
    return failed('PodDeleted', 'The pod was told to end, though nobody asked to stop the session.');
  if (result !== undefined)
    return failed(
      'RunnerFailed',
      `${sentence(result.message)} This is not the command's fault; launch again.`,
    );
  if (container !== undefined) return exitedSilently(container, facts);
  return failed(
    'PodDeleted',
    'The pod disappeared before it reported a result. Launch again; who deletes pods of this namespace is in the audit log of the cluster.',
  );
}

/** The runner is gone and told nothing but its exit code. */
function exitedSilently(container: ContainerEnd, facts: RunFacts): Outcome {
  const { exitCode } = container;
  switch (exitCode) {
    case RUNNER_EXIT.deadline:
      return deadlineExceeded(facts);
    case RUNNER_EXIT.notFound:
      return failed('CommandNotFound', commandNotFound(''));
    case RUNNER_EXIT.source:
      return failed('SourceUnavailable', 'The source could not be fetched. See the log, then launch again.');
  }
  if (['StartError', 'ContainerCannotRun', 'RunContainerError'].includes(container.reason))
    return failed(
      'ContainerNotStarted',
      `The container could not be started: ${sentence(container.message)} Check the framework's image.`,
    );
  const said = oneLine(container.message);
  return failed(
    'RunnerFailed',
    `The runner ended with exit code ${exitCode} (${container.reason || 'no reason given'}) without reporting a result${said === '' ? '' : `: ${said}`}. See the log; if it says nothing, check that the framework's image holds the runner.`,
  );
}

function podEnded(pod: PodEnd, facts: RunFacts): Outcome {
  const why = pod.message === '' ? '' : `: ${sentence(pod.message)}`;
  switch (pod.kind) {
    case 'Deadline':
      return deadlineExceeded(facts);
    case 'Evicted':
      return failed(
        'Evicted',
        `Kubernetes evicted the pod${why || '.'} Raise the limits of the session, or launch again when the node has room.`,
      );
    case 'NodeLost':
      return failed('NodeLost', `The node of the pod went away${why || '.'} Launch again.`);
    case 'Deleted':
      return failed(
        'PodDeleted',
        `The pod was deleted while it ran${why || '.'} Launch again; to end a session, stop it instead of deleting its pod.`,
      );
  }
}

export const stopped = (stop: StopFacts): Outcome =>
  stop.isBudget === true
    ? failed(
        'BudgetExceeded',
        `${sentence(stop.reason ?? 'The budget is spent')} Launch again with a higher budget, or when that of the namespace is reset.`,
      )
    : failed(
        'Stopped',
        `Stopped by ${oneLine(stop.requestedBy)}${stop.reason === undefined || stop.reason.trim() === '' ? '.' : `: ${sentence(stop.reason)}`}`,
      );

/** The end of a session that an approver did not let start. */
export const rejected = ({ by, reason }: { by: string; reason?: string | undefined }): Outcome =>
  failed(
    'Rejected',
    `Rejected by ${oneLine(by)}${reason === undefined || reason.trim() === '' ? '.' : `: ${sentence(reason)}`}`,
  );

/** What a session says between the request to stop and its end. */
export const stopping = ({ requestedBy, isBudget, reason }: StopFacts): string =>
  isBudget === true
    ? `Stopping: ${sentence(reason ?? 'The budget is spent')}`
    : `Stopping, as ${oneLine(requestedBy)} asked.`;

const outOfMemory = ({ limits }: RunFacts): Outcome =>
  failed(
    'OutOfMemory',
    `The session needed more memory than its limit of ${limits.memory}. Launch again with a higher spec.limits.memory.`,
  );

const deadlineExceeded = ({ limits, paused = false }: RunFacts): Outcome =>
  failed(
    'DeadlineExceeded',
    paused
      ? `Nobody raised the budget of the session, for which its models waited, before its time limit of ${formatDuration(limits.timeoutSeconds * 1000)} ended it. Launch again with a higher budget.`
      : `The session did not end within ${formatDuration(limits.timeoutSeconds * 1000)}. Launch again with a higher spec.limits.timeoutSeconds, or with less to do.`,
  );

const storageFull = (said: string): Outcome =>
  failed(
    'StorageFull',
    `The artifact store is full${said === '' ? '.' : `: ${sentence(said)}`} An administrator frees space or enlarges it; then launch again.`,
  );

const commandNotFound = (said: string): string =>
  `${said === '' ? 'The command was not found in the image.' : sentence(said)} Check its spelling, and that the framework's image or the source holds it.`;

export const failed = (reason: FailureReason, message: string): Outcome => ({
  phase: 'Failed',
  reason,
  message,
});

/** One line that ends like a sentence. */
function sentence(text: string): string {
  const line = oneLine(text);
  return /[.!?…]$/.test(line) || line === '' ? line : `${line}.`;
}

function tookOf({ startedAt, finishedAt }: RunResult): string {
  const milliseconds = Date.parse(finishedAt) - Date.parse(startedAt ?? '');
  return Number.isFinite(milliseconds) ? ` after ${formatDuration(milliseconds)}` : '';
}
