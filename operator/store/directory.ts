/** The artifact store on a directory, usually a mounted PersistentVolumeClaim, which several replicas may share. */
import { createHash, randomUUID } from 'node:crypto';
import type { Dirent } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { readdir, unlink } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { AmbientError } from '../../common/errors.ts';
import { DirectoryFiles } from './directory-files.ts';
import { descriptionOf, openForReading, readDescription, writeAt } from './directory-object.ts';
import { folderPath, objectPath, parseEntry } from './directory-path.ts';
import { DirectoryUpload } from './directory-upload.ts';
import { chunksOf } from './body.ts';
import { InTurn } from './in-turn.ts';
import { compareKeys } from './key-order.ts';
import { digestMismatch, isAbsent, storageError, systemCode } from './storage-errors.ts';
import { TEMPORARY_MAX_AGE_MS } from './store.ts';
import type { ArtifactStore, ByteRange, ObjectInfo, PutOptions, Upload } from './store.ts';

export interface DirectoryStoreOptions {
  /** Must exist: the store never makes it, so that a volume that is not mounted is noticed. */
  root: string;
  now?: () => Date;
  uniqueName?: () => string;
}

const PROBE_BYTES = 4096;
const STATS_AT_ONCE = 16;

export class DirectoryStore implements ArtifactStore {
  readonly #files: DirectoryFiles;
  readonly #now: () => Date;
  readonly #uniqueName: () => string;
  /** Those who append to the same upload in this process. */
  readonly #appending = new InTurn();

  constructor(options: DirectoryStoreOptions) {
    this.#uniqueName = options.uniqueName ?? randomUUID;
    this.#files = new DirectoryFiles(options.root, this.#uniqueName);
    this.#now = options.now ?? (() => new Date());
  }

