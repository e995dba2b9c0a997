/** Shows the tests that run inside the extension host as tests of the mocha run outside. */
import assert from 'node:assert/strict';
import Mocha from 'mocha';
import { skipBecause } from '../../support/skip.ts';
import { runInHost } from '../in-host.ts';
import type { InHostResult } from '../in-host.ts';
import type { InHostOptions } from './options.ts';

/**
 * A mocha suite with one test for each that ran in the extension host, same title and outcome. `options` is called
 * in the suite's before hook, so it may await what other hooks made.
 */
export function describeInHost(title: string, options: () => InHostOptions | Promise<InHostOptions>): void {
  describe(title, function () {
    let result: InHostResult | undefined;

    before('run in the extension host', async function () {
      this.timeout(600_000);
      const suite = this.test?.parent;
      assert.ok(suite);
      const outcome = await runInHost(await options());
      result = outcome;
      const skip = outcome.skips[0];
      if (outcome.tests.length === 0 && skip !== undefined) skipBecause(this, skip.reason);
      for (const test of outcome.tests) {
        const shown = new Mocha.Test(test.title, function (this: Mocha.Context) {
          if (test.outcome === 'skipped') skipBecause(this, 'skipped by the test itself');
          if (test.outcome === 'passed') return;
          const error = new Error(test.message);
          if (test.stack !== undefined) error.stack = test.stack;
          throw error;
        });
        suite.addTest(shown);
      }
    });

    it('ran tests in the extension host', () => {
      assert.ok(result !== undefined && result.tests.length > 0);
    });
  });
}
