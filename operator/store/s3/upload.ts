/**
 * An object that arrives in pieces, in S3: each piece is an object of its own, named by where it begins, so that what has
 * arrived is what the bucket lists and survives any restart. At the end they are read once and written as one.
 */
import type { Readable } from 'node:stream';
import { Readable as Stream } from 'node:stream';
import { AmbientError, isAmbientError } from '../../../common/errors.ts';
import type { ObjectInfo, PutOptions, Upload } from '../store.ts';
import { isTaken } from './errors.ts';
import type { S3Objects } from './objects.ts';
import type { WriteOptions } from './write.ts';

const DIGITS = 14;
const OFFSET = new RegExp(`^\\d{${DIGITS}}$`);
const PIECE = { contentType: 'application/octet-stream', isNew: true } as const;

interface Piece {
  name: string;
  offset: number;
  size: number;
}

interface UploadParts {
  /** What all names of its pieces begin with, and no other's. */
  prefix: string;
  objects: S3Objects;
  write: (name: string, body: Readable, options: WriteOptions) => Promise<{ size: number }>;
  read: (name: string) => Promise<Readable>;
  publish: (body: Readable, options: PutOptions) => Promise<ObjectInfo>;
  guard: <R>(work: () => Promise<R>) => Promise<R>;
  /** One after another within this process. */
  inTurn: <R>(work: () => Promise<R>) => Promise<R>;
}

export class S3Upload implements Upload {
  readonly #parts: UploadParts;

  constructor(parts: UploadParts) {
    this.#parts = parts;
  }

  received(): Promise<number> {
    return this.#parts.guard(async () => endOf(await this.#pieces()));
  }

  append(offset: number, body: Readable, signal?: AbortSignal): Promise<number> {
    const { guard, inTurn, objects, prefix, write } = this.#parts;
    return guard(() =>
      inTurn(async () => {
        const received = endOf(await this.#pieces());
        if (offset !== received) throw misplaced(offset, received);
        const name = prefix + String(offset).padStart(DIGITS, '0');
        try {
          const { size } = await write(name, body, { ...PIECE, ...(signal === undefined ? {} : { signal }) });
          if (size === 0) await objects.remove(name);
          return offset + size;
        } catch (error) {
          if (!isTaken(error)) throw error;
          const end = endOf(await this.#pieces());
          // A piece of no bytes, whose writer was killed before it took it away, is in nobody's way for long.
          if (end === offset) await objects.remove(name);
          // Else another replica was faster with the same piece.
          throw misplaced(offset, end);
        }
      }),
    );
  }

  complete(options: PutOptions): Promise<ObjectInfo> {
    const { guard, inTurn, publish } = this.#parts;
    return guard(() =>
      inTurn(async () => {
        const pieces = await this.#pieces();
        if (pieces.length === 0) throw new AmbientError('conflict', 'no bytes have been uploaded');
        try {
          const info = await publish(Stream.from(this.#bytes(pieces), { objectMode: false }), options);
          await this.#forget();
          return info;
        } catch (error) {
          if (isAmbientError(error, 'digest_mismatch')) await this.#forget();
          throw error;
        }
      }),
    );
  }

  abort(): Promise<void> {
    const { guard, inTurn } = this.#parts;
    return guard(() => inTurn(() => this.#forget()));
  }

  /** Those that follow each other from the beginning. */
  async #pieces(): Promise<Piece[]> {
    const { objects, prefix } = this.#parts;
    const pieces: Piece[] = [];
    for await (const { name, size } of objects.list(prefix)) {
      const offset = name.slice(prefix.length);
      if (!OFFSET.test(offset) || Number(offset) !== endOf(pieces)) continue;
      if (size > 0) pieces.push({ name, offset: Number(offset), size });
    }
    return pieces;
  }

  async *#bytes(pieces: readonly Piece[]): AsyncGenerator<Buffer, void, undefined> {
    for (const { name } of pieces) yield* (await this.#parts.read(name)) as AsyncIterable<Buffer>;
  }

  #forget(): Promise<void> {
    return this.#parts.objects.removeAll(this.#parts.prefix);
  }
}

const endOf = (pieces: readonly Piece[]): number => {
  const last = pieces.at(-1);
  return last === undefined ? 0 : last.offset + last.size;
};

const misplaced = (offset: number, received: number): AmbientError =>
  new AmbientError('conflict', `the next piece begins at ${received}, not at ${offset}`, {
    details: { received },
  });
