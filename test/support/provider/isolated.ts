/** A real agent with a stand-in provider in a network namespace without a route out: it can reach nobody who sends a bill. */
import { join } from 'node:path';
import { run, succeeds } from '../../cluster/process.ts';
import type { Answer, Asked } from './script.ts';

export interface IsolatedPlan {
  answers: Answer[];
  /** In arguments, environment and files `{{provider}}`, `{{home}}` and `{{workspace}}` are filled in. */
  argv: string[];
  env: Record<string, string>;
  /** Below the home. */
  files: Record<string, string>;
}

export interface IsolatedRun {
  stdout: string;
  stderr: string;
  code: number | null;
  /** Where it worked; gone by now. */
  workspace: string;
  asked: Asked[];
  strays: string[];
}

const fixture = join(import.meta.dirname, 'isolated.fixture.ts');

/** True, or why not. */
export async function canIsolate(): Promise<true | string> {
  if (process.platform !== 'linux') return 'real agents run in a network namespace, which needs Linux';
  return (await succeeds('unshare', ['--net', 'true']))
    ? true
    : 'real agents run in a network namespace, which needs root';
}

export async function runIsolated(plan: IsolatedPlan): Promise<IsolatedRun> {
  const script = 'ip link set lo up && exec "$@"';
  const args = ['--net', 'sh', '-c', script, 'isolated', process.execPath, fixture];
  const answer = await run('unshare', args, { input: JSON.stringify(plan), timeoutMs: 120_000 });
  return JSON.parse(answer) as IsolatedRun;
}
