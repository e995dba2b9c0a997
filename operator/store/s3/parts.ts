/** Cuts what comes into pieces of one size, in memory that grows only as bytes arrive. */

/** The least that S3 takes as a part of several, but for the last. With 10,000 parts: objects of 50 GB. */
export const PART_BYTES = 5 * 1024 * 1024;

export interface Part {
  bytes: Buffer;
  isLast: boolean;
}

/** At least one part, though it may be empty. */
export async function* partsOf(
  chunks: AsyncIterable<Buffer>,
  size: number,
): AsyncGenerator<Part, void, undefined> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    let rest = chunk;
    // Only when more has come is a full part known not to be the last.
    while (bytes + rest.length > size) {
      const fits = size - bytes;
      waiting.push(rest.subarray(0, fits));
      yield { bytes: Buffer.concat(waiting, size), isLast: false };
      [waiting, bytes] = [[], 0];
      rest = rest.subarray(fits);
    }
    waiting.push(rest);
    bytes += rest.length;
  }
  yield { bytes: Buffer.concat(waiting, bytes), isLast: true };
}
