/** Reading a runner pod: does it wait, run, or is it over, and why. Pure. */
import type { ContainerEnd, PodEnd } from '../../../common/rules/outcome.ts';
import type { Pod } from '../../../common/kube/core-types.ts';
import { RUNNER_CONTAINER } from './job.ts';

export interface PodTrouble {
  /** unschedulable heals when the cluster has room; image, container and node may heal; hopeless never. */
  kind: 'unschedulable' | 'image' | 'container' | 'node' | 'hopeless';
  message: string;
}

export interface PodFacts {
  state: 'waiting' | 'running' | 'over';
  trouble: PodTrouble | undefined;
  /** When the container started and ended, as the kubelet says. */
  startTime: string | undefined;
  completionTime: string | undefined;
  container: ContainerEnd | undefined;
  end: PodEnd | undefined;
  /** Somebody deletes it; the kubelet ends the container. */
  deleting: boolean;
}

/** A kubelet that has not ended a pod so long after it had to is not there any more. */
const OVERDUE_MS = 30_000;

const IMAGE = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'ImageInspectError',
  'RegistryUnavailable',
  'SignatureValidationFailed',
]);
const HOPELESS = new Set(['InvalidImageName', 'ErrImageNeverPull']);
const CONTAINER = new Set([
  'CreateContainerConfigError',
  'CreateContainerError',
  'PreCreateHookError',
  'PostStartHookError',
  'RunContainerError',
]);

/** @param now milliseconds since the epoch */
export function podFacts(pod: Pod, now: number): PodFacts {
  const { status, metadata } = pod;
  const state = status?.containerStatuses?.find(({ name }) => name === RUNNER_CONTAINER)?.state;
  const ended = state?.terminated;
  const deletion = metadata.deletionTimestamp;
  // deletionTimestamp is when the pod has to be gone, not when somebody asked.
  const overdue = deletion !== undefined && now > Date.parse(deletion) + OVERDUE_MS;
  const over =
    status?.phase === 'Succeeded' ||
    status?.phase === 'Failed' ||
    (deletion !== undefined && ended !== undefined) ||
    overdue;
  const started = ended?.startedAt ?? state?.running?.startedAt;
  return {
    state: over ? 'over' : started === undefined ? 'waiting' : 'running',
    trouble: over || started !== undefined ? undefined : troubleOf(pod),
    startTime: started,
    completionTime: ended?.finishedAt,
    container:
      ended === undefined
        ? undefined
        : { exitCode: ended.exitCode, reason: ended.reason ?? '', message: ended.message ?? '' },
    end: endOf(pod, overdue),
    deleting: deletion !== undefined,
  };
}

function troubleOf({ spec, status }: Pod): PodTrouble | undefined {
  // A sidecar comes first: while it waits the container only waits for it.
  const sidecar = status?.initContainerStatuses?.find(({ state }) => state?.waiting !== undefined);
  const container = sidecar ?? status?.containerStatuses?.find(({ name }) => name === RUNNER_CONTAINER);
  const { reason = '', message = '' } = container?.state?.waiting ?? {};
  const image = (sidecar === undefined ? spec.containers : spec.initContainers)?.[0]?.image ?? '';
  if (HOPELESS.has(reason))
    return { kind: 'hopeless', message: `The image "${image}" cannot be used (${reason}): ${message}` };
  if (IMAGE.has(reason))
    return { kind: 'image', message: `The image "${image}" cannot be pulled (${reason}): ${message}` };
  if (CONTAINER.has(reason))
    return { kind: 'container', message: `The container cannot be created (${reason}): ${message}` };
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False' && scheduled.reason === 'Unschedulable')
    return { kind: 'unschedulable', message: `No node can take the pod: ${scheduled.message ?? ''}` };
  return undefined;
}

/** https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions */
function endOf({ metadata, status }: Pod, overdue: boolean): PodEnd | undefined {
  const disruption = status?.conditions?.find(
    ({ type, status: value }) => type === 'DisruptionTarget' && value === 'True',
  );
  const message = status?.message ?? disruption?.message ?? '';
  switch (disruption?.reason) {
    case 'DeletionByPodGC':
    case 'DeletionByTaintManager':
      return { kind: 'NodeLost', message };
    case 'PreemptionByScheduler':
    case 'EvictionByEvictionAPI':
      return { kind: 'Evicted', message };
    default:
  }
  switch (status?.reason) {
    case 'DeadlineExceeded':
      return { kind: 'Deadline', message };
    case 'NodeLost':
    case 'NodeShutdown':
    case 'Terminated':
      return { kind: 'NodeLost', message };
    case 'Evicted':
      return { kind: 'Evicted', message };
    default:
  }
  if (disruption !== undefined) return { kind: 'Evicted', message };
  if (overdue) return { kind: 'NodeLost', message: 'the node did not end the pod in time' };
  if (metadata.deletionTimestamp !== undefined) return { kind: 'Deleted', message: '' };
  // The kubelet refused the pod, for example OutOfcpu or UnexpectedAdmissionError.
  if (status?.phase === 'Failed' && status.reason !== undefined)
    return { kind: 'Evicted', message: `${status.reason}: ${message}` };
  return undefined;
}
