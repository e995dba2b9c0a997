/** Lines waiting on disk, first in first out. The files are unlinked as soon as they are open, so nobody can tamper with them. */
import { randomUUID } from 'node:crypto';
import { open, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

const SEGMENT_BYTES = 8 * 1024 * 1024;
const NEWLINE = 10;

interface Segment {
  file: FileHandle;
  written: number;
  taken: number;
}

export class DiskQueue implements AsyncDisposable {
  readonly #folder: string;
  #segments: Segment[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  get bytes(): number {
    return this.#segments.reduce((sum, { written, taken }) => sum + written - taken, 0);
  }

  /** Appends whole lines. Rejects when the disk is full; then nothing was added. */
  async append(lines: Buffer): Promise<void> {
    let segment = this.#segments.at(-1);
    if (segment === undefined || segment.written >= SEGMENT_BYTES) {
      const path = join(this.#folder, `spool-${randomUUID()}`);
      segment = { file: await open(path, 'wx+', 0o600), written: 0, taken: 0 };
      this.#segments.push(segment);
      await unlink(path);
    }
    let done = 0;
    while (done < lines.length)
      done += (await segment.file.write(lines, done, lines.length - done, segment.written + done))
        .bytesWritten;
    segment.written += lines.length;
  }

  /** The next whole lines, about `atMost` bytes of them; at least one line, unless the queue is empty. */
  async take(atMost: number): Promise<Buffer | undefined> {
    const segment = this.#segments[0];
    if (segment === undefined || segment.written === segment.taken) return undefined;
    const left = segment.written - segment.taken;
    for (let size = Math.min(atMost, left); ; size = Math.min(size * 2, left)) {
      const buffer = Buffer.allocUnsafe(size);
      let read = 0;
      while (read < size)
        read += (await segment.file.read(buffer, read, size - read, segment.taken + read)).bytesRead;
      const end = buffer.lastIndexOf(NEWLINE) + 1;
      if (end === 0) continue;
      segment.taken += end;
      if (segment.taken === segment.written) {
        this.#segments.shift();
        await segment.file.close();
      }
      return buffer.subarray(0, end);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const segments = this.#segments;
    this.#segments = [];
    for (const { file } of segments) await file.close();
  }
}
