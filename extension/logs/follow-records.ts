/** The records of a log as they come, until its session is over: without loss or doubling, whatever the way does to answers. */
import type { LogRecord } from '../../common/api/log.ts';
import { recordsOf } from './ndjson-records.ts';

/** Where records come from: the live API, in tests something like it. */
export interface LogSource {
  /** NDJSON of the records after `since`. Rejects with what the API server said. */
  open(query: { since: number; follow: boolean }, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Whether the session has ended; undefined when it is gone. */
  isFinished(signal: AbortSignal): Promise<boolean | undefined>;
  /** What a failure means: that the session is gone, or that waiting will not help, or that it may. */
  verdict(error: unknown): 'retry' | 'fatal' | 'gone';
}

export interface FollowOptions {
  signal: AbortSignal;
  /** Only records after this one. */
  since?: number;
  /** What was stored at the beginning is here, and new records come at once. */
  onFollowing?: () => void;
  /** The connection was lost or could not be made; it is tried again after a while. */
  onTrouble?: (error: unknown) => void;
  /** Something is missing that will not come. */
  onLoss?: (what: string) => void;
  /** Hands out a function that ends the wait for the next try. */
  onWait?: (tryNow: () => void) => void;
  random?: () => number;
  /** The operator sends something every 10 s: after so long without, the connection is dead. */
  silenceMs?: number;
  /** The first wait after a failure and the longest. */
  backoffMs?: readonly [number, number];
}

/** The session was deleted, and its log with it. */
export class LogGone extends Error {
  constructor(cause?: unknown) {
    super('the session was deleted, and its log with it', { cause });
    this.name = 'LogGone';
  }
}

const SILENCE_MS = 35_000;
const BACKOFF_MS = [250, 10_000] as const;

/**
 * Ends when the session has ended and all its records were given, or when aborted. Throws LogGone, and what waiting does not
 * help against.
 */
export async function* followRecords(
  source: LogSource,
  options: FollowOptions,
): AsyncGenerator<LogRecord[], void, undefined> {
  const { signal } = options;
  const sequence = new Sequence(options);
  // First without following, so that one knows when everything stored has come; again when the session is over.
  let isFirst = true;
  let failures = 0;
  while (!signal.aborted) {
    const before = sequence.last;
    try {
      // Asked before reading: what was stored before the end is then certainly read.
      const isFinished = await source.isFinished(signal);
      if (isFinished === undefined) throw new LogGone();
      if (isFinished || isFirst) yield* read(source, sequence, false, options);
      if (isFinished) {
        // The end of an answer proves nothing, as it may have been cut on its way: that nothing follows does.
        if (sequence.last === before) return;
        continue;
      }
      isFirst = false;
      options.onFollowing?.();
      yield* read(source, sequence, true, options);
      failures = before === sequence.last ? failures + 1 : 0;
    } catch (error) {
      if (signal.aborted) return;
      const verdict = error instanceof LogGone ? 'gone' : source.verdict(error);
      if (verdict === 'gone') throw error instanceof LogGone ? error : new LogGone(error);
      if (verdict === 'fatal') throw error;
      failures = before === sequence.last ? failures + 1 : 1;
      options.onTrouble?.(error);
    }
    if (failures > 0) await pause(failures, options);
  }
}

async function* read(
  source: LogSource,
  sequence: Sequence,
  follow: boolean,
  { signal, silenceMs = SILENCE_MS }: FollowOptions,
): AsyncGenerator<LogRecord[], void, undefined> {
  const silence = new AbortController();
  const watch = setTimeout(() => silence.abort(new Error('the connection fell silent')), silenceMs);
  try {
    const body = await source.open(
      { since: sequence.last, follow },
      AbortSignal.any([signal, silence.signal]),
    );
    for await (const received of recordsOf(body)) {
      watch.refresh();
      const { records, gap } = sequence.next(received);
      if (records.length > 0) yield records;
      if (gap !== undefined) throw gap;
    }
  } finally {
    clearTimeout(watch);
  }
}

/** Sorts out what was sent twice, and notices what is missing. */
class Sequence {
  readonly #onLoss: ((what: string) => void) | undefined;
  #last: number;
  #gapAfter: number | undefined;

  constructor({ since = 0, onLoss }: FollowOptions) {
    this.#last = since;
    this.#onLoss = onLoss;
  }

  get last(): number {
    return this.#last;
  }

  /** The records up to a gap. Asked for a second time, what is missing then is lost. */
  next(received: readonly (LogRecord | undefined)[]): { records: LogRecord[]; gap?: Error } {
    const records: LogRecord[] = [];
    for (const record of received) {
      if (record === undefined) this.#onLoss?.('a line of the log cannot be read');
      else if (record.seq > this.#last) {
        const missing = `${this.#last + 1} to ${record.seq - 1}`;
        if (record.seq > this.#last + 1) {
          if (this.#gapAfter !== this.#last) {
            this.#gapAfter = this.#last;
            return { records, gap: new Error(`records ${missing} of the log did not come`) };
          }
          this.#onLoss?.(`records ${missing} are missing`);
        }
        records.push(record);
        this.#last = record.seq;
      }
    }
    return { records };
  }
}

/** Until it is time to try again, someone wants it now, or nobody wants it any more. */
async function pause(
  failures: number,
  { signal, onWait, random = Math.random, backoffMs: [first, longest] = BACKOFF_MS }: FollowOptions,
): Promise<void> {
  const milliseconds = Math.min(longest, first * 2 ** (failures - 1)) * (0.5 + random() / 2);
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
    onWait?.(done);
  });
}
