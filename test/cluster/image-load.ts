/**
 * Loads images into a node fast. Archives repeat the base's layers and containerd would write them all again, so each
 * layer is kept once in the cache and linked into containerd's store; what is sent is only the image's description.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { copyFile, link, mkdir, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openPlace, readArchive } from './archive-read.ts';
import type { ArchivedImage } from './archive-read.ts';
import { writeTar } from './archive.ts';
import { cacheRoot, cached, contentHash, exists } from './cache.ts';
import { ctr, ctrCommand, nodeFiles } from './node.ts';
import { run } from './process.ts';

/** Loads a docker-archive, or whatever else `ctr images import` knows. Throws CommandError. */
export async function loadImage(stateDir: string, archive: string): Promise<void> {
  const split = await splitArchive(archive);
  if (split === undefined) {
    await ctr(stateDir, ['images', 'import', archive]);
    return;
  }
  const store = 'containerd/io.containerd.content.v1.content/blobs/sha256';
  const blobs = path.join(nodeFiles(stateDir).root, store);
  await mkdir(blobs, { recursive: true });
  for (const digest of split.layers) {
    await linkOrCopy(layerPath(digest), path.join(blobs, digest));
    // The store sees that it has this content and notes it for the namespace; the input is sought in, not read.
    const ingest = ['content', 'ingest', '--expected-digest', `sha256:${digest}`, `layer-${digest}`];
    await run('sh', ['-c', 'exec "$@" <"$0"', layerPath(digest), ...ctrCommand(stateDir), ...ingest]);
  }
  await ctr(stateDir, ['images', 'import', split.description]);
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK') throw error;
    // The cache is on another file system.
    await copyFile(from, `${to}.part`);
    await rename(`${to}.part`, to);
  }
}

interface Split {
  /** SHA-256 of the uncompressed layers, bottom first. */
  readonly layers: readonly string[];
  /** An OCI archive of all but the layers. */
  readonly description: string;
}

function layerPath(digest: string): string {
  return path.join(cacheRoot(), 'layers', digest);
}

/** Splits an archive once; undefined when it is not one image in the format of `docker save`. */
async function splitArchive(archive: string): Promise<Split | undefined> {
  const { size, mtimeMs } = await stat(archive);
  const key = contentHash(await realpath(archive), String(size), String(mtimeMs));
  const image = await readArchive(archive);
  if (image === undefined) return undefined;
  const layers = image.layers.map(({ digest }) => digest);
  for (const { digest, place } of image.layers) {
    if (await exists(layerPath(digest))) continue;
    const part = `${layerPath(digest)}.part-${randomBytes(4).toString('hex')}`;
    await mkdir(path.dirname(part), { recursive: true });
    const hash = createHash('sha256');
    await Promise.all([
      pipeline(openPlace(archive, place), createWriteStream(part)),
      pipeline(openPlace(archive, place), hash),
    ]);
    // A compressed layer has another digest than its content; such an archive is sent whole.
    if (hash.digest('hex') !== digest) {
      await rm(part);
      return undefined;
    }
    await rename(part, layerPath(digest));
  }
  const folder = await cached(
    `split/${key}`,
    (target) => writeDescription(image, path.join(target, 'description.tar')),
    () => undefined,
  );
  return { layers, description: path.join(folder, 'description.tar') };
}

/** An OCI layout in which the layers are named but not contained. */
async function writeDescription(image: ArchivedImage, file: string): Promise<void> {
  const describe = (mediaType: string, content: Buffer): object => ({
    mediaType: `application/vnd.oci.image.${mediaType}`,
    digest: `sha256:${digestOf(content)}`,
    size: content.length,
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: describe('config.v1+json', image.config),
      layers: image.layers.map(({ digest, place }) => ({
        mediaType: 'application/vnd.oci.image.layer.v1.tar',
        digest: `sha256:${digest}`,
        size: place.size,
      })),
    }),
  );
  const index = {
    schemaVersion: 2,
    manifests: image.tags.map((tag) => ({
      ...describe('manifest.v1+json', manifest),
      annotations: { 'io.containerd.image.name': tag },
    })),
  };
  await writeTar(file, [
    { name: 'oci-layout', content: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
    { name: 'index.json', content: Buffer.from(JSON.stringify(index)) },
    ...[image.config, manifest].map((content) => ({ name: `blobs/sha256/${digestOf(content)}`, content })),
  ]);
}

function digestOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
