/** What a session may spend in all: what it was launched with, or what somebody has raised that to, never more than a month has. */
import type { Session } from '../api/session.ts';
import { parseMoney, smaller } from './money.ts';
import type { Money } from './money.ts';
import type { EffectivePolicy } from './policy/effective.ts';
import { narrowedPolicy } from './policy/narrow.ts';

/** Undefined: no limit. */
export function sessionBudget(
  { spec, status }: Pick<Session, 'spec' | 'status'>,
  policy: EffectivePolicy,
): Money | undefined {
  const own = narrowedPolicy(spec, policy).budget;
  const raised = parseMoney(status?.budget?.limit ?? '');
  if (own === undefined || raised === undefined || raised <= own) return own;
  return policy.budget === undefined ? raised : smaller(raised, policy.budget.monthly);
}
