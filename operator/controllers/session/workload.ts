/** Step: the Job. Created once, under a name that only this session can have; found again after any crash. */
import { LABEL_POLICY } from '../../../common/api/names.ts';
import type { Job } from '../../../common/kube/core-types.ts';
import {
  isAlreadyExists,
  isForbidden,
  isNotFound,
  isTransient,
  KubeError,
} from '../../../common/kube/errors.ts';
import { jobs } from '../../../common/kube/resource.ts';
import { isTrue } from '../../../common/rules/conditions.ts';
import { failed } from '../../../common/rules/outcome.ts';
import { narrowedPolicy } from '../../../common/rules/policy/narrow.ts';
import { formatBytes } from '../../../common/rules/wording.ts';
import { isOlder } from '../resource-version.ts';
import { jobRecord } from './change-record.ts';
import { buildJob, jobNameOf } from './job.ts';
import { choose, claim } from './claim.ts';
import { withSidecar } from './sidecar.ts';
import { withBrought } from './brought.ts';
import { describeRun, RUN_DESCRIPTION_BYTES_MAX } from './run-description.ts';
import { policyLabel } from './policy-label.ts';
import { trimJob } from './trim.ts';
import type { Look, StepResult } from './step.ts';

export const WAITING = 'Waiting for the pod to start.';
/** A quota has room again when other work ends, of which nobody tells us. */
const QUOTA_RETRY_MS = 15_000;
/** A right that is missing is given by a person. */
const RIGHT_RETRY_MS = 30_000;

export async function workload(look: Look): Promise<StepResult> {
  const { session, draft, controller, uid } = look;
  if (!isTrue(session.status?.conditions, 'WorkloadCreated')) {
    if (session.status?.warmPod !== undefined) {
      const result = await claim(look, session.status.warmPod);
      if (result !== 'continue') return result;
    } else if (look.job === undefined) {
      // Made by an earlier look, and not yet told by the watch.
      if (isOlder(controller.jobsVersion(), controller.memory.of(uid).jobVersion)) return 'retold';
      // Written before anything is claimed, so that the session can never have two.
      if (choose(look)) return 'done';
      const result = await create(look);
      if (result !== 'continue') return result;
    }
  }
  if (look.job !== undefined) noteCreated(look, look.job);
  if (draft.phase !== undefined) return 'continue';
  // The first write comes before anything else is told; its own event goes on from here.
  draft.moveTo('Pending');
  return 'done';
}

async function create(look: Look): Promise<StepResult> {
  const { session, uid, draft, controller, plan, signal } = look;
  if (plan === undefined) throw new Error('a session is admitted before its workload is made');
  const { namespace = '' } = session.metadata;

  // By the policy of now: it may have changed while the session waited.
  const policy = narrowedPolicy(session.spec, controller.policies.of(namespace));
  const description = describeRun(session, plan, controller.endpoint(), policy);
  const run = JSON.stringify(description);
  const bytes = Buffer.byteLength(run);
  if (bytes > RUN_DESCRIPTION_BYTES_MAX) {
    const message = `The command and configuration have ${formatBytes(bytes)}; a pod can be given at most ${formatBytes(RUN_DESCRIPTION_BYTES_MAX)}. Put long text into a file of the source.`;
    draft.condition({ type: 'WorkloadCreated', status: 'False', reason: 'TooLarge', message });
    draft.finish(failed('TooLarge', message));
    return 'done';
  }

  // Once, however often the cluster has no room for it.
  if (controller.memory.of(uid).jobRecorded !== true) {
    await controller.audit.record(jobRecord('create', session, jobNameOf(uid)));
    controller.memory.note(uid, { jobRecorded: true });
  }
  try {
    // First the account, which a Job controller that does not find it tries again only after ten seconds, and the NetworkPolicy,
    // without which no pod shall start.
    await controller.prepareNamespace(namespace, signal);
    const alone = buildJob(session, plan, run, policy.restrictions, policy.runtimeClass);
    const made = withSidecar(withBrought(alone, session), plan, description);
    const governing = controller.policies.object(namespace)?.metadata;
    if (governing !== undefined)
      made.metadata.labels = { ...made.metadata.labels, [LABEL_POLICY]: policyLabel(governing) };
    const job = await controller.client.create(jobs, made, {
      signal,
      answer: 'metadata',
    });
    controller.memory.note(uid, { jobVersion: job.metadata.resourceVersion ?? '' });
    // Written when the watch brings the Job: in a burst the Jobs of others come first, and by then there is more to tell.
    return 'retold';
  } catch (error) {
    return await refused(look, error);
  }
}

async function refused(look: Look, error: unknown): Promise<StepResult> {
  const { session, draft, uid, controller, signal } = look;
  if (!(error instanceof KubeError) || isTransient(error) || error.status === 0) throw error;
  const { namespace = '' } = session.metadata;
  if (isAlreadyExists(error)) {
    // Made before a crash, and not yet in the store.
    const job = await controller.client.get(jobs, { namespace, name: jobNameOf(uid) }, { signal });
    look.job = trimJob(job);
    return 'continue';
  }
  // The namespace is going away, and the session with it.
  if (isNotFound(error) || error.causeCode === 'NamespaceTerminating') return 'done';

  const wait = (message: string, lookAgainMs: number, reason: string): StepResult => {
    draft.condition({ type: 'WorkloadCreated', status: 'False', reason, message });
    if (draft.phase === undefined) draft.moveTo('Pending');
    draft.message(message);
    return { lookAgainMs };
  };
  if (isForbidden(error) && /exceeded quota|insufficient quota/i.test(error.message))
    return wait(
      `Waiting for room in the quota of namespace ${namespace}: ${error.message}`,
      QUOTA_RETRY_MS,
      'QuotaExceeded',
    );
  // RBAC's wording (apiserver/pkg/endpoints/handlers/responsewriters): the operator's own rights, not the session's fault.
  if (isForbidden(error) && / cannot (create|update) resource /.test(error.message))
    return wait(`The operator lacks a right here: ${error.message}`, RIGHT_RETRY_MS, 'OperatorForbidden');
  if (error.status >= 400 && error.status < 500 && error.status !== 401 && error.status !== 409) {
    const message = `The cluster refused the session's Job: ${error.message}`;
    draft.condition({ type: 'WorkloadCreated', status: 'False', reason: 'Rejected', message });
    draft.finish(
      failed('WorkloadRejected', `${message} Change the session or ask an administrator of the namespace.`),
    );
    return 'done';
  }
  throw error;
}

/** From the Job itself and not from the plan: the framework may say something else by now. */
function noteCreated({ draft, session, plan }: Look, job: Job): void {
  if (session.status?.workload?.jobName !== undefined) return;
  if (plan?.input === 'messages') draft.openInput();
  const { containers, runtimeClassName } = job.spec.template.spec;
  const [container] = containers;
  const limits = container?.resources?.limits;
  draft.condition({
    type: 'WorkloadCreated',
    status: 'True',
    reason: 'JobCreated',
    message: `Job ${job.metadata.name}.`,
  });
  draft.workload({
    jobName: job.metadata.name,
    ...(container?.image === undefined ? {} : { image: container.image }),
    ...(limits === undefined ? {} : { resources: limits }),
    ...(runtimeClassName === undefined ? {} : { runtimeClassName }),
    ...policyOf(job),
  });
  draft.message(WAITING);
}

function policyOf({ metadata }: Job): { policy?: { uid: string; generation: number } } {
  const [uid = '', generation = ''] = metadata.labels?.[LABEL_POLICY]?.split('.') ?? [];
  return uid === '' ? {} : { policy: { uid, generation: Number(generation) } };
}
