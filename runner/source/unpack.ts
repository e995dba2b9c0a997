/**
 * Unpacks a source archive, whoever made it: only folders and regular files are written, each below a folder that was
 * made or checked here; symbolic links come last, when nothing is written any more, and none leads out of the workspace.
 */
import { constants } from 'node:fs';
import { copyFile, lstat, mkdir, open, realpath, symlink, unlink } from 'node:fs/promises';
import { dirname, join, posix, relative } from 'node:path';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import type { Header } from 'tar-stream';
import { ARCHIVE } from '../../common/api/runner.ts';
import { messageOf } from '../../common/errors.ts';
import { SourceError } from './source-error.ts';

export interface UnpackLimits {
  entries: number;
  /** Bytes of all files together. */
  bytes: number;
}
export const UNPACK_LIMITS: UnpackLimits = { entries: 1_000_000, bytes: 16 * 1024 ** 3 };

const PATH_BYTES_MAX = 3_500;

export interface Unpacked {
  files: number;
  bytes: number;
  /** Paths of symbolic links that lead out of the workspace and were left out. */
  linksLeftOut: string[];
}

export interface UnpackOptions {
  workspace: string;
  /** Folder for `history.bundle` and `history.shallow`. */
  besides: string;
  limits?: UnpackLimits;
  signal: AbortSignal;
}

/** Throws SourceError for an archive that is damaged or not made as the contract says. */
export async function unpack(archive: Readable, options: UnpackOptions): Promise<Unpacked> {
  const unpacking = new Unpacking(options);
  const tar = extract();
  const gunzip = createGunzip();
  const fail = (error: Error): void => void tar.destroy(error);
  archive.on('error', fail).pipe(gunzip).on('error', fail).pipe(tar);
  const abort = (): void => fail(new Error('cancelled'));
  options.signal.addEventListener('abort', abort, { once: true });
  try {
    for await (const entry of tar) await unpacking.entry(entry);
    return await unpacking.links();
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof SourceError) throw error;
    throw new SourceError(`the source archive cannot be unpacked: ${messageOf(error)}`, { cause: error });
  } finally {
    options.signal.removeEventListener('abort', abort);
    archive.destroy();
    gunzip.destroy();
  }
}

/** What tar-stream iterates over, as far as it matters here. */
interface Entry extends AsyncIterable<unknown> {
  header: Header;
  resume(): unknown;
}

class Unpacking {
  readonly #options: UnpackOptions;
  readonly #limits: UnpackLimits;
  readonly #folders = new Set<string>();
  readonly #links: { path: string; target: string }[] = [];
  #entries = 0;
  #files = 0;
  #bytes = 0;

  constructor(options: UnpackOptions) {
    this.#options = options;
    this.#limits = options.limits ?? UNPACK_LIMITS;
  }

