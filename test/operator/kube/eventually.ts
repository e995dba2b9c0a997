/** Waiting for a condition with a deadline. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** Checks until `check` does not throw any more; then its last error stands. Default deadline 10 s. */
export async function eventually(check: () => void | Promise<void>, milliseconds = 10_000): Promise<void> {
  const deadline = performance.now() + milliseconds;
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(10);
    }
  }
}

/** The values in order, without their order mattering. */
export const sorted = (values: Iterable<string>): string[] => [...values].sort();

export function assertRejectsWith(reason: string): (error: unknown) => boolean {
  return (error: unknown) => {
    assert.equal((error as { reason?: unknown }).reason, reason, String(error));
    return true;
  };
}
