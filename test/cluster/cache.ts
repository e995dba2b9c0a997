/** The cache outside the checkout: what is costly to make is made once per machine and user, and never half. */
import { createHash, randomBytes } from 'node:crypto';
import { access, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Server } from 'node:net';
import { homedir } from 'node:os';
import path from 'node:path';

type Env = Readonly<Record<string, string | undefined>>;

/** `$XDG_CACHE_HOME/ambient-sessions`, or the same under ~/.cache. */
export function cacheRoot(env: Env = process.env): string {
  const base = env['XDG_CACHE_HOME'] ?? '';
  return path.join(path.isAbsolute(base) ? base : path.join(homedir(), '.cache'), 'ambient-sessions');
}

export function contentHash(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 16);
}

export async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch {
    return false;
  }
}

/**
 * Returns the folder `key` of the cache. When it is not there, `make` fills a temporary folder beside it, which takes
 * its name only when complete: a killed build is never taken for a good one. Two processes do not make it twice.
 */
export async function cached(
  key: string,
  make: (folder: string) => Promise<void>,
  log: (line: string) => void,
): Promise<string> {
  const target = path.join(cacheRoot(), key);
  if (await exists(target)) return target;
  await using _lock = await lock(target, () => log(`waiting for another process that is making ${key}`));
  if (await exists(target)) return target;
  await mkdir(path.dirname(target), { recursive: true });
  // The lock is ours, so what is half made is of a process that was killed.
  for (const name of await readdir(path.dirname(target))) {
    const stale = name.startsWith(`${path.basename(target)}.part-`);
    if (stale) await rm(path.join(path.dirname(target), name), { recursive: true, force: true });
  }
  const work = `${target}.part-${randomBytes(4).toString('hex')}`;
  try {
    await mkdir(work);
    await make(work);
    await rename(work, target);
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    throw error;
  }
  return target;
}

/**
 * A lock between the processes of one machine: a listening socket, which the kernel closes with its process, however
 * that dies. Linux has socket names that leave no file behind; elsewhere a file of a dead owner is removed.
 */
export async function lock(name: string, onWait: () => void = () => undefined): Promise<AsyncDisposable> {
  const id = `ambient-sessions-${contentHash(name)}`;
  const abstract = process.platform === 'linux';
  const address = abstract ? `\0${id}` : path.join('/tmp', `${id}.sock`);
  let told = false;
  for (;;) {
    const server = await listen(address);
    if (server !== undefined) {
      return {
        [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
      };
    }
    if (!told) onWait();
    told = true;
    if (!(await ownerGone(address)) && !abstract) await rm(address, { force: true });
  }
}

function listen(address: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    // Waiting processes stay connected; destroying them on close tells them to try again.
    const waiting = new Set<{ destroy(): void }>();
    const server = createServer((socket) => {
      waiting.add(socket);
      socket.on('close', () => waiting.delete(socket)).on('error', () => undefined);
    });
    const close = server.close.bind(server);
    server.close = (callback) => {
      for (const socket of waiting) socket.destroy();
      return close(callback);
    };
    server.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(address, () => resolve(server));
  });
}

/** Resolves when the owner of the lock lets go: true, or false when nobody was listening at all. */
function ownerGone(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    let connected = false;
    connect(address)
      .on('connect', () => (connected = true))
      .on('error', () => undefined)
      .on('close', () => resolve(connected))
      .resume();
  });
}
