/** Who may decide on a session, as far as it can be told from here: the operator has the last word. Pure. */
import type { NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import type { Session } from '../../common/api/session.ts';
import { mayDecide } from '../../common/rules/approval.ts';
import { formatList } from '../../common/rules/wording.ts';
import type { Me } from '../clusters/rights.ts';

export interface ApprovalFacts {
  /** Why RBAC forbids it; undefined when it does not. */
  rbac: string | undefined;
  /** Undefined where the API server does not say. */
  me: Me | undefined;
  /** `approval` of the namespace's policy; undefined without one, or when the person may not see it. */
  approval: NamespacePolicySpec['approval'];
}

export type Decision = 'approve' | 'reject';

/** Why the person may neither approve nor reject; undefined when nothing is known to be in the way. */
export function decisionRefusal(
  session: Pick<Session, 'spec'>,
  { rbac, me, approval }: ApprovalFacts,
): string | undefined {
  if (rbac !== undefined) return rbac;
  if (me === undefined) return undefined;
  const { approvers = [], allowSelfApproval = false } = approval ?? {};
  const rules = { approval: { approvers, allowSelfApproval } };
  const permission = mayDecide(session.spec, rules, { name: me.user, groups: me.groups });
  if (permission.allowed) return undefined;
  switch (permission.reason) {
    case 'NotAnApprover':
      return `The policy of the namespace names others as approvers: ${formatList(approvers, 5)}.`;
    case 'LaunchedIt':
      return 'You launched this session, and the policy of its namespace leaves the decision to others. You may stop it.';
    case 'LauncherUnknown':
      return permission.message;
  }
}

/** Who may approve, in words. */
export function approversText(approval: NamespacePolicySpec['approval']): string {
  const approvers = approval?.approvers ?? [];
  const who = approvers.length === 0 ? 'Whoever holds the role of an approver' : formatList(approvers, 10);
  return approval?.allowSelfApproval === true ? `${who}; also whoever launched it` : who;
}
