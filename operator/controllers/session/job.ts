/** The Job of a session. Its pod passes PodSecurity `restricted` and holds no right and no provider's key. */
import {
  ANNOTATION_RUN,
  API_VERSION,
  LABEL_FRAMEWORK,
  LABEL_KUEUE_QUEUE,
  LABEL_MANAGED_BY,
  LABEL_SESSION,
  LABEL_SESSION_UID,
  MANAGED_BY,
  MODELS_TOKEN_AUDIENCE,
  RUNNER_SERVICE_ACCOUNT,
  TOKEN_AUDIENCE,
} from '../../../common/api/names.ts';
import { HAND_IN_SECONDS, MOUNTS } from '../../../common/api/runner.ts';
import type { Session } from '../../../common/api/session.ts';
import type { Container, Job, PodSpec, SecurityContext, Volume } from '../../../common/kube/core-types.ts';
import type { RunPlan } from '../../../common/rules/admission.ts';
import { NO_RESTRICTIONS } from '../../../common/rules/policy/effective.ts';
import type { Restrictions } from '../../../common/rules/policy/effective.ts';
import { smallerQuantity } from '../../../common/rules/quantity.ts';

/** Beyond what the runner needs by its own clock, which starts later: for pulling the image. */
const DEADLINE_MARGIN_SECONDS = 300;
/** What the scheduler sets aside; small, since most agents wait for their model most of the time. */
const REQUESTS = { cpu: '100m', memory: '128Mi', 'ephemeral-storage': '64Mi' } as const;
/** Size of each writable volume where no storage limit is set. */
const VOLUME_SIZE = '10Gi';
/** Of temporary files where policy restricts the file system: the runner's own buffers need some. */
const SMALL_VOLUME_SIZE = '1Gi';
/** Writable in every container unless something is mounted there. */
const SHARED_MEMORY = { volume: 'shared-memory', path: '/dev/shm', size: '1Mi' } as const;
/** User and group of the base images' `nonroot`. */
const NONROOT = 65532;
/** What PodSecurity `restricted` wants, of every pod that is made for a session. */
export const POD_SECURITY: PodSpec['securityContext'] = {
  runAsNonRoot: true,
  runAsUser: NONROOT,
  runAsGroup: NONROOT,
  fsGroup: NONROOT,
  seccompProfile: { type: 'RuntimeDefault' },
};
export const CONTAINER_SECURITY: SecurityContext = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};
export const RUNNER_CONTAINER = 'runner';

/** Derived from the UID alone, so that creating it again after a crash finds it there. */
export const jobNameOf = (uid: string): string => `ambient-${uid}`;

/** Of the Job that is a session's: made for it, or kept ready and claimed. */
export const jobNameFor = ({ metadata, status }: Session): string =>
  status?.warmPod?.jobName ?? jobNameOf(metadata.uid ?? '');

/**
 * @param run content of /ambient/session.json
 * @param restrictions as far as a pod can hold them; of execution it can nothing, since no volume Kubernetes makes is noexec
 * @param runtimeClassName what its containers run in, such as gVisor or Kata Containers; undefined: the nodes' own runtime
 */
