/** Runs in the extension host: mocha over the bundled test files, each step written to the events file at once. */
import { appendFileSync } from 'node:fs';
import type MochaClass from 'mocha';
import type { InHostEvent, InHostPlan } from './events.ts';

export async function run(plan: InHostPlan): Promise<void> {
  // Synchronous on purpose: what was written is there even if the next line ends the process.
  const tell = (event: InHostEvent): void => appendFileSync(plan.eventsFile, `${JSON.stringify(event)}\n`);
  try {
    await runMocha(plan, tell);
    tell({ type: 'end' });
  } catch (error) {
    tell({
      type: 'broken',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }
}

async function runMocha(plan: InHostPlan, tell: (event: InHostEvent) => void): Promise<void> {
  const { default: Mocha } = (await import(plan.mocha)) as { default: typeof MochaClass };
  const mocha = new Mocha({
    ui: 'bdd',
    timeout: plan.testTimeoutMs,
    // The one that prints nothing by itself.
    reporter: Mocha.reporters.Base,
    ...(plan.grep === undefined ? {} : { grep: plan.grep }),
  });
  for (const file of plan.files) mocha.addFile(file);
  await mocha.loadFilesAsync();
  const running = new Promise<void>((resolve) => {
    const runner = mocha.run(() => resolve());
    tell({ type: 'start', tests: runner.total });
    runner.on('test', (test) => tell({ type: 'test', title: test.fullTitle() }));
    runner.on('pass', (test) => tell({ type: 'pass', title: test.fullTitle(), ms: test.duration ?? 0 }));
    runner.on('pending', (test) => tell({ type: 'skip', title: test.fullTitle() }));
    runner.on('fail', (test, thrown: unknown) => {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      tell({
        type: 'fail',
        title: test.fullTitle(),
        message: error.message,
        ...(error.stack === undefined ? {} : { stack: error.stack }),
      });
    });
  });
  await running;
}
