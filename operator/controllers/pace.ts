/** A bounded rate for work that has time: each key is given its turn, and waits for it outside of the queue's workers. */
import type { Clock } from './clock.ts';

export class Pace {
  readonly #intervalMs: number;
  readonly #clock: Clock;
  readonly #turns = new Map<string, number>();
  #next = 0;

  constructor(perSecond: number, clock: Clock) {
    this.#intervalMs = 1000 / perSecond;
    this.#clock = clock;
  }

  /** 0: now. Otherwise the milliseconds until the turn, which is kept until the key asks again. */
  turn(key: string): number {
    const now = this.#clock.elapsed();
    const kept = this.#turns.get(key);
    if (kept !== undefined && kept <= now) {
      this.#turns.delete(key);
      return 0;
    }
    if (kept !== undefined) return kept - now;
    const turn = Math.max(now, this.#next);
    this.#next = turn + this.#intervalMs;
    if (turn <= now) return 0;
    this.#turns.set(key, turn);
    return turn - now;
  }

  /** Its object is gone. */
  forget(key: string): void {
    this.#turns.delete(key);
  }
}
