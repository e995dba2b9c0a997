/** A map for names of which there may be any number: it holds so many entries at most, and the one set longest ago makes room. */

export class BoundedMap<K, V> extends Map<K, V> {
  readonly #most: number;

  /** `most`: entries, at least one. */
  constructor(most: number) {
    super();
    this.#most = most;
  }

  /** The entry is the newest then, also if its key was there before. */
  override set(key: K, value: V): this {
    this.delete(key);
    super.set(key, value);
    for (const oldest of this.keys()) {
      if (this.size <= this.#most) break;
      this.delete(oldest);
    }
    return this;
  }
}
