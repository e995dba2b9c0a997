/** Turns what happens into numbered log records: the command's output, an agent's events, the runner's own words. */
import type { LogRecord } from '../common/api/log.ts';
import { QUESTION_WITHDRAWN, RECORD_TEXT_MAX } from '../common/api/log.ts';
import type { Translator } from './agents/translator.ts';
import { EVENT_LINE_MAX } from './agents/event.ts';
import type { AgentEvent } from './agents/event.ts';
import { LineSplitter, recordTexts } from './lines.ts';
import type { Spool } from './spool.ts';

export type Stream = 'stdout' | 'stderr';

/** Where the same is shown besides, for `kubectl logs`. */
export interface Mirror {
  raw(stream: Stream, chunk: Buffer): void;
  say(line: string): void;
}

export class Recorder {
  readonly #spool: Spool;
  readonly #mirror: Mirror;
  readonly #now: () => Date;
  readonly #translator: Translator | undefined;
  readonly #unreportable: AbortSignal;
  readonly #onOutput: () => void;
  readonly #asks: (event: AgentEvent) => boolean;
  readonly #lines: Record<Stream, LineSplitter>;
  /** What comes next on standard output goes on with a line that was too long for an event. */
  #isWithinLine = false;

  constructor(options: {
    spool: Spool;
    mirror: Mirror;
    now: () => Date;
    /** Reads standard output; without one every line is output. */
    translator: Translator | undefined;
    /** Aborts when nothing can reach the operator any more: output is then only mirrored. */
    unreportable: AbortSignal;
    onOutput?: () => void;
    /** Of a question, or of one that is taken back. False: whoever is asked records it, when its turn comes. */
    asks?: (event: AgentEvent) => boolean;
  }) {
    this.#spool = options.spool;
    this.#mirror = options.mirror;
    this.#now = options.now;
    this.#unreportable = options.unreportable;
    this.#translator = options.translator;
    this.#onOutput = options.onOutput ?? (() => undefined);
    this.#asks = options.asks ?? (() => true);
    this.#lines = {
      stdout: new LineSplitter(this.#translator ? EVENT_LINE_MAX : RECORD_TEXT_MAX),
      stderr: new LineSplitter(RECORD_TEXT_MAX),
    };
  }

  get lastSeq(): number {
    return this.#spool.lastSeq;
  }

  /** Something the runner did. */
  status(text: string, fields: Pick<LogRecord, 'name' | 'data'> = {}): void {
    this.#own('status', text, fields);
  }

  /** Something that went wrong outside the command. */
  error(text: string, fields: Pick<LogRecord, 'name' | 'data'> = {}): void {
    this.#own('error', text, fields);
  }

  /** A question that had to wait for the answer to another one, and what goes before it. */
  question(event: AgentEvent): void {
    this.#event(this.#now().toISOString(), event);
  }

  /** What a person said to the command. */
  user(text: string, fields: Pick<LogRecord, 'id' | 'name' | 'data'>): void {
    this.#mirror.say(`${fields.name ?? 'somebody'} says something to the command`);
    const time = this.#now().toISOString();
    for (const part of recordTexts(Buffer.from(text)))
      this.#add({
        time,
        type: 'user',
        ...fields,
        text: part.text,
        ...(part.partial ? { partial: true } : {}),
      });
  }

  /** Output of the command as it came from the pipe. The caller then waits for room. */
  output(stream: Stream, chunk: Buffer): void {
    this.#onOutput();
    this.#mirror.raw(stream, chunk);
    if (this.#unreportable.aborted) return;
    const time = this.#now().toISOString();
    for (const { bytes, partial } of this.#lines[stream].push(chunk))
      this.#piece(stream, time, bytes, partial);
  }

  /** The stream has ended: a last line without line feed is recorded. */
  outputEnded(stream: Stream): void {
    const time = this.#now().toISOString();
    for (const { bytes, partial } of this.#lines[stream].end()) this.#piece(stream, time, bytes, partial);
  }

  /** Resolves when the buffers have room for more output. */
  async roomy(): Promise<void> {
    await this.#spool.roomy(this.#unreportable);
  }

  #piece(stream: Stream, time: string, bytes: Buffer, partial: boolean): void {
    const isWhole = stream === 'stdout' && !partial && !this.#isWithinLine;
    if (stream === 'stdout') this.#isWithinLine = partial;
    if (this.#translator && isWhole && bytes[0] === 0x7b) {
      const events = this.#translator.line(bytes.toString('utf8'));
      for (const event of events ?? [])
        if (!isOfQuestions(event) || this.#asks(event)) this.#event(time, event);
      if (events) return;
    }
    for (const part of recordTexts(bytes)) {
      // written by hand: this is the path of every output line
      const more = partial || part.partial ? ',"partial":true' : '';
      const text = JSON.stringify(part.text);
      this.#spool.push(
        (seq) => `{"seq":${seq},"time":"${time}","type":"output","text":${text},"stream":"${stream}"${more}}`,
      );
    }
  }

  #event(time: string, { data, text, ...fields }: AgentEvent): void {
    for (const part of recordTexts(Buffer.from(text)))
      this.#add({
        time,
        ...fields,
        text: part.text,
        ...(part.partial ? { partial: true } : data && { data }),
      });
  }

  #own(type: 'status' | 'error', text: string, fields: Pick<LogRecord, 'name' | 'data'>): void {
    this.#mirror.say(text);
    const [shortened] = recordTexts(Buffer.from(text));
    this.#add({ time: this.#now().toISOString(), type, text: shortened?.text ?? '', ...fields });
  }

  #add(record: Omit<LogRecord, 'seq'>): void {
    this.#spool.push((seq) => JSON.stringify({ seq, ...record } satisfies LogRecord));
  }
}

const isOfQuestions = ({ type, name }: AgentEvent): boolean =>
  type === 'question' || (type === 'status' && name === QUESTION_WITHDRAWN);
