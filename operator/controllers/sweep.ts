/** One piece of work that is done again and again, with time between; sooner when it has failed. */
import type { Logger } from 'pino';
import type { Clock } from './clock.ts';
import { WorkQueue } from './queue.ts';

export interface SweepOptions {
  /** For the log. */
  what: string;
  /** Milliseconds from one's end to the next one's beginning. */
  everyMs: number;
  work: (signal: AbortSignal) => Promise<void>;
  clock: Clock;
  random: () => number;
  log: Logger;
}

export class Sweep {
  readonly #queue: WorkQueue<'sweep'>;

  constructor({ what, everyMs, work, clock, random, log }: SweepOptions) {
    this.#queue = new WorkQueue({
      work: async (_, signal) => {
        await work(signal);
        return { requeueAfterMs: everyMs };
      },
      onError: (_, err, { attempt }) => log.warn({ err, attempt }, `${what} is delayed`),
      concurrency: 1,
      clock,
      random,
    });
  }

  start(): void {
    this.#queue.add('sweep');
  }

  async close(drainMs: number): Promise<void> {
    await this.#queue.close(drainMs);
  }
}
