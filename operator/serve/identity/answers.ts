/** Answers kept for a short while, so many at most; whoever asks the same at the same time waits for the one answer. */
import { BoundedMap } from '../../../common/bounded-map.ts';

export interface Kept<V> {
  value: V;
  /** Milliseconds for which it may be given again. */
  forMs: number;
}

export interface AnswersOptions {
  most: number;
  /** Milliseconds of a clock that never goes back. */
  elapsed: () => number;
}

export class Answers<V> {
  readonly #elapsed: () => number;
  /** The least recently used first. */
  readonly #kept: BoundedMap<string, { value: V; until: number }>;
  readonly #asking = new Map<string, Promise<V>>();

  constructor(options: AnswersOptions) {
    this.#elapsed = options.elapsed;
    this.#kept = new BoundedMap(options.most);
  }

  get size(): number {
    return this.#kept.size;
  }

  /** What failed is not kept, and fails for everybody who waits for it. */
  async of(key: string, ask: () => Promise<Kept<V>>): Promise<V> {
    const known = this.#kept.get(key);
    if (known !== undefined && known.until > this.#elapsed()) {
      this.#kept.set(key, known);
      return known.value;
    }
    let asking = this.#asking.get(key);
    if (asking === undefined) {
      asking = this.#ask(key, ask).finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
    }
    return await asking;
  }

  async #ask(key: string, ask: () => Promise<Kept<V>>): Promise<V> {
    // It is as old as the question.
    const asked = this.#elapsed();
    const { value, forMs } = await ask();
    this.#kept.set(key, { value, until: asked + forMs });
    return value;
  }
}
