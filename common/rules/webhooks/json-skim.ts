/**
 * JSON that is read as it comes in and kept only in part, so that a body of any size costs a bounded amount of memory: the whole
 * of it is checked, but of long lists and texts only the beginning is kept. What fits is exactly what JSON.parse gives.
 */

export interface SkimLimits {
  /** Nested deeper is refused. */
  depth: number;
  /** UTF-16 units kept of a text. */
  text: number;
  /** Items kept of a list, and fields of an object. */
  items: number;
  /** Kept in all: each value counts its length and VALUE_COST. */
  total: number;
}

export const SKIM_LIMITS: SkimLimits = { depth: 64, text: 256 * 1024, items: 20_000, total: 2 * 1024 * 1024 };
const VALUE_COST = 16;
/** Longer is no number that anybody means. */
const NUMBER_MAX = 1000;

/** Its message is for the sender. */
export class JsonProblem extends Error {
  override readonly name = 'JsonProblem';
}

interface Frame {
  value: Record<string, unknown> | unknown[];
  /** Of the field that comes next. */
  key: string;
  count: number;
  /** Whether it is kept itself. */
  isKept: boolean;
}

type State =
  | 'value'
  | 'first-item'
  | 'first-key'
  | 'key'
  | 'colon'
  | 'after'
  | 'string'
  | 'escape'
  | 'unicode'
  | 'token'
  | 'end';

const PLAIN = /[^"\\\u0000-\u001f]+/y;
const TOKEN = /[-+.0-9A-Za-z]+/y;
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$/;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
const LITERALS: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null };

export class JsonSkim {
  readonly #limits: SkimLimits;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  readonly #stack: Frame[] = [];
  #state: State = 'value';
  #root: unknown;
  #left: number;
  #isWhole = true;
  /** Of the text or token that is being read. */
  #text = '';
  #isKey = false;
  #hex = '';

  constructor(limits: SkimLimits = SKIM_LIMITS) {
    this.#limits = limits;
    this.#left = limits.total;
  }

  /** Nothing was left out. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Throws JsonProblem. */
  write(chunk: Uint8Array): void {
    this.#read(this.#decode(chunk));
  }

  /** The value. Throws JsonProblem. */
  end(): unknown {
    this.#read(this.#decode(undefined));
    if (this.#state === 'token') this.#endToken();
    if (this.#state !== 'end') throw new JsonProblem('it ends too early');
    return this.#root;
  }

  #decode(chunk: Uint8Array | undefined): string {
    try {
      return chunk === undefined ? this.#decoder.decode() : this.#decoder.decode(chunk, { stream: true });
    } catch {
      throw new JsonProblem('it is not UTF-8');
    }
  }

  #read(input: string): void {
    let at = 0;
    while (at < input.length) {
      switch (this.#state) {
        case 'string':
          at = this.#readString(input, at);
          break;
        case 'token':
          at = this.#readToken(input, at);
          break;
        case 'escape':
          this.#escape(input.charAt(at++));
          break;
        case 'unicode':
          this.#unicode(input.charAt(at++));
          break;
        default: {
          const character = input.charAt(at);
          if (character === ' ' || character === '\n' || character === '\r' || character === '\t') at++;
          else at += this.#structure(character);
        }
      }
    }
  }

