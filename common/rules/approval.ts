/** Who must agree before a session starts, and whose word counts. Roles come first: Kubernetes has let the request through. */
import { OPERATOR_ACTOR, OPERATOR_NAME, USER_MAX } from '../api/names.ts';
import type { SessionConditionType, SessionSpec, SessionStatus } from '../api/session.ts';
import type { ConditionChange } from './conditions.ts';
import { formatMoney } from './money.ts';
import type { EffectivePolicy } from './policy/effective.ts';
import { narrowedPolicy } from './policy/narrow.ts';
import { formatList, oneLine } from './wording.ts';

/** none: it may start; automatic: the policy itself approves it, `why`; approver: a person must. */
export type ApprovalNeed =
  { kind: 'none' } | { kind: 'automatic'; why: string } | { kind: 'approver'; why: string };

/** As the API server authenticated them. */
export interface Person {
  name: string;
  groups: readonly string[];
}

export type Decision = NonNullable<SessionStatus['approval']>;

export type Permission =
  | { allowed: true }
  | { allowed: false; reason: 'NotAnApprover' | 'LaunchedIt' | 'LauncherUnknown'; message: string };

/** Approvers that a message names. */
const NAMED = 10;

/** The user as whom the operator itself creates sessions, for events that it has verified. */
export const operatorUser = (namespace: string): string =>
  `system:serviceaccount:${namespace}:${OPERATOR_NAME}`;

/** @param operator the only one who is believed to pass on another trigger than `manual`, which anybody can write */
export function approvalNeed(spec: SessionSpec, policy: EffectivePolicy, operator: string): ApprovalNeed {
  // Who asks for a second pair of eyes gets one, whatever the policy would have waved through.
  if (spec.policy?.approvalRequired === true)
    return { kind: 'approver', why: 'The session itself asks for it.' };
  if (!policy.approval.required) return { kind: 'none' };
  const why = automatically(spec, policy, operator);
  return why === undefined
    ? { kind: 'approver', why: "The namespace's policy asks for it." }
    : { kind: 'automatic', why };
}

/** Every condition that the policy sets must hold; a policy that sets none approves nothing by itself. */
function automatically(spec: SessionSpec, policy: EffectivePolicy, operator: string): string | undefined {
  const { triggers, budget } = policy.approval.autoApprove;
  const reasons: string[] = [];
  if (triggers.length > 0) {
    const source = spec.trigger?.source ?? 'manual';
    const isTrue = source === 'manual' || spec.createdBy?.user === operator;
    if (!isTrue || !triggers.includes(source)) return undefined;
    reasons.push(`trigger ${source}`);
  }
  if (budget !== undefined) {
    const { budget: own } = narrowedPolicy(spec, policy);
    if (own === undefined || own > budget) return undefined;
    reasons.push(`a budget of ${formatMoney(own)} USD, at most ${formatMoney(budget)}`);
  }
  return reasons.length === 0 ? undefined : `The policy approves by itself: ${reasons.join(', and ')}.`;
}

/** Whether this person may approve or reject this session. */
export function mayDecide(
  spec: Pick<SessionSpec, 'createdBy'>,
  { approval }: { approval: Pick<EffectivePolicy['approval'], 'approvers' | 'allowSelfApproval'> },
  person: Person,
): Permission {
  const { approvers, allowSelfApproval } = approval;
  const isApprover =
    approvers.length === 0 ||
    approvers.includes(person.name) ||
    person.groups.some((group) => approvers.includes(group));
  if (!isApprover)
    return {
      allowed: false,
      reason: 'NotAnApprover',
      message: `Only ${whoDecides(approvers)} may decide about this session.`,
    };
  if (allowSelfApproval) return { allowed: true };
  const launcher = spec.createdBy?.user;
  if (launcher === undefined)
    return {
      allowed: false,
      reason: 'LauncherUnknown',
      message:
        'It is not recorded who launched this session, so nobody can be told from them. It must be launched again.',
    };
  // As admission keeps it: two names that differ only beyond that count as one.
  if (launcher === person.name.slice(0, USER_MAX))
    return {
      allowed: false,
      reason: 'LaunchedIt',
      message: `${oneLine(person.name)} launched this session and may not decide about it; ${whoDecides(approvers)} may, or the launcher can stop it.`,
    };
  return { allowed: true };
}

function whoDecides(approvers: readonly string[]): string {
  return approvers.length === 0
    ? 'anybody else with the role ambient-approver in this namespace'
    : `the approvers of the namespace's policy (${oneLine(formatList(approvers, NAMED))})`;
}

/** What a session says while it waits. */
export const awaiting = (why: string, { approval }: EffectivePolicy): string =>
  `Waiting for approval by ${approval.approvers.length === 0 ? 'somebody with the role ambient-approver' : oneLine(formatList(approval.approvers, NAMED))}. ${why}`;

type ApprovedCondition = ConditionChange<SessionConditionType>;

export const NOT_REQUIRED: ApprovedCondition = {
  type: 'Approved',
  status: 'True',
  reason: 'NotRequired',
  message: 'No approval is needed.',
};

export const awaitingCondition = (message: string): ApprovedCondition => ({
  type: 'Approved',
  status: 'False',
  reason: 'AwaitingApproval',
  message,
});

export function decisionCondition(decision: Decision): ApprovedCondition {
  const message = decisionMessage(decision);
  switch (decision.decision) {
    case 'Approved': {
      const reason = decision.by === OPERATOR_ACTOR ? 'AutoApproved' : 'Approved';
      return { type: 'Approved', status: 'True', reason, message };
    }
    case 'Rejected':
      return { type: 'Approved', status: 'False', reason: 'Rejected', message };
  }
}

/** `Rejected by ann: too expensive` */
export const decisionMessage = ({ decision, by, reason }: Decision): string =>
  `${decision} by ${oneLine(by)}${reason === undefined || reason.trim() === '' ? '.' : `: ${oneLine(reason)}`}`;
