/**
 * Log records from the moment they are numbered until the operator has stored them. The newest wait in memory; when the
 * operator does not keep up they move to disk; when that is full too, whoever produces them waits (`roomy`).
 */
import { DiskQueue } from './disk-queue.ts';

const MEMORY_BYTES = 1024 * 1024;
/** Above this the memory holds no more, even if the disk takes nothing. */
const MEMORY_BYTES_MAX = 4 * MEMORY_BYTES;

/** NDJSON of the records first..last. */
export interface Batch {
  first: number;
  last: number;
  body: Buffer;
}

export class Spool implements AsyncDisposable {
  readonly #disk: DiskQueue;
  readonly #diskLimit: number;
  #tail: string[] = [];
  #tailBytes = 0;
  #spilling: Promise<void> | undefined;
  /** Nothing may move to disk between a look at the disk and one at the memory: it would be overtaken. */
  #taking = false;
  #current: Batch | undefined;
  #lastSeq = 0;
  #acknowledged = 0;
  #waiting: (() => void)[] = [];

  constructor(options: { folder: string; limitBytes: number }) {
    this.#disk = new DiskQueue(options.folder);
    this.#diskLimit = options.limitBytes;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  get empty(): boolean {
    return this.#acknowledged === this.#lastSeq;
  }

  /** Bytes that wait, as far as they are known without counting characters. */
  get waitingBytes(): number {
    return this.#tailBytes + this.#disk.bytes + (this.#current?.body.length ?? 0);
  }

  /** Takes one record: `make` gets its number and returns one line of JSON without the line feed. */
  push(make: (seq: number) => string): void {
    const line = `${make(++this.#lastSeq)}\n`;
    this.#tail.push(line);
    this.#tailBytes += line.length;
    this.#spillIfFull();
    this.#changed();
  }

  /** Resolves when more records may come. False when cancelled. */
  async roomy(signal: AbortSignal): Promise<boolean> {
    while (this.#tailBytes > MEMORY_BYTES_MAX || this.#disk.bytes >= this.#diskLimit)
      if (!(await this.change(signal))) return false;
    return true;
  }

  /** Resolves at the next push or acknowledgement. False when cancelled. */
  change(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const cancelled = (): void => resolve(false);
      signal.addEventListener('abort', cancelled, { once: true });
      this.#waiting.push(() => {
        signal.removeEventListener('abort', cancelled);
        resolve(true);
      });
    });
  }

  /** The oldest unacknowledged records; the same again until they are acknowledged. Undefined when there are none. */
  async next(atMostBytes: number): Promise<Batch | undefined> {
    if (this.#current) return this.#current;
    this.#taking = true;
    let body: Buffer | undefined;
    try {
      await this.#spilling;
      body = (await this.#disk.take(atMostBytes)) ?? this.#takeTail(atMostBytes);
    } finally {
      this.#taking = false;
    }
    this.#spillIfFull();
    if (body === undefined) return undefined;
    const first = this.#acknowledged + 1;
    this.#current = { first, last: first + countLines(body) - 1, body };
    return this.#current;
  }

  /** Drops what is stored. Throws when the operator's number cannot be true. */
  acknowledge(seq: number): void {
    if (seq === this.#acknowledged) return;
    if (seq < this.#acknowledged)
      throw new Error(
        `the operator lost records ${seq + 1} to ${this.#acknowledged} that it had acknowledged`,
      );
    const batch = this.#current;
    if (batch === undefined || seq > batch.last)
      throw new Error(`the operator acknowledged record ${seq}, which was not sent`);
    const body = batch.body.subarray(offsetOfLine(batch.body, seq - this.#acknowledged));
    this.#current = seq === batch.last ? undefined : { first: seq + 1, last: batch.last, body };
    this.#acknowledged = seq;
    this.#changed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#spilling !== undefined) await this.#spilling;
    await this.#disk[Symbol.asyncDispose]();
  }

  #spillIfFull(): void {
    if (this.#taking || this.#tailBytes <= MEMORY_BYTES || this.#disk.bytes >= this.#diskLimit) return;
    this.#spilling ??= this.#moveToDisk().then((isMoved) => {
      this.#spilling = undefined;
      // Producers may wait by now for what came meanwhile to follow.
      if (isMoved) this.#spillIfFull();
      this.#changed();
    });
  }

  /** False when the disk does not take them. */
  async #moveToDisk(): Promise<boolean> {
    const lines = this.#tail;
    const bytes = this.#tailBytes;
    this.#tail = [];
    this.#tailBytes = 0;
    try {
      await this.#disk.append(Buffer.from(lines.join('')));
      return true;
    } catch {
      // no space: they stay in memory, in front, and the producers wait there
      this.#tail = [...lines, ...this.#tail];
      this.#tailBytes += bytes;
      return false;
    }
  }

  #takeTail(atMostBytes: number): Buffer | undefined {
    let count = 0;
    let size = 0;
    for (const line of this.#tail) {
      if (count > 0 && size + line.length > atMostBytes) break;
      count++;
      size += line.length;
    }
    if (count === 0) return undefined;
    this.#tailBytes -= size;
    const lines = this.#tail.splice(0, count);
    return Buffer.from(lines.join(''));
  }

  #changed(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

function countLines(body: Buffer): number {
  let count = 0;
  for (let at = body.indexOf(10); at >= 0; at = body.indexOf(10, at + 1)) count++;
  return count;
}

/** Where line `skip` (from 0) begins. */
function offsetOfLine(body: Buffer, skip: number): number {
  let at = 0;
  for (let line = 0; line < skip; line++) at = body.indexOf(10, at) + 1;
  return at;
}
