/**
 * npm test: sets up what it needs, runs every suite and ends with `N passed, N failed, N skipped`.
 *
 *   npm test                     everything
 *   npm test -- unit operator    only the named suites
 *
 * Slow set-up (building the cluster's servers, installing VS Code, images) runs in the background while checks and unit
 * tests run. Each suite is a mocha process of its own, so that one that dies cannot hide its failures: it must leave
 * a result file, or it counts as failed.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runChecks } from '../scripts/check.ts';
import { buildTargets } from '../scripts/build.ts';
import type { SuiteCounts } from './support/reporter.ts';
import { SUITES } from './suites.ts';

const root = join(import.meta.dirname, '..');
const output = join(root, 'test', 'output');
const started = performance.now();
const seconds = (from: number): string => `${((performance.now() - from) / 1000).toFixed(0)} s`;
const say = (line: string): void => console.log(`\n=== ${line}   [${seconds(started)} since start]`);

interface Total {
  name: string;
  counts: SuiteCounts;
  took: string;
}

async function checks(): Promise<Total> {
  const from = performance.now();
  const results = await runChecks();
  for (const { name, problems, milliseconds } of results) {
    console.log(`  ${problems.length === 0 ? '✔' : '✘'} ${name} (${(milliseconds / 1000).toFixed(1)} s)`);
    for (const problem of problems) console.log(problem);
  }
  const failures = results
    .filter(({ problems }) => problems.length > 0)
    .map(({ name, problems }) => ({ title: `check ${name}`, message: problems.join('\n').slice(0, 4000) }));
  return {
    name: 'checks',
    counts: {
      passed: results.length - failures.length,
      failed: failures.length,
      skipped: 0,
      failures,
      skips: [],
    },
    took: seconds(from),
  };
}

/** Told to end: the suite that runs is ended, and none follows. */
let isStopped = false;

async function runSuite(name: string, files: string[], timeoutMs: number): Promise<Total> {
  const from = performance.now();
  const result = join(output, `${name}.json`);
  const args = [
    join(root, 'node_modules/mocha/bin/mocha.js'),
    '--reporter',
    join(root, 'test/support/reporter.ts'),
    '--timeout',
    String(timeoutMs),
    '--exit',
    ...files,
  ];
  const code = await new Promise<number | null>((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {
        ...process.env,
        AMBIENT_TEST_RESULT: result,
        NODE_OPTIONS: '--disable-warning=ExperimentalWarning',
      },
    });
    const stop = (): void => {
      isStopped = true;
      child.kill('SIGTERM');
    };
    const signals = ['SIGINT', 'SIGTERM'] as const;
    for (const signal of signals) process.once(signal, stop);
    child.once('close', (status) => {
      for (const signal of signals) process.off(signal, stop);
      resolve(status);
    });
  });
  let counts: SuiteCounts;
  try {
    counts = JSON.parse(readFileSync(result, 'utf8')) as SuiteCounts;
  } catch {
    const failures = [{ title: `suite ${name}`, message: `died with exit code ${code} and left no result` }];
    counts = { passed: 0, failed: 1, skipped: 0, failures, skips: [] };
  }
  if (counts.passed + counts.failed + counts.skipped === 0) {
    counts.failed = 1;
    counts.failures.push({ title: `suite ${name}`, message: 'ran no test' });
  }
  return { name, counts, took: seconds(from) };
}

const wanted = process.argv.slice(2);
const chosen = SUITES.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
rmSync(output, { recursive: true, force: true });
mkdirSync(output, { recursive: true });

const totals: Total[] = [];
if (wanted.length === 0 || wanted.includes('checks')) {
  say('checks: types, lint, format, arrows, generated files');
  totals.push(await checks());
}
say('building dist/');
await buildTargets();

// Owners of background work: awaited by the first suite that needs it, so a failure is told there.
const preparations = new Map<string, Promise<void>>();
for (const suite of chosen)
  for (const preparation of suite.needs) {
    const { name } = preparation;
    if (!preparations.has(name)) {
      const from = performance.now();
      const work = preparation
        .prepare((line) => console.log(`  [${name}] ${line}`))
        .then(() => console.log(`  [${name}] ready after ${seconds(from)}`));
      work.catch(() => undefined);
      preparations.set(name, work);
    }
  }

for (const suite of chosen) {
  if (isStopped) break;
  say(`${suite.name}: ${suite.about}`);
  for (const { name } of suite.needs)
    try {
      await preparations.get(name);
    } catch (error) {
      console.log(`  ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  totals.push(await runSuite(suite.name, suite.files(), suite.timeoutMs));
}

say('summary');
let [passed, failed, skipped] = [0, 0, 0];
for (const { name, counts, took } of totals) {
  passed += counts.passed;
  failed += counts.failed;
  skipped += counts.skipped;
  console.log(
    `  ${name.padEnd(12)} ${String(counts.passed).padStart(5)} passed ${String(counts.failed).padStart(4)} failed ${String(counts.skipped).padStart(4)} skipped   ${took}`,
  );
}
for (const { counts } of totals)
  for (const { title, reason } of counts.skips) console.log(`  skipped: ${title}: ${reason}`);
for (const { counts } of totals)
  for (const { title, message } of counts.failures)
    console.log(`  FAILED: ${title}\n    ${message.replaceAll('\n', '\n    ')}`);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed > 0 ? 1 : 0);