  /** How many characters it has used. */
  #structure(character: string): 0 | 1 {
    switch (this.#state) {
      case 'first-item':
        if (character === ']') return this.#close();
        return this.#begin(character);
      case 'value':
        return this.#begin(character);
      case 'first-key':
        if (character === '}') return this.#close();
        return this.#beginKey(character);
      case 'key':
        return this.#beginKey(character);
      case 'colon':
        if (character !== ':') throw unexpected(character, 'a colon');
        this.#state = 'value';
        return 1;
      case 'after':
        return this.#afterValue(character);
      default:
        throw unexpected(character, 'its end');
    }
  }

  #afterValue(character: string): 1 {
    const isList = Array.isArray(this.#stack.at(-1)?.value);
    if (character === ',') {
      this.#state = isList ? 'value' : 'key';
      return 1;
    }
    if (character === (isList ? ']' : '}')) return this.#close();
    throw unexpected(character, `a comma or ${isList ? ']' : '}'}`);
  }

  #begin(character: string): 0 | 1 {
    if (character === '"') {
      this.#beginString(false);
      return 1;
    }
    if (character === '{' || character === '[') {
      if (this.#stack.length >= this.#limits.depth)
        throw new JsonProblem(`it is nested deeper than ${this.#limits.depth}`);
      const value = character === '{' ? {} : [];
      const isKept = this.#put(value, 0);
      this.#stack.push({ value, key: '', count: 0, isKept });
      this.#state = character === '{' ? 'first-key' : 'first-item';
      return 1;
    }
    TOKEN.lastIndex = 0;
    if (!TOKEN.test(character)) throw unexpected(character, 'a value');
    this.#text = '';
    this.#state = 'token';
    return 0;
  }

  #beginKey(character: string): 1 {
    if (character !== '"') throw unexpected(character, 'the name of a field');
    this.#beginString(true);
    return 1;
  }

  #beginString(isKey: boolean): void {
    this.#text = '';
    this.#isKey = isKey;
    this.#state = 'string';
  }

  #readString(input: string, at: number): number {
    PLAIN.lastIndex = at;
    const plain = PLAIN.exec(input)?.[0];
    if (plain !== undefined) {
      this.#grow(plain);
      return at + plain.length;
    }
    const character = input.charAt(at);
    if (character === '\\') this.#state = 'escape';
    else if (character === '"') this.#endString();
    else throw new JsonProblem('a text has a control character in it');
    return at + 1;
  }

  #escape(character: string): void {
    if (character === 'u') {
      this.#hex = '';
      this.#state = 'unicode';
      return;
    }
    const meant = Object.hasOwn(ESCAPES, character) ? ESCAPES[character] : undefined;
    if (meant === undefined) throw unexpected(character, 'an escape');
    this.#grow(meant);
    this.#state = 'string';
  }

  #unicode(character: string): void {
    if (!/^[0-9a-fA-F]$/.test(character)) throw unexpected(character, 'a hexadecimal digit');
    this.#hex += character;
    if (this.#hex.length < 4) return;
    this.#grow(String.fromCharCode(parseInt(this.#hex, 16)));
    this.#state = 'string';
  }

  #grow(text: string): void {
    const room = Math.min(this.#limits.text, this.#left) - this.#text.length;
    if (text.length > room) this.#isWhole = false;
    if (room > 0) this.#text += text.slice(0, room);
  }

  #endString(): void {
    if (!this.#isKey) {
      const text = this.#text;
      this.#put(text, text.length);
      this.#done();
      return;
    }
    const frame = this.#stack.at(-1);
    if (frame !== undefined) frame.key = this.#text;
    this.#state = 'colon';
  }

  #readToken(input: string, at: number): number {
    TOKEN.lastIndex = at;
    const part = TOKEN.exec(input)?.[0];
    if (part === undefined) {
      this.#endToken();
      return at;
    }
    this.#text += part;
    if (this.#text.length > NUMBER_MAX) throw new JsonProblem('a number is too long');
    return at + part.length;
  }

  #endToken(): void {
    const token = this.#text;
    const literal = Object.hasOwn(LITERALS, token) ? LITERALS[token] : undefined;
    if (literal === undefined && !NUMBER.test(token))
      throw new JsonProblem(`${JSON.stringify(token.slice(0, 20))} is no value`);
    this.#put(literal === undefined ? Number(token) : literal, 0);
    this.#done();
  }

  #close(): 1 {
    this.#stack.pop();
    this.#done();
    return 1;
  }

  #done(): void {
    this.#state = this.#stack.length === 0 ? 'end' : 'after';
  }

  /** Whether it was kept. */
  #put(value: unknown, length: number): boolean {
    const frame = this.#stack.at(-1);
    if (frame === undefined) {
      this.#root = value;
      this.#left -= length + VALUE_COST;
      return true;
    }
    const cost = length + VALUE_COST + frame.key.length;
    frame.count++;
    if (!frame.isKept || frame.count > this.#limits.items || cost > this.#left) {
      this.#isWhole = false;
      return false;
    }
    this.#left -= cost;
    if (Array.isArray(frame.value)) frame.value.push(value);
    // As JSON.parse has it: an own field, whatever its name, and the last of one name.
    else if (frame.key === '__proto__')
      Object.defineProperty(frame.value, frame.key, {
        value,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    else frame.value[frame.key] = value;
    return true;
  }
}

const unexpected = (character: string, wanted: string): JsonProblem =>
  new JsonProblem(`${JSON.stringify(character)} stands where ${wanted} belongs`);
