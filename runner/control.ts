/** Asks the operator again and again whether the run should stop, and what was said to it. */
import { Value } from 'typebox/value';
import { Control, RUNNER_PATHS } from '../common/api/runner.ts';
import type { Said } from '../common/api/runner.ts';
import { isRefused } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { pause } from './retry.ts';

const WAIT_SECONDS = 25;
/** An operator that answers at once each time must not be asked at once each time. */
const LEAST_MS = 1_000;

/** Where messages go; absent for a command that takes none. */
export interface Mailbox {
  readonly taken: number;
  take(said: readonly Said[]): void;
}

interface ControlOptions {
  signal: AbortSignal;
  elapsed: () => number;
  inbox?: Mailbox;
  /** Told, perhaps again and again, whether the session waits for money; absent: nobody asks. */
  onPaused?: (isPaused: boolean) => void;
}

/** Resolves with the request to stop, or undefined when cancelled. Throws when the operator refuses this runner. */
export async function stopRequested(
  endpoint: Endpoint,
  { signal, elapsed, inbox, onPaused }: ControlOptions,
): Promise<Control['stop']> {
  let isPaused = false;
  while (!signal.aborted) {
    const asked = elapsed();
    let hasNews = false;
    try {
      const answer = await endpoint.callPatiently({
        method: 'GET',
        path: `${RUNNER_PATHS.control}?${[
          `wait=${WAIT_SECONDS}`,
          ...(inbox === undefined ? [] : [`after=${inbox.taken}`]),
          ...(onPaused === undefined ? [] : [`paused=${isPaused}`]),
        ].join('&')}`,
        idleMs: (WAIT_SECONDS + 15) * 1000,
        signal,
      });
      if (Value.Check(Control, answer)) {
        const before = inbox?.taken;
        inbox?.take(answer.messages ?? []);
        hasNews = inbox?.taken !== before;
        isPaused = answer.paused ?? false;
        onPaused?.(isPaused);
        if (answer.stop) return answer.stop;
      }
    } catch (error) {
      // anything else may pass, and the run does not depend on it
      if (isRefused(error)) throw error;
    }
    // What was taken is acknowledged by the next question.
    if (!hasNews) await pause(Math.max(0, asked + LEAST_MS - elapsed()), signal);
  }
  return undefined;
}
