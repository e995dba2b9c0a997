/** The long-running processes of a cluster: detached, logged, and found again by a mark in their environment. */
import { spawn } from 'node:child_process';
import {
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { searchPath } from './process.ts';
import type { Owner } from './state.ts';

const clusterMark = 'AMBIENT_CLUSTER';
const roleMark = 'AMBIENT_ROLE';

export interface Daemon {
  readonly pid: number;
  readonly role: string;
}

/** Starts a process that outlives its starter, with output appended to `log/<role>.log`. Throws when it cannot run. */
export async function startDaemon(
  stateDir: string,
  role: string,
  command: readonly [string, ...string[]],
): Promise<number> {
  const [file, ...args] = command;
  mkdirSync(path.join(stateDir, 'log'), { recursive: true });
  const log = openSync(path.join(stateDir, 'log', `${role}.log`), 'a');
  try {
    const child = spawn(file, args, {
      cwd: '/',
      detached: true,
      stdio: ['ignore', log, log],
      env: { PATH: searchPath(), HOME: stateDir, [clusterMark]: stateDir, [roleMark]: role },
    });
    const pid = await new Promise<number>((resolve, reject) => {
      child.on('spawn', () => resolve(child.pid ?? -1)).on('error', reject);
    });
    child.unref();
    if (process.platform !== 'linux') {
      mkdirSync(path.join(stateDir, 'pids'), { recursive: true });
      writeFileSync(path.join(stateDir, 'pids', role), String(pid));
    }
    return pid;
  } finally {
    closeSync(log);
  }
}

/**
 * Every process that carries the cluster's mark, children of children included, whatever namespaces they are in. The
 * mark is set before the process runs, so a starter killed at any moment leaves none that cannot be found.
 */
export function daemonsOf(stateDir: string, role?: string): Daemon[] {
  const found = process.platform === 'linux' ? scanProc(stateDir) : readPids(stateDir);
  return role === undefined ? found : found.filter((daemon) => daemon.role === role);
}

function scanProc(stateDir: string): Daemon[] {
  const found: Daemon[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    let environment: string;
    try {
      environment = readFileSync(`/proc/${entry}/environ`, 'latin1');
    } catch {
      continue; // Gone meanwhile, or somebody else's.
    }
    const variables = environment.split('\0');
    if (!variables.includes(`${clusterMark}=${stateDir}`)) continue;
    const role = variables.find((variable) => variable.startsWith(`${roleMark}=`));
    found.push({ pid: Number(entry), role: role?.slice(roleMark.length + 1) ?? '' });
  }
  return found;
}

/** Other systems do not show a process's environment; there is no node there, so no children to miss either. */
function readPids(stateDir: string): Daemon[] {
  const folder = path.join(stateDir, 'pids');
  try {
    return readdirSync(folder)
      .map((role) => ({ role, pid: Number(readFileSync(path.join(folder, role), 'utf8')) }))
      .filter(({ pid }) => signal(pid, 0));
  } catch {
    return [];
  }
}

/** Sends a signal; false when there is no such process. */
export function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** Signals the processes and waits until none is left; after `graceMs` it kills. Throws when they do not die. */
export async function stopDaemons(stateDir: string, role?: string, graceMs = 0): Promise<void> {
  if (graceMs > 0) {
    for (const { pid } of daemonsOf(stateDir, role)) signal(pid, 'SIGTERM');
    await waitUntil(() => daemonsOf(stateDir, role).length === 0, graceMs);
  }
  const gone = await waitUntil(() => {
    const left = daemonsOf(stateDir, role);
    for (const { pid } of left) signal(pid, 'SIGKILL');
    return left.length === 0;
  }, 30_000);
  if (!gone) throw new Error(`processes do not die: ${JSON.stringify(daemonsOf(stateDir, role))}`);
}

/** Looks every few milliseconds until the condition holds; false when the time is over. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
  intervalMs = 20,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (await condition()) return true;
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}

/** The identity of a process; its start time tells it from a later one with the same id. */
export function ownerOf(pid: number): Owner | undefined {
  if (process.platform !== 'linux') return signal(pid, 0) ? { pid, started: '' } : undefined;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold spaces; the start time is the 22nd field of the line.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { pid, started: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

export function isAlive(owner: Owner): boolean {
  return ownerOf(owner.pid)?.started === owner.started;
}

/** The link that names a namespace of a process, as `net:[4026531840]`; undefined when the process is gone. */
export function namespaceOf(pid: number | 'self', kind: 'net' | 'pid' | 'mnt'): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return undefined;
  }
}

/** The last lines of a daemon's log, for a message about why it did not come up. */
export async function logTail(stateDir: string, role: string, lines = 15): Promise<string> {
  try {
    const text = await readFile(path.join(stateDir, 'log', `${role}.log`), 'utf8');
    return text.trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '(no log)';
  }
}
