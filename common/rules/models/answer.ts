/** Reads from an answer, while it passes by, what it costs. It never throws and never holds anything up. */
import { at } from './fields.ts';
import { NOTHING_READ } from './protocol.ts';
import type { Protocol, Reading } from './protocol.ts';
import { EventData } from './server-sent-events.ts';

/** An answer in one piece; what is longer is not read. Bytes. */
const BODY_MAX = 32 * 1024 * 1024;

export class AnswerReader {
  readonly #protocol: Protocol;
  readonly #events: EventData | undefined;
  readonly #body: Uint8Array[] = [];
  #size = 0;
  #reading = NOTHING_READ;

  constructor(protocol: Protocol, isStream: boolean) {
    this.#protocol = protocol;
    if (isStream) this.#events = new EventData((data) => this.#next(data));
  }

  /** So far. */
  get reading(): Reading {
    return this.#reading;
  }

  write(chunk: Uint8Array): void {
    if (this.#events !== undefined) {
      this.#events.write(chunk);
      return;
    }
    this.#size += chunk.length;
    if (this.#size <= BODY_MAX) this.#body.push(chunk);
    else this.#body.length = 0;
  }

  end(): Reading {
    this.#events?.end();
    if (this.#events === undefined && this.#size <= BODY_MAX) {
      const usage = this.#protocol.usageOf(parse(new TextDecoder().decode(joined(this.#body, this.#size))));
      if (usage !== undefined) this.#reading = { usage, isStarted: true, isFinal: true, generatedBytes: 0 };
    }
    return this.#reading;
  }

  #next(data: string): void {
    const event = parse(data);
    if (at([event], 0) !== undefined) this.#reading = this.#protocol.next(this.#reading, event);
  }
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const all = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
