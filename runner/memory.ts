/**
 * What an agent remembers of its session, in files of its own making: kept at the end, and laid out again for a session that goes
 * on from it. Whoever made the archive, only regular files below the folder come of it.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, open, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip, gunzip } from 'node:zlib';
import { extract, pack } from 'tar-stream';
import type { Pack } from 'tar-stream';
import { MEMORY_ARCHIVE, MEMORY_BYTES_MAX } from '../common/api/runner.ts';
import type { ArtifactFile } from './artifacts/upload.ts';
import { walk } from './artifacts/walk.ts';

const FILES_MAX = 1000;
/** What the archive has besides the files' bytes. */
const HEADERS_BYTES_MAX = 4 * 1024 * 1024;
/** A name that means itself to every program. */
const PATH = /^[\w-][\w.-]*(\/[\w-][\w.-]*){0,15}$/;

const unzipped = promisify(gunzip);

/** Undefined when there is nothing to keep. Throws when there is too much, or it cannot be read. */
export async function packMemory(
  folder: string,
  scratch: string,
  signal: AbortSignal,
): Promise<ArtifactFile | undefined> {
  const found: { file: Buffer; path: string }[] = [];
  for await (const each of walk({ root: folder, linkRoots: [], filesMax: FILES_MAX }))
    if ('file' in each && PATH.test(each.path)) found.push(each);
  if (found.length === 0) return undefined;
  const file = join(scratch, 'memory.tar.gz');
  const archive = pack();
  await Promise.all([
    pipeline(Readable.from(archive), createGzip(), createWriteStream(file, { mode: 0o600 }), { signal }),
    fill(archive, found).catch((error: unknown) => void archive.destroy(asError(error))),
  ]);
  return { file, path: MEMORY_ARCHIVE, type: 'intermediate', contentType: 'application/gzip' };
}

async function fill(archive: Pack, found: readonly { file: Buffer; path: string }[]): Promise<void> {
  let left = MEMORY_BYTES_MAX;
  for (const { file, path } of found) {
    await using handle = await open(file);
    const { size, mtime } = await handle.stat();
    left -= size;
    if (left < 0) throw tooLarge();
    const content = await handle.readFile();
    await new Promise<void>((resolve, reject) => {
      archive.entry({ name: path, mtime, size: content.length }, content, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }
  archive.finalize();
}

/** Lays out what is in an archive, in a new folder. Throws for one that is damaged, too large or not made as above. */
export async function unpackMemory(archive: Buffer, folder: string): Promise<void> {
  const tar = extract();
  tar.end(await unzipped(archive, { maxOutputLength: MEMORY_BYTES_MAX + HEADERS_BYTES_MAX }));
  let files = 0;
  for await (const entry of tar) {
    const { name, type, mtime } = entry.header;
    if (++files > FILES_MAX) throw tooLarge();
    if (type !== 'file' || !PATH.test(name))
      throw new Error(`it has an unexpected entry, ${JSON.stringify(name.slice(0, 200))}`);
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, await buffer(entry), { flag: 'wx', mode: 0o644 });
    if (mtime !== undefined) await utimes(path, mtime, mtime);
  }
}

const tooLarge = (): Error =>
  new Error(`it has more than ${FILES_MAX} files or ${MEMORY_BYTES_MAX / 1024 / 1024} MiB`);

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
