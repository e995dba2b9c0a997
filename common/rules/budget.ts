/**
 * What a budget allows. A session holds its whole budget from its turn until its end, afterwards only what it has cost:
 * sessions that start at once can therefore never plan to spend more together than the month has.
 */
import type { SessionStatus } from '../api/session.ts';
import { dayOf } from './budget-month.ts';
import { formatMoney, minus, parseMoney, sum, ZERO } from './money.ts';
import type { Money } from './money.ts';

/** Of a namespace in one month. */
export interface BudgetState {
  monthly: Money;
  spent: Money;
  /** Held for sessions that run, beyond what they have spent. */
  reserved: Money;
}

/** Percent of the month's budget from which on people are warned. */
export const WARNING_PERCENT = 80n;

/** What the month has left if those that run spend nothing more. */
export const unspent = ({ monthly, spent }: BudgetState): Money => minus(monthly, spent);
/** What nobody holds. */
export const free = (state: BudgetState): Money => minus(unspent(state), state.reserved);

/** Spent up. Nothing spent is not: a budget of nothing lets sessions run that may spend nothing. */
export const isSpent = (spent: Money, budget: Money | undefined): boolean =>
  budget !== undefined && spent > 0n && spent >= budget;

/**
 * fits: it may start; after-others: once sessions that run have given back what they do not spend; after-reset: not in
 * this month; never: not even in a month of its own, so that it should be refused.
 */
export type BudgetVerdict = 'fits' | 'after-others' | 'after-reset' | 'never';

export function budgetVerdict(need: Money, state: BudgetState): BudgetVerdict {
  if (need > state.monthly) return 'never';
  if (isSpent(state.spent, state.monthly) || need > unspent(state)) return 'after-reset';
  return need <= free(state) ? 'fits' : 'after-others';
}

export type BudgetLevel = 'ok' | 'warning' | 'exceeded';

export function budgetLevel({ monthly, spent }: Pick<BudgetState, 'monthly' | 'spent'>): BudgetLevel {
  if (isSpent(spent, monthly)) return 'exceeded';
  return spent > 0n && spent * 100n >= monthly * WARNING_PERCENT ? 'warning' : 'ok';
}

type Cost = NonNullable<SessionStatus['cost']>;

export const totalOf = (cost: Cost | undefined): Money => parseMoney(cost?.total ?? '') ?? ZERO;

/** What a session has spent since a reset. A cost that does not say on which days it arose counts as a whole. */
export function spentSince(cost: Cost | undefined, start: number): Money {
  if (cost === undefined) return ZERO;
  const total = totalOf(cost);
  const first = dayOf(start);
  const before = sum(
    Object.entries(cost.days ?? {}).flatMap(([day, text]) => (day < first ? (parseMoney(text) ?? ZERO) : [])),
  );
  return minus(total, before);
}

export const usd = (amount: Money): string => `${formatMoney(amount)} USD`;
