/** What is on disk about each cluster of this user, and who gets which addresses, so that two never meet. */
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { lock } from './cache.ts';

/** A process, told apart from a later one with the same id by its start time. */
export interface Owner {
  readonly pid: number;
  readonly started: string;
}

export interface Ports {
  readonly etcd: number;
  readonly etcdPeer: number;
  readonly api: number;
}

export interface ClusterState {
  readonly name: string;
  readonly node: boolean;
  readonly fakeNodes: number;
  /** The second octet of the cluster's 10.x.0.0/16. */
  readonly slot: number;
  readonly ports: Ports;
  /** Absent for a cluster that is meant to outlive its maker. */
  readonly owner?: Owner;
  /** Set once everything runs. */
  readonly ready?: boolean;
  readonly timings?: Readonly<Record<string, number>>;
}

/** All addresses of a cluster lie in one 10.x.0.0/16. */
export interface Network {
  readonly pods: string;
  readonly services: string;
  readonly apiService: string;
  readonly dnsService: string;
  /** The two ends of the veth pair between the host and the node. */
  readonly host: string;
  readonly node: string;
  readonly hostInterface: string;
}

export function networkOf(slot: number): Network {
  return {
    pods: `10.${slot}.0.0/18`,
    services: `10.${slot}.64.0/18`,
    apiService: `10.${slot}.64.1`,
    dnsService: `10.${slot}.64.10`,
    host: `10.${slot}.128.1`,
    node: `10.${slot}.128.2`,
    hostInterface: `ambient${slot}`,
  };
}

/** /var/tmp and not the temporary folder: containerd's layers need a real file system, and room. */
export function stateRoot(): string {
  return path.join('/var/tmp', `ambient-sessions-${process.getuid?.() ?? 0}`);
}

export function stateDirOf(name: string): string {
  return path.join(stateRoot(), name);
}

export async function readState(stateDir: string): Promise<ClusterState | undefined> {
  try {
    return JSON.parse(await readFile(path.join(stateDir, 'state.json'), 'utf8')) as ClusterState;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export async function writeState(stateDir: string, state: ClusterState): Promise<void> {
  const file = path.join(stateDir, 'state.json');
  await writeFile(`${file}.part`, JSON.stringify(state, undefined, 2), { mode: 0o600 });
  await rename(`${file}.part`, file);
}

export async function listStates(): Promise<ClusterState[]> {
  let names: string[];
  try {
    names = (await readdir(stateRoot())).filter((name) => !name.startsWith('.'));
  } catch {
    return [];
  }
  const states = await Promise.all(names.map((name) => readState(stateDirOf(name))));
  return states.filter((state) => state !== undefined);
}

/**
 * Claims a name, a network and ports, and returns the new state folder. The folder appears with its state in it, so
 * whoever finds a folder also finds whose it is. Throws when the name is taken.
 */
export async function claim(
  wanted: Pick<ClusterState, 'name' | 'node' | 'fakeNodes'> & { readonly owner?: Owner },
): Promise<{ stateDir: string; state: ClusterState }> {
  if (!/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/.test(wanted.name)) {
    throw new Error(`cluster name "${wanted.name}" must be 1 to 40 lower case letters, digits or dashes`);
  }
  await using _lock = await lock('cluster addresses');
  await mkdir(stateRoot(), { recursive: true, mode: 0o700 });
  const others = await listStates();
  if (others.some((other) => other.name === wanted.name)) {
    throw new Error(`a cluster named "${wanted.name}" exists already; take it down first`);
  }
  const state: ClusterState = {
    ...wanted,
    slot: freeSlot(others),
    ports: await freePorts(new Set(others.flatMap(({ ports }) => [ports.etcd, ports.etcdPeer, ports.api]))),
  };
  // The lock is ours, so what is half claimed is of a process that was killed.
  for (const name of await readdir(stateRoot())) {
    if (name.endsWith('.part')) await rm(path.join(stateRoot(), name), { recursive: true, force: true });
  }
  const part = path.join(stateRoot(), `.${wanted.name}.part`);
  await mkdir(part, { mode: 0o700 });
  await writeState(part, state);
  const stateDir = stateDirOf(wanted.name);
  await rename(part, stateDir);
  return { stateDir, state };
}

/** Removes what clusters share, when the last one is gone. */
export async function removeShared(): Promise<void> {
  await using _lock = await lock('cluster addresses');
  if ((await listStates()).length > 0) return;
  // Only when empty: what others keep there stays. The first is where CNI insists on a folder.
  for (const folder of ['/var/lib/cni', stateRoot()]) await rmdir(folder).catch(() => undefined);
}

/** A 10.x.0.0/16 that no cluster has and no address or route of this machine touches. */
function freeSlot(others: readonly ClusterState[]): number {
  const taken = new Set(others.map((other) => other.slot));
  for (const octet of routedOctets()) taken.add(octet);
  for (let slot = 160; slot < 250; slot += 1) if (!taken.has(slot)) return slot;
  throw new Error(
    'no free 10.x.0.0/16 network for another cluster; `npm run cluster -- list` shows those there are',
  );
}

function routedOctets(): number[] {
  if (process.platform !== 'linux') return [];
  try {
    const text = execFileSync('ip', ['-4', 'route', 'show', 'table', 'all'], { encoding: 'utf8' });
    return [...text.matchAll(/\b10\.(\d+)\.\d+\.\d+/g)].map((match) => Number(match[1]));
  } catch {
    return []; // No ip command, so no node either: the addresses stay inside the API server.
  }
}

/** Below the range the kernel hands out by itself, so nobody takes them between this look and their use by accident. */
async function freePorts(taken: ReadonlySet<number>): Promise<Ports> {
  const found: number[] = [];
  for (let port = 20_100; found.length < 3 && port < 29_000; port += 1) {
    if (!taken.has(port) && (await portIsFree(port))) found.push(port);
  }
  const [etcd, etcdPeer, api] = found;
  if (etcd === undefined || etcdPeer === undefined || api === undefined) throw new Error('no free TCP ports');
  return { etcd, etcdPeer, api };
}

function portIsFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(false));
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)));
  });
}
