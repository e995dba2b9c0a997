/** An object's bytes as a stream that goes on where a broken connection, or a restarted server, cut it off. */
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

const ATTEMPTS = 4;
const WAIT_MS = 250;

export interface Resumable {
  /** The bytes from the beginning. */
  first: Readable;
  size: number;
  /** The bytes from `offset` on, of the very same object; throws what the reader is then told. */
  again(offset: number): Promise<Readable>;
  errorOf(error: unknown): unknown;
}

export class ResumedStream extends Readable {
  readonly #source: Resumable;
  #current: Readable;
  #offset = 0;
  #failures = 0;

  constructor(source: Resumable) {
    super({ highWaterMark: 256 * 1024 });
    this.#source = source;
    this.#current = this.#attach(source.first);
  }

  override _read(): void {
    this.#current.resume();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#current.destroy();
    callback(error);
  }

  #attach(stream: Readable): Readable {
    stream.on('data', (chunk: Buffer) => {
      this.#offset += chunk.length;
      this.#failures = 0;
      if (!this.push(chunk)) stream.pause();
    });
    stream.once('end', () => {
      if (this.#offset >= this.#source.size) this.push(null);
      else this.#goOn(new Error('the answer ended early'));
    });
    stream.once('error', (error) => this.#goOn(error));
    stream.pause();
    return stream;
  }

  #goOn(error: unknown): void {
    // Whatever else it has to say comes too late.
    this.#current
      .removeAllListeners('data')
      .removeAllListeners('end')
      .on('error', () => undefined)
      .destroy();
    // All has come, though its connection has not ended well.
    if (this.#offset >= this.#source.size) return void this.push(null);
    this.#again(error).then(
      (next) => {
        if (next === undefined) return;
        this.#current = this.#attach(next);
        next.resume();
      },
      (reason: unknown) => this.destroy(this.#source.errorOf(reason) as Error),
    );
  }

  /** Undefined when nobody reads any more. */
  async #again(error: unknown): Promise<Readable | undefined> {
    for (let last = error; ;) {
      if (this.destroyed) return undefined;
      if (++this.#failures >= ATTEMPTS) throw last;
      await delay(WAIT_MS * 2 ** this.#failures);
      try {
        const next = await this.#source.again(this.#offset);
        if (!this.destroyed) return next;
        next.destroy();
      } catch (failure) {
        last = failure;
      }
    }
  }
}
