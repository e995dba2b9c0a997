/**
 * containerd's folder with the base image unpacked in it, made once per machine. A node starts from a copy made of hard
 * links (layers are never written to), which takes a fraction of unpacking thousands of files.
 */
import { copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Binaries } from './binaries.ts';
import { cached, contentHash } from './cache.ts';
import { ownerOf, stopDaemons } from './daemons.ts';
import { loadImage } from './image-load.ts';
import { nodeFiles, startContainerd, startNetwork } from './node.ts';
import { run } from './process.ts';
import { claim } from './state.ts';
import { tearDown } from './teardown.ts';
import { watch } from './watchdog.ts';

/** Returns the folder to give to `useTemplate`. The archives' paths must change with their content. */
export async function nodeTemplate(
  archives: readonly string[],
  binaries: Binaries,
  log: (line: string) => void,
): Promise<string> {
  const version = await run('containerd', ['--version']);
  return cached(
    `node/${contentHash(version, ...archives)}`,
    async (target) => {
      log('unpacking the base image (once on this machine)');
      const owner = ownerOf(process.pid);
      const name = `template-${process.pid}`;
      const { stateDir, state } = await claim({ name, node: true, fakeNodes: 0, ...(owner && { owner }) });
      const unwatch = watch(stateDir);
      try {
        const instance = { stateDir, state, binaries };
        await startNetwork(instance);
        await startContainerd(instance);
        for (const archive of archives) await loadImage(stateDir, archive);
        await stopDaemons(stateDir, 'containerd', 10_000);
        await run('cp', ['-a', containerdRoot(stateDir), path.join(target, 'containerd')]);
      } finally {
        await tearDown(stateDir);
        unwatch();
      }
    },
    log,
  );
}

/** Fills the folder of a containerd that does not run yet; false when the template is on another file system. */
export async function useTemplate(template: string, stateDir: string): Promise<boolean> {
  const target = containerdRoot(stateDir);
  const source = path.join(template, 'containerd');
  await mkdir(path.dirname(target), { recursive: true });
  try {
    await run('cp', ['-al', source, target]);
  } catch {
    await rm(target, { recursive: true, force: true });
    return false;
  }
  // Databases are written to, so they must not be shared.
  for (const folder of await readdir(source)) {
    for (const name of (await readdir(path.join(source, folder))).filter((entry) => entry.endsWith('.db'))) {
      const database = path.join(target, folder, name);
      await copyFile(path.join(source, folder, name), `${database}.part`);
      await rename(`${database}.part`, database);
    }
  }
  return true;
}

function containerdRoot(stateDir: string): string {
  return path.join(nodeFiles(stateDir).root, 'containerd');
}
