/** Exponential backoff with jitter, and the wait itself. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface BackoffOptions {
  /** Milliseconds of the first wait, before jitter. */
  initialMs: number;
  maxMs: number;
  /** Uniform in [0, 1). */
  random: () => number;
}

/** Doubles from `initialMs` to `maxMs`; each wait is spread over 50–100 % so that clients do not come back in step. */
export class Backoff {
  readonly #options: BackoffOptions;
  #attempts = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Milliseconds to wait before the next attempt. */
  next(): number {
    const { initialMs, maxMs, random } = this.#options;
    const full = Math.min(maxMs, initialMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts += 1;
    return Math.round(full * (0.5 + random() / 2));
  }

  reset(): void {
    this.#attempts = 0;
  }
}

/** Waits; an abort ends the wait at once, without an error: whoever waits looks at the signal anyway. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
