/**
 * An object that arrives in pieces, in the directory store: one file that grows, and beside it how much of it counts.
 * A piece counts once its bytes are on the volume; whatever a broken piece wrote lies beyond that and is written over.
 */
import type { Readable } from 'node:stream';
import type { FileHandle } from 'node:fs/promises';
import { lstat, open, readFile, rename, unlink } from 'node:fs/promises';
import { constants } from 'node:fs';
import { AmbientError } from '../../common/errors.ts';
import { chunksOf } from './body.ts';
import type { DirectoryFiles } from './directory-files.ts';
import { syncFolder } from './directory-files.ts';
import { descriptionOf, digestOf, writeAt } from './directory-object.ts';
import { isAbsent } from './storage-errors.ts';
import type { ObjectInfo, PutOptions, Upload } from './store.ts';

interface UploadParts {
  key: string;
  path: string[];
  files: DirectoryFiles;
  now: () => Date;
  /** Turns errors of the system into those of the catalogue. */
  guard: <R>(work: () => Promise<R>) => Promise<R>;
  /** One after another within this process. */
  inTurn: <R>(work: () => Promise<R>) => Promise<R>;
  uniqueName: () => string;
}

interface State {
  received: number;
  /** Name of the file with the bytes: another one after an abort, so that a slow writer of the old cannot meddle. */
  file: string;
}

export class DirectoryUpload implements Upload {
  readonly #parts: UploadParts;
  readonly #folder: string[];
  readonly #name: string;

  constructor(parts: UploadParts) {
    this.#parts = parts;
    this.#folder = parts.path.slice(0, -1);
    // Begins with a dot, which no encoded segment does.
    this.#name = `.upload-${parts.path.at(-1) ?? ''}`;
  }

  received(): Promise<number> {
    return this.#parts.guard(async () => (await this.#state())?.received ?? 0);
  }

  append(offset: number, body: Readable, signal?: AbortSignal): Promise<number> {
    const { guard, inTurn, files, uniqueName } = this.#parts;
    return guard(() =>
      inTurn(async () => {
        const before = await this.#state();
        const state = before ?? { received: 0, file: `${this.#name}.${uniqueName()}` };
        expectOffset(state, offset);
        await files.ensureFolder(this.#folder);
        const path = files.path([...this.#folder, state.file]);
        const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
        try {
          const end = await writeBody(file, offset, body, signal);
          await file.sync();
          await this.#commit(before, { ...state, received: end });
          return end;
        } catch (error) {
          if (before === undefined) await unlink(path).catch(() => undefined);
          throw error;
        } finally {
          await file.close();
        }
      }),
    );
  }

  complete(options: PutOptions): Promise<ObjectInfo> {
    const { guard, inTurn, files, key, now } = this.#parts;
    return guard(() =>
      inTurn(async () => {
        const state = await this.#state();
        if (state === undefined) throw new AmbientError('conflict', 'no bytes have been uploaded');
        const path = files.path([...this.#folder, state.file]);
        const file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
        try {
          const digest = await digestOf(file, state.received, key);
          if (options.digest !== undefined && options.digest !== digest) {
            await this.#forget(state);
            throw new AmbientError(
              'digest_mismatch',
              `the upload has the digest ${digest}, not ${options.digest}`,
              {
                details: { expected: options.digest, actual: digest },
              },
            );
          }
          const written = { size: state.received, digest, createdAt: now() };
          const { info, bytes } = descriptionOf(key, written, options);
          await file.truncate(state.received);
          await writeAt(file, bytes, state.received);
          await file.sync();
          await files.publish(path, this.#parts.path);
          await unlink(this.#statePath()).catch(() => undefined);
          return info;
        } finally {
          await file.close();
        }
      }),
    );
  }

  abort(): Promise<void> {
    const { guard, inTurn } = this.#parts;
    return guard(() => inTurn(async () => this.#forget(await this.#state())));
  }

  #statePath(): string {
    return this.#parts.files.path([...this.#folder, this.#name]);
  }

  async #state(): Promise<State | undefined> {
    const { files } = this.#parts;
    try {
      await files.folder(this.#folder);
      const state = JSON.parse(await readFile(this.#statePath(), 'utf8')) as State;
      // Without its file it is what a crash at the very end of `complete` left behind.
      await lstat(files.path([...this.#folder, state.file]));
      return state;
    } catch (error) {
      if (!isAbsent(error)) throw error;
      await files.folder([]);
      return undefined;
    }
  }

  /** Another replica may have received the same piece meanwhile: then this one does not count. */
  async #commit(before: State | undefined, after: State): Promise<void> {
    const current = await this.#state();
    if (current?.file !== before?.file || current?.received !== before?.received) {
      throw new AmbientError('conflict', 'another request sent the same piece', {
        details: { received: current?.received ?? 0 },
      });
    }
    const { file, path } = await this.#parts.files.openTemporary();
    try {
      await writeAt(file, Buffer.from(JSON.stringify(after)), 0);
      await file.sync();
      await rename(path, this.#statePath());
    } catch (error) {
      await unlink(path).catch(() => undefined);
      throw error;
    } finally {
      await file.close();
    }
    await syncFolder(await this.#parts.files.folder(this.#folder));
  }

  async #forget(state: State | undefined): Promise<void> {
    const absentIsFine = (error: unknown): void => {
      if (!isAbsent(error)) throw error;
    };
    await unlink(this.#statePath()).catch(absentIsFine);
    if (state !== undefined) {
      await unlink(this.#parts.files.path([...this.#folder, state.file])).catch(absentIsFine);
    }
  }
}

function expectOffset(state: State, offset: number): void {
  if (offset === state.received) return;
  throw new AmbientError('conflict', `the next piece begins at ${state.received}, not at ${offset}`, {
    details: { received: state.received },
  });
}

async function writeBody(
  file: FileHandle,
  offset: number,
  body: Readable,
  signal: AbortSignal | undefined,
): Promise<number> {
  let position = offset;
  for await (const chunk of chunksOf(body, signal)) {
    await writeAt(file, chunk, position);
    position += chunk.length;
  }
  return position;
}
