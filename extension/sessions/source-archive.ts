/**
 * Packs "this folder as it is now" for upload: a gzip'd tar with the working tree below `files/` and, where there is
 * one, the history of HEAD as `history.bundle` (the format is described in common/api/runner.ts). Streams through a
 * temporary file, so that size and digest are known before the session exists.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { lstat, mkdtemp, open, readlink, rm } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, isAbsolute, join, posix } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack as tarPack } from 'tar-stream';
import type { Pack } from 'tar-stream';
import { AmbientError } from '../../common/errors.ts';
import { formatBytes, formatList } from '../../common/rules/wording.ts';
import { GitFailed, gitInto, gitLine, GitMissing } from './git.ts';
import type { GitOptions } from './git.ts';
import { listSourceFiles } from './source-files.ts';

export interface PackOptions {
  folder: string;
  env: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
  /** Bytes of the finished archive that are allowed: SOURCE_BYTES_MAX of common/api/session.ts. */
  maxBytes: number;
  onProgress?: (progress: PackProgress) => void;
}

export interface PackProgress {
  files: number;
  totalFiles: number;
  /** Of the archive so far. */
  bytes: number;
}

/** A packed folder in a temporary file, which dispose removes. */
export interface SourceArchive extends AsyncDisposable {
  /** The temporary file. */
  path: string;
  sizeBytes: number;
  /** `sha256:…` of the file. */
  digest: string;
  /** What was packed, for people: the folder's name. */
  name: string;
  /** The folder itself. */
  folder: string;
  files: number;
  hasHistory: boolean;
  /** What was left out and why. */
  warnings: string[];
}

type Header = Parameters<Pack['entry']>[0];

/** Files up to this size are read whole, so that their size and content cannot disagree. */
const WHOLE_BYTES = 4 * 1024 * 1024;
const BIGGEST_NAMED = 5;

