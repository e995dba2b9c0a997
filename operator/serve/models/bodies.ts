/** Room for requests to models, which are held in memory until they are sent on: so much in all, and so much for one session. */

const ALL_BYTES = 256 * 1024 * 1024;
const SESSION_BYTES = 64 * 1024 * 1024;
const SESSION_CALLS = 64;

interface Taken {
  bytes: number;
  calls: number;
}

export class Bodies {
  readonly #taken = new Map<string, Taken>();
  #bytes = 0;

  /** Undefined: there is none now. What is taken is given back by disposing of it. */
  take(uid: string, bytes: number): Disposable | undefined {
    const taken = this.#taken.get(uid) ?? { bytes: 0, calls: 0 };
    if (this.#bytes + bytes > ALL_BYTES) return undefined;
    if (taken.bytes + bytes > SESSION_BYTES || taken.calls >= SESSION_CALLS) return undefined;
    this.#taken.set(uid, taken);
    taken.bytes += bytes;
    taken.calls++;
    this.#bytes += bytes;
    let isBack = false;
    return {
      [Symbol.dispose]: () => {
        if (isBack) return;
        isBack = true;
        taken.bytes -= bytes;
        this.#bytes -= bytes;
        if (--taken.calls === 0) this.#taken.delete(uid);
      },
    };
  }
}
