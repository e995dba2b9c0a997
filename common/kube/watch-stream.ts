/** A watch's answer, read line by line: nothing is buffered but the line under way, and the socket waits for the reader. */
import type { Readable } from 'node:stream';
import type { KubeObject } from '../api/kubernetes.ts';
import type { WatchEvent } from './core-types.ts';

/** etcd refuses objects above 1.5 MiB; escaping and old objects multiply that, but not by this much. */
const LINE_BYTES_MAX = 32 * 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * The whole lines of a stream, in batches: one for each piece of the stream that ended at least one. A last line
 * without its newline was cut off and is dropped. `onBytes` hears of every piece, also of those that end no line.
 */
export async function* linesOf(
  stream: Readable,
  onBytes: () => void,
): AsyncGenerator<string[], void, undefined> {
  let pieces: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    onBytes();
    let start = 0;
    let end = chunk.indexOf(NEWLINE);
    if (end < 0) {
      pieces.push(chunk);
      length += chunk.length;
      if (length > LINE_BYTES_MAX) throw new RangeError(`a line of a watch exceeds ${LINE_BYTES_MAX} bytes`);
      continue;
    }
    const lines: string[] = [];
    while (end >= 0) {
      const line = chunk.subarray(start, end);
      lines.push(
        pieces.length === 0
          ? line.toString('utf8')
          : Buffer.concat([...pieces, line], length + line.length).toString('utf8'),
      );
      if (pieces.length > 0) {
        pieces = [];
        length = 0;
      }
      start = end + 1;
      end = chunk.indexOf(NEWLINE, start);
    }
    if (start < chunk.length) {
      pieces.push(chunk.subarray(start));
      length = chunk.length - start;
    }
    yield lines;
  }
}

/** Throws SyntaxError for a line that is not a watch event. */
export function parseWatchEvent<T extends KubeObject>(line: string): WatchEvent<T> {
  const event = JSON.parse(line) as Partial<WatchEvent<T>> | null;
  if (event === null || typeof event.type !== 'string' || typeof event.object !== 'object') {
    throw new SyntaxError(`not a watch event: ${line.slice(0, 200)}`);
  }
  return event as WatchEvent<T>;
}
