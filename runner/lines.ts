/** Bytes to lines without losing one and without holding more than one line's limit. */
import { RECORD_TEXT_MAX } from '../common/api/log.ts';

const NEWLINE = 10;
const RETURN = 13;

export interface Piece {
  bytes: Buffer;
  /** The line goes on in the next piece. */
  partial: boolean;
}

export class LineSplitter {
  readonly #limit: number;
  #held: Buffer[] = [];
  #heldBytes = 0;

  /** Lines of more than `limit` bytes come in pieces. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  *push(chunk: Buffer): Generator<Piece> {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      yield* this.#line(this.#joined(chunk.subarray(start, end)));
      start = end + 1;
    }
    if (start === chunk.length) return;
    this.#held.push(chunk.subarray(start));
    this.#heldBytes += chunk.length - start;
    if (this.#heldBytes <= this.#limit) return;
    let rest = this.#joined();
    while (rest.length > this.#limit) {
      const cut = cutBefore(rest, this.#limit);
      yield { bytes: rest.subarray(0, cut), partial: true };
      rest = rest.subarray(cut);
    }
    // copied, so that a short rest does not keep a long buffer
    this.#held = [Buffer.from(rest)];
    this.#heldBytes = rest.length;
  }

  /** The last line when it had no line feed. */
  *end(): Generator<Piece> {
    if (this.#heldBytes > 0) yield* this.#line(this.#joined());
  }

  #joined(last?: Buffer): Buffer {
    if (last !== undefined && this.#heldBytes === 0) return last;
    if (last !== undefined) this.#held.push(last);
    const all = this.#held.length === 1 ? this.#held[0] : Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    return all ?? Buffer.alloc(0);
  }

  *#line(whole: Buffer): Generator<Piece> {
    let rest = whole.at(-1) === RETURN ? whole.subarray(0, -1) : whole;
    while (rest.length > this.#limit) {
      const cut = cutBefore(rest, this.#limit);
      yield { bytes: rest.subarray(0, cut), partial: true };
      rest = rest.subarray(cut);
    }
    yield { bytes: rest, partial: false };
  }
}

/** At most `limit`, less when that would split a UTF-8 character. */
function cutBefore(bytes: Buffer, limit: number): number {
  for (let at = limit; at > limit - 4 && at > 0; at--) if (((bytes[at] ?? 0) & 0xc0) !== 0x80) return at;
  return limit;
}

/** Text of at most RECORD_TEXT_MAX UTF-8 bytes each; invalid bytes become U+FFFD, which is longer than they were. */
export function* recordTexts(bytes: Buffer): Generator<Piece & { text: string }> {
  if (bytes.length <= RECORD_TEXT_MAX) {
    const text = bytes.toString('utf8');
    // three bytes for each replaced one, so a third is always short enough
    if (bytes.length <= RECORD_TEXT_MAX / 3 || Buffer.byteLength(text) <= RECORD_TEXT_MAX) {
      yield { bytes, text, partial: false };
      return;
    }
  }
  const limit = bytes.length > RECORD_TEXT_MAX ? RECORD_TEXT_MAX : Math.floor(RECORD_TEXT_MAX / 3);
  let rest = bytes;
  while (rest.length > limit) {
    const cut = cutBefore(rest, limit);
    for (const piece of recordTexts(rest.subarray(0, cut))) yield { ...piece, partial: true };
    rest = rest.subarray(cut);
  }
  yield* recordTexts(rest);
}