export function buildJob(
  session: Session,
  plan: RunPlan,
  run: string,
  { fileSystem }: Pick<Restrictions, 'fileSystem'> = NO_RESTRICTIONS,
  runtimeClassName?: string,
): Job {
  const { name, namespace = '', uid = '', labels = {} } = session.metadata;
  const queue = labels[LABEL_KUEUE_QUEUE];
  const own = {
    [LABEL_MANAGED_BY]: MANAGED_BY,
    [LABEL_SESSION]: name,
    [LABEL_SESSION_UID]: uid,
    [LABEL_FRAMEWORK]: plan.framework,
  };
  const { gracePeriodSeconds } = plan.limits;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: jobNameOf(uid),
      namespace,
      labels: queue === undefined ? own : { ...own, [LABEL_KUEUE_QUEUE]: queue },
      ownerReferences: [
        // No blockOwnerDeletion: it would need a right on sessions/finalizers and hold up deleting a session.
        { apiVersion: API_VERSION, kind: 'Session', name, uid, controller: true },
      ],
    },
    spec: {
      backoffLimit: 0,
      completions: 1,
      parallelism: 1,
      // Kueue admits a Job by resuming it.
      ...(queue === undefined ? {} : { suspend: true }),
      template: {
        metadata: { labels: own, annotations: { [ANNOTATION_RUN]: run } },
        spec: {
          restartPolicy: 'Never',
          serviceAccountName: RUNNER_SERVICE_ACCOUNT,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          ...(runtimeClassName === undefined ? {} : { runtimeClassName }),
          // Of the pod, not of the Job: time in a scheduler's queue does not count, and the pod stays to be looked at.
          activeDeadlineSeconds: deadlineSeconds(plan),
          terminationGracePeriodSeconds: gracePeriodSeconds + HAND_IN_SECONDS,
          securityContext: POD_SECURITY,
          containers: [runnerContainer(plan, fileSystem)],
          volumes: [
            controlVolume([
              { audience: TOKEN_AUDIENCE, seconds: 3600, at: MOUNTS.token },
              ...(plan.models.length === 0
                ? []
                : [{ audience: MODELS_TOKEN_AUDIENCE, seconds: tokenSeconds(plan), at: MOUNTS.modelsToken }]),
            ]),
            ...SCRATCH.map((volume) => ({
              name: volume,
              emptyDir: { sizeLimit: sizeOf(volume, plan, fileSystem) },
            })),
            ...(fileSystem
              ? [{ name: SHARED_MEMORY.volume, emptyDir: { sizeLimit: SHARED_MEMORY.size } }]
              : []),
          ],
        },
      },
    },
  };
}

export const deadlineSeconds = ({ limits }: RunPlan): number =>
  limits.timeoutSeconds + limits.gracePeriodSeconds + HAND_IN_SECONDS + DEADLINE_MARGIN_SECONDS;

/** Many commands read their key once: it is good for as long as they can run. */
export const tokenSeconds = (plan: RunPlan): number => Math.max(3600, deadlineSeconds(plan));

/** Writable places, each a volume of its own; nothing else can be written to. */
const SCRATCH = ['workspace', 'artifacts', 'temporary'] as const;

function sizeOf(volume: (typeof SCRATCH)[number], { limits }: RunPlan, fileSystem: boolean): string {
  const size = limits.storage ?? VOLUME_SIZE;
  return fileSystem && volume === 'temporary' ? smallerQuantity(SMALL_VOLUME_SIZE, size) : size;
}

const inControl = (path: string): string => path.slice(MOUNTS.control.length + 1);

/** What a pod of ours proves itself with, each token for one door and at its place below /ambient, and what it is to do. */
export const controlVolume = (
  tokens: readonly { audience: string; seconds: number; at: string }[],
): Volume => ({
  name: 'control',
  projected: {
    defaultMode: 0o440,
    sources: [
      ...tokens.map(({ audience, seconds, at }) => ({
        serviceAccountToken: { audience, expirationSeconds: seconds, path: inControl(at) },
      })),
      {
        downwardAPI: {
          items: [
            {
              path: inControl(MOUNTS.description),
              fieldRef: { fieldPath: `metadata.annotations['${ANNOTATION_RUN}']` },
            },
          ],
        },
      },
    ],
  },
});

function runnerContainer(plan: RunPlan, fileSystem: boolean): Container {
  const limits: Record<string, string> = {
    cpu: plan.limits.cpu,
    memory: plan.limits.memory,
    ...(plan.limits.storage === undefined ? {} : { 'ephemeral-storage': plan.limits.storage }),
  };
  const requests = Object.fromEntries(
    Object.entries(REQUESTS)
      .filter(([name]) => name in limits)
      .map(([name, small]) => [name, smallerQuantity(small, limits[name] ?? small)]),
  );
  return {
    name: RUNNER_CONTAINER,
    image: plan.image,
    ...(plan.imagePullPolicy === undefined ? {} : { imagePullPolicy: plan.imagePullPolicy }),
    resources: { limits, requests },
    securityContext: CONTAINER_SECURITY,
    // What a runner that could not even start has written is all there is to tell.
    terminationMessagePolicy: 'FallbackToLogsOnError',
    volumeMounts: [
      { name: 'control', mountPath: MOUNTS.control, readOnly: true },
      ...SCRATCH.map((volume) => ({ name: volume, mountPath: MOUNTS[volume] })),
      ...(fileSystem ? [{ name: SHARED_MEMORY.volume, mountPath: SHARED_MEMORY.path, readOnly: true }] : []),
    ],
  };
}
