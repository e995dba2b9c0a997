/**
 * The time by which retention decides. A clock that leaps ahead, as one set wrongly does, would have everything deleted at
 * once: the leap counts only after it has stood for a while, so that it can be set right. Going back only delays.
 */
import type { Clock } from '../clock.ts';

/** What clocks are corrected by in ordinary operation. */
const TOLERANCE_MS = 5 * 60_000;
const SETTLE_MS = 60 * 60_000;

export class SettledTime {
  readonly #clock: Clock;
  #anchor: { wall: number; elapsed: number };
  #leaptAt: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#anchor = { wall: clock.now(), elapsed: clock.elapsed() };
  }

  /** Milliseconds since the epoch. */
  now(): number {
    const wall = this.#clock.now();
    const elapsed = this.#clock.elapsed();
    const expected = this.#anchor.wall + elapsed - this.#anchor.elapsed;
    if (wall > expected + TOLERANCE_MS) {
      this.#leaptAt ??= elapsed;
      if (elapsed - this.#leaptAt < SETTLE_MS) return expected;
    }
    this.#leaptAt = undefined;
    this.#anchor = { wall, elapsed };
    return wall;
  }
}
