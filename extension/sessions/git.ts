/** Runs git as a child: never in a way that writes to the person's repository, asks them something, or runs their hooks. */
import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AmbientError } from '../../common/errors.ts';

export interface GitOptions {
  folder: string;
  env: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
}

/** git is not installed, or not on the PATH. */
export class GitMissing extends AmbientError {
  constructor() {
    super('invalid_request', 'git is not installed or not on the PATH');
    this.name = 'GitMissing';
  }
}

/** git ran and said no. `stderr` is what it said. */
export class GitFailed extends AmbientError {
  readonly stderr: string;

  constructor(args: readonly string[], code: number | null, stderr: string) {
    super(
      'invalid_request',
      `git ${args[0] ?? ''} failed${code === null ? '' : ` (${code})`}: ${stderr.trim()}`,
    );
    this.name = 'GitFailed';
    this.stderr = stderr;
  }
}

// fsmonitor and hooks are programs that a repository can name; a listing must not start them.
const SAFE = [
  '-c',
  'core.fsmonitor=false',
  '-c',
  'core.hooksPath=/dev/null',
  '-c',
  'core.untrackedCache=false',
];
const STDERR_MAX = 8192;

/** What git prints, as it comes. Throws GitMissing, GitFailed, or the signal's reason. */
export async function git(args: readonly string[], options: GitOptions): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await run(args, options, async (stdout) => {
    for await (const chunk of stdout) chunks.push(chunk as Buffer);
  });
  return Buffer.concat(chunks);
}

/** The same into a stream, which is ended. */
export async function gitInto(args: readonly string[], options: GitOptions, into: Writable): Promise<void> {
  await run(args, options, (stdout) => pipeline(stdout, into));
}

/** One line of text, or undefined when git says no. */
export async function gitLine(args: readonly string[], options: GitOptions): Promise<string | undefined> {
  try {
    return (await git(args, options)).toString('utf8').trim();
  } catch (error) {
    if (error instanceof GitFailed) return undefined;
    throw error;
  }
}

async function run(
  args: readonly string[],
  { folder, env, signal }: GitOptions,
  consume: (stdout: NodeJS.ReadableStream) => Promise<void>,
): Promise<void> {
  signal.throwIfAborted();
  const child = spawn('git', [...SAFE, ...args], {
    cwd: folder,
    env: {
      ...env,
      GIT_DIR: undefined,
      GIT_WORK_TREE: undefined,
      GIT_INDEX_FILE: undefined,
      GIT_OPTIONAL_LOCKS: '0',
      GIT_TERMINAL_PROMPT: '0',
      // A partial clone would fetch missing objects over the network, unasked.
      GIT_NO_LAZY_FETCH: '1',
      LC_ALL: 'C',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
    signal,
    killSignal: 'SIGKILL',
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    if (stderr.length < STDERR_MAX) stderr += chunk.toString('utf8');
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code));
  });
  const [consumed, exit] = await Promise.allSettled([consume(child.stdout), ended]);
  signal.throwIfAborted();
  if (exit.status === 'rejected') {
    // The same code comes when the folder does not exist, which the caller has looked at.
    if (Reflect.get(Object(exit.reason), 'code') === 'ENOENT') throw new GitMissing();
    throw exit.reason;
  }
  if (exit.value !== 0) throw new GitFailed(args, exit.value, stderr);
  if (consumed.status === 'rejected') throw consumed.reason;
}
