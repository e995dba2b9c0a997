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

export interface SuiteResult extends SuiteCounts {
  /** Of all that is done once before or after several tests. */
  setUpMs: number;
}

/** Set-up that takes longer is told: it is time that no test's line shows. */
const TOLD_MS = 5000;

export default class Reporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    // Processes that are to end with this one are ended on its 'exit', which a signal alone does not bring about.
    process.once('SIGTERM', () => process.exit(143));
    const counts: SuiteResult = { passed: 0, failed: 0, skipped: 0, failures: [], skips: [], setUpMs: 0 };
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
    runner.on('hook end', (hook) => {
      if (!/^"(?:before|after) all"/.test(hook.title)) return;
      const { duration = 0 } = hook;
      counts.setUpMs += duration;
      if (duration > TOLD_MS) console.log(`      (${hook.title}: ${(duration / 1000).toFixed(0)} s)`);
    });
    runner.once('end', () => {
      const file = process.env.AMBIENT_TEST_RESULT;
      if (file) writeFileSync(file, JSON.stringify(counts));
    });
  }
}
