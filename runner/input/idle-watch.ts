/** Notices that for a while nothing happened between people and the command, and then that this has not ended it. */

export class IdleWatch implements Disposable {
  readonly #milliseconds: number;
  readonly #elapsed: () => number;
  readonly #graceMs: number;
  readonly #onIdle: () => void;
  readonly #onOverdue: () => void;
  #active: number;
  #isHeld = false;
  #timer: NodeJS.Timeout | undefined;

  /** `elapsed`: monotonic milliseconds. Calls `onIdle` once, and `onOverdue` when it still is there after `graceMs`. */
  constructor(options: {
    milliseconds: number;
    graceMs: number;
    elapsed: () => number;
    onIdle: () => void;
    onOverdue: () => void;
  }) {
    this.#milliseconds = options.milliseconds;
    this.#elapsed = options.elapsed;
    this.#graceMs = options.graceMs;
    this.#onIdle = options.onIdle;
    this.#onOverdue = options.onOverdue;
    this.#active = this.#elapsed();
    this.#watch(this.#milliseconds);
  }

  /** Something happened. Costs next to nothing: output comes by the thousand. */
  touch(): void {
    this.#active = this.#elapsed();
  }

  /** While it is held nothing is expected to happen: the time begins anew when it is let go. */
  hold(isHeld: boolean): void {
    if (this.#isHeld && !isHeld) this.touch();
    this.#isHeld = isHeld;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #watch(delayMs: number): void {
    // setTimeout takes at most 2^31 - 1 milliseconds.
    this.#timer = setTimeout(
      () => {
        if (this.#isHeld) this.touch();
        const left = this.#active + this.#milliseconds - this.#elapsed();
        if (left > 0) return this.#watch(left);
        this.#timer = setTimeout(() => this.#onOverdue(), this.#graceMs);
        this.#onIdle();
      },
      Math.min(delayMs, 2 ** 31 - 1),
    );
  }
}
