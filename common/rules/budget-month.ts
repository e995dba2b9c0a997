/**
 * Budget months: from one reset at midnight UTC to the next. A reset day is 1 to 28, so that every month has it. What has
 * been reset stays reset: neither a clock that jumps back nor an earlier reset day opens a month again.
 */

export interface BudgetMonth {
  /** Milliseconds since the epoch. */
  start: number;
  /** The next reset: the first that lies after `start` and after now. */
  end: number;
  /** No reset to `start` has been recorded yet. */
  isNew: boolean;
}

/** The last reset day at or before `now`. */
export function resetBefore(now: number, resetDay: number): number {
  const date = new Date(now);
  const months = date.getUTCDate() >= resetDay ? 0 : -1;
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, resetDay);
}

/** The first reset day after `now`. */
export function resetAfter(now: number, resetDay: number): number {
  const date = new Date(now);
  const months = date.getUTCDate() >= resetDay ? 1 : 0;
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, resetDay);
}

/** @param lastReset RFC 3339, as recorded; what cannot be read counts as none. */
export function budgetMonth(now: number, resetDay: number, lastReset: string | undefined): BudgetMonth {
  const recorded = lastReset === undefined ? Number.NaN : Date.parse(lastReset);
  const due = resetBefore(now, resetDay);
  const start = recorded > due ? recorded : due;
  return { start, end: resetAfter(Math.max(now, start), resetDay), isNew: recorded !== start };
}

/** The day in UTC, as `2030-01-31`: resets lie between two days. */
export const dayOf = (milliseconds: number): string => new Date(milliseconds).toISOString().slice(0, 10);
