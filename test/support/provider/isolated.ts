/** A real agent with a stand-in provider in a network namespace without a route out: it can reach nobody who sends a bill. */
import { join } from 'node:path';
import { run, succeeds } from '../../cluster/process.ts';
import type { LogRecord } from '../../../common/api/log.ts';
import type { RunDescription, RunResult } from '../../../common/api/runner.ts';
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

/** True, or why not. */
export async function canIsolate(): Promise<true | string> {
  if (process.platform !== 'linux') return 'real agents run in a network namespace, which needs Linux';
  return (await succeeds('unshare', ['--net', 'true']))
    ? true
    : 'real agents run in a network namespace, which needs root';
}

export async function runIsolated(plan: IsolatedPlan): Promise<IsolatedRun> {
  return (await apart('isolated.fixture.ts', plan)) as IsolatedRun;
}

async function apart(fixture: string, plan: object): Promise<unknown> {
  const script = 'ip link set lo up && exec "$@"';
  const program = [process.execPath, join(import.meta.dirname, fixture)];
  const args = ['--net', 'sh', '-c', script, 'isolated', ...program];
  return JSON.parse(await run('unshare', args, { input: JSON.stringify(plan), timeoutMs: 120_000 }));
}

/** A session with a real agent under a real runner. */
export interface SessionPlan {
  answers: Answer[];
  /** The agent's own key to models. */
  token: string;
  command: string[];
  description: Partial<Omit<RunDescription, 'command'>>;
  /** In the workspace. */
  files: Record<string, string>;
  /** Of the session that this one goes on from: base64, by name below /resume/. */
  resumed?: Record<string, string>;
  /** What is said to the session once the model was asked so many times, and the person, in order. */
  said?: { afterAsked?: number; afterQuestions?: number; kind?: 'message' | 'interrupt'; text?: string }[];
}

export interface SessionRun {
  code: number | null;
  stdout: string;
  stderr: string;
  asked: Asked[];
  strays: string[];
  records: LogRecord[];
  result: RunResult | undefined;
  violations: string[];
  /** Of the workspace. */
  files: Record<string, string>;
  patch: string;
  /** What its agent remembers, as a session that goes on from this one is given it: base64. */
  memory?: string;
}

export async function runIsolatedSession(plan: SessionPlan): Promise<SessionRun> {
  return (await apart('isolated-session.fixture.ts', plan)) as SessionRun;
}
