/** Skipping with a reason: mocha itself keeps none. */
import type { Context, Runnable, Suite } from 'mocha';

const reasons = new WeakMap<object, string>();

/** Skips the running test, or from a before hook the whole suite, and says why. */
export function skipBecause(context: Context, reason: string): never {
  const runnable = context.runnable();
  reasons.set(runnable, reason);
  if (context.currentTest) reasons.set(context.currentTest, reason);
  // a suite's before hook skips all tests below it: the reason is found by walking up
  if (runnable.parent) reasons.set(runnable.parent, reason);
  return context.skip();
}

export function skipReasonOf(test: Runnable): string | undefined {
  let reason = reasons.get(test);
  for (let suite: Suite | undefined = test.parent; reason === undefined && suite; suite = suite.parent)
    reason = reasons.get(suite);
  return reason;
}
