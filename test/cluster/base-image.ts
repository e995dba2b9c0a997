/**
 * A stand-in for the public Node image where no registry can be reached: Debian from the distribution's mirror and
 * Node from npm, under the tag that the product's Dockerfiles build upon.
 */
import { chmod, copyFile, mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { writeImage } from './archive.ts';
import { cacheRoot, cached, contentHash, exists } from './cache.ts';
import { ensurePackages } from './capability.ts';
import { run } from './process.ts';
import { baseImage } from './versions.ts';

const suite = 'bookworm';
const packages = ['ca-certificates', 'git'];
/** The public image's user, by name and number. */
const addUser =
  'chroot "$1" groupadd --gid 1000 node && chroot "$1" useradd --uid 1000 --gid node --shell /bin/bash --create-home node';

/** Counted up when the way the layers are made changes. */
const layout = 1;
const nodePackage = path.join(import.meta.dirname, '../../node_modules/node');

/** The archive if it was made on this machine. */
export async function existingBase(): Promise<string | undefined> {
  const archive = path.join(cacheRoot(), (await recipe()).key, 'image.tar');
  return (await exists(archive)) ? archive : undefined;
}

async function recipe(): Promise<{ version: string; key: string }> {
  const { version } = JSON.parse(await readFile(path.join(nodePackage, 'package.json'), 'utf8')) as {
    version: string;
  };
  const inputs = JSON.stringify([suite, packages, addUser, version, baseImage, process.arch, layout]);
  return { version, key: `images/base-${contentHash(inputs)}` };
}

/** Returns the path of a docker-archive; about half a minute the first time. Needs root on Debian or Ubuntu. */
export async function baseArchive(log: (line: string) => void): Promise<string> {
  const { version, key } = await recipe();
  const folder = await cached(
    key,
    async (target) => {
      log('building the base image (once on this machine)');
      await ensurePackages('images', log);
      const system = path.join(target, 'system.tar');
      await run('mmdebstrap', [
        ...['--variant=minbase', '--quiet', `--include=${packages.join(',')}`],
        ...['--dpkgopt=path-exclude=/usr/share/man/*', '--dpkgopt=path-exclude=/usr/share/doc/*'],
        ...['--dpkgopt=path-exclude=/usr/share/locale/*', `--customize-hook=${addUser}`],
        ...[suite, system],
      ]);
      const tree = path.join(target, 'node');
      const program = path.join(tree, 'usr/local/bin/node');
      await mkdir(path.dirname(program), { recursive: true });
      await copyFile(path.join(nodePackage, 'bin/node'), program);
      await chmod(program, 0o755);
      const layer = path.join(target, 'node.tar');
      const plain = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
      await run('tar', [...plain, '-C', tree, '-cf', layer, 'usr']);
      await writeImage(path.join(target, 'image.tar'), baseImage, [system, layer], {
        Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', `NODE_VERSION=${version}`],
        Cmd: ['node'],
      });
      await Promise.all([system, layer, tree].map((file) => rm(file, { recursive: true })));
    },
    log,
  );
  return path.join(folder, 'image.tar');
}
