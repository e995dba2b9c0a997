/** What the operator keeps in memory of the objects it watches: ten thousand sessions shall fit into a small pod. */
import { SESSION_BYTES_MAX } from '../../../common/api/session.ts';
import type { Session } from '../../../common/api/session.ts';
import {
  LABEL_POLICY,
  LABEL_SESSION,
  LABEL_SESSION_UID,
  LABEL_STEP,
  LABEL_WARM,
} from '../../../common/api/names.ts';
import type { ObjectMeta } from '../../../common/api/kubernetes.ts';
import type { ContainerStatus, Job, Pod } from '../../../common/kube/core-types.ts';
import { dropManagedFields } from '../../../common/kube/trim.ts';
import { withoutPayload } from '../../sessions/payload.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Once a session has a phase its payload was measured and is of no more use here. That there is one is still told: isPayloadLeftOut. */
export function trimSession(session: Session): Session {
  dropManagedFields(session);
  const { annotations } = session.metadata;
  if (annotations?.[LAST_APPLIED] !== undefined)
    session.metadata.annotations = Object.fromEntries(
      Object.entries(annotations).filter(([name]) => name !== LAST_APPLIED),
    );
  if (session.status?.phase !== undefined && session.spec.trigger?.payload !== undefined) {
    session.spec = { ...session.spec, trigger: withoutPayload(session.spec.trigger) };
  }
  return session;
}

/** Bytes of a Session's spec as JSON; of one whose payload was dropped, without it. */
export function sessionBytes(session: Session): number {
  const text = JSON.stringify(session.spec);
  // A character has at most three bytes of UTF-8 per UTF-16 unit: most sessions need no exact count.
  return text.length * 3 <= SESSION_BYTES_MAX ? text.length : Buffer.byteLength(text);
}

function trimMetadata(metadata: ObjectMeta): ObjectMeta {
  const { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp, ownerReferences } =
    metadata;
  const owner = ownerReferences?.find(({ controller }) => controller === true);
  return {
    name,
    labels: {
      [LABEL_SESSION]: metadata.labels?.[LABEL_SESSION] ?? '',
      [LABEL_SESSION_UID]: metadata.labels?.[LABEL_SESSION_UID] ?? '',
      ...(metadata.labels?.[LABEL_POLICY] === undefined
        ? {}
        : { [LABEL_POLICY]: metadata.labels[LABEL_POLICY] }),
      ...(metadata.labels?.[LABEL_WARM] === undefined ? {} : { [LABEL_WARM]: metadata.labels[LABEL_WARM] }),
      ...(metadata.labels?.[LABEL_STEP] === undefined ? {} : { [LABEL_STEP]: metadata.labels[LABEL_STEP] }),
    },
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    ...(owner === undefined ? {} : { ownerReferences: [owner] }),
  };
}

export function trimJob(job: Job): Job {
  const { containers, runtimeClassName } = job.spec.template.spec;
  const [container] = containers;
  const limits = container?.resources?.limits;
  const conditions = job.status?.conditions?.filter(({ type }) => type === 'Complete' || type === 'Failed');
  return {
    apiVersion: job.apiVersion,
    kind: job.kind,
    metadata: trimMetadata(job.metadata),
    spec: {
      template: {
        spec: {
          containers: [
            {
              name: container?.name ?? '',
              ...(container?.image === undefined ? {} : { image: container.image }),
              ...(limits === undefined ? {} : { resources: { limits } }),
            },
          ],
          ...(runtimeClassName === undefined ? {} : { runtimeClassName }),
        },
      },
      ...(job.spec.suspend === undefined ? {} : { suspend: job.spec.suspend }),
    },
    ...(conditions === undefined ? {} : { status: { conditions } }),
  };
}

/**
 * Whether an update of what was trimmed tells of something that is kept. A Job is written four times and a pod five in the
 * life of a session, often for counters and finalizers.
 */
export const isNews = <T extends Job | Pod>(object: T, previous: T | undefined): boolean =>
  previous === undefined || withoutVersion(object) !== withoutVersion(previous);

/** Trimming gives fields one order, so texts can be compared; should one differ in order, that is one look too many. */
const withoutVersion = (object: Job | Pod): string =>
  JSON.stringify({ ...object, metadata: { ...object.metadata, resourceVersion: undefined } });

const CONDITIONS = new Set(['PodScheduled', 'DisruptionTarget']);

export function trimPod(pod: Pod): Pod {
  const { status } = pod;
  return {
    apiVersion: pod.apiVersion,
    kind: pod.kind,
    metadata: trimMetadata(pod.metadata),
    spec: {
      containers: pod.spec.containers.map(({ name, image }) => ({
        name,
        ...(image === undefined ? {} : { image }),
      })),
      ...(pod.spec.initContainers === undefined
        ? {}
        : { initContainers: pod.spec.initContainers.map(({ name, image = '' }) => ({ name, image })) }),
      ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    },
    ...(status === undefined
      ? {}
      : {
          status: {
            ...(status.phase === undefined ? {} : { phase: status.phase }),
            ...(status.reason === undefined ? {} : { reason: status.reason }),
            ...(status.message === undefined ? {} : { message: status.message }),
            ...(status.startTime === undefined ? {} : { startTime: status.startTime }),
            conditions:
              status.conditions?.filter(({ type }) => type !== undefined && CONDITIONS.has(type)) ?? [],
            containerStatuses: status.containerStatuses?.map(trimContainer) ?? [],
            ...(status.initContainerStatuses === undefined
              ? {}
              : { initContainerStatuses: status.initContainerStatuses.map(trimContainer) }),
          },
        }),
  };
}

const trimContainer = ({ name, state }: ContainerStatus): ContainerStatus => ({
  name,
  ...(state === undefined ? {} : { state }),
});