  put(key: string, body: Readable | Buffer, options: PutOptions): Promise<ObjectInfo> {
    const path = objectPath(key);
    return this.#guard(async () => {
      const { file, path: temporary } = await this.#files.openTemporary();
      try {
        const info = await this.#write(file, key, body, options);
        await file.close();
        await this.#files.publish(temporary, path, options.survives);
        return info;
      } catch (error) {
        await file.close();
        await unlink(temporary).catch(() => undefined);
        throw error;
      }
    });
  }

  flush(key: string): Promise<void> {
    const path = objectPath(key);
    return this.#guard(() => this.#files.flush(path));
  }

  get(key: string, range?: ByteRange): Promise<{ info: ObjectInfo; body: Readable }> {
    return this.#guard(async () => {
      const opened = await this.#open(key);
      if (opened === undefined)
        throw new AmbientError('not_found', `there is nothing at ${JSON.stringify(key)}`);
      const { file, info } = opened;
      const { first, last } = range ?? { first: 0, last: info.size - 1 };
      if (range !== undefined && (first < 0 || first > last || last >= info.size)) {
        await file.close();
        throw new AmbientError('range_not_satisfiable', `the object has ${info.size} bytes`, {
          details: { size: info.size },
        });
      }
      if (info.size === 0) {
        await file.close();
        return { info, body: Readable.from([]) };
      }
      return { info, body: file.createReadStream({ start: first, end: last, highWaterMark: 256 * 1024 }) };
    });
  }

  stat(key: string): Promise<ObjectInfo | undefined> {
    return this.#guard(async () => {
      const opened = await this.#open(key);
      await opened?.file.close();
      return opened?.info;
    });
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo, void, undefined> {
    const keys = await this.listKeys(prefix);
    for (let start = 0; start < keys.length; start += STATS_AT_ONCE) {
      const infos = await Promise.all(keys.slice(start, start + STATS_AT_ONCE).map((key) => this.stat(key)));
      // Undefined when removed since the folder was read.
      for (const info of infos) if (info !== undefined) yield info;
    }
  }

  listKeys(prefix: string, after = ''): Promise<string[]> {
    const path = folderPath(prefix);
    return this.#guard(async () => {
      const keys: string[] = [];
      await this.#walk(path, prefix, (key) => {
        if (after === '' || compareKeys(key, after) > 0) keys.push(key);
      });
      return keys.sort(compareKeys);
    });
  }

  listFolders(prefix: string): Promise<string[]> {
    const path = folderPath(prefix);
    return this.#guard(async () => (await this.#folders(path, '')).sort(compareKeys));
  }

  remove(keyOrPrefix: string): Promise<void> {
    const path =
      keyOrPrefix === '' || keyOrPrefix.endsWith('/') ? folderPath(keyOrPrefix) : objectPath(keyOrPrefix);
    if (path.length === 0) throw new AmbientError('invalid_request', 'the whole store is never removed');
    return this.#guard(() => this.#files.remove(path));
  }

  upload(key: string): Upload {
    return new DirectoryUpload({
      key,
      path: objectPath(key),
      files: this.#files,
      now: this.#now,
      uniqueName: this.#uniqueName,
      guard: (work) => this.#guard(work),
      inTurn: (work) => this.#appending.run(key, work),
    });
  }

  check(): Promise<void> {
    return this.#guard(async () => {
      const { file, path } = await this.#files.openTemporary();
      try {
        await writeAt(file, Buffer.alloc(PROBE_BYTES, 1), 0);
        await file.sync();
      } finally {
        await file.close();
        await unlink(path);
      }
    });
  }

  /** Removes what writers left behind that were killed. The count of files. */
  sweepTemporary(): Promise<number> {
    return this.#guard(() =>
      this.#files.sweepTemporary(new Date(this.#now().getTime() - TEMPORARY_MAX_AGE_MS)),
    );
  }

  async #write(
    file: FileHandle,
    key: string,
    body: Readable | Buffer,
    options: PutOptions,
  ): Promise<ObjectInfo> {
    const hash = createHash('sha256');
    let size = 0;
    let pending: Buffer = Buffer.alloc(0);
    for await (const chunk of chunksOf(body, options.signal)) {
      await writeAt(file, pending, size - pending.length);
      hash.update(chunk);
      size += chunk.length;
      pending = chunk;
    }
    const digest = `sha256:${hash.digest('hex')}`;
    if (options.digest !== undefined && options.digest !== digest) {
      throw digestMismatch(options.digest, digest);
    }
    const { info, bytes } = descriptionOf(key, { size, digest, createdAt: this.#now() }, options);
    // The last bytes and the description in one: most objects are small, and written at once.
    await writeAt(file, Buffer.concat([pending, bytes]), size - pending.length);
    if (options.survives !== 'process') await file.sync();
    return info;
  }

  async #open(key: string): Promise<{ file: FileHandle; info: ObjectInfo } | undefined> {
    const path = objectPath(key);
    let file: FileHandle;
    try {
      file = await openForReading(this.#files.path(path));
    } catch (error) {
      if (!isAbsent(error)) throw error;
      // An absent root is not an absent object.
      await this.#files.checkRoot();
      return undefined;
    }
    try {
      // Not before it was opened: most that is asked for and absent is a session without a result, one of very many.
      await this.#files.folder(path.slice(0, -1));
      return { file, info: await readDescription(file, key) };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async #entries(path: string[]): Promise<Dirent[]> {
    try {
      const entries = await readdir(this.#files.path(path), { withFileTypes: true });
      await this.#files.folder(path);
      return entries;
    } catch (error) {
      if (!isAbsent(error) || path.length === 0) throw error;
      await this.#files.checkRoot();
      return [];
    }
  }

  async #walk(path: string[], prefix: string, found: (key: string) => void): Promise<void> {
    for (const dirent of await this.#entries(path)) {
      if (!dirent.isFile() && !dirent.isDirectory()) continue;
      const entry = parseEntry(dirent.name, dirent.isDirectory());
      if (entry.kind === 'object') found(prefix + entry.text);
      else if (entry.kind === 'folder')
        await this.#walk([...path, dirent.name], `${prefix}${entry.text}/`, found);
      else if (entry.kind === 'continued')
        await this.#walk([...path, dirent.name], prefix + entry.text, found);
    }
  }

  async #folders(path: string[], begun: string): Promise<string[]> {
    const folders: string[] = [];
    for (const dirent of await this.#entries(path)) {
      if (!dirent.isDirectory()) continue;
      const entry = parseEntry(dirent.name, true);
      if (entry.kind === 'folder') folders.push(begun + entry.text);
      else if (entry.kind === 'continued') {
        folders.push(...(await this.#folders([...path, dirent.name], begun + entry.text)));
      }
    }
    return folders;
  }

  async #guard<R>(work: () => Promise<R>): Promise<R> {
    try {
      return await work();
    } catch (error) {
      if (systemCode(error) === 'ENAMETOOLONG') {
        throw new AmbientError('invalid_request', 'the key is too long for the volume', { cause: error });
      }
      throw storageError(error);
    }
  }
}
