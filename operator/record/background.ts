/**
 * Work for sessions that have ended, beside the looks at them: each look begins it or asks how it stands. A failure is told once,
 * and then the work is tried again by and by.
 */
export type Waiting = { state: 'waiting'; againMs: number };

export interface BackgroundOptions {
  /** Milliseconds of a clock that never goes back. */
  elapsed: () => number;
}

interface Work<T> {
  outcome?: T;
  notBefore: number;
  failures: number;
}

const LOOK_MS = 500;
const AT_ONCE = 4;
const RETRY_MS = 15_000;
const RETRY_MAX_MS = 600_000;

export class Background<T extends { state: string }> {
  readonly #options: BackgroundOptions;
  readonly #work = new Map<string, Work<T>>();
  #running = 0;

  constructor(options: BackgroundOptions) {
    this.#options = options;
  }

  /** @param attempt never rejects; state `failed`: to be tried again */
  of(uid: string, attempt: () => Promise<T>): T | Waiting {
    const now = this.#options.elapsed();
    const work = this.#work.get(uid);
    if (work?.outcome !== undefined) {
      const { outcome } = work;
      delete work.outcome;
      if (outcome.state !== 'failed') this.#work.delete(uid);
      return outcome;
    }
    if (work !== undefined && work.notBefore > now)
      return { state: 'waiting', againMs: Math.min(work.notBefore - now, RETRY_MAX_MS) };
    if (work?.notBefore === -Infinity || this.#running >= AT_ONCE)
      return { state: 'waiting', againMs: LOOK_MS };
    // Never rejects: how it ended stands in the work.
    this.#run(uid, attempt, { failures: 0, ...work, notBefore: -Infinity }).catch(() => undefined);
    return { state: 'waiting', againMs: LOOK_MS };
  }

  async #run(uid: string, attempt: () => Promise<T>, work: Work<T>): Promise<void> {
    this.#work.set(uid, work);
    this.#running++;
    try {
      work.outcome = await attempt();
      if (work.outcome.state === 'failed') work.failures++;
    } finally {
      this.#running--;
      const wait = Math.min(RETRY_MS * 2 ** (work.failures - 1), RETRY_MAX_MS);
      work.notBefore = this.#options.elapsed() + wait;
    }
  }
}
