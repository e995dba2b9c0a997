/** Looks every few seconds for calls to models that a killed process of the operator has left open (sessions/models/lost-calls.ts). */
import type { Logger } from 'pino';
import type { LostCalls } from '../sessions/models/lost-calls.ts';
import type { Clock } from './clock.ts';
import { WorkQueue } from './queue.ts';

const SWEEP_MS = 15_000;

export interface LostCallsSweepOptions {
  lostCalls: Pick<LostCalls, 'sweep'>;
  clock: Clock;
  random: () => number;
  log: Logger;
}

export class LostCallsSweep {
  readonly #queue: WorkQueue<'sweep'>;

  constructor({ lostCalls, clock, random, log }: LostCallsSweepOptions) {
    this.#queue = new WorkQueue({
      work: async (_, signal) => {
        await lostCalls.sweep(signal);
        return { requeueAfterMs: SWEEP_MS };
      },
      onError: (_, err, { attempt }) => log.warn({ err, attempt }, 'charging calls left open is delayed'),
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
