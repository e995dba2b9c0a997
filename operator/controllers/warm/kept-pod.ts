/** What a Job that is kept ready, and its pod, come to. Pure. */
import { LABEL_WARM } from '../../../common/api/names.ts';
import type { Job, Pod } from '../../../common/kube/core-types.ts';
import type { KeptPod } from '../../../common/rules/warm-pods.ts';
import { podFacts } from '../session/pod-facts.ts';

export interface Kept extends KeptPod {
  uid: string;
  resourceVersion: string;
  digest: string;
  podName: string | undefined;
  /** Why it is not ready, where somebody can do something about it. */
  trouble: string | undefined;
}

export function stateOf(job: Job, pod: Pod | undefined, now: number): Kept {
  const { name, uid = '', resourceVersion = '', labels, creationTimestamp = '' } = job.metadata;
  const facts = pod === undefined ? undefined : podFacts(pod, now);
  const isOver =
    (job.status?.conditions ?? []).some(
      ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
    ) ||
    facts?.state === 'over' ||
    facts?.deleting === true;
  const said = facts?.container?.message ?? '';
  return {
    name,
    uid,
    resourceVersion,
    digest: labels?.[LABEL_WARM] ?? '',
    ageMs: Math.max(0, now - Date.parse(creationTimestamp)),
    podName: pod?.metadata.name,
    state: isOver ? 'over' : facts?.state === 'running' ? 'ready' : 'starting',
    trouble:
      facts?.trouble?.message ??
      (isOver && facts?.container !== undefined
        ? `A pod ended before any session had it (exit code ${facts.container.exitCode})${said === '' ? '.' : `: ${said}`}`
        : undefined),
  };
}
