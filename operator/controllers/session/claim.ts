/**
 * Part of the step `workload`: a pod that is kept ready becomes this session's. Three writes, each of which the next look finds if the
 * operator dies after it: the session's status says which pod, the Job is given to the session, the pod is told its run.
 */
import {
  ANNOTATION_RUN,
  API_VERSION,
  LABEL_POLICY,
  LABEL_SESSION,
  LABEL_SESSION_UID,
  LABEL_WARM,
} from '../../../common/api/names.ts';
import type { KubeObject } from '../../../common/api/kubernetes.ts';
import type { SessionStatus } from '../../../common/api/session.ts';
import type { Job, Pod } from '../../../common/kube/core-types.ts';
import { isInvalid, isNotFound } from '../../../common/kube/errors.ts';
import { escapeJsonPointer } from '../../../common/kube/patch.ts';
import type { JsonPatchOperation } from '../../../common/kube/patch.ts';
import { jobs, pods } from '../../../common/kube/resource.ts';
import type { Resource } from '../../../common/kube/resource.ts';
import type { RunPlan } from '../../../common/rules/admission.ts';
import { narrowedPolicy } from '../../../common/rules/policy/narrow.ts';
import { timestamp } from '../clock.ts';
import { templateOf } from '../warm/template.ts';
import { jobRecord } from './change-record.ts';
import { deadlineSeconds } from './job.ts';
import { policyLabel } from './policy-label.ts';
import { describeRun, RUN_DESCRIPTION_BYTES_MAX } from './run-description.ts';
import type { Look, StepResult } from './step.ts';
import { trimJob, trimPod } from './trim.ts';

type WarmPod = NonNullable<SessionStatus['warmPod']>;

/** Whether there is a pod for it: nothing but the session's status has it yet. */
export function choose(look: Look): boolean {
  const { session, uid, draft, controller } = look;
  if (controller.memory.of(uid).isCold === true) return false;
  const { namespace = '' } = session.metadata;
  // Most namespaces keep none.
  const isKept = controller.policies.object(namespace)?.spec.warmPods !== undefined;
  const wanted = isKept ? runOf(look) : undefined;
  const found = wanted === undefined ? undefined : controller.warm.pick(namespace, wanted.digest, uid);
  if (found === undefined) {
    controller.memory.note(uid, { isCold: true });
    return false;
  }
  draft.warmPod({ ...found, claimedAt: timestamp(controller.clock.now()) });
  if (draft.phase === undefined) draft.moveTo('Pending');
  return true;
}

export async function claim(look: Look, { jobName, podName }: WarmPod): Promise<StepResult> {
  const { session, uid, draft, controller, signal } = look;
  const { namespace = '' } = session.metadata;
  // By the policy and the framework of now: they may want another pod than a moment ago.
  const run = runOf(look);
  if (run !== undefined && controller.memory.of(uid).jobRecorded !== true) {
    await controller.audit.record(jobRecord('update', session, jobName));
    controller.memory.note(uid, { jobRecorded: true });
  }
  const job =
    run === undefined
      ? undefined
      : await given(look, jobs, { namespace, name: jobName }, jobPatch(look, run.digest));
  if (job !== undefined && run !== undefined && job.metadata.labels?.[LABEL_WARM] === run.digest) {
    // Somebody may have deleted the NetworkPolicy while the pod waited.
    await controller.prepareNamespace(namespace, signal);
    const pod = await told(look, { namespace, name: podName }, run);
    if (pod !== undefined) {
      look.job = trimJob(job);
      look.pod = trimPod(pod);
      controller.memory.note(uid, { jobVersion: job.metadata.resourceVersion ?? '' });
      return 'continue';
    }
  }
  // It was lost before it knew anything of the session: one is made for the session as if there had been none.
  const mine = job ?? look.job;
  if (mine !== undefined) await takeAway(look, mine, signal);
  look.job = undefined;
  look.pod = undefined;
  draft.warmPod(undefined);
  controller.memory.note(uid, { isCold: true, jobRecorded: false });
  return 'done';
}

interface Run {
  plan: RunPlan;
  digest: string;
  /** What its runner is told. */
  description: string;
}

