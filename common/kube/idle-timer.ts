/** Notices silence. */
import { KubeError } from './errors.ts';

/** Aborts with a KubeError when not restarted for so long. */
export class IdleTimer {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(milliseconds: number, server: string) {
    this.#timer = setTimeout(() => {
      const message = `${server} sent nothing on a watch for ${milliseconds} ms`;
      this.#controller.abort(new KubeError(message, { status: 0, reason: 'Timeout' }));
    }, milliseconds);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  restart(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
