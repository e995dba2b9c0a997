/** The RuntimeClass that policy and session leave: what the pod's containers run in, such as gVisor or Kata Containers. */
import type { Job } from '../../../common/kube/core-types.ts';

/** @param runtimeClassName undefined: the nodes' own runtime */
export function withRuntimeClass(job: Job, runtimeClassName: string | undefined): Job {
  if (runtimeClassName === undefined) return job;
  const { template } = job.spec;
  return {
    ...job,
    spec: { ...job.spec, template: { ...template, spec: { ...template.spec, runtimeClassName } } },
  };
}
