/**
 * The pod of a framework whose image has no runner: the runner is a native sidecar that starts first and ends last, and the image's
 * container executes the few lines of shell that let the runner start its command (common/rules/linked-command.ts). The runner's
 * token and description are in the sidecar alone.
 */
import { LINK_READY, LINK_VARIABLE } from '../../../common/api/link.ts';
import { MODELS_PATH } from '../../../common/api/models.ts';
import { MODELS_TOKEN_AUDIENCE } from '../../../common/api/names.ts';
import {
  AUTHORITIES_FILE,
  MODELS_TOKEN_VARIABLE,
  MOUNTS,
  RESTRICTION_VARIABLES,
} from '../../../common/api/runner.ts';
import type { RunDescription } from '../../../common/api/runner.ts';
import type { Container, Job, PodSpec, Volume } from '../../../common/kube/core-types.ts';
import type { RunPlan } from '../../../common/rules/admission.ts';
import { linkedCommand } from '../../../common/rules/linked-command.ts';
import { tokenSeconds } from './job.ts';

/** A source may be long in coming: what a session may take in all is limited elsewhere. */
const READY_SECONDS_MAX = 86_400;
const SIDECAR_LIMITS = { cpu: '1', memory: '512Mi' } as const;
const SIDECAR_REQUESTS = { cpu: '20m', memory: '96Mi' } as const;
const LINK = 'link';
const COMMANDS_OWN = 'command-temporary';
const MODELS = 'models';
/** Small: pipes, a file of authorities. */
const LINK_SIZE = '16Mi';

/** The same Job for a framework whose images have the runner in them. */
export function withSidecar(job: Job, plan: RunPlan, description: RunDescription): Job {
  const { sidecar } = plan;
  if (sidecar === undefined) return job;
  const { template } = job.spec;
  const spec = besideRunner(template.spec, { ...plan, sidecar }, description);
  return { ...job, spec: { ...job.spec, template: { ...template, spec } } };
}

/** @param alone the pod as it would be with a runner in the framework's image */
function besideRunner(
  alone: PodSpec,
  plan: RunPlan & { sidecar: NonNullable<RunPlan['sidecar']> },
  description: RunDescription,
): PodSpec {
  const [runner] = alone.containers;
  if (runner === undefined) throw new Error('a pod of a session has a container');
  const link = { name: LINK, mountPath: MOUNTS.link };
  const own = runner.volumeMounts?.filter(({ name }) => name !== 'control' && name !== 'temporary') ?? [];
  const temporary = alone.volumes?.find(({ name }) => name === 'temporary');
  const usesModels = plan.models.length > 0;
  const command: Container = {
    ...runner,
    command: linkedCommand(plan.command, secretsOf(plan)),
    env: [
      ...Object.entries(environmentOf(plan, description)).map(([name, value]) => ({ name, value })),
      ...(runner.env ?? []),
    ],
    volumeMounts: [
      ...(usesModels ? [{ name: MODELS, mountPath: MOUNTS.control, readOnly: true }] : []),
      ...own,
      { name: COMMANDS_OWN, mountPath: MOUNTS.temporary },
      link,
    ],
  };
  const sidecar: Container = {
    ...runner,
    name: 'sidecar',
    image: plan.sidecar.image,
    imagePullPolicy: plan.sidecar.imagePullPolicy ?? 'IfNotPresent',
    restartPolicy: 'Always',
    env: [...(runner.env ?? []), { name: LINK_VARIABLE, value: MOUNTS.link }],
    resources: { limits: { ...SIDECAR_LIMITS }, requests: { ...SIDECAR_REQUESTS } },
    // The command's container starts when this has succeeded: when the source is there.
    startupProbe: {
      exec: { command: ['test', '-e', `${MOUNTS.link}/${LINK_READY}`] },
      periodSeconds: 1,
      failureThreshold: READY_SECONDS_MAX,
    },
    volumeMounts: [...(runner.volumeMounts ?? []), link],
  };
  return {
    ...alone,
    // What brings something before is a runner too.
    initContainers: [
      ...(alone.initContainers ?? []).map((init) => ({ ...init, image: sidecar.image })),
      sidecar,
    ],
    containers: [command],
    volumes: [
      ...(alone.volumes ?? []),
      { name: LINK, emptyDir: { sizeLimit: LINK_SIZE } },
      { name: COMMANDS_OWN, emptyDir: { ...temporary?.emptyDir } },
      ...(usesModels ? [modelsVolume(tokenSeconds(plan))] : []),
    ],
  };
}

/** The token alone: nothing else of /ambient is the command's. */
const modelsVolume = (expirationSeconds: number): Volume => ({
  name: MODELS,
  projected: {
    defaultMode: 0o440,
    sources: [
      {
        serviceAccountToken: {
          audience: MODELS_TOKEN_AUDIENCE,
          expirationSeconds,
          path: MOUNTS.modelsToken.slice(MOUNTS.control.length + 1),
        },
      },
    ],
  },
});

const secretsOf = ({ models }: RunPlan): Record<string, string> =>
  Object.fromEntries(
    models.flatMap(({ keyEnv }) => (keyEnv === undefined ? [] : [[keyEnv, MOUNTS.modelsToken] as const])),
  );

/** As the runner itself would set it, runner/workspace.ts and runner/models.ts. */
function environmentOf(
  plan: RunPlan,
  { session, restrictions, endpoint }: RunDescription,
): Record<string, string> {
  const restricted = Object.entries(RESTRICTION_VARIABLES) as [keyof typeof RESTRICTION_VARIABLES, string][];
  const trusted = `${MOUNTS.link}/${AUTHORITIES_FILE}`;
  const base = endpoint.url.replace(/\/+$/, '');
  return {
    HOME: `${MOUNTS.temporary}/home`,
    LANG: 'C.UTF-8',
    ...plan.env,
    AMBIENT_NAMESPACE: session.namespace,
    AMBIENT_SESSION: session.name,
    AMBIENT_SESSION_UID: session.uid,
    AMBIENT_WORKSPACE: MOUNTS.workspace,
    AMBIENT_ARTIFACTS: MOUNTS.artifacts,
    [LINK_VARIABLE]: MOUNTS.link,
    ...Object.fromEntries(
      restricted.filter(([name]) => restrictions?.[name] === true).map(([, name]) => [name, 'true']),
    ),
    ...(plan.models.length === 0
      ? {}
      : {
          [MODELS_TOKEN_VARIABLE]: MOUNTS.modelsToken,
          SSL_CERT_FILE: trusted,
          NODE_EXTRA_CA_CERTS: trusted,
        }),
    ...Object.fromEntries(
      plan.models.map(({ provider, baseUrlEnv, path = '' }) => [
        baseUrlEnv,
        `${base}${MODELS_PATH}/${provider}${path}`,
      ]),
    ),
  };
}
