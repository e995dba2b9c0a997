/** Who may decide on a session, as far as it can be told from here: the operator has the last word. Pure. */
import type { NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import type { Session } from '../../common/api/session.ts';
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

/** Why the person may not decide; undefined when nothing is known to be in the way. */
export function decisionRefusal(
  session: Session,
  decision: Decision,
  facts: ApprovalFacts,
): string | undefined {
  const { rbac, me, approval } = facts;
  if (rbac !== undefined) return rbac;
  if (me === undefined) return undefined;
  const launcher = session.spec.createdBy?.user;
  if (decision === 'approve' && launcher === me.user && approval?.allowSelfApproval !== true)
    return 'You launched this session, and the policy of its namespace does not let people approve their own.';
  const approvers = approval?.approvers ?? [];
  if (approvers.length === 0 || approvers.some((name) => name === me.user || me.groups.includes(name)))
    return undefined;
  return `The policy of the namespace names others as approvers: ${formatList(approvers, 5)}.`;
}

/** Who may approve, in words. */
export function approversText(approval: NamespacePolicySpec['approval']): string {
  const approvers = approval?.approvers ?? [];
  const who = approvers.length === 0 ? 'Whoever holds the role of an approver' : formatList(approvers, 10);
  return approval?.allowSelfApproval === true ? `${who}; also whoever launched it` : who;
}
