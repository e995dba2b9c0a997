/**
 * A body as it comes in: hashed, checked and read piece by piece, held in memory while it is short and in the store when it is
 * not. What is wrong with it as JSON is told afterwards, when it is known whether the sender may hear it.
 */
import { createHash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { AmbientError } from '../../../common/errors.ts';
import { JsonProblem, JsonSkim } from '../../../common/rules/webhooks/json-skim.ts';
import { formatBytes } from '../../../common/rules/wording.ts';

export const BODY_BYTES_MAX = 25 * 1024 * 1024;
/** A form is taken apart as a whole. */
export const FORM_BYTES_MAX = 1024 * 1024;
export const MEMORY_BYTES_MAX = 256 * 1024;
const FORM_FIELDS_MAX = 1000;

export const JSON_TYPE = 'application/json';
export const FORM_TYPE = 'application/x-www-form-urlencoded';

/** form: JSON in its field `payload`, as GitHub sends it; fields: that, or the fields themselves, as Slack sends commands. */
export type MediaType = 'json' | 'form' | 'fields';

export interface ReceiveOptions {
  media: MediaType;
  /** Bytes that are said to come; 0 where nothing is said. */
  announced: number;
  onChunk: (chunk: Uint8Array) => void;
  /** Told of what stays in memory until the body is there. Throws when there is no room. */
  hold: (bytes: number) => void;
  /** Puts what does not fit into memory somewhere, and says where. */
  wait: (body: Readable, signal: AbortSignal) => Promise<string>;
}

export interface Received {
  size: number;
  /** `sha256:` and hex. */
  digest: string;
  body: Buffer | { waiting: string };
  contentType: string;
  /** Read when it is first asked for. Throws invalid_payload. */
  payload: () => unknown;
}

/** Throws too_large, what `hold`, the chunks and the store throw. Leaves nothing waiting then. */
export async function receive(incoming: AsyncIterable<Buffer>, options: ReceiveOptions): Promise<Received> {
  if (options.announced > BODY_BYTES_MAX) throw tooLarge(BODY_BYTES_MAX);
  const hash = createHash('sha256');
  const reader = new BodyReader(options.media);
  const chunks: Buffer[] = [];
  let size = 0;
  await using overflow = new Overflow(options.wait);
  const pass = async (chunk: Buffer): Promise<void> => {
    reader.write(chunk);
    await overflow.write(chunk);
  };
  for await (const chunk of incoming) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) throw tooLarge(BODY_BYTES_MAX);
    if (!overflow.isOpen) options.hold(chunk.length);
    hash.update(chunk);
    options.onChunk(chunk);
    if (overflow.isOpen) await pass(chunk);
    else chunks.push(chunk);
    if (!overflow.isOpen && size > MEMORY_BYTES_MAX) await pass(Buffer.concat(chunks.splice(0)));
  }
  const isLong = overflow.isOpen;
  const body = isLong ? { waiting: await overflow.end() } : Buffer.concat(chunks);
  const isForm = isLong ? reader.isForm : options.media !== 'json' && isFormText(Buffer.concat(chunks));
  return {
    size,
    digest: `sha256:${hash.digest('hex')}`,
    body,
    contentType: isForm ? FORM_TYPE : JSON_TYPE,
    // A short one is read only when it is known whose it is.
    payload: lazily(() => {
      if (Buffer.isBuffer(body)) reader.write(body);
      return reader.payload();
    }),
  };
}

/** Done the first time; every time what came of it is given, or thrown. */
function lazily<T>(make: () => T): () => T {
  let made: { value: T } | { error: unknown } | undefined;
  return () => {
    if (made === undefined)
      try {
        made = { value: make() };
      } catch (error) {
        made = { error };
      }
    if ('error' in made) throw made.error;
    return made.value;
  };
}

