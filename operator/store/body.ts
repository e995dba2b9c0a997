/** Bytes on their way into the store: a sender that breaks off is told apart from a volume that fails. */
import type { Readable } from 'node:stream';
import { AmbientError } from '../../common/errors.ts';

/** Throws the signal's reason, the AmbientError a stream ended with, or invalid_request when the bytes broke off. */
export async function* chunksOf(
  body: Readable | Buffer,
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  signal?.throwIfAborted();
  if (Buffer.isBuffer(body)) {
    yield body;
    return;
  }
  // Destroying the stream is what ends a read that waits for a silent sender.
  const abort = (): void => void body.destroy(signal?.reason as Error);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    for await (const chunk of body) yield Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk as string);
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    if (error instanceof AmbientError) throw error;
    throw new AmbientError('invalid_request', 'the bytes broke off before their end', { cause: error });
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
