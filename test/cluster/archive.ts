/** Packs layers into the archive format of `docker save`, which every engine loads. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { finished, pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import type { Pack } from 'tar-stream';

export interface ImageConfig {
  readonly Env?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Entrypoint?: readonly string[];
}

interface Entry {
  readonly name: string;
  readonly mode?: number;
  readonly content: Buffer;
}

/** Writes a tar of a few files, the same bytes for the same content. */
export async function writeTar(file: string, entries: readonly Entry[]): Promise<void> {
  const tar = pack();
  const written = pipeline(tar, createWriteStream(file));
  for (const { name, mode = 0o644, content } of entries) {
    tar.entry({ name, mode, mtime: new Date(0), uid: 0, gid: 0 }, content);
  }
  tar.finalize();
  await written;
}

/** Writes `file` with the uncompressed layer tars in order, bottom first. */
export async function writeImage(
  file: string,
  tag: string,
  layers: readonly string[],
  config: ImageConfig,
): Promise<void> {
  const digests = await Promise.all(layers.map(sha256OfFile));
  const image = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      created: '1970-01-01T00:00:00Z',
      config,
      rootfs: { type: 'layers', diff_ids: digests.map((digest) => `sha256:${digest}`) },
    }),
  );
  const id = createHash('sha256').update(image).digest('hex');
  const manifest = [
    { Config: `${id}.json`, RepoTags: [tag], Layers: digests.map((digest) => `${digest}/layer.tar`) },
  ];
  const tar = pack();
  const written = pipeline(tar, createWriteStream(file));
  tar.entry({ name: `${id}.json` }, image);
  for (const [index, layer] of layers.entries())
    await addFile(tar, `${digests[index] ?? ''}/layer.tar`, layer);
  tar.entry({ name: 'manifest.json' }, Buffer.from(JSON.stringify(manifest)));
  tar.finalize();
  await written;
}

async function addFile(tar: Pack, name: string, file: string): Promise<void> {
  const entry = tar.entry({ name, size: (await stat(file)).size });
  createReadStream(file).pipe(entry);
  await finished(entry);
}

async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