/** Tools that send JSON without saying so say that it is a form: no form begins like this. */
const isFormText = (bytes: Buffer): boolean => !/^\s*[{[]/.test(bytes.subarray(0, 16).toString('latin1'));

/** The way into the store, opened when it is needed; one that does not come to its end leaves nothing there. */
class Overflow implements AsyncDisposable {
  readonly #wait: ReceiveOptions['wait'];
  readonly #abort = new AbortController();
  #stream: PassThrough | undefined;
  #stored: Promise<string> | undefined;

  constructor(wait: ReceiveOptions['wait']) {
    this.#wait = wait;
  }

  get isOpen(): boolean {
    return this.#stream !== undefined;
  }

  async write(chunk: Buffer): Promise<void> {
    if (this.#stream === undefined) {
      this.#stream = new PassThrough();
      this.#stored = this.#wait(this.#stream, this.#abort.signal);
      // Heard at the end, or at the next write.
      this.#stored.catch(() => undefined);
    }
    if (this.#stream.write(chunk)) return;
    await Promise.race([once(this.#stream, 'drain'), this.#stored]);
  }

  async end(): Promise<string> {
    const stored = this.#stored;
    this.#stream?.end();
    this.#stored = undefined;
    return (await stored) ?? '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stored === undefined) return;
    this.#abort.abort(new AmbientError('invalid_request', 'the body broke off'));
    this.#stream?.destroy();
    await this.#stored.catch(() => undefined);
  }
}

class BodyReader {
  readonly #media: MediaType;
  readonly #json = new JsonSkim();
  readonly #form: Buffer[] = [];
  #formSize = 0;
  #isForm: boolean | undefined;
  #problem: Error | undefined;

  constructor(media: MediaType) {
    this.#media = media;
  }

  get isForm(): boolean {
    return this.#isForm === true;
  }

  write(chunk: Buffer): void {
    this.#isForm ??= this.#media !== 'json' && isFormText(chunk);
    if (this.#isForm) {
      this.#formSize += chunk.length;
      if (this.#formSize > FORM_BYTES_MAX) throw tooLarge(FORM_BYTES_MAX, 'Send it as application/json.');
      this.#form.push(chunk);
      return;
    }
    if (this.#problem !== undefined) return;
    try {
      this.#json.write(chunk);
    } catch (error) {
      this.#problem = asError(error);
    }
  }

  payload(): unknown {
    if (this.isForm) return fromForm(Buffer.concat(this.#form), this.#media === 'fields');
    if (this.#problem !== undefined) throw noJson(this.#problem);
    return ended(this.#json);
  }
}

/** The fields, or the JSON in its field `payload`. */
function fromForm(bytes: Buffer, takesFields: boolean): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw noJson(asError(error));
  }
  const fields = new URLSearchParams(text);
  if (fields.size > FORM_FIELDS_MAX)
    throw new AmbientError('invalid_payload', `the form has more than ${FORM_FIELDS_MAX} fields`);
  const inner = fields.getAll('payload');
  const [only] = inner;
  if (only === undefined && takesFields && fields.size > 0) return Object.fromEntries(fields);
  if (only === undefined) throw noJson(new JsonProblem('it is a form without a field payload'));
  if (inner.length > 1) throw new AmbientError('invalid_payload', 'the form has two fields named payload');
  const json = new JsonSkim();
  try {
    json.write(Buffer.from(only));
  } catch (error) {
    throw noJson(asError(error));
  }
  return ended(json);
}

function ended(json: JsonSkim): unknown {
  try {
    return json.end();
  } catch (error) {
    throw noJson(asError(error));
  }
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

const noJson = (problem: Error): AmbientError =>
  new AmbientError('invalid_payload', 'Request body must be valid JSON', {
    details: { reason: problem instanceof JsonProblem ? problem.message : 'it is not UTF-8' },
    cause: problem,
  });

const tooLarge = (limit: number, remedy = ''): AmbientError =>
  new AmbientError('too_large', `the body has more than ${formatBytes(limit)}. ${remedy}`.trim(), {
    details: { limit },
  });
