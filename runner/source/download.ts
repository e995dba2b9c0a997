/** Fetches the uploaded archive into a file, going on where a broken connection stopped, and checks size and digest. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { RUNNER_PATHS } from '../../common/api/runner.ts';
import { messageOf } from '../../common/errors.ts';
import { EndpointError } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { SourceError } from './source-error.ts';

const IDLE_MS = 60_000;

export interface ExpectedArchive {
  sizeBytes: number;
  /** `sha256:` and hex. */
  digest: string;
}

/** Throws SourceError when the archive is not there or not the expected one; refusals by the operator pass through. */
export async function download(
  endpoint: Endpoint,
  expected: ExpectedArchive,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  for (let attempt = 1; ; attempt++) {
    const got = await once(endpoint, expected, file, signal);
    if (got.received === expected.sizeBytes && got.digest === expected.digest) return;
    // damaged on the way once is possible, twice the same is the archive itself
    if (attempt === 2)
      throw new SourceError(
        got.received === expected.sizeBytes
          ? `the uploaded source has the digest ${got.digest}, not ${expected.digest}`
          : `the uploaded source has ${got.received} bytes, not ${expected.sizeBytes}`,
      );
  }
}

/** One complete transfer, of as many connections as it takes. */
async function once(endpoint: Endpoint, expected: ExpectedArchive, file: FileHandle, signal: AbortSignal) {
  let received = 0;
  let hash = createHash('sha256');

  const piece = async (): Promise<void> => {
    const response = await endpoint.open({
      method: 'GET',
      path: RUNNER_PATHS.source,
      headers: received > 0 ? { range: `bytes=${received}-` } : {},
      idleMs: IDLE_MS,
      signal,
    });
    if (response.statusCode !== 206 || !startsAt(response.headers['content-range'], received)) {
      received = 0;
      hash = createHash('sha256');
    }
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        let done = 0;
        while (done < chunk.length)
          done += (await file.write(chunk, done, chunk.length - done, received + done)).bytesWritten;
        hash.update(chunk);
        received += chunk.length;
        if (received > expected.sizeBytes) return void response.destroy();
      }
    } catch (error) {
      if (isFileError(error)) throw new SourceError(`the source cannot be kept: ${messageOf(error)}`);
      signal.throwIfAborted();
      throw new EndpointError(0, messageOf(error), { cause: error });
    }
    if (received < expected.sizeBytes && !response.complete)
      throw new EndpointError(0, 'the source was cut short');
  };

  try {
    await endpoint.patiently(signal, piece);
  } catch (error) {
    if (error instanceof EndpointError && error.status >= 400 && !error.refused && !error.transient)
      throw new SourceError(`the uploaded source cannot be fetched: ${error.message}`, { cause: error });
    throw error;
  }
  return { received, digest: `sha256:${hash.digest('hex')}` };
}

const startsAt = (range: string | undefined, offset: number): boolean =>
  range !== undefined && range.startsWith(`bytes ${offset}-`);

const isFileError = (error: unknown): boolean =>
  ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO'].includes((error as NodeJS.ErrnoException).code ?? '');
