/** Builds container images from Dockerfiles without a registry: by Docker where it answers, else by buildah. */
import { mkdir, readFile, readdir, readlink, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { baseArchive } from './base-image.ts';
import { cacheRoot, cached, contentHash, exists, lock } from './cache.ts';
import { ensurePackages, findCommand } from './capability.ts';
import { run, succeeds } from './process.ts';
import { baseImage } from './versions.ts';

export { baseArchive } from './base-image.ts';

export interface BuildOptions {
  /** Path of the Dockerfile; it builds upon the base image and reaches no network. */
  readonly dockerfile: string;
  /** The folder that COPY reads from; all of it is hashed, so keep it small. */
  readonly context: string;
  /** The full name, as `docker.io/library/name:tag`. */
  readonly tag: string;
  readonly log?: (line: string) => void;
}

/**
 * Returns the path of a docker-archive with the image, which is built again only when its Dockerfile, its context or
 * the base changes.
 */
export async function buildImage(options: BuildOptions): Promise<string> {
  const log = options.log ?? (() => undefined);
  const docker = await succeeds('docker', ['info']);
  const base = docker ? baseImage : await baseArchive(log);
  const inputs = [await readFile(options.dockerfile), await hashFolder(options.context), options.tag, base];
  const slug = options.tag.replace(/^.*\//, '').replace(/[^a-z0-9.-]/g, '-');
  const folder = await cached(
    `images/${slug}-${contentHash(...inputs)}`,
    async (target) => {
      log(`building image ${options.tag}`);
      const archive = path.join(target, 'image.tar');
      if (docker) await buildByDocker(options, archive);
      else await buildByBuildah(options, base, archive, log);
      await removeOld(path.dirname(target), slug);
    },
    log,
  );
  return path.join(folder, 'image.tar');
}

/** Each is as large as the base. The newest stay, and any that another process may have just asked for. */
async function removeOld(folder: string, slug: string): Promise<void> {
  const made = (name: string): boolean => name.startsWith(`${slug}-`) && name.length === slug.length + 17;
  const names = (await readdir(folder)).filter(made);
  const dated = await Promise.all(
    names.map(async (name) => ({ name, time: (await stat(path.join(folder, name))).mtimeMs })),
  );
  const old = dated.sort((a, b) => b.time - a.time).slice(3);
  for (const { name, time } of old) {
    if (time < Date.now() - 3600_000) await rm(path.join(folder, name), { recursive: true, force: true });
  }
}

async function buildByDocker({ dockerfile, context, tag }: BuildOptions, archive: string): Promise<void> {
  await run('docker', ['build', '--quiet', '--file', dockerfile, '--tag', tag, context]);
  await run('docker', ['save', '--output', archive, tag]);
}

async function buildByBuildah(
  { dockerfile, context, tag }: BuildOptions,
  base: string,
  archive: string,
  log: (line: string) => void,
): Promise<void> {
  await ensurePackages('images', log);
  const storage = path.join(cacheRoot(), 'buildah');
  await mkdir(storage, { recursive: true });
  // Its lock files would do, but a build beside another only competes for the same disk.
  await using _lock = await lock(storage);
  const policy = path.join(storage, 'policy.json');
  await writeFile(policy, JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }));
  const buildah = (args: readonly string[]): Promise<string> => {
    // In a mount namespace of its own: a killed build leaves no mount behind.
    const apart = ['--mount', '--propagation', 'private', 'buildah'];
    const where = ['--root', path.join(storage, 'root'), '--runroot', path.join(storage, 'run')];
    return run('unshare', [...apart, ...where, '--storage-driver', 'overlay', ...args]);
  };
  const loaded = path.join(storage, `base-${contentHash(base)}`);
  if (!(await exists(loaded))) {
    await buildah(['pull', '--quiet', '--signature-policy', policy, `docker-archive:${base}`]);
    await writeFile(loaded, '');
  }
  // One layer over the shared base, and the same bytes for the same input.
  await buildah([
    ...['bud', '--quiet', '--pull-never', '--network', 'none', '--layers=false', '--timestamp', '0'],
    ...[
      '--cni-config-dir',
      path.join(storage, 'cni'),
      '--signature-policy',
      policy,
      '--runtime',
      findCommand('runc') ?? 'runc',
    ],
    ...['--file', dockerfile, '--tag', tag, context],
  ]);
  try {
    await buildah(['push', '--quiet', '--signature-policy', policy, tag, `docker-archive:${archive}:${tag}`]);
  } finally {
    await buildah(['rmi', tag]);
  }
}

/** Names, modes and contents of all files, in order. */
async function hashFolder(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const parts: string[] = [];
  for (const entry of entries) {
    const file = path.join(entry.parentPath, entry.name);
    const name = path.relative(folder, file);
    if (entry.isSymbolicLink()) parts.push(contentHash(name, 'link', await readlink(file)));
    else if (entry.isFile()) {
      const { mode } = await stat(file);
      parts.push(contentHash(name, String(mode), await readFile(file)));
    }
  }
  return contentHash(...parts.sort());
}
