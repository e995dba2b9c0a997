/**
 * Step: is this a session that can run, and as what? Asked until there is a Job, as the framework may appear and the policy
 * may change meanwhile; what runs goes on under the policy it started with.
 */
import { admit as judge } from '../../../common/rules/admission.ts';
import { findCondition, isTrue } from '../../../common/rules/conditions.ts';
import { failed } from '../../../common/rules/outcome.ts';
import type { FailureReason } from '../../../common/rules/outcome.ts';
import { evaluate } from '../../../common/rules/policy/evaluate.ts';
import { violationsText } from '../../../common/rules/policy/violation.ts';
import { sessionBytes } from './trim.ts';
import type { Look, StepResult } from './step.ts';

export function admit(look: Look): StepResult {
  const { session, uid, draft, controller } = look;
  const conditions = session.status?.conditions;
  // A pod that is kept ready is not told what to run before its Job is the session's.
  const isTold = session.status?.warmPod === undefined || isTrue(conditions, 'WorkloadCreated');
  if (look.job !== undefined && isTold && findCondition(conditions, 'PolicyValidated') !== undefined)
    return 'continue';

  const admission = judge(session.spec, sessionBytes(session), controller.frameworks.list());
  if (admission.accepted) {
    controller.memory.clearTrouble(uid);
    const { framework, version, deprecated, config, executes } = admission.plan;
    // Once more than admission has asked, as that may have been away, and the defaults of the framework count too.
    const spec = { ...session.spec, framework: { ...session.spec.framework, config } };
    const policy = controller.policies.of(session.metadata.namespace ?? '');
    const { violations } = evaluate(spec, policy, executes);
    if (violations.length > 0 && look.job === undefined)
      return refuse(look, 'PolicyViolation', violationsText(violations));
    // Once: the condition is written in the same patch.
    if (deprecated !== undefined && !isTrue(session.status?.conditions, 'PolicyValidated')) {
      if (draft.phase === undefined) draft.moveTo('Pending');
      draft.record('FrameworkDeprecated', { framework, version, message: deprecated });
    }
    draft.condition({
      type: 'PolicyValidated',
      status: 'True',
      reason: 'Accepted',
      message:
        `Framework ${framework}, version ${version}.` +
        (deprecated === undefined ? '' : ` This version is deprecated: ${deprecated}`),
    });
    look.plan = admission.plan;
    return 'continue';
  }

  // Its Job was made before a crash, when the framework said something else.
  if (look.job !== undefined) {
    const message = `Framework ${session.spec.framework.type}, which has changed since.`;
    draft.condition({ type: 'PolicyValidated', status: 'True', reason: 'Accepted', message });
    return 'continue';
  }
  if (admission.reason === 'UnknownFramework') {
    const { clock, memory, settings } = controller;
    const { since } = memory.trouble(uid, admission.reason, admission.message, clock.elapsed());
    const left = since + settings.frameworkPatienceMs - clock.elapsed();
    if (left > 0) return { lookAgainMs: left };
  }
  return refuse(look, admission.reason, admission.message);
}

function refuse({ draft }: Look, reason: FailureReason, message: string): StepResult {
  draft.condition({ type: 'PolicyValidated', status: 'False', reason, message });
  draft.finish(failed(reason, message));
  return 'done';
}
