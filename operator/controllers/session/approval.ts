/** Step: may it start, or must somebody agree first? Asked until there is a Job, by the policy of that moment. */
import { OPERATOR_ACTOR } from '../../../common/api/names.ts';
import {
  approvalNeed,
  awaiting,
  awaitingCondition,
  decisionCondition,
  NOT_REQUIRED,
} from '../../../common/rules/approval.ts';
import type { Decision } from '../../../common/rules/approval.ts';
import { findCondition, isTrue } from '../../../common/rules/conditions.ts';
import { rejected } from '../../../common/rules/outcome.ts';
import { timestamp } from '../clock.ts';
import type { Look, StepResult } from './step.ts';

export function approval(look: Look): StepResult {
  const { session, draft, controller, uid } = look;
  const decision = session.status?.approval;
  if (decision !== undefined) return decided(look, decision);

  const conditions = session.status?.conditions;
  if (isTrue(conditions, 'WorkloadCreated')) return 'continue';
  const policy = controller.policies.of(session.metadata.namespace ?? '');
  const isStarting = look.job !== undefined || controller.memory.of(uid).jobVersion !== undefined;
  const need = isStarting
    ? ({ kind: 'none' } as const)
    : approvalNeed(session.spec, policy, controller.operatorUser);
  const asked = findCondition(conditions, 'Approved')?.reason === 'AwaitingApproval';
  switch (need.kind) {
    case 'none':
      if (asked) draft.record('ApprovalWaived', { reason: 'The policy no longer asks for it.' });
      draft.condition(NOT_REQUIRED);
      return 'continue';
    case 'automatic': {
      const automatic: Decision = {
        decision: 'Approved',
        by: OPERATOR_ACTOR,
        at: timestamp(controller.clock.now()),
        reason: need.why,
      };
      if (draft.phase === undefined) draft.moveTo('Pending');
      draft.approval(automatic);
      draft.condition(decisionCondition(automatic));
      draft.record('Approved', { reason: need.why });
      // Written down first; the event of that write goes on.
      return 'done';
    }
    case 'approver': {
      if (draft.phase === undefined) draft.moveTo('Pending');
      const { approvers } = policy.approval;
      if (!asked)
        draft.record('ApprovalRequested', {
          reason: need.why,
          ...(approvers.length === 0 ? {} : { approvers: [...approvers] }),
        });
      const message = awaiting(need.why, policy);
      draft.condition(awaitingCondition(message));
      draft.message(message);
      return 'done';
    }
  }
}

function decided({ draft }: Look, decision: Decision): StepResult {
  draft.condition(decisionCondition(decision));
  switch (decision.decision) {
    case 'Approved':
      return 'continue';
    case 'Rejected':
      draft.finish(rejected(decision));
      return 'done';
  }
}
