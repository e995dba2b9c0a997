/**
 * Answers that are kept for seconds: long enough that a burst costs one question, short enough that nobody waits for a change.
 * Whoever asks while a question is under way gets its answer; what fails is asked again.
 */

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
  readonly #entries = new Map<string, Entry<T>>();

  constructor(options: BrieflyOptions) {
    this.#options = options;
  }

  async of(name: string, ask: () => Promise<T>): Promise<T> {
    const { keptMs, max, elapsed } = this.#options;
    const now = elapsed();
    const known = this.#entries.get(name);
    if (known !== undefined && now - known.at < keptMs) return await known.answer;
    const entry: Entry<T> = { at: now, answer: ask() };
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= max) break;
      this.#entries.delete(oldest);
    }
    try {
      return await entry.answer;
    } catch (error) {
      if (this.#entries.get(name) === entry) this.#entries.delete(name);
      throw error;
    }
  }
}
