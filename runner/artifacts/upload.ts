/** Sends one file to the operator in constant memory: digest first, then the bytes, which must be the same. */
import { createHash } from 'node:crypto';
import { constants, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { HEADER_ARTIFACT_TYPE, HEADER_DIGEST, RUNNER_PATHS } from '../../common/api/runner.ts';
import type { ARTIFACT_TYPES } from '../../common/api/session.ts';
import { EndpointError } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { contentTypeOf, SNIFF_BYTES } from './content-type.ts';

const CHUNK_BYTES = 256 * 1024;
/** The operator may write 200 MB to a slow disk before it answers. */
const IDLE_MS = 120_000;

export interface ArtifactFile {
  file: Buffer | string;
  /** Relative, / between segments. */
  path: string;
  type: (typeof ARTIFACT_TYPES)[number];
  contentType?: string;
}

/** The file is not what it was a moment ago. */
export class FileChanged extends Error {}

/** Resolves with the bytes sent. Throws FileChanged, EndpointError, or what the file system says. */
export async function uploadArtifact(
  endpoint: Endpoint,
  artifact: ArtifactFile,
  signal: AbortSignal,
): Promise<number> {
  await using file = await open(
    artifact.file,
    constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
  );
  if (!(await file.stat()).isFile()) throw new FileChanged('it is no regular file any more');
  const { size, digest, head } = await measure(file, signal);
  const exchange = {
    method: 'PUT' as const,
    path: `${RUNNER_PATHS.artifacts}/${artifact.path.split('/').map(encodeURIComponent).join('/')}`,
    headers: {
      'content-type': artifact.contentType ?? contentTypeOf(artifact.path, head),
      'content-length': size,
      [HEADER_DIGEST]: digest,
      [HEADER_ARTIFACT_TYPE]: artifact.type,
    },
    body: (write: (chunk: Buffer) => Promise<void>) => sendExactly(file, size, write),
    idleMs: IDLE_MS,
    signal,
  };
  try {
    await endpoint.callPatiently(exchange);
  } catch (error) {
    if (error instanceof EndpointError && error.status === 422) {
      const now = await measure(file, signal);
      if (now.digest !== digest) throw new FileChanged('it changed while it was sent', { cause: error });
    }
    throw error;
  }
  return size;
}

async function measure(
  file: FileHandle,
  signal: AbortSignal,
): Promise<{ size: number; digest: string; head: Buffer }> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let size = 0;
  let head: Buffer | undefined;
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, buffer.length, size);
    head ??= Buffer.from(buffer.subarray(0, Math.min(bytesRead, SNIFF_BYTES)));
    if (bytesRead === 0) return { size, digest: `sha256:${hash.digest('hex')}`, head };
    hash.update(buffer.subarray(0, bytesRead));
    size += bytesRead;
  }
}

/** As many bytes as were announced, whatever the file does meanwhile. */
async function sendExactly(
  file: FileHandle,
  size: number,
  write: (chunk: Buffer) => Promise<void>,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size));
  for (let at = 0; at < size;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size - at), at);
    if (bytesRead === 0) throw new FileChanged('it became shorter while it was sent');
    at += bytesRead;
    await write(buffer.subarray(0, bytesRead));
  }
}
