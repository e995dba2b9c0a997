/** Runs git with nothing of the user's or the workspace's configuration that could execute, ask, or reach elsewhere. */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Environment } from './locations.ts';

const OUTPUT_MAX = 64 * 1024 * 1024;
const ERRORS_KEPT = 8 * 1024;

export interface GitOptions {
  cwd: string;
  /** Home of git itself: empty and private. */
  home: string;
  signal: AbortSignal;
  /** Fed to standard input. */
  input?: Readable;
  /** Where standard output goes; it is returned when absent. */
  outputFile?: string;
  env?: Record<string, string>;
  /** Settings of one call, as `name=value`. */
  config?: readonly string[];
}

export interface GitResult {
  code: number;
  stdout: Buffer;
  /** The last of what git said on standard error. */
  stderr: string;
}

export class GitError extends Error {
  readonly stderr: string;
  constructor(args: readonly string[], result: GitResult) {
    super(`git ${args[0] ?? ''} failed: ${lastLines(result.stderr) || `exit code ${result.code}`}`);
    this.name = 'GitError';
    this.stderr = result.stderr;
  }
}

const ALWAYS = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.askPass=',
  'credential.helper=',
  'advice.detachedHead=false',
  'gc.auto=0',
  'maintenance.auto=false',
  // the workspace is a volume whose root belongs to someone else
  'safe.directory=*',
  // a server that says nothing for a minute is gone
  'http.lowSpeedLimit=1',
  'http.lowSpeedTime=60',
].flatMap((setting) => ['-c', setting]);

/** Variables of the environment that git may need to reach a server. */
const PROXY = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((name) => [
  name,
  name.toLowerCase(),
]);

export function proxyOf(env: Environment): Record<string, string> {
  return Object.fromEntries(PROXY.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

/** Resolves with whatever exit code git had. Rejects when git is not there or the signal aborts. */
export async function runGit(args: readonly string[], options: GitOptions): Promise<GitResult> {
  options.signal.throwIfAborted();
  const child = spawn(
    'git',
    [...ALWAYS, ...(options.config ?? []).flatMap((setting) => ['-c', setting]), ...args],
    {
      cwd: options.cwd,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true, // transports are processes of their own: all end together
      env: {
        PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
        HOME: options.home,
        LANG: 'C.UTF-8',
        LC_ALL: 'C.UTF-8',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_TERMINAL_PROMPT: '0',
        GIT_ASKPASS: '/bin/false',
        SSH_ASKPASS: '/bin/false',
        GIT_SSH_COMMAND: 'ssh -oBatchMode=yes -oStrictHostKeyChecking=accept-new -oConnectTimeout=30',
        GIT_ALLOW_PROTOCOL: 'http:https:git:ssh',
        GIT_OPTIONAL_LOCKS: '0',
        ...options.env,
      },
    },
  );
  const abort = (): void => {
    if (child.pid !== undefined)
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // ended meanwhile
      }
  };
  options.signal.addEventListener('abort', abort, { once: true });
  try {
    const closed = new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code ?? 128));
    });
    // git may well end before it has read all: its exit code tells
    const fed = options.input
      ? pipeline(options.input, child.stdin).catch(() => undefined)
      : Promise.resolve(void child.stdin.on('error', () => undefined).end());
    const output = options.outputFile
      ? pipeline(child.stdout, createWriteStream(options.outputFile, { mode: 0o600 })).then(() =>
          Buffer.alloc(0),
        )
      : collect(child.stdout, OUTPUT_MAX);
    const [code, stdout, stderr] = await Promise.all([closed, output, collectTail(child.stderr), fed]);
    options.signal.throwIfAborted();
    return { code, stdout, stderr };
  } catch (error) {
    abort();
    throw error;
  } finally {
    options.signal.removeEventListener('abort', abort);
  }
}

/** Standard output. Throws GitError for any exit code but those in `accepted`. */
export async function git(args: readonly string[], options: GitOptions, accepted = [0]): Promise<Buffer> {
  const result = await runGit(args, options);
  if (!accepted.includes(result.code)) throw new GitError(args, result);
  return result.stdout;
}

/** What git said last, without progress and without credentials, as one line. */
export function lastLines(stderr: string, count = 3): string {
  return stderr
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('hint:'))
    .slice(-count)
    .join('; ')
    .replace(/\/\/[^/@\s]+@/g, '//***@');
}

async function collect(stream: Readable, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new Error('git printed too much');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function collectTail(stream: Readable): Promise<string> {
  let tail = Buffer.alloc(0);
  for await (const chunk of stream as AsyncIterable<Buffer>)
    tail = Buffer.concat([tail, chunk]).subarray(-ERRORS_KEPT);
  return tail.toString('utf8');
}
