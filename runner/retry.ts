/** Waiting and trying again: exponential backoff with jitter, until it works, is final, or is cancelled. */
import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_MS = 100;
/** Short enough that a log moves again soon after the operator is back. */
const LONGEST_MS = 5_000;

/** Milliseconds before attempt `attempt` + 1; between half and all of the exponential step. */
export const backoffMs = (attempt: number, random: () => number): number =>
  Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 16)) * (0.5 + random() / 2);

export interface RetryOptions {
  signal: AbortSignal;
  random: () => number;
  /** Errors for which another attempt makes sense. */
  worthRetrying: (error: unknown) => boolean;
  /** The server's own wish, when it named one. */
  atLeastMs?: (error: unknown) => number;
  onRetry?: (error: unknown) => void;
}

/** Rejects with the error of the last attempt when it is final, also when cancelled while waiting. */
export async function retrying<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (options.signal.aborted || !options.worthRetrying(error)) throw error;
      options.onRetry?.(error);
      const wait = Math.max(backoffMs(tries, options.random), options.atLeastMs?.(error) ?? 0);
      if (!(await pause(wait, options.signal))) throw error;
    }
  }
}

/** False when cancelled. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(milliseconds, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}
