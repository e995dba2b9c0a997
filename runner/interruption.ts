/** Why a run is to end before its command does. The first cause counts; a later one can only shorten the grace period. */

export type Cause =
  | { kind: 'stop'; requestedBy: string; reason?: string }
  | { kind: 'deadline'; seconds: number }
  | { kind: 'idle'; seconds: number }
  | { kind: 'terminated'; signal: string }
  | { kind: 'refused'; message: string };

export class Interruption {
  readonly #abort = new AbortController();
  #cause: Cause | undefined;
  #listeners: ((graceSeconds: number) => void)[] = [];
  #graceSeconds = 0;

  /** Aborts at the first cause. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get cause(): Cause | undefined {
    return this.#cause;
  }

  raise(cause: Cause, graceSeconds: number): void {
    this.#cause ??= cause;
    this.#graceSeconds = graceSeconds;
    this.#abort.abort(new Error(describeCause(this.#cause)));
    for (const listener of this.#listeners) listener(graceSeconds);
  }

  /** Calls with the grace period at each cause, at once when there is one already. */
  listen(listener: (graceSeconds: number) => void): Disposable {
    this.#listeners.push(listener);
    if (this.#cause) listener(this.#graceSeconds);
    return {
      [Symbol.dispose]: () => (this.#listeners = this.#listeners.filter((other) => other !== listener)),
    };
  }
}

/** What happened, for a person. */
export function describeCause(cause: Cause): string {
  switch (cause.kind) {
    case 'stop':
      return `stopped by ${cause.requestedBy}${cause.reason ? `: ${cause.reason}` : ''}`;
    case 'deadline':
      return `not finished after ${cause.seconds} s, the session's time limit`;
    case 'idle':
      return `ended after ${cause.seconds} s in which nothing was said, the session's idle time-out`;
    case 'terminated':
      return `the pod was asked to end (${cause.signal}): it was deleted or evicted`;
    case 'refused':
      return `the operator no longer accepts this run: ${cause.message}`;
  }
}
