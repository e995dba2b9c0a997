/**
 * Reads an artifact in ranges, each well below the 60 s after which the API server cuts a proxied request without a word:
 * a body that ends early is asked for again from where it stopped, and the digest decides whether all of it arrived.
 */
import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { AmbientError } from '../../common/errors.ts';
import { pause } from '../../common/kube/backoff.ts';
import { isTransient, KubeError } from '../../common/kube/errors.ts';
import { formatBytes } from '../../common/rules/wording.ts';

export interface RangeSource {
  /** For messages. */
  name: string;
  size: number;
  /** `sha256:` and hex. */
  digest: string;
  /**
   * The bytes from `first` to `last`, both included. May end early, break off with an error, or go on beyond `last`.
   * Throws what the server refuses with; a `conflict` when it holds other bytes by now.
   */
  fetchRange(first: number, last: number, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
}

export interface ReadOptions {
  signal: AbortSignal;
  /** Bytes so far. */
  onProgress?: (received: number) => void;
  pieceBytes?: number;
  /** Waits between tries; an argument so that tests need not wait. */
  pause?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

export const PIECE_BYTES = 4 * 1024 * 1024;
/** In a row, without a single byte in between. */
const TRIES = 6;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;

/** Everything, in order. Throws digest_mismatch after the last byte, what the server refuses with, or the signal's reason. */
export async function* readRanges(source: RangeSource, options: ReadOptions): AsyncGenerator<Uint8Array> {
  const { signal, onProgress, pieceBytes = PIECE_BYTES, pause: wait = pause } = options;
  const hash = createHash('sha256');
  let received = 0;
  let fruitless = 0;
  let lastError: unknown;
  while (received < source.size) {
    signal.throwIfAborted();
    if (fruitless >= TRIES) throw gaveUp(source, received, lastError);
    if (fruitless > 0) await wait(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (fruitless - 1)), signal);
    const before = received;
    const last = Math.min(received + pieceBytes, source.size) - 1;
    let body: AsyncIterable<Uint8Array>;
    try {
      body = await source.fetchRange(received, last, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!mayPass(error)) throw error;
      lastError = error;
      fruitless += 1;
      continue;
    }
    // Iterated by hand, so that what the reader of this generator throws is not taken for a cut.
    const chunks = body[Symbol.asyncIterator]();
    try {
      while (received <= last) {
        let next: IteratorResult<Uint8Array>;
        try {
          next = await chunks.next();
        } catch {
          signal.throwIfAborted();
          break;
        }
        if (next.done === true) break;
        const chunk = next.value.subarray(0, last + 1 - received);
        hash.update(chunk);
        received += chunk.length;
        onProgress?.(received);
        yield chunk;
      }
    } finally {
      await chunks.return?.().catch(() => undefined);
    }
    fruitless = received > before ? 0 : fruitless + 1;
  }
  const digest = `sha256:${hash.digest('hex')}`;
  if (digest !== source.digest)
    throw new AmbientError(
      'digest_mismatch',
      `what arrived of ${source.name} is not what the session stored`,
      { details: { expected: source.digest, got: digest } },
    );
}

/** All bytes in memory; damaged ones are asked for once more. Throws like `readRanges`. */
export async function readWhole(source: RangeSource, options: ReadOptions): Promise<Buffer> {
  return twiceWhenDamaged(async () => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of readRanges(source, options)) chunks.push(chunk);
    return Buffer.concat(chunks, source.size);
  });
}

/**
 * Streams into `file`, which appears only when everything is there and replaces what stood there before.
 * Throws like `readRanges`, and what the disk says; leaves nothing behind then.
 */
export async function saveWhole(source: RangeSource, file: string, options: ReadOptions): Promise<void> {
  const part = `${file}.part`;
  try {
    await twiceWhenDamaged(async () => {
      const handle = await open(part, 'w');
      try {
        for await (const chunk of readRanges(source, options)) await handle.writeFile(chunk);
        await handle.sync();
      } finally {
        await handle.close();
      }
    });
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

async function twiceWhenDamaged<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof AmbientError) || error.code !== 'digest_mismatch') throw error;
    return await read();
  }
}

/** What the server said, or, when connections just ended, that they did. */
function gaveUp(source: RangeSource, received: number, cause: unknown): AmbientError {
  if (cause instanceof AmbientError) return cause;
  const progress = `${formatBytes(received)} of ${formatBytes(source.size)} of ${source.name}`;
  return new AmbientError('unavailable', `the connection broke off again and again at ${progress}`, {
    cause,
  });
}

/** `Closed`: the connection was replaced, for example because the kubeconfig changed. */
const mayPass = (error: unknown): boolean =>
  isTransient(error) || (error instanceof KubeError && error.reason === 'Closed');
