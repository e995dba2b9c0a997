/** Time as an argument: what controllers know of clocks and timers. */

export interface Clock {
  /** Milliseconds since the epoch, for what people read. */
  now(): number;
  /** Milliseconds that only ever grow, for measuring spans. */
  elapsed(): number;
  /** Calls `fire` once after a delay, unless disposed before. */
  timer(delayMs: number, fire: () => void): Disposable;
}

/** Longest delay setTimeout takes; a longer one would fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  timer(delayMs, fire) {
    const timer = setTimeout(fire, Math.min(Math.max(0, delayMs), TIMER_MAX_MS));
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

/** Resolves after the delay; rejects with the signal's reason when that comes first. */
export function delay(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      timer[Symbol.dispose]();
      reject(signal.reason as Error);
    };
    const timer = clock.timer(delayMs, () => {
      signal.removeEventListener('abort', abort);
      resolve();
    });
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

/** RFC 3339 in UTC with seconds, as Kubernetes writes times. */
export const timestamp = (milliseconds: number): string =>
  `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
