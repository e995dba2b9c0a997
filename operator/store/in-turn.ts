/** Work on one key, one after another within this process; work on different keys does not wait for each other. */
export class InTurn {
  /** Ends of the queues. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** Something is under way. */
  has(key: string): boolean {
    return this.#last.has(key);
  }

  /** Begins when what came before has ended, however it ended. Throws what the work throws. */
  async run<R>(key: string, work: () => Promise<R>): Promise<R> {
    const before = this.#last.get(key);
    const turn = (async () => {
      await before?.catch(() => undefined);
      return await work();
    })();
    this.#last.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.#last.get(key) === turn) this.#last.delete(key);
    }
  }
}
