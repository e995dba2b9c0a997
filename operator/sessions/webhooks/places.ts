/** So many may do something at once; who finds no place waits for one, in order, but not for long. */

export class Places {
  #free: number;
  readonly #patienceMs: number;
  readonly #queue = new Set<() => void>();

  constructor(count: number, patienceMs: number) {
    this.#free = count;
    this.#patienceMs = patienceMs;
  }

  /** Dispose of it to leave the place. Undefined: there was none in time. Throws the signal's reason. */
  async take(signal: AbortSignal): Promise<Disposable | undefined> {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else if (!(await this.#wait(signal))) {
      signal.throwIfAborted();
      return undefined;
    }
    return { [Symbol.dispose]: () => this.#leave() };
  }

  async #wait(signal: AbortSignal): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const enter = (): void => resolve(true);
    const give = (): void => {
      // At once: a place that becomes free now is another's.
      this.#queue.delete(enter);
      resolve(false);
    };
    this.#queue.add(enter);
    const timer = setTimeout(give, this.#patienceMs);
    signal.addEventListener('abort', give);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', give);
    }
  }

  #leave(): void {
    const [next] = this.#queue;
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#queue.delete(next);
    next();
  }
}
