/** Ties processes and a temporary folder to the life of this process: both go when it ends, however it ends. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * A small shell outside our process group that sleeps on a pipe from us. When the pipe closes, be it by
 * exit, by a signal or by SIGKILL, it kills the groups it was told of and removes the folder. Repeated, because
 * a browser that is just ending still writes.
 */
const SCRIPT = `
groups=
while read -r group; do groups="$groups $group"; done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  rm -rf -- "$1" 2>/dev/null
  sleep 0.3
  [ -e "$1" ] || exit 0
done`;

export interface Keeper {
  /** A fresh folder only this user can enter. */
  readonly folder: string;
  /** `group` is the pid of a process started with `detached: true`. */
  watch(group: number): void;
  /** Ends the watched groups (SIGTERM, then SIGKILL after `graceMs`) and removes the folder. */
  release(graceMs?: number): Promise<void>;
}

export async function startKeeper(name: string): Promise<Keeper> {
  const folder = await mkdtemp(path.join(os.tmpdir(), `${name}-`));
  const keeper = spawn('sh', ['-c', SCRIPT, name, folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: process.env['PATH'] },
  });
  keeper.on('error', () => undefined);
  keeper.stdin.on('error', () => undefined);
  keeper.unref();
  const groups: number[] = [];
  let released: Promise<void> | undefined;
  return {
    folder,
    watch(group) {
      groups.push(group);
      keeper.stdin.write(`${group}\n`);
    },
    release(graceMs = 3000) {
      return (released ??= end(folder, groups, graceMs).finally(() => {
        // Killed before its pipe closes: the numbers it knows may belong to others by now.
        keeper.kill('SIGKILL');
        keeper.stdin.destroy();
      }));
    },
  };
}

async function end(folder: string, groups: readonly number[], graceMs: number): Promise<void> {
  const alive = groups.filter((group) => signal(group, 'SIGTERM'));
  const deadline = performance.now() + graceMs;
  while (alive.some((group) => signal(group, 0)) && performance.now() < deadline) await delay(20);
  for (const group of alive) signal(group, 'SIGKILL');
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}

/** Whether the group still existed. */
function signal(group: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, name);
    return true;
  } catch {
    return false;
  }
}
