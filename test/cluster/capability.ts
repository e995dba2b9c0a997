/** What this machine can run, and what it lacks in words a person can act on. */
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { haveAssets, isBuilt } from './binaries.ts';
import { aptInstall, isDebian } from './apt.ts';
import { cniPluginDirs } from './node-config.ts';
import { run, searchPath, succeeds } from './process.ts';
import type { Component } from './versions.ts';

export interface Capability {
  /** An API server with nodes that are only objects; or why not. */
  readonly controlPlane: true | string;
  /** A node that runs containers; or why not. */
  readonly node: true | string;
}

/** Commands of a node → the Debian package that has them. */
const nodeCommands: Readonly<Record<string, string>> = {
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  iptables: 'iptables',
  conntrack: 'conntrack',
  ip: 'iproute2',
  nsenter: 'util-linux',
  unshare: 'util-linux',
};
const imageCommands: Readonly<Record<string, string>> = { buildah: 'buildah', mmdebstrap: 'mmdebstrap' };

/** Thrown for a cluster that this machine cannot run. */
export class CannotError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'CannotError';
  }
}

/** Installs nothing: says what could be brought up, counting on apt where it can be used. */
export async function clusterCapability(): Promise<Capability> {
  const build = await goIsGood();
  const built = async (...components: readonly Component[]): Promise<boolean> =>
    (await Promise.all(components.map(isBuilt))).every(Boolean);
  const controlPlane = haveAssets() || (await built('kubernetes', 'etcd', 'kwok')) ? true : build;
  const servers = (await built('kubernetes', 'etcd', 'coredns', 'pause')) ? true : build;
  return { controlPlane, node: servers === true ? await nodeIsPossible() : servers };
}

/** Whether an S3 server can be had, or why not. */
export async function s3Capability(): Promise<true | string> {
  return (await isBuilt('versitygw')) ? true : await goIsGood();
}

async function nodeIsPossible(): Promise<true | string> {
  if (process.platform !== 'linux')
    return `a node for containers needs Linux, and this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'a node for containers needs root; run it with sudo';
  if (!(await succeeds('unshare', ['--net', '--mount', '--pid', '--fork', 'true']))) {
    return 'a node for containers needs the right to make namespaces, which this root does not have (a container?)';
  }
  const missing = missingPackages();
  if (missing.length === 0 || (await isDebian())) return true;
  return `a node for containers needs programs that are not here: ${missing.join(', ')}. Install these packages`;
}

/** The newest Go that one of our modules asks for. */
async function neededGo(): Promise<string> {
  const goDir = path.join(import.meta.dirname, 'go');
  let needed = '1.24.0';
  for (const name of await readdir(goDir)) {
    const file = await readFile(path.join(goDir, name, 'go.mod'), 'utf8');
    const version = /^go (\S+)$/m.exec(file)?.[1] ?? needed;
    if (compareVersions(version, needed) > 0) needed = version;
  }
  return needed;
}

async function goIsGood(): Promise<true | string> {
  const needed = await neededGo();
  const how = `Install Go ${needed} or later (https://go.dev/dl/), or give a cluster with --context`;
  let answer: string;
  try {
    answer = await run('go', ['env', 'GOVERSION', 'GOTOOLCHAIN'], { timeoutMs: 20_000 });
  } catch {
    return `servers are built from Go modules and there is no Go here. ${how}`;
  }
  const [version = '', toolchain = ''] = answer.trim().split('\n');
  // From 1.21 on Go fetches a newer one of itself, unless told to stay.
  const enough = toolchain === 'local' ? needed : '1.21';
  if (compareVersions(version.replace(/^go/, ''), enough) >= 0) return true;
  return `servers are built from Go modules and Go here is too old (${version}). ${how}`;
}

function compareVersions(left: string, right: string): number {
  const [a, b] = [left, right].map((version) => version.split('.').map((part) => Number.parseInt(part, 10)));
  for (let index = 0; index < 3; index += 1) {
    const difference = (a?.[index] ?? 0) - (b?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export function findCommand(name: string): string | undefined {
  const folders = searchPath().split(':');
  return folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file));
}

function missingPackages(commands: Readonly<Record<string, string>> = nodeCommands): string[] {
  const missing = Object.entries(commands)
    .filter(([name]) => findCommand(name) === undefined)
    .map(([, pkg]) => pkg);
  if (commands === nodeCommands && !cniPluginDirs.some((folder) => existsSync(path.join(folder, 'bridge')))) {
    missing.push('containernetworking-plugins');
  }
  return [...new Set(missing)];
}

/**
 * Makes sure of the programs of a node or of the image builder, by apt as root on Debian and Ubuntu. Throws CannotError
 * with the list elsewhere.
 */
export async function ensurePackages(purpose: 'node' | 'images', log: (line: string) => void): Promise<void> {
  const commands = purpose === 'node' ? nodeCommands : imageCommands;
  const missing = missingPackages(commands);
  if (missing.length === 0) return;
  const command = `apt-get install --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || !(await isDebian())) {
    throw new CannotError(
      `missing programs, in Debian's packages ${missing.join(', ')}; there: sudo ${command}`,
    );
  }
  await aptInstall(missing, log);
  // The distribution starts its own containerd at once where it has systemd; that one is not touched.
}
