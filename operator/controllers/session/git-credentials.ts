/**
 * A git source with credentials comes by an init container of its own: Kubernetes mounts the Secret there alone, so that the
 * agent's container never has it, and the operator needs no right to read it.
 */
import { MOUNTS, STEP_VARIABLE } from '../../../common/api/runner.ts';
import type { Session } from '../../../common/api/session.ts';
import type { Job } from '../../../common/kube/core-types.ts';
import { RUNNER_CONTAINER } from './job.ts';

const CONTAINER = 'source';
const VOLUME = 'git-credentials';
const NEEDED: ReadonlySet<string> = new Set(['control', 'workspace', 'temporary']);

/** The same Job for a session without credentials. */
export function withGitCredentials(job: Job, { spec }: Session): Job {
  const secretName = spec.source?.git?.credentials;
  const pod = job.spec.template.spec;
  const runner = pod.containers.find(({ name }) => name === RUNNER_CONTAINER);
  if (secretName === undefined || runner === undefined) return job;
  const source = {
    name: CONTAINER,
    image: runner.image,
    ...(runner.imagePullPolicy === undefined ? {} : { imagePullPolicy: runner.imagePullPolicy }),
    env: [{ name: STEP_VARIABLE, value: 'source' }],
    ...(runner.resources === undefined ? {} : { resources: runner.resources }),
    ...(runner.securityContext === undefined ? {} : { securityContext: runner.securityContext }),
    volumeMounts: [
      ...(runner.volumeMounts ?? []).filter(({ name }) => NEEDED.has(name)),
      { name: VOLUME, mountPath: MOUNTS.gitCredentials, readOnly: true },
    ],
  };
  const template = {
    ...job.spec.template,
    spec: {
      ...pod,
      initContainers: [source, ...(pod.initContainers ?? [])],
      volumes: [
        ...(pod.volumes ?? []),
        // Optional: that it is missing is told by the session instead of by a pod that never starts.
        { name: VOLUME, secret: { secretName, optional: true, defaultMode: 0o440 } },
      ],
    },
  };
  return { ...job, spec: { ...job.spec, template } };
}
