/** File system steps of the directory store: temporary files, folders made on the way, durable renames, no way through symbolic links. */
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, readdir, realpath, rename, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { AmbientError } from '../../common/errors.ts';
import { isAbsent, systemCode } from './storage-errors.ts';
import type { PutOptions } from './store.ts';

/** In the root, and on the same volume, so that a rename from it is atomic. */
const TEMPORARY = '.tmp';
/** How often a folder may vanish between its making and its use, by a removal going on beside. */
const ATTEMPTS = 5;

export class DirectoryFiles {
  readonly #root: string;
  readonly #uniqueName: () => string;
  #realRoot: string | undefined;

  constructor(root: string, uniqueName: () => string) {
    this.#root = root;
    this.#uniqueName = uniqueName;
  }

  path(components: readonly string[]): string {
    return join(this.#root, ...components);
  }

  /** The folder's path. Throws storage_unavailable when a symbolic link leads from it to elsewhere, ENOENT when absent. */
  async folder(components: readonly string[]): Promise<string> {
    const path = this.path(components);
    const real = await realpath(path);
    const expected = (root: string | undefined): boolean =>
      root !== undefined && real === join(root, ...components);
    // The root itself may be a link, and may be changed to lead elsewhere.
    if (!expected(this.#realRoot)) this.#realRoot = await realpath(this.#root);
    if (!expected(this.#realRoot)) {
      throw new AmbientError('storage_unavailable', 'the artifact store contains a symbolic link', {
        details: { folder: components.join('/') },
      });
    }
    return path;
  }

  /** Throws ENOENT when the root is absent, as when the volume is not mounted. */
  async checkRoot(): Promise<void> {
    await stat(this.#root);
  }

  /** Makes the folder and those above it, but never the root: an absent one is a volume that is not mounted. */
  async ensureFolder(components: readonly string[]): Promise<string> {
    try {
      return await this.folder(components);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT' || components.length === 0) throw error;
    }
    const parent = await this.ensureFolder(components.slice(0, -1));
    try {
      await mkdir(this.path(components));
      await syncFolder(parent);
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
    }
    return await this.folder(components);
  }

  async openTemporary(): Promise<{ file: FileHandle; path: string }> {
    const path = join(await this.ensureFolder([TEMPORARY]), this.#uniqueName());
    return { file: await open(path, 'wx'), path };
  }

  /** Moves a temporary file to its place; durably, when it was synced. */
  async publish(
    temporary: string,
    components: readonly string[],
    survives: PutOptions['survives'] = 'machine',
  ): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const folder = await this.ensureFolder(components.slice(0, -1));
      try {
        await rename(temporary, this.path(components));
      } catch (error) {
        if (systemCode(error) === 'ENOENT' && attempt < ATTEMPTS) continue;
        throw error;
      }
      if (survives === 'machine') await syncFolder(folder);
      return;
    }
  }

  /** What `publish` does for the machine, later. Absent is no error. */
  async flush(components: readonly string[]): Promise<void> {
    try {
      const folder = await this.folder(components.slice(0, -1));
      const file = await open(this.path(components), constants.O_RDONLY | constants.O_NOFOLLOW);
      try {
        await file.sync();
      } finally {
        await file.close();
      }
      await syncFolder(folder);
    } catch (error) {
      if (!isAbsent(error)) throw error;
      await this.checkRoot();
    }
  }

  /** Removes temporary files nobody has written to since `before`. The count of them. */
  async sweepTemporary(before: Date): Promise<number> {
    const folder = await this.ensureFolder([TEMPORARY]);
    let removed = 0;
    for (const name of await readdir(folder)) {
      try {
        if ((await stat(join(folder, name))).mtime >= before) continue;
        await unlink(join(folder, name));
        removed++;
      } catch (error) {
        if (!isAbsent(error)) throw error;
      }
    }
    return removed;
  }

  /** Removes a file or a folder with all below. Absent is no error. */
  async remove(components: readonly string[]): Promise<void> {
    try {
      await this.folder(components.slice(0, -1));
    } catch (error) {
      if (components.length > 1 && isAbsent(error)) return;
      throw error;
    }
    await rm(this.path(components), { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Makes renames and removals in a folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } catch (error) {
    // Some network file systems have no such thing, and are durable without.
    if (!['EINVAL', 'ENOTSUP', 'EPERM'].includes(systemCode(error))) throw error;
  } finally {
    await folder.close();
  }
}