/** Throws AmbientError too_large naming the biggest files, invalid_request for an unusable folder, or the signal's reason. */
export async function packSource(options: PackOptions): Promise<SourceArchive> {
  const { folder, signal } = options;
  const found = await lstat(folder).catch(() => undefined);
  if (found === undefined) throw new AmbientError('invalid_request', `The folder ${folder} does not exist.`);
  const gitOptions: GitOptions = { folder, env: options.env, signal };
  const { paths, isRepository, warnings } = await listSourceFiles(gitOptions);
  const scratch = await mkdtemp(join(tmpdir(), 'ambient-source-'));
  const dispose = (): Promise<void> => rm(scratch, { recursive: true, force: true });
  try {
    const bundle = isRepository
      ? await bundleHistory(gitOptions, join(scratch, 'history.bundle'))
      : undefined;
    if (bundle !== undefined && 'reason' in bundle) warnings.push(bundle.reason);
    const path = join(scratch, 'source.tar.gz');
    const content = new Content(options, paths.length, warnings);
    const written = await content.write(path, async (tar) => {
      for (const file of paths) await content.addFile(tar, file);
      if (bundle === undefined || !('path' in bundle)) return;
      await addStream(tar, 'history.bundle', bundle.path, signal);
      if (bundle.shallow !== undefined) await addStream(tar, 'history.shallow', bundle.shallow, signal);
    });
    if (bundle !== undefined && 'path' in bundle) await rm(bundle.path);
    return {
      ...written,
      path,
      folder,
      name: basename(folder),
      files: content.files,
      hasHistory: bundle !== undefined && 'path' in bundle,
      warnings,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Writes the history of HEAD to a file, or says why there is none. `shallow` names the commits at which it breaks off. */
async function bundleHistory(
  options: GitOptions,
  path: string,
): Promise<{ path: string; shallow?: string } | { reason: string } | undefined> {
  try {
    if ((await gitLine(['rev-parse', '--verify', '--quiet', 'HEAD'], options)) === undefined)
      return undefined;
    if ((await gitLine(['config', '--get-regexp', '^remote\\..*\\.promisor$'], options)) !== undefined)
      return { reason: 'The repository is a partial clone: its history is not sent.' };
    // Its name too, so that the agent works on a branch and not on a detached HEAD.
    const branch = await gitLine(['symbolic-ref', '--quiet', 'HEAD'], options);
    await gitInto(
      ['bundle', 'create', '--quiet', '-', 'HEAD', ...(branch === undefined ? [] : [branch])],
      options,
      createWriteStream(path),
    );
    if ((await gitLine(['rev-parse', '--is-shallow-repository'], options)) !== 'true') return { path };
    const shallow = await gitLine(['rev-parse', '--path-format=absolute', '--git-path', 'shallow'], options);
    return { path, ...(shallow === undefined ? {} : { shallow }) };
  } catch (error) {
    if (error instanceof GitMissing) return undefined;
    if (error instanceof GitFailed) return { reason: `The history is not sent: ${error.message}` };
    throw error;
  }
}

/** The tar as it grows: counts, and stops when it gets too large. */
class Content {
  files = 0;
  readonly #options: PackOptions;
  readonly #totalFiles: number;
  readonly #warnings: string[];
  readonly #biggest: { path: string; size: number }[] = [];
  #bytes = 0;

  constructor(options: PackOptions, totalFiles: number, warnings: string[]) {
    this.#options = options;
    this.#totalFiles = totalFiles;
    this.#warnings = warnings;
  }

  async write(
    path: string,
    add: (tar: Pack) => Promise<void>,
  ): Promise<{ sizeBytes: number; digest: string }> {
    const { signal, maxBytes } = this.#options;
    const hash = createHash('sha256');
    const tar = tarPack();
    const counted = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        this.#bytes += chunk.length;
        hash.update(chunk);
        done(this.#bytes > maxBytes ? this.#tooLarge(maxBytes) : null, chunk);
      },
    });
    const writing = pipeline(tar, createGzip(), counted, createWriteStream(path), { signal });
    const adding = add(tar).then(
      () => tar.finalize(),
      (error: unknown) => {
        tar.destroy(error instanceof Error ? error : new Error(String(error)));
        throw error;
      },
    );
    const [added, wrote] = await Promise.allSettled([
      // When writing fails, adding may wait for ever for room in the stream.
      Promise.race([adding, writing]),
      writing,
    ]);
    signal.throwIfAborted();
    if (wrote.status === 'rejected' && wrote.reason instanceof AmbientError) throw wrote.reason;
    if (added.status === 'rejected') throw added.reason;
    if (wrote.status === 'rejected') throw wrote.reason;
    return { sizeBytes: this.#bytes, digest: `sha256:${hash.digest('hex')}` };
  }

  async addFile(tar: Pack, path: string): Promise<void> {
    const { folder, signal } = this.#options;
    signal.throwIfAborted();
    const file = join(folder, path);
    const found = await lstat(file).catch(() => undefined);
    // Deleted, but still tracked.
    if (found === undefined) return;
    if (found.isSymbolicLink()) await this.#addLink(tar, path, file, found);
    else if (found.isFile()) await this.#addContent(tar, path, file, found);
    else this.#warnings.push(`${path} was left out: neither a file nor a link.`);
    this.#options.onProgress?.({ files: this.files, totalFiles: this.#totalFiles, bytes: this.#bytes });
  }

  async #addLink(tar: Pack, path: string, file: string, found: Stats): Promise<void> {
    const target = (await readlink(file)).replaceAll('\\', '/');
    const inside = posix.normalize(posix.join(posix.dirname(path), target));
    if (isAbsolute(target) || posix.isAbsolute(target) || inside === '..' || inside.startsWith('../')) {
      this.#warnings.push(`The link ${path} was left out: it points out of the folder, to ${target}.`);
      return;
    }
    await addEntry(tar, { ...header(path, found, 0o777), type: 'symlink', linkname: target, size: 0 });
    this.files += 1;
  }

  async #addContent(tar: Pack, path: string, file: string, found: Stats): Promise<void> {
    this.#noteSize(path, found.size);
    const mode = (found.mode & 0o111) === 0 ? 0o644 : 0o755;
    try {
      if (found.size <= WHOLE_BYTES) {
        const bytes = await readWhole(file);
        await addEntry(tar, { ...header(path, found, mode), size: bytes.length }, bytes);
      } else {
        await addStream(tar, `files/${path}`, file, this.#options.signal, {
          ...header(path, found, mode),
          size: found.size,
        });
      }
    } catch (error) {
      if (Reflect.get(Object(error), 'code') !== 'EACCES') throw error;
      this.#warnings.push(`${path} was left out: it may not be read.`);
      return;
    }
    this.files += 1;
  }

  #noteSize(path: string, size: number): void {
    this.#biggest.push({ path, size });
    if (this.#biggest.length < BIGGEST_NAMED * 20) return;
    this.#biggest.sort((a, b) => b.size - a.size).length = BIGGEST_NAMED;
  }

  #tooLarge(maxBytes: number): AmbientError {
    const biggest = this.#biggest
      .sort((a, b) => b.size - a.size)
      .slice(0, BIGGEST_NAMED)
      .map(({ path, size }) => `${path} (${formatBytes(size)})`);
    return new AmbientError(
      'too_large',
      `The folder makes an archive of more than ${formatBytes(maxBytes)}. The biggest files so far: ${formatList(biggest)}. ` +
        'Name what is not needed in .gitignore, or take a git URL as source.',
    );
  }
}

const header = (path: string, found: Stats, mode: number): Header => ({
  name: `files/${path}`,
  mode,
  mtime: found.mtime,
});

async function readWhole(file: string): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

function addEntry(tar: Pack, entry: Header, bytes: Buffer = Buffer.alloc(0)): Promise<void> {
  return new Promise((resolve, reject) => {
    tar.entry(entry, bytes, (error) => (error ? reject(error) : resolve()));
  });
}

/** A file too large for memory. One that changes while it is read makes the whole archive fail, with its name. */
async function addStream(
  tar: Pack,
  name: string,
  file: string,
  signal: AbortSignal,
  entry: Header = { name, mode: 0o644 },
): Promise<void> {
  const size = entry.size ?? (await lstat(file)).size;
  const sink = tar.entry({ ...entry, name, size });
  let read = 0;
  const limited = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      read += chunk.length;
      done(null, chunk);
    },
    flush(done) {
      const message = `${name.replace(/^files\//, '')} changed while it was being packed. Try again.`;
      done(read === size ? null : new AmbientError('conflict', message));
    },
  });
  const source = createReadStream(file, size === 0 ? {} : { end: size - 1 });
  await pipeline(source, limited, sink, { signal });
}
