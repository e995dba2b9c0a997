/**
 * Answers that are kept for seconds: long enough that a burst costs one question, short enough that nobody waits for a change.
 * Whoever asks while a question is under way gets its answer; what fails is asked again.
 */
import { BoundedMap } from '../../common/bounded-map.ts';

interface Entry<T> {
  at: number;
  answer: Promise<T>;
}

export interface BrieflyOptions {
  keptMs: number;
  /** Names that are kept; the one asked longest ago goes first. */
  max: number;
  /** Milliseconds of a clock that never goes back. */
  elapsed: () => number;
}

export class Briefly<T> {
  readonly #options: BrieflyOptions;
  readonly #entries: BoundedMap<string, Entry<T>>;

  constructor(options: BrieflyOptions) {
    this.#options = options;
    this.#entries = new BoundedMap(options.max);
  }

  async of(name: string, ask: () => Promise<T>): Promise<T> {
    const { keptMs, elapsed } = this.#options;
    const now = elapsed();
    const known = this.#entries.get(name);
    if (known !== undefined && now - known.at < keptMs) return await known.answer;
    const entry: Entry<T> = { at: now, answer: ask() };
    this.#entries.set(name, entry);
    try {
      return await entry.answer;
    } catch (error) {
      if (this.#entries.get(name) === entry) this.#entries.delete(name);
      throw error;
    }
  }
}
