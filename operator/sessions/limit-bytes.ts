/** A stream that fails when it is longer than allowed. */
import { Readable } from 'node:stream';
import { AmbientError } from '../../common/errors.ts';

/** The same bytes; ends with AmbientError too_large once there are more than `limit`. Destroys `body` with itself. */
export function limitBytes(body: Readable, limit: number, why: string): Readable {
  async function* limited(): AsyncGenerator<Buffer, void, undefined> {
    let size = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) throw new AmbientError('too_large', `the body is longer than ${limit} bytes: ${why}`);
      yield chunk;
    }
  }
  return Readable.from(limited(), { objectMode: false });
}
