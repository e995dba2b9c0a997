/**
 * How long a sender waits for us, over all that is done for a delivery: whoever is told to come again must hear it before he gives
 * up. What he takes himself to send the body does not count.
 */
import { abortable } from '../../../common/kube/abortable.ts';

export class Patience {
  #leftMs: number;

  constructor(milliseconds: number) {
    this.#leftMs = milliseconds;
  }

  /** Gives the work what is left, and waits no longer for it. Rejects as AbortSignal.timeout does. */
  async spend<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const started = performance.now();
    const signal = AbortSignal.timeout(Math.max(0, Math.floor(this.#leftMs)));
    try {
      return await abortable(work(signal), signal);
    } finally {
      this.#leftMs -= performance.now() - started;
    }
  }
}
