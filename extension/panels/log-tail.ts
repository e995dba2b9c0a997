/** The end of a session's log for its page: the last lines, followed while the page is seen, gathered before they are sent. */
import type { LogRecord } from '../../common/api/log.ts';
import { LOG_TAIL_LINES } from '../../common/api/panels.ts';
import type { LogLine, LogUpdate } from '../../common/api/panels.ts';

/**
 * Records after `since`, in order, until the session has ended and all were given. Reconnects by itself; throws what waiting
 * does not help against.
 */
export type FollowLog = (options: FollowLogOptions) => AsyncIterable<LogRecord[]>;

export interface FollowLogOptions {
  since: number;
  signal: AbortSignal;
  /** The connection was lost or could not be made; it is tried again. */
  onTrouble?: (error: unknown) => void;
}

export interface LogTailOptions {
  follow: FollowLog;
  send: (update: LogUpdate) => void;
  /** In words for the person. */
  describe: (error: unknown) => string;
  gatherMs?: number;
  maxLines?: number;
}

const GATHER_MS = 100;

export class LogTail {
  readonly #options: LogTailOptions;
  readonly #max: number;
  #kept: LogLine[] = [];
  #unsent: LogLine[] = [];
  #last = 0;
  #state: LogUpdate['state'] = 'waiting';
  #problem: string | undefined;
  #following: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LogTailOptions) {
    this.#options = options;
    this.#max = options.maxLines ?? LOG_TAIL_LINES;
  }

  /** Follows on from where it was; does nothing when it follows already or knows the end. */
  start(): void {
    if (this.#following !== undefined || this.#state === 'ended') return;
    const following = new AbortController();
    this.#following = following;
    const before = this.#running;
    this.#running = before.then(() => this.#follow(following.signal));
  }

  /** What was read stays. */
  stop(): void {
    this.#following?.abort();
    this.#following = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Ends the following and waits until nothing of it runs any more. */
  async close(): Promise<void> {
    this.stop();
    await this.#running;
  }

  /** Everything kept, for a page that knows nothing yet. */
  whole(): LogUpdate {
    this.#unsent = [];
    return this.#update(true, this.#kept.slice(-this.#max));
  }

  /** Never rejects: what goes wrong is told in the page. */
  async #follow(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    this.#setState('following');
    try {
      const onTrouble = (error: unknown): void => {
        if (!signal.aborted) this.#setState('following', this.#options.describe(error));
      };
      for await (const records of this.#options.follow({ since: this.#last, signal, onTrouble })) {
        if (signal.aborted) return;
        this.#problem = undefined;
        for (const record of records) this.#take(record);
        this.#gather();
      }
      if (!signal.aborted) this.#setState('ended');
    } catch (error) {
      if (!signal.aborted) this.#setState('unavailable', this.#options.describe(error));
    }
    if (this.#following?.signal === signal) this.#following = undefined;
  }

  #take({ seq, time, type, text, stream, partial, name }: LogRecord): void {
    if (seq <= this.#last) return;
    this.#last = seq;
    const line: LogLine = {
      seq,
      time,
      type,
      text,
      ...(stream === undefined ? {} : { stream }),
      ...(partial === undefined ? {} : { partial }),
      ...(name === undefined ? {} : { name }),
    };
    this.#kept = keepLast(this.#kept, line, this.#max);
    this.#unsent = keepLast(this.#unsent, line, this.#max);
  }

  #setState(state: LogUpdate['state'], problem?: string): void {
    this.#state = state;
    this.#problem = problem;
    this.#flush();
  }

  #gather(): void {
    this.#timer ??= setTimeout(() => this.#flush(), this.#options.gatherMs ?? GATHER_MS);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = this.#unsent.slice(-this.#max);
    this.#unsent = [];
    this.#options.send(this.#update(false, lines));
  }

  #update(reset: boolean, lines: LogLine[]): LogUpdate {
    return {
      reset,
      lines,
      state: this.#state,
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    };
  }
}

/** Shortened now and then instead of at each line, so that a long log costs no copy a line. */
function keepLast(lines: LogLine[], line: LogLine, max: number): LogLine[] {
  lines.push(line);
  return lines.length > 2 * max ? lines.slice(-max) : lines;
}
