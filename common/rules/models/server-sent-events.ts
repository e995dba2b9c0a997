/**
 * The data of server-sent events, from bytes that come in any pieces. https://html.spec.whatwg.org/multipage/server-sent-events.html
 * Lines end with LF or CRLF, as every provider writes them.
 */

/** More is no event that tells what something costs. UTF-16 units. */
const EVENT_MAX = 32 * 1024 * 1024;

export class EventData {
  readonly #decoder = new TextDecoder();
  readonly #onData: (data: string) => void;
  readonly #max: number;
  /** Of the line that has not ended, in pieces: joining them once is linear. */
  #line: string[] = [];
  #lines: string[] = [];
  #size = 0;
  #isTooLong = false;

  constructor(onData: (data: string) => void, max = EVENT_MAX) {
    this.#onData = onData;
    this.#max = max;
  }

  write(chunk: Uint8Array): void {
    this.#read(this.#decoder.decode(chunk, { stream: true }));
  }

  /** An event that no empty line has ended is none. */
  end(): void {
    this.#read(this.#decoder.decode());
  }

  #read(text: string): void {
    let from = 0;
    for (;;) {
      const end = text.indexOf('\n', from);
      if (end < 0) break;
      this.#grow(text.slice(from, end));
      this.#endLine();
      from = end + 1;
    }
    this.#grow(text.slice(from));
  }

  #grow(part: string): void {
    if (part === '') return;
    this.#size += part.length;
    if (this.#size > this.#max) this.#isTooLong = true;
    if (this.#isTooLong) this.#line = [part.slice(-1)];
    else this.#line.push(part);
  }

  #endLine(): void {
    const line = this.#line.join('').replace(/\r$/, '');
    this.#line = [];
    if (line === '') this.#dispatch();
    else if (line.startsWith('data:')) this.#lines.push(line.slice(line.startsWith('data: ') ? 6 : 5));
  }

  #dispatch(): void {
    if (this.#lines.length > 0 && !this.#isTooLong) this.#onData(this.#lines.join('\n'));
    this.#lines = [];
    this.#size = 0;
    this.#isTooLong = false;
  }
}