/** Undefined where no pod that is kept ready would do. */
function runOf({ session, plan, controller }: Look): Run | undefined {
  if (plan === undefined) return undefined;
  const policy = narrowedPolicy(session.spec, controller.policies.of(session.metadata.namespace ?? ''));
  const template = templateOf(session, plan, policy, controller.endpoint());
  if (template === undefined) return undefined;
  const description = JSON.stringify(describeRun(session, plan, controller.endpoint(), policy));
  if (Buffer.byteLength(description) > RUN_DESCRIPTION_BYTES_MAX) return undefined;
  return { plan, digest: template.digest, description };
}

const label = (name: string): string => `/metadata/labels/${escapeJsonPointer(name)}`;

/** The API server decides: whoever comes second finds that it is not nobody's any more. */
const handOver = ({ session, uid }: Look): JsonPatchOperation[] => [
  { op: 'test', path: label(LABEL_SESSION_UID), value: '' },
  { op: 'replace', path: label(LABEL_SESSION_UID), value: uid },
  { op: 'replace', path: label(LABEL_SESSION), value: session.metadata.name },
];

function jobPatch(look: Look, digest: string): JsonPatchOperation[] {
  const { session, uid, controller } = look;
  const { name, namespace = '' } = session.metadata;
  const governing = controller.policies.object(namespace)?.metadata;
  return [
    { op: 'test', path: label(LABEL_WARM), value: digest },
    ...handOver(look),
    {
      op: 'replace',
      path: '/metadata/ownerReferences',
      value: [{ apiVersion: API_VERSION, kind: 'Session', name, uid, controller: true }],
    },
    ...(governing === undefined
      ? []
      : [{ op: 'add' as const, path: label(LABEL_POLICY), value: policyLabel(governing) }]),
  ];
}

async function told(
  look: Look,
  at: { namespace: string; name: string },
  { plan, description }: Run,
): Promise<Pod | undefined> {
  const { controller, uid, signal } = look;
  const known = controller.pods.get(at) ?? (await there(look, pods, at));
  const startTime = known?.status?.startTime;
  if (startTime === undefined) return undefined;
  // Kubernetes counts from when the pod began.
  const waited = Math.max(0, Math.ceil((controller.clock.now() - Date.parse(startTime)) / 1000));
  const operations: JsonPatchOperation[] = [
    ...handOver(look),
    { op: 'add', path: `/metadata/annotations/${escapeJsonPointer(ANNOTATION_RUN)}`, value: description },
    { op: 'add', path: '/spec/activeDeadlineSeconds', value: waited + deadlineSeconds(plan) },
  ];
  const pod = await given(look, pods, at, operations);
  signal.throwIfAborted();
  // The door tells no run to a pod that is being deleted, serve/runners/run.ts.
  const isAlive = pod?.metadata.deletionTimestamp === undefined && pod?.status?.phase === 'Running';
  return isAlive && pod.metadata.labels?.[LABEL_SESSION_UID] === uid ? pod : undefined;
}

/** The object as it is this session's, now or since a look that did not come to its end. */
async function given<T extends KubeObject>(
  look: Look,
  resource: Resource<T>,
  at: { namespace: string; name: string },
  operations: readonly JsonPatchOperation[],
): Promise<T | undefined> {
  const { controller, uid, signal } = look;
  try {
    return await controller.client.jsonPatch(resource, at, operations, { signal });
  } catch (error) {
    if (!isInvalid(error) && !isNotFound(error)) throw error;
  }
  const object = await there(look, resource, at);
  const isMine =
    object?.metadata.labels?.[LABEL_SESSION_UID] === uid && object.metadata.deletionTimestamp === undefined;
  return isMine ? object : undefined;
}

async function there<T extends KubeObject>(
  { controller, signal }: Look,
  resource: Resource<T>,
  at: { namespace: string; name: string },
): Promise<T | undefined> {
  try {
    return await controller.client.get(resource, at, { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function takeAway({ session, controller }: Look, job: Job, signal: AbortSignal): Promise<void> {
  const { namespace = '', name, uid: jobUid } = job.metadata;
  await controller.audit.record(jobRecord('delete', session, name));
  const preconditions = jobUid === undefined ? {} : { preconditions: { uid: jobUid } };
  await controller.client
    .delete(jobs, { namespace, name }, { propagationPolicy: 'Background', ...preconditions, signal })
    .catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
}
