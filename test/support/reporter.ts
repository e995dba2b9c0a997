/** Mocha reporter: what a person reads, plus one JSON file that test/run.ts adds up. A pending test tells why. */
import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';
import { skipReasonOf } from './skip.ts';

export interface SuiteCounts {
  passed: number;
  failed: number;
  skipped: number;
  failures: { title: string; message: string }[];
  skips: { title: string; reason: string }[];
}

export default class Reporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const counts: SuiteCounts = { passed: 0, failed: 0, skipped: 0, failures: [], skips: [] };
    runner.on('pass', () => counts.passed++);
    runner.on('fail', (test, error: Error) => {
      counts.failed++;
      counts.failures.push({ title: test.fullTitle(), message: error.message });
    });
    runner.on('pending', (test) => {
      counts.skipped++;
      const reason = skipReasonOf(test) ?? 'no reason given';
      counts.skips.push({ title: test.fullTitle(), reason });
      console.log(`      skipped: ${reason}`);
    });
    runner.once('end', () => {
      const file = process.env.AMBIENT_TEST_RESULT;
      if (file) writeFileSync(file, JSON.stringify(counts));
    });
  }
}
