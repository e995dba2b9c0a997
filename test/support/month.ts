/** Budgets are a month's: of what was spent nothing counts any more when the next one begins. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves at once, unless the month ends within so long: then when the next has begun. */
export async function monthGoesOn(forMs: number): Promise<void> {
  const now = new Date();
  const left = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1) - now.getTime();
  // A second more, as timers may be early.
  if (left <= forMs) await sleep(left + 1000);
}
