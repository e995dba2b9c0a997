/**
 * Room for calls of models. Requests are held in memory until they are sent on: so much in all, and so much for one session, which
 * may also have so many calls at once. An agent that forks without end takes nothing from others.
 */

const ALL_BYTES = 256 * 1024 * 1024;
const SESSION_BYTES = 64 * 1024 * 1024;
const SESSION_CALLS = 256;

interface Taken {
  bytes: number;
  calls: number;
}

export interface Room extends Disposable {
  /** The request is not held any more; the call goes on. */
  sent(): void;
}

export class Bodies {
  readonly #sessions = new Map<string, Taken>();
  #bytes = 0;

  /** Undefined: there is none now. */
  take(uid: string, bytes: number): Room | undefined {
    const taken = this.#sessions.get(uid) ?? { bytes: 0, calls: 0 };
    if (this.#bytes + bytes > ALL_BYTES) return undefined;
    if (taken.bytes + bytes > SESSION_BYTES || taken.calls >= SESSION_CALLS) return undefined;
    this.#sessions.set(uid, taken);
    taken.calls++;
    taken.bytes += bytes;
    this.#bytes += bytes;
    let held = bytes;
    const sent = (): void => {
      taken.bytes -= held;
      this.#bytes -= held;
      held = 0;
    };
    let isOver = false;
    return {
      sent,
      [Symbol.dispose]: () => {
        sent();
        if (isOver) return;
        isOver = true;
        if (--taken.calls === 0) this.#sessions.delete(uid);
      },
    };
  }
}
