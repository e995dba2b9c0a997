/** Why a real VS Code cannot run on this machine: a reason a test run reports as skipped, never as passed. */
import { skipBecause } from '../support/skip.ts';

/** Thrown where the machine, not the code under test, is what lacks something. `message` is fit for a report. */
export class VscodeUnavailable extends Error {
  constructor(reason: string, cause?: unknown) {
    super(reason, { cause });
    this.name = 'VscodeUnavailable';
  }
}

/**
 * For mocha hooks: resolves as `work` does, but skips the suite, with the reason, where VS Code cannot run on this
 * machine.
 */
export async function orSkip<T>(context: Mocha.Context, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof VscodeUnavailable)) throw error;
    return skipBecause(context, error.message);
  }
}
