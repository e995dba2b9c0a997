/** A clock that moves only when told to. Timers fire in order of their due time, each with its own turn of the event loop. */
import type { Clock } from '../../operator/controllers/clock.ts';

export class FakeClock implements Clock {
  #now: number;
  readonly #start: number;
  #timers: { due: number; fire: () => void }[] = [];

  constructor(start = Date.parse('2030-01-01T00:00:00Z')) {
    this.#now = start;
    this.#start = start;
  }

  now(): number {
    return this.#now;
  }

  elapsed(): number {
    return this.#now - this.#start;
  }

  get pending(): number {
    return this.#timers.length;
  }

  timer(delayMs: number, fire: () => void): Disposable {
    const entry = { due: this.#now + Math.max(0, delayMs), fire };
    this.#timers.push(entry);
    return { [Symbol.dispose]: () => (this.#timers = this.#timers.filter((other) => other !== entry)) };
  }

  /** Moves on by so many milliseconds, firing what falls due on the way, and lets everything settle. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      await settle();
      const next = this.#timers.filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0];
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.due);
      this.#timers = this.#timers.filter((other) => other !== next);
      next.fire();
    }
    this.#now = end;
    await settle();
  }
}

/** Lets promises that need no outside event run on to where they wait. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
