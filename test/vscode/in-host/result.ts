/** Turns the events of a run in the extension host into counts, where only a run that says it ended has ended. */
import { readFile } from 'node:fs/promises';
import { SourceMap } from 'node:module';
import type { SourceMapPayload } from 'node:module';
import path from 'node:path';
import type { SuiteCounts } from '../../support/reporter.ts';
import type { InHostEvent } from './events.ts';

export interface InHostTest {
  readonly title: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly ms?: number;
  readonly message?: string;
  /** With the lines of the TypeScript sources. */
  readonly stack?: string;
}

export interface InHostCounts extends SuiteCounts {
  /** Every test that ran, in order. */
  readonly tests: readonly InHostTest[];
}

/** Reads the events of a run; `unfinished` tells what happened to one whose events stop short. */
export async function readResult(eventsFile: string, unfinished: string): Promise<InHostCounts> {
  const events = await readFile(eventsFile, 'utf8');
  const tests: InHostTest[] = [];
  let running: string | undefined;
  let ended = false;
  for (const line of events.split('\n')) {
    if (line === '') continue;
    const event = JSON.parse(line) as InHostEvent;
    switch (event.type) {
      case 'start':
        break;
      case 'test':
        running = event.title;
        break;
      case 'pass':
        tests.push({ title: event.title, outcome: 'passed', ms: event.ms });
        break;
      case 'skip':
        tests.push({ title: event.title, outcome: 'skipped' });
        break;
      case 'fail': {
        const { title, message, stack } = event;
        tests.push({ title, outcome: 'failed', message, stack: await inSources(stack ?? message) });
        break;
      }
      case 'broken':
        ended = true;
        tests.push({
          title: 'loading the tests',
          outcome: 'failed',
          message: await inSources(event.message),
        });
        break;
      case 'end':
        ended = true;
        break;
    }
  }
  if (!ended) {
    const where = running === undefined ? 'before the first test' : `last test started: ${running}`;
    tests.push({ title: 'the run itself', outcome: 'failed', message: `${unfinished} (${where})` });
  } else if (tests.length === 0) {
    tests.push({ title: 'the run itself', outcome: 'failed', message: 'no test ran' });
  }
  const of = (outcome: InHostTest['outcome']): InHostTest[] => tests.filter((t) => t.outcome === outcome);
  return {
    passed: of('passed').length,
    failed: of('failed').length,
    skipped: of('skipped').length,
    failures: of('failed').map(({ title, message }) => ({ title, message: message ?? '' })),
    skips: of('skipped').map(({ title }) => ({ title, reason: 'skipped by the test' })),
    tests,
  };
}

/** Places in bundles as places in sources. VS Code formats stacks its own way, past Node's support for source maps. */
async function inSources(stack: string): Promise<string> {
  const maps = new Map<string, SourceMap | undefined>();
  const place = /([^\s()]+\.cjs):(\d+):(\d+)/g;
  for (const [, file = ''] of stack.matchAll(place)) {
    const text = await readFile(`${file}.map`, 'utf8').catch(() => undefined);
    maps.set(file, text === undefined ? undefined : new SourceMap(JSON.parse(text) as SourceMapPayload));
  }
  return stack.replaceAll(place, (whole, file: string, line: string, column: string) => {
    const found = maps.get(file)?.findEntry(Number(line) - 1, Number(column) - 1);
    if (found === undefined || !('originalSource' in found)) return whole;
    const source = path.resolve(path.dirname(file), found.originalSource);
    return `${source}:${found.originalLine + 1}:${found.originalColumn + 1}`;
  });
}
