/**
 * What comes into the pod before the agent does. A git source with credentials and inputs from elsewhere are brought by an init
 * container of its own: Kubernetes mounts their Secrets there alone, so that the agent's container never has them, and the operator
 * needs no right to read them. Volumes that are inputs are mounted for the agent, read-only.
 */
import { MOUNTS, STEP_VARIABLE } from '../../../common/api/runner.ts';
import type { Session } from '../../../common/api/session.ts';
import type { Container, Job, Volume } from '../../../common/kube/core-types.ts';
import { fetchedOf, inputsOf } from '../../../common/rules/inputs.ts';
import { RUNNER_CONTAINER } from './job.ts';

const CONTAINER = 'source';
const GIT = 'git-credentials';
const INPUTS = 'inputs';
const INPUTS_SIZE = '10Gi';
const NEEDED: ReadonlySet<string> = new Set(['control', 'workspace', 'temporary']);
/** Where commands find them. */
const VARIABLE = { name: 'AMBIENT_INPUTS', value: MOUNTS.inputs };

type Mount = NonNullable<Container['volumeMounts']>[number];

/** The same Job for a session that has neither. */
export function withBrought(job: Job, { spec }: Session): Job {
  const { inputs } = inputsOf(spec);
  const fetched = fetchedOf(inputs);
  const git = spec.source?.git?.credentials;
  const pod = job.spec.template.spec;
  const runner = pod.containers.find(({ name }) => name === RUNNER_CONTAINER);
  if ((git === undefined && inputs.length === 0) || runner === undefined) return job;

  const volumes: Volume[] = [];
  const forAgent: Mount[] = [];
  const forInit: Mount[] = [];
  if (git !== undefined) {
    volumes.push(secretVolume(GIT, git));
    forInit.push({ name: GIT, mountPath: MOUNTS.gitCredentials, readOnly: true });
  }
  for (const [index, secret] of [
    ...new Set(fetched.flatMap((input) => (input.kind === 's3' ? [input.credentials] : []))),
  ].entries()) {
    const name = `input-credentials-${index}`;
    volumes.push(secretVolume(name, secret));
    forInit.push({ name, mountPath: `${MOUNTS.inputCredentials}/${secret}`, readOnly: true });
  }
  if (fetched.length > 0) {
    volumes.push({ name: INPUTS, emptyDir: { sizeLimit: INPUTS_SIZE } });
    forInit.push({ name: INPUTS, mountPath: MOUNTS.inputs });
  }
  for (const input of inputs) {
    const mountPath = `${MOUNTS.inputs}/${input.name}`;
    if (input.kind !== 'pvc') {
      // Each by itself: a volume cannot be mounted within one that is read-only.
      forAgent.push({ name: INPUTS, mountPath, subPath: input.name, readOnly: true });
      continue;
    }
    const name = `claim-${volumes.length}`;
    volumes.push({ name, persistentVolumeClaim: { claimName: input.claim, readOnly: true } });
    const subPath = input.path === '' ? {} : { subPath: input.path };
    forAgent.push({ name, mountPath, readOnly: true, ...subPath });
  }
  const init: Container = {
    name: CONTAINER,
    image: runner.image ?? '',
    ...(runner.imagePullPolicy === undefined ? {} : { imagePullPolicy: runner.imagePullPolicy }),
    env: [{ name: STEP_VARIABLE, value: 'source' }],
    ...(runner.resources === undefined ? {} : { resources: runner.resources }),
    ...(runner.securityContext === undefined ? {} : { securityContext: runner.securityContext }),
    volumeMounts: [...(runner.volumeMounts ?? []).filter(({ name }) => NEEDED.has(name)), ...forInit],
  };
  const needsInit = git !== undefined || fetched.length > 0;
  const withInputs: Container = {
    ...runner,
    ...(inputs.length === 0 ? {} : { env: [...(runner.env ?? []), VARIABLE] }),
    volumeMounts: [...(runner.volumeMounts ?? []), ...forAgent],
  };
  const template = {
    ...job.spec.template,
    spec: {
      ...pod,
      ...(needsInit ? { initContainers: [init, ...(pod.initContainers ?? [])] } : {}),
      containers: pod.containers.map((container) => (container === runner ? withInputs : container)),
      volumes: [...(pod.volumes ?? []), ...volumes],
    },
  };
  return { ...job, spec: { ...job.spec, template } };
}

/** Optional: that it is missing is told by the session instead of by a pod that never starts. */
const secretVolume = (name: string, secretName: string): Volume => ({
  name,
  secret: { secretName, optional: true, defaultMode: 0o440 },
});
