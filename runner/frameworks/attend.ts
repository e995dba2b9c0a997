/** Runs a framework's agent as a child, so that it can be told something before people are, or nothing at all. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { constants } from 'node:os';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Ends this process as the agent has ended.
 * @param first what it reads before all that people say; undefined: nobody can say anything, and who tries is told
 */
export async function attend(
  program: string,
  args: readonly string[],
  env: Env,
  first: string | undefined,
): Promise<never> {
  // They reach the agent as well, which is of the same process group; this process only waits for it.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
  const child = spawn(program, args, {
    env,
    stdio: [first === undefined ? 'ignore' : 'pipe', 'inherit', 'inherit'],
  });
  if (child.stdin === null) closeSync(0);
  else {
    // An agent that has ended hears nothing more.
    child.stdin.on('error', () => undefined);
    child.stdin.write(first);
    process.stdin.pipe(child.stdin);
  }
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  process.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
}
