/** Finds what the command left in /artifacts, without following anything out of it. */
import { isUtf8 } from 'node:buffer';
import { lstat, readdir, realpath } from 'node:fs/promises';
import type { Dirent } from 'node:fs';

export interface Found {
  /** Where to read, in bytes, since a name need not be UTF-8. */
  file: Buffer;
  /** The artifact's path: / between segments, bytes that are not UTF-8 as \xNN. */
  path: string;
}

export interface SkippedFile {
  path: string;
  reason: string;
}

export interface WalkOptions {
  root: string;
  /** Besides `root`, links to regular files below these are followed. */
  linkRoots: readonly string[];
  /** Files after this many are not even looked for. */
  filesMax: number;
}

/** The longest key that S3 servers take; the operator refuses longer paths. */
const PATH_BYTES_MAX = 1024;
const SEPARATOR = Buffer.from('/');

/** Depth first, in the order of names. Never rejects for what it meets below the root. */
export async function* walk(options: WalkOptions): AsyncGenerator<Found | SkippedFile> {
  const roots = await Promise.all([options.root, ...options.linkRoots].map((path) => realpath(path)));
  const pending: { folder: Buffer; path: string }[] = [{ folder: Buffer.from(options.root), path: '' }];
  let files = 0;

  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { folder, path: above } = next;
    let entries: Dirent<Buffer>[];
    try {
      entries = await readdir(folder, { withFileTypes: true, encoding: 'buffer' });
    } catch (error) {
      yield { path: above || '/', reason: `the folder cannot be read (${codeOf(error)})` };
      continue;
    }
    entries.sort((a, b) => Buffer.compare(a.name, b.name));
    const folders: typeof pending = [];
    for (const entry of entries) {
      const file = Buffer.concat([folder, SEPARATOR, entry.name]);
      const name = nameOf(entry.name);
      const path = above === '' ? name : `${above}/${name}`;
      if (Buffer.byteLength(path) > PATH_BYTES_MAX) {
        yield { path: `${path.slice(0, 200)}…`, reason: `the path is longer than ${PATH_BYTES_MAX} bytes` };
        continue;
      }
      if (entry.isDirectory()) {
        folders.push({ folder: file, path });
        continue;
      }
      const target = entry.isSymbolicLink() ? await linkedFile(file, roots) : undefined;
      const refusal = typeof target === 'string' ? target : target ? undefined : unfit(entry);
      if (refusal !== undefined) {
        yield { path, reason: refusal };
        continue;
      }
      if (++files > options.filesMax) {
        yield {
          path,
          reason: `more than ${options.filesMax} files: this one and all after it were not kept`,
        };
        return;
      }
      yield { file: target instanceof Buffer ? target : file, path };
    }
    pending.push(...folders.reverse());
  }
}

function unfit(entry: Dirent<Buffer>): string | undefined {
  if (entry.isFile()) return undefined;
  if (entry.isSocket()) return 'a socket';
  if (entry.isFIFO()) return 'a pipe';
  if (entry.isBlockDevice() || entry.isCharacterDevice()) return 'a device';
  return 'not a regular file';
}

/** The regular file a link leads to, or why it is not followed. */
async function linkedFile(link: Buffer, roots: readonly string[]): Promise<Buffer | string> {
  let target: Buffer;
  try {
    target = await realpath(link, { encoding: 'buffer' });
  } catch (error) {
    return codeOf(error) === 'ELOOP' ? 'a link that leads in a circle' : 'a link that leads nowhere';
  }
  if (!roots.some((root) => target.subarray(0, root.length + 1).equals(Buffer.from(`${root}/`))))
    return 'a link that leads out of the artifacts and the workspace';
  const info = await lstat(target);
  if (info.isDirectory()) return 'a link to a folder';
  return info.isFile() ? target : 'a link to something that is not a regular file';
}

/** Printable, unambiguous, and the name itself whenever it is UTF-8. */
function nameOf(name: Buffer): string {
  if (isUtf8(name)) return name.toString('utf8');
  let text = '';
  for (let at = 0; at < name.length;) {
    const length = [1, 2, 3, 4].find(
      (size) => at + size <= name.length && isUtf8(name.subarray(at, at + size)),
    );
    if (length === undefined) text += `\\x${(name[at] ?? 0).toString(16).padStart(2, '0')}`;
    else text += name.subarray(at, at + length).toString('utf8');
    at += length ?? 1;
  }
  return text;
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown error';
