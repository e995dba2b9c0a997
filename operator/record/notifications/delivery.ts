/** What an attempt to deliver came to, and how one that failed goes on. */

export type Attempt =
  | { outcome: 'delivered' }
  /** Tried again until it has become too old. Not before `afterMs`, when the receiver asked for that. */
  | { outcome: 'failed'; reason: string; afterMs?: number }
  /** Trying again would change nothing. */
  | { outcome: 'refused'; reason: string };

export const failed = (reason: string): Attempt => ({ outcome: 'failed', reason });
export const refused = (reason: string): Attempt => ({ outcome: 'refused', reason });

/** After this it is given up. */
export const GIVE_UP_MS = 24 * 60 * 60 * 1000;
const FIRST_RETRY_MS = 5000;
const LAST_RETRY_MS = 60 * 60 * 1000;

/** Milliseconds until the next attempt: doubling, each shortened at random by up to half. @param attempt from 1 */
export function retryDelay(attempt: number, random: () => number, afterMs = 0): number {
  const full = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 20));
  return Math.max(full * (1 - random() / 2), Math.min(afterMs, GIVE_UP_MS));
}
