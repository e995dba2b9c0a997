/** Request bodies, limited. A body that is not read to its end leaves the connection whole, so that the refusal gets through. */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { AmbientError } from '../../../common/errors.ts';

/** The body as a stream of its own: destroying it does not destroy the request. Fails with too_large beyond `limit` bytes. */
export function bodyStream(request: IncomingMessage, limit: number): Readable {
  announced(request, limit);
  async function* chunks(): AsyncGenerator<Buffer, void, undefined> {
    let size = 0;
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) throw tooLarge(limit);
      yield chunk;
    }
  }
  return Readable.from(chunks(), { objectMode: false });
}

/** Throws too_large, invalid_request when it broke off. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of bodyStream(request, limit) as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch (error) {
    if (error instanceof AmbientError) throw error;
    throw new AmbientError('invalid_request', 'the body broke off', { cause: error });
  }
  return Buffer.concat(chunks);
}

/** `undefined` for an empty body. Throws invalid_request. */
export async function readJson(request: IncomingMessage, limit: number): Promise<unknown> {
  const text = decodeUtf8(await readBody(request, limit));
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new AmbientError('invalid_request', 'the body is not JSON', { cause: error });
  }
}

export function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new AmbientError('invalid_request', 'the body is not UTF-8', { cause: error });
  }
}

const DRAINED_BYTES_MAX = 16 * 1024 * 1024;
const DRAINED_MS_MAX = 3000;

/**
 * Reads away what is left of a body, up to a bound: a client that is still sending when the connection is closed on it may
 * never see the answer. Never rejects.
 */
export async function drain(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return;
  await new Promise<void>((resolve) => {
    let left = DRAINED_BYTES_MAX;
    const timer = setTimeout(resolve, DRAINED_MS_MAX);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    request.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) done();
    });
    for (const event of ['end', 'close', 'error']) request.once(event, done);
    request.resume();
  });
}

function announced(request: IncomingMessage, limit: number): void {
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
}

const tooLarge = (limit: number): AmbientError =>
  new AmbientError('too_large', `the body has more than ${limit} bytes`, { details: { limit } });