  async entry(entry: Entry): Promise<void> {
    const { name, type, mode } = entry.header;
    if (++this.#entries > this.#limits.entries)
      throw new SourceError(`the source archive has more than ${this.#limits.entries} entries`);
    const path = safePath(name);
    if (path === ARCHIVE.history || path === ARCHIVE.shallow) {
      if (type !== 'file') throw new SourceError(`${path} in the source archive is no file`);
      await this.#write(entry, join(this.#options.besides, path), 0o600);
      return;
    }
    const inside = pathInside(path, name);
    if (inside === '') entry.resume();
    else if (type === 'directory') {
      await this.#folder(inside);
      entry.resume();
    } else if (type === 'file' || type === 'contiguous-file') {
      await this.#folder(dirname(inside));
      // only the execute bit is taken over: no set-user-id, nothing unreadable
      await this.#write(entry, this.#at(inside), (mode & 0o111) === 0 ? 0o644 : 0o755);
      this.#files++;
    } else if (type === 'symlink') {
      this.#links.push({ path: inside, target: entry.header.linkname });
      entry.resume();
    } else if (type === 'link') {
      await this.#copy(pathInside(safePath(entry.header.linkname), name), inside);
      entry.resume();
    } else throw new SourceError(`the source archive holds a ${type} at ${JSON.stringify(name)}: refused`);
  }

  async links(): Promise<Unpacked> {
    const made: string[] = [];
    const linksLeftOut: string[] = [];
    for (const { path, target } of this.#links) {
      await this.#folder(dirname(path));
      if (this.#folders.has(path)) throw twoThings(path);
      if (!staysInside(path, target)) linksLeftOut.push(path);
      else {
        await symlink(target, this.#at(path));
        made.push(path);
      }
    }
    // several links that are harmless each can lead out together: only the file system knows
    const root = await realpath(this.#options.workspace);
    for (const path of made) {
      let end: string;
      try {
        end = relative(root, await realpath(this.#at(path)));
      } catch {
        continue; // leads nowhere
      }
      if (end !== '..' && !end.startsWith('../')) continue;
      await unlink(this.#at(path));
      linksLeftOut.push(path);
    }
    return { files: this.#files, bytes: this.#bytes, linksLeftOut };
  }

  #at(path: string): string {
    return join(this.#options.workspace, path);
  }

  /** Makes a folder and those above it; a link or file in the way is an error. */
  async #folder(path: string): Promise<void> {
    if (path === '.' || this.#folders.has(path)) return;
    await this.#folder(dirname(path));
    try {
      await mkdir(this.#at(path), { mode: 0o755 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (!(await lstat(this.#at(path))).isDirectory()) throw twoThings(path);
    }
    this.#folders.add(path);
  }

  async #write(entry: Entry, to: string, mode: number): Promise<void> {
    this.#count(entry.header.size);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const file = await open(to, flags, mode);
    try {
      for await (const chunk of entry as AsyncIterable<Buffer>) {
        let done = 0;
        while (done < chunk.length) done += (await file.write(chunk, done)).bytesWritten;
      }
    } finally {
      await file.close();
    }
  }

  /** A hard link becomes a copy of the file that came before. */
  async #copy(from: string, to: string): Promise<void> {
    await this.#folder(dirname(to));
    await this.#folder(dirname(from));
    const { size } = await lstat(this.#at(from));
    this.#count(size);
    await copyFile(this.#at(from), this.#at(to), constants.COPYFILE_EXCL);
    this.#files++;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#limits.bytes)
      throw new SourceError(`the source archive unpacks to more than ${this.#limits.bytes} bytes`);
  }
}

/** The entry's path without ./ and trailing /. Throws SourceError for one that could lead elsewhere. */
function safePath(name: string): string {
  const segments = name
    .split('/')
    .filter((segment, index, all) => segment !== '.' && !(segment === '' && index === all.length - 1));
  if (
    segments.length === 0 ||
    segments.some((segment) => segment === '' || segment === '..' || segment.includes('\0')) ||
    Buffer.byteLength(name) > PATH_BYTES_MAX
  )
    throw new SourceError(
      `the source archive has an unsafe path, ${JSON.stringify(name.slice(0, 200))}: refused`,
    );
  return segments.join('/');
}

/** The path below the workspace. Throws SourceError for entries that the contract does not know. */
function pathInside(path: string, name: string): string {
  if (path === ARCHIVE.files) return '';
  const inside = path.startsWith(`${ARCHIVE.files}/`) ? path.slice(ARCHIVE.files.length + 1) : undefined;
  if (inside === undefined)
    throw new SourceError(
      `the source archive has an unexpected entry, ${JSON.stringify(name.slice(0, 200))}`,
    );
  // it could make git execute something; the history comes as a bundle
  if (inside === '.git' || inside.startsWith('.git/'))
    throw new SourceError('the source archive holds a .git folder: refused');
  return inside;
}

const twoThings = (path: string): SourceError =>
  new SourceError(`the source archive has ${JSON.stringify(path)} both as folder and as something else`);

function staysInside(path: string, target: string): boolean {
  if (target === '' || target.startsWith('/')) return false;
  const end = posix.normalize(posix.join(posix.dirname(path), target));
  return end !== '..' && !end.startsWith('../');
}
