/**
 * npm test: sets up what it needs, runs every suite and ends with `N passed, N failed, N skipped`.
 *
 *   npm test                     everything
 *   npm test -- unit operator    only the named suites
 *
 * Slow set-up (building the cluster's servers, installing VS Code) runs in the background while checks and unit tests
 * run; what it brought up is ended after the last stage that needs it. Some suites run beside each other (suites.ts),
 * and then each line tells whose it is. Each suite is a mocha process of its own, so that one that dies cannot hide its
 * failures: it must leave a result file, or it counts as failed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { runChecks } from '../scripts/check.ts';
import { buildTargets } from '../scripts/build.ts';
import type { SuiteResult } from './support/reporter.ts';
import { STAGES } from './suites.ts';
import type { Environment, Prepared, SuiteDefinition } from './suites.ts';

const root = join(import.meta.dirname, '..');
const output = join(root, 'test', 'output');
const started = performance.now();
const seconds = (from: number): string => `${((performance.now() - from) / 1000).toFixed(0)} s`;
const say = (line: string): void => console.log(`\n=== ${line}   [${seconds(started)} since start]`);

interface Total {
  name: string;
  counts: SuiteResult;
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
      setUpMs: 0,
    },
    took: seconds(from),
  };
}

/** Told to end: the suites that run are ended, and none follows. */
let isStopped = false;

async function runSuite(
  { name, files, timeoutMs }: SuiteDefinition,
  env: Environment,
  mark: string,
): Promise<Total> {
  const from = performance.now();
  const result = join(output, `${name}.json`);
  const child = spawn(
    process.execPath,
    [
      join(root, 'node_modules/mocha/bin/mocha.js'),
      '--reporter',
      join(root, 'test/support/reporter.ts'),
      '--timeout',
      String(timeoutMs),
      '--exit',
      ...(process.stdout.isTTY ? ['--color'] : []),
      ...files(),
    ],
    {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ...env,
        AMBIENT_TEST_RESULT: result,
        NODE_OPTIONS: '--disable-warning=ExperimentalWarning',
      },
    },
  );
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => console.log(`${mark}${line}`.trimEnd()));
  const stop = (): void => {
    isStopped = true;
    child.kill('SIGTERM');
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.once(signal, stop);
  const closed = once(child, 'close');
  const [code] = (await once(child, 'exit')) as [number | null];
  // What it left running may hold its output open for ever.
  await Promise.race([closed, delay(1000)]);
  for (const signal of signals) process.off(signal, stop);
  let counts: SuiteResult;
  try {
    counts = JSON.parse(readFileSync(result, 'utf8')) as SuiteResult;
  } catch {
    const failures = [{ title: `suite ${name}`, message: `died with exit code ${code} and left no result` }];
    counts = { passed: 0, failed: 1, skipped: 0, failures, skips: [], setUpMs: 0 };
  }
  if (counts.passed + counts.failed + counts.skipped === 0) {
    counts.failed = 1;
    counts.failures.push({ title: `suite ${name}`, message: 'ran no test' });
  }
  return { name, counts, took: seconds(from) };
}

const wanted = process.argv.slice(2);
const isWanted = (name: string): boolean => wanted.length === 0 || wanted.includes(name);
const stages = STAGES.map((lanes) =>
  lanes.map((lane) => lane.filter(({ name }) => isWanted(name))).filter(({ length }) => length > 0),
);
rmSync(output, { recursive: true, force: true });
mkdirSync(output, { recursive: true });

// Owners of background work: awaited by the first suite that needs it, so a failure is told there.
const preparations = new Map<string, Promise<Prepared>>();
for (const { name, prepare } of stages.flat(2).flatMap(({ needs }) => needs))
  if (!preparations.has(name)) {
    const from = performance.now();
    const work = prepare((line) => console.log(`  [${name}] ${line}`));
    work.then(
      () => console.log(`  [${name}] ready after ${seconds(from)}`),
      () => undefined,
    );
    preparations.set(name, work);
  }

async function runLane(suites: SuiteDefinition[], isBeside: boolean): Promise<Total[]> {
  const ran: Total[] = [];
  for (const suite of suites) {
    const env: Record<string, string> = {};
    for (const { name } of suite.needs)
      try {
        Object.assign(env, (await preparations.get(name))?.env);
      } catch (error) {
        console.log(`  ${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    if (isStopped) break;
    say(`${suite.name}: ${suite.about}`);
    ran.push(await runSuite(suite, env, isBeside ? `${suite.name.padEnd(8)} │ ` : ''));
  }
  return ran;
}

async function endWhatIsOver(later: typeof stages): Promise<void> {
  const needed = new Set(later.flat(2).flatMap(({ needs }) => needs.map(({ name }) => name)));
  for (const [name, work] of preparations) {
    if (needed.has(name)) continue;
    preparations.delete(name);
    try {
      await (await work).end?.();
    } catch (error) {
      console.log(`  ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

const totals: Total[] = [];
if (isWanted('checks')) {
  say('checks: types, lint, format, arrows, generated files');
  totals.push(await checks());
}
say('building dist/');
await buildTargets();
for (const [index, lanes] of stages.entries()) {
  totals.push(...(await Promise.all(lanes.map((lane) => runLane(lane, lanes.length > 1)))).flat());
  await endWhatIsOver(stages.slice(index + 1));
}

say('summary');
let [passed, failed, skipped] = [0, 0, 0];
for (const { name, counts, took } of totals) {
  passed += counts.passed;
  failed += counts.failed;
  skipped += counts.skipped;
  console.log(
    `  ${name.padEnd(12)} ${String(counts.passed).padStart(5)} passed ${String(counts.failed).padStart(4)} failed ${String(counts.skipped).padStart(4)} skipped   ${took}, ${(counts.setUpMs / 1000).toFixed(0)} s of it set-up`,
  );
}
for (const { counts } of totals)
  for (const { title, reason } of counts.skips) console.log(`  skipped: ${title}: ${reason}`);
for (const { counts } of totals)
  for (const { title, message } of counts.failures)
    console.log(`  FAILED: ${title}\n    ${message.replaceAll('\n', '\n    ')}`);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed > 0 ? 1 : 0);
