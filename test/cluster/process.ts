/** Commands run to their end: output collected, failures with the command's own words, cancellable. */
import { spawn } from 'node:child_process';

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Called with each line of standard error as it comes. */
  readonly onStderr?: (line: string) => void;
}

/** A command that could not be started, was killed, or ended with a code other than 0. */
export class CommandError extends Error {
  readonly command: readonly string[];
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  constructor(
    command: readonly string[],
    how: string,
    code: number | null,
    stdout: string,
    stderr: string,
    cause?: unknown,
  ) {
    const tail = (stderr.trim() || stdout.trim()).slice(-2000);
    super(`${command.slice(0, 6).join(' ')} ${how}${tail === '' ? '' : `:\n${tail}`}`, { cause });
    this.name = 'CommandError';
    this.command = command;
    this.code = code;
    this.stdout = stdout;
    this.stderr = stderr;
  }
}

/** The PATH, with the folders of system programs that an ordinary user's may lack. */
export function searchPath(): string {
  return `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;
}

/** Runs a command and returns its standard output. Throws CommandError. */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const command = [file, ...args];
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: { ...process.env, PATH: searchPath(), ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      signal: options.signal,
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    let partial = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      if (options.onStderr === undefined) return;
      const lines = (partial + text).split('\n');
      partial = lines.pop() ?? '';
      for (const line of lines) options.onStderr(line);
    });
    // A child that ends before it read its input is judged by its exit code, not by the broken pipe.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    child.on('error', (error) =>
      reject(new CommandError(command, 'could not run', null, stdout, stderr, error)),
    );
    child.on('close', (code, killedBy) => {
      if (code === 0) return resolve(stdout);
      const how = killedBy === null ? `ended with code ${String(code)}` : `was stopped by ${killedBy}`;
      reject(new CommandError(command, how, code, stdout, stderr));
    });
  });
}

/** Whether a command runs and ends with 0. */
export async function succeeds(file: string, args: readonly string[], timeoutMs = 10_000): Promise<boolean> {
  try {
    await run(file, args, { timeoutMs });
    return true;
  } catch {
    return false;
  }
}
