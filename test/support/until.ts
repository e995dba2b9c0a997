/** Waiting for something that happens outside the test. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves with the first truthy answer; throws, naming what was waited for, when there is none in time. */
export async function until<T>(
  ask: () => T | Promise<T>,
  what: string,
  timeoutMs = 20_000,
  everyMs = 25,
): Promise<NonNullable<T>> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > end) throw new Error(`waited ${timeoutMs / 1000} s in vain: ${what}`);
    await sleep(everyMs);
  }
}
