/** Step: is this a session that can run, and as what? Asked until there is a Job, as the framework may appear meanwhile. */
import { admit as judge } from '../../../common/rules/admission.ts';
import { findCondition } from '../../../common/rules/conditions.ts';
import { failed } from '../../../common/rules/outcome.ts';
import { sessionBytes } from './trim.ts';
import type { Look, StepResult } from './step.ts';

export function admit(look: Look): StepResult {
  const { session, uid, draft, controller } = look;
  if (look.job !== undefined && findCondition(session.status?.conditions, 'PolicyValidated') !== undefined)
    return 'continue';

  const admission = judge(session.spec, sessionBytes(session), controller.frameworks.list());
  if (admission.accepted) {
    controller.memory.clearTrouble(uid);
    const { framework, version, deprecated } = admission.plan;
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
  draft.condition({
    type: 'PolicyValidated',
    status: 'False',
    reason: admission.reason,
    message: admission.message,
  });
  draft.finish(failed(admission.reason, admission.message));
  return 'done';
}
