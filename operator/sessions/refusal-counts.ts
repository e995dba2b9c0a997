/**
 * Refusals of one and the same, who may be refused as often as he likes: the first is told at once, of all others once a minute
 * how many there were. What that writes is bounded by how many are counted at a time.
 */

export interface RefusalClock {
  timer(delayMs: number, fire: () => void): Disposable;
}

export const TOLD_EVERY_MS = 60_000;
const COUNTED_MAX = 1000;

/** @param more how many since it was told last; 0: it is the first */
export type Tell = (more: number) => void;

interface Counted {
  more: number;
  /** As it was the last time. */
  tell: Tell;
  timer: Disposable;
}

export class RefusalCounts implements Disposable {
  readonly #clock: RefusalClock;
  readonly #max: number;
  readonly #counted = new Map<string, Counted>();

  constructor(clock: RefusalClock, max = COUNTED_MAX) {
    this.#clock = clock;
    this.#max = max;
  }

  /** False when too many are counted already: then it is neither told nor counted. */
  note(key: string, tell: Tell): boolean {
    const counted = this.#counted.get(key);
    if (counted !== undefined) {
      counted.more++;
      counted.tell = tell;
      return true;
    }
    if (this.#counted.size >= this.#max) return false;
    this.#counted.set(key, { more: 0, tell, timer: this.#timer(key) });
    tell(0);
    return true;
  }

  /** Tells what has not been told. */
  [Symbol.dispose](): void {
    for (const { more, tell, timer } of this.#counted.values()) {
      timer[Symbol.dispose]();
      if (more > 0) tell(more);
    }
    this.#counted.clear();
  }

  #timer(key: string): Disposable {
    return this.#clock.timer(TOLD_EVERY_MS, () => {
      const counted = this.#counted.get(key);
      if (counted === undefined) return;
      const { more, tell } = counted;
      if (more === 0) {
        this.#counted.delete(key);
        return;
      }
      this.#counted.set(key, { more: 0, tell, timer: this.#timer(key) });
      tell(more);
    });
  }
}
