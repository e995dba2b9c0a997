/** The cgroup that holds the pods of one cluster, in every hierarchy of this machine (version 1 or 2). */
import { mkdir, readFile, readdir, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { exists } from './cache.ts';
import { signal, waitUntil } from './daemons.ts';

const base = '/sys/fs/cgroup';

async function hierarchies(): Promise<string[]> {
  if (await exists(path.join(base, 'cgroup.controllers'))) return [base];
  try {
    return (await readdir(base)).map((name) => path.join(base, name));
  } catch {
    return [];
  }
}

export async function makeCgroups(name: string): Promise<void> {
  for (const hierarchy of await hierarchies()) await mkdir(path.join(hierarchy, name), { recursive: true });
}

/** Kills what runs in the cgroup and removes it. Throws when it is not empty after 20 s. */
export async function removeCgroups(name: string): Promise<void> {
  for (const hierarchy of await hierarchies()) {
    const top = path.join(hierarchy, name);
    const gone = await waitUntil(async () => {
      if (!(await exists(top))) return true;
      for (const folder of (await tree(top)).reverse()) {
        for (const pid of await processesIn(folder)) signal(pid, 'SIGKILL');
        await rmdir(folder).catch(() => undefined); // Busy until its last process is gone: tried again.
      }
      return !(await exists(top));
    }, 20_000);
    if (!gone) throw new Error(`cgroup ${top} could not be removed`);
  }
}

/** The folder and all below it, parents first. */
async function tree(top: string): Promise<string[]> {
  const entries = await readdir(top, { recursive: true, withFileTypes: true }).catch(() => []);
  const folders = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => path.join(entry.parentPath, entry.name));
  return [top, ...folders.sort()];
}

async function processesIn(folder: string): Promise<number[]> {
  try {
    const text = await readFile(path.join(folder, 'cgroup.procs'), 'utf8');
    return text.split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
