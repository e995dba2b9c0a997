/** What a session's page shows beside the session: what the person may do with it, and what its namespace's policy says. */
import type { NamespacePolicy } from '../../common/api/namespace-policy.ts';
import type { SessionRefusals } from '../../common/api/panels.ts';
import type { Session } from '../../common/api/session.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { sessions } from '../../common/kube/resource.ts';
import { formatMoney } from '../../common/rules/money.ts';
import { effectivePolicy } from '../../common/rules/policy/effective.ts';
import { sessionBudget } from '../../common/rules/session-budget.ts';
import type { Rights } from '../clusters/rights.ts';
import type { Policies } from '../policies/policies.ts';
import { decisionRefusal } from '../sessions/approval.ts';
import { causeOf } from '../sessions/cause.ts';
import type { Cause } from '../sessions/cause.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import type { Turns } from '../sessions/waiting.ts';

export interface PageFacts {
  refusals: SessionRefusals;
  /** Undefined: the namespace has none. */
  policy: NamespacePolicy | 'unknown' | undefined;
  /** What the session may spend in all, USD; undefined without a limit, or when it is not known. */
  budget?: string;
  turns?: Turns;
  /** Of a session that an event started. */
  cause?: Cause;
}

export interface FactSources {
  rights: Pick<Rights, 'refusal' | 'me'>;
  policies: Pick<Policies, 'of'>;
}

const READ_MS = 15_000;

/** From the session as it is in the cluster: watches leave out the payload, which can be large. Throws KubeError. */
export const causeIn = async (
  client: Pick<KubeClient, 'get'>,
  { namespace, name }: SessionRef,
): Promise<Cause> =>
  causeOf(await client.get(sessions, { namespace, name }, { signal: AbortSignal.timeout(READ_MS) }));

const ASKED = [
  'stop',
  'message',
  'interrupt',
  'resume',
  'budget',
  'delete',
  'approve',
  'reject',
  'audit',
] as const;

/** Throws what kept it from finding out. */
export async function pageFacts(
  { rights, policies }: FactSources,
  { cluster, namespace }: SessionRef,
  session: Session,
): Promise<PageFacts> {
  const [me, found, ...rbac] = await Promise.all([
    rights.me(cluster),
    policies.of(cluster, namespace),
    ...ASKED.map((right) => rights.refusal(cluster, namespace, right)),
  ]);
  const policy = found.known === 'policy' ? found.policy : found.known === 'unknown' ? 'unknown' : undefined;
  const spec = policy === 'unknown' ? undefined : policy?.spec;
  const refusals: SessionRefusals = {};
  for (const [index, right] of ASKED.entries()) {
    const refusal =
      right === 'approve' || right === 'reject'
        ? decisionRefusal(session, { rbac: rbac[index], me, approval: spec?.approval })
        : rbac[index];
    if (refusal !== undefined) refusals[right] = refusal;
  }
  const effective = effectivePolicy(spec);
  const budget = sessionBudget(session, effective);
  const active = policy === 'unknown' ? undefined : policy?.status?.usage?.sessions?.active;
  return {
    refusals,
    policy,
    ...(budget === undefined ? {} : { budget: formatMoney(budget) }),
    ...(active === undefined ? {} : { turns: { active, max: effective.maxSessions } }),
  };
}
