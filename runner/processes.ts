/** Signals to the command and to everything it left behind. */
import { readFile, readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Environment } from './locations.ts';

const POLL_MS = 50;

/**
 * Whether every other process here belongs to the command. True when the runner is PID 1, or the direct child of the
 * image's init that says so; false wherever other people's processes may be.
 */
export const ownsAllProcesses = (self: { pid: number; ppid: number }, env: Environment): boolean =>
  self.pid === 1 || (self.ppid === 1 && env.AMBIENT_INIT === '1');

/** What a command started: its process group, and in a container all else that runs there. */
export class Descendants {
  readonly #leader: number;
  readonly #everything: boolean;

  /** `leader`: PID of the command, which leads its own process group. */
  constructor(leader: number, everything: boolean) {
    this.#leader = leader;
    this.#everything = everything;
  }

  /** Sends to the group; false when nobody is left in it. */
  signalGroup(signal: NodeJS.Signals): boolean {
    return send(-this.#leader, signal);
  }

  /** Ends what the command left running: asks, waits up to `graceMs`, then kills. True when there was something. */
  async sweep(graceMs: number): Promise<boolean> {
    if (!(await this.#left())) return false;
    this.#send('SIGTERM');
    // By the clock: where a command has forked without end, one look takes seconds.
    const killAt = performance.now() + graceMs;
    while (performance.now() < killAt && (await this.#left())) await sleep(POLL_MS);
    this.#send('SIGKILL');
    return true;
  }

  #send(signal: NodeJS.Signals): void {
    send(this.#everything ? -1 : -this.#leader, signal);
  }

  async #left(): Promise<boolean> {
    for await (const { pid, group } of livingProcesses())
      if (this.#everything ? pid !== 1 && pid !== process.pid : group === this.#leader) return true;
    return false;
  }
}

/** kill(-1) reaches everyone but the caller and PID 1. */
function send(target: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(target, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** From /proc; zombies do not count, nobody can end them twice. */
async function* livingProcesses(): AsyncGenerator<{ pid: number; group: number }, void, undefined> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    let stat: string;
    try {
      stat = await readFile(`/proc/${name}/stat`, 'utf8');
    } catch {
      continue; // ended meanwhile
    }
    // the name in brackets may hold anything: state, ppid and pgrp follow the last one
    const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state !== 'Z' && state !== 'X') yield { pid: Number(name), group: Number(group) };
  }
}

/** How often the kernel killed a process here because the memory limit was reached; undefined where that is not told. */
export async function outOfMemoryKills(): Promise<number | undefined> {
  try {
    const events = await readFile('/sys/fs/cgroup/memory.events', 'utf8');
    const count = /^oom_kill (\d+)$/m.exec(events)?.[1];
    return count === undefined ? undefined : Number(count);
  } catch {
    return undefined;
  }
}
