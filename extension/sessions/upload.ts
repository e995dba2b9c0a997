/** Sends a source archive through the live API in chunks, each far below the 60 s after which the API server cuts a request. */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { livePaths } from '../../common/api/live.ts';
import type { SourceState } from '../../common/api/live.ts';
import { SOURCE_CHUNK_BYTES } from '../../common/api/live.ts';
import { AmbientError } from '../../common/errors.ts';
import { pause } from '../../common/kube/backoff.ts';
import type { Connection } from '../../common/kube/connection.ts';
import { isConflict, isNotFound, isTransient, KubeError } from '../../common/kube/errors.ts';
import { isOperatorAway } from '../clusters/problem.ts';
import type { SourceArchive } from './source-archive.ts';

export interface UploadOptions {
  connection: Pick<Connection, 'json'>;
  namespace: string;
  name: string;
  archive: Pick<SourceArchive, 'path' | 'sizeBytes'>;
  signal: AbortSignal;
  onProgress?: (sentBytes: number) => void;
  /** Waits between tries; an argument so that tests need not wait. */
  pause?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  now?: () => number;
}

/** What a chunk should take at most, on whatever line there is. */
const TARGET_MS = 10_000;
const REQUEST_TIMEOUT_MS = 50_000;
const FIRST_CHUNK_BYTES = 1024 * 1024;
const MIN_CHUNK_BYTES = 64 * 1024;
const TRIES = 8;
const FIRST_PAUSE_MS = 250;
/** The operator sees a session a moment after it was created. */
const UNKNOWN_TRIES = 20;

/** Resolves when the operator has all bytes and their digest matches. Throws KubeError or the signal's reason. */
export async function uploadSource(options: UploadOptions): Promise<void> {
  const { archive, onProgress } = options;
  const file = await open(archive.path, 'r');
  try {
    const sender = new Sender(options, file);
    let state = await sender.state();
    while (!state.complete) {
      onProgress?.(state.received);
      if (state.received >= archive.sizeBytes)
        throw new AmbientError(
          'digest_mismatch',
          'All bytes were sent, but what arrived is not what was packed.',
        );
      state = await sender.send(state.received);
    }
    onProgress?.(archive.sizeBytes);
  } finally {
    await file.close();
  }
}

class Sender {
  readonly #options: UploadOptions;
  readonly #file: FileHandle;
  readonly #pause: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  readonly #now: () => number;
  #chunkBytes = FIRST_CHUNK_BYTES;
  #failures = 0;

  constructor(options: UploadOptions, file: FileHandle) {
    this.#options = options;
    this.#file = file;
    this.#pause = options.pause ?? pause;
    this.#now = options.now ?? (() => performance.now());
  }

  /** How far the upload is, by the operator's own account. */
  async state(): Promise<SourceState> {
    const { connection, namespace, name, signal } = this.#options;
    for (let tries = 1; ; tries += 1) {
      try {
        return await connection.json<SourceState>(livePaths.source(namespace, name), { signal });
      } catch (error) {
        const isWorthIt =
          isNotFound(error) && !isOperatorAway(error) ? tries < UNKNOWN_TRIES : this.#mayTryAgain(error);
        if (!isWorthIt) throw error;
        await this.#rest(tries);
      }
    }
  }

  /** One chunk from `offset`; after a failure that may pass, asks where to go on. */
  async send(offset: number): Promise<SourceState> {
    const { connection, namespace, name, archive, signal } = this.#options;
    const chunk = Buffer.alloc(Math.min(this.#chunkBytes, archive.sizeBytes - offset));
    const { bytesRead } = await this.#file.read(chunk, 0, chunk.length, offset);
    if (bytesRead < chunk.length)
      throw new AmbientError('internal', 'The packed archive disappeared while it was being sent.');
    const started = this.#now();
    try {
      const state = await connection.json<SourceState>(livePaths.source(namespace, name, offset), {
        method: 'PUT',
        body: chunk,
        contentType: 'application/octet-stream',
        timeoutMs: REQUEST_TIMEOUT_MS,
        signal,
      });
      this.#failures = 0;
      this.#adapt(chunk.length, this.#now() - started);
      return state;
    } catch (error) {
      if (error instanceof KubeError && error.causeCode === 'already_finished') throw error;
      // Otherwise a conflict means that a chunk arrived whose answer did not: not a failure, only to be looked at.
      if (!isConflict(error)) {
        if (!this.#mayTryAgain(error)) throw error;
        this.#chunkBytes = Math.max(MIN_CHUNK_BYTES, Math.floor(this.#chunkBytes / 4));
        await this.#rest(this.#failures);
      } else if (!this.#mayTryAgain(error, true)) throw error;
      return await this.state();
    }
  }

  #adapt(bytes: number, milliseconds: number): void {
    const perTarget = (bytes / Math.max(1, milliseconds)) * TARGET_MS;
    // Doubling at most: one quick answer is no promise.
    this.#chunkBytes = Math.round(
      Math.max(
        MIN_CHUNK_BYTES,
        Math.min(SOURCE_CHUNK_BYTES, perTarget, Math.max(bytes, MIN_CHUNK_BYTES) * 2),
      ),
    );
  }

  #mayTryAgain(error: unknown, anyway = false): boolean {
    this.#failures += 1;
    // Without a connection for long, or nobody behind the live API: say so rather than try for minutes.
    if (this.#failures >= TRIES) return false;
    return anyway || isTransient(error) || (error instanceof KubeError && error.reason === 'Closed');
  }

  async #rest(tries: number): Promise<void> {
    const { signal } = this.#options;
    await this.#pause(Math.min(5000, FIRST_PAUSE_MS * 2 ** Math.max(0, tries - 1)), signal);
    signal.throwIfAborted();
  }
}
