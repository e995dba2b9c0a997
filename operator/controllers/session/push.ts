/**
 * Step after the end: what a completed session has changed goes to a new branch, where it asked for that and its namespace's policy
 * lists the branch now. A Job of its own does it; what becomes of it is told in the condition ResultPushed.
 */
import type { PushReport } from '../../../common/api/push.ts';
import { isAlreadyExists, isForbidden, isNotFound, KubeError } from '../../../common/kube/errors.ts';
import { jobs } from '../../../common/kube/resource.ts';
import { admit as judge } from '../../../common/rules/admission.ts';
import { findCondition } from '../../../common/rules/conditions.ts';
import { narrowedPolicy } from '../../../common/rules/policy/narrow.ts';
import { resultBranches } from '../../../common/rules/results.ts';
import { jobRecord } from './change-record.ts';
import { buildPushJob, PUSH_ATTEMPTS, pushJobNameOf } from './push-job.ts';
import type { Look, StepResult } from './step.ts';

/** The one reason that is not the end of it. */
const PUSHING = 'Pushing';
/** The watch tells of the Job by itself; this is for when it does not. */
const AGAIN_MS = 5000;
/** Room in a quota, or a right, comes without anybody telling us. */
const REFUSED_AGAIN_MS = 30_000;

export async function push(look: Look): Promise<StepResult> {
  const { session, controller, uid } = look;
  const { conditions, phase } = session.status ?? {};
  if (session.spec.result === undefined || phase !== 'Completed') return 'done';
  const standing = findCondition(conditions, 'ResultPushed');
  if (standing !== undefined && standing.reason !== PUSHING) return 'done';
  const { namespace = '' } = session.metadata;
  const job = controller.jobs.get({ namespace, name: pushJobNameOf(uid) });
  const report = standing === undefined ? undefined : await controller.records.pushReport(session);
  if (report !== undefined && report.state !== 'failed') return conclude(look, report);
  if (job === undefined) return await begin(look);
  const isOver = job.status?.conditions?.some(({ status }) => status === 'True') === true;
  if (!isOver) {
    tell(
      look,
      PUSHING,
      report === undefined ? 'Being pushed.' : `${sentence(report.message)} It is tried again.`,
    );
    return 'done';
  }
  tell(
    look,
    report?.reason ?? 'PushFailed',
    report === undefined
      ? `The pod that pushes has not told how it went. The log of Job ${job.metadata.name} may say why.`
      : `${sentence(report.message)} It was tried ${PUSH_ATTEMPTS} times. The changes are in the artifact changes.patch.`,
  );
  return 'done';
}

function conclude(look: Look, report: Exclude<PushReport, { state: 'failed' }>): StepResult {
  const { draft } = look;
  switch (report.state) {
    case 'unchanged':
      tell(look, 'NothingChanged', 'The session changed nothing, so no branch was made.');
      return 'done';
    case 'refused':
      tell(look, report.reason, `${sentence(report.message)} The changes are in the artifact changes.patch.`);
      return 'done';
    case 'pushed': {
      const { branch, commit, base } = report;
      draft.result({ branch, commit, ...(base === undefined ? {} : { base }) });
      draft.condition({
        type: 'ResultPushed',
        status: 'True',
        reason: 'Pushed',
        message: `Branch ${branch}, commit ${commit.slice(0, 12)}.`,
      });
      draft.record('ResultPushed', { branch, commit });
      return 'done';
    }
  }
}

function tell({ draft }: Look, reason: string, message: string): void {
  draft.condition({ type: 'ResultPushed', status: 'False', reason, message });
}

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

async function begin(look: Look): Promise<StepResult> {
  const { session, uid, controller, signal } = look;
  const { namespace = '' } = session.metadata;
  const final = (reason: string, message: string): StepResult => {
    tell(look, reason, message);
    return 'done';
  };
  const policy = controller.policies.of(namespace);
  const branches = resultBranches(session, policy);
  if (branches.length === 0)
    return final(
      'NotAllowed',
      `The policy of namespace ${namespace} does not list the branch in spec.results.branches. The changes are in the artifact changes.patch.`,
    );
  const [hasChanges, run] = await Promise.all([
    controller.records.hasChanges(session),
    controller.records.result(session),
  ]);
  if (!hasChanges) return final('NothingChanged', 'The session changed nothing, so no branch was made.');
  if (run?.sourceCommit === undefined)
    return final('BaseUnknown', 'The run did not tell which commit it began with.');
  const admission = judge(session.spec, 0, controller.frameworks.list());
  if (!admission.accepted) return final('FrameworkUnusable', admission.message);
  const credentials = session.spec.result?.credentials ?? session.spec.source?.git?.credentials;
  if (credentials === undefined) return final('CredentialsMissing', 'No Secret to push with is named.');

  await controller.audit.record(jobRecord('create', session, pushJobNameOf(uid)));
  try {
    await controller.prepareNamespace(namespace, signal);
    const facts = {
      plan: admission.plan,
      commit: run.sourceCommit,
      branches,
      credentials,
      endpoint: controller.endpoint(),
    };
    const { runtimeClass } = narrowedPolicy(session.spec, policy);
    await controller.client.create(jobs, buildPushJob(session, facts, runtimeClass), {
      signal,
      answer: 'metadata',
    });
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    // The namespace is going away, and the session with it.
    if (isNotFound(error) || error.causeCode === 'NamespaceTerminating') return 'done';
    if (isForbidden(error)) {
      tell(look, PUSHING, `Waiting until the cluster lets a pod be made: ${sentence(error.message)}`);
      return { lookAgainMs: REFUSED_AGAIN_MS };
    }
    // Made before a crash, or not yet told by the watch.
    if (!isAlreadyExists(error)) throw error;
  }
  tell(look, PUSHING, 'Being pushed.');
  return { lookAgainMs: AGAIN_MS };
}
