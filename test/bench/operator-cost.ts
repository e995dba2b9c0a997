/** What an operator process has cost so far: CPU time and memory as the kernel counts them. */
import { readFile } from 'node:fs/promises';

/** Linux's clock ticks a second are 100 on every architecture Node runs on. */
const TICK_MS = 10;

/** CPU time of the process so far, user and system, in ms. */
export async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // the name in parentheses may hold spaces; fields are counted after it
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Resident memory in MiB. */
export async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}
