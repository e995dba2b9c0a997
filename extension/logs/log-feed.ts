/** One session's log as lines, kept current for as long as somebody reads it. */
import { Emitter } from '../ide/event.ts';
import type { Listen } from '../ide/event.ts';
import { followRecords, LogGone } from './follow-records.ts';
import type { FollowOptions, LogSource } from './follow-records.ts';
import { LogLines } from './log-lines.ts';
import type { LogLinesOptions } from './log-lines.ts';

export interface FeedState {
  /**
   * loading: what there is is being read for the first time. ended: the session is over and everything is here. gone: the
   * session was deleted, what was read stays. failed: waiting will not help.
   */
  phase: 'loading' | 'following' | 'reconnecting' | 'ended' | 'gone' | 'failed';
  error?: unknown;
}

export interface LogFeedOptions extends Pick<FollowOptions, 'random' | 'silenceMs' | 'backoffMs'> {
  source: LogSource;
  lines: LogLinesOptions;
  /** What listeners throw. */
  onError: (error: unknown) => void;
  /** Changes are gathered for so long before listeners hear of them. */
  gatherMs?: number;
}

const GATHER_MS = 10;

export class LogFeed {
  readonly lines: LogLines;
  /** There are more lines, or fewer at the start. */
  readonly onAppend: Listen<void>;
  readonly onState: Listen<FeedState>;
  readonly #options: LogFeedOptions;
  readonly #appended: Emitter<void>;
  readonly #stateChanged: Emitter<FeedState>;
  readonly #closing = new AbortController();
  readonly #loaded = Promise.withResolvers<void>();
  #state: FeedState = { phase: 'loading' };
  #last = 0;
  #running: Promise<void> | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #tryNow: (() => void) | undefined;

  constructor(options: LogFeedOptions) {
    this.#options = options;
    this.lines = new LogLines(options.lines);
    this.#appended = new Emitter(options.onError);
    this.#stateChanged = new Emitter(options.onError);
    this.onAppend = this.#appended.event;
    this.onState = this.#stateChanged.event;
  }

  get state(): FeedState {
    return this.#state;
  }

  /** Number of the last record that is here. */
  get last(): number {
    return this.#last;
  }

  /** What was stored when the feed was started is here, or could not be had at the first try. Never rejects. */
  get loaded(): Promise<void> {
    return this.#loaded.promise;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Tries again now, also after a failure. */
  retry(): void {
    if (this.#state.phase === 'failed' && !this.#closing.signal.aborted) {
      this.#setState({ phase: 'reconnecting' });
      this.#running = this.#run();
    } else this.#tryNow?.();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
    clearTimeout(this.#gathering);
    this.#loaded.resolve();
    this.#appended.dispose();
    this.#stateChanged.dispose();
  }

  /** Never rejects: whatever goes wrong is the feed's state. */
  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const { source, random, silenceMs, backoffMs } = this.#options;
    try {
      const following = followRecords(source, {
        signal,
        since: this.#last,
        onFollowing: () => this.#setState({ phase: 'following' }),
        onTrouble: (error) => this.#setState({ phase: 'reconnecting', error }),
        onLoss: (what) => this.lines.note(what),
        onWait: (tryNow) => (this.#tryNow = tryNow),
        ...(random === undefined ? {} : { random }),
        ...(silenceMs === undefined ? {} : { silenceMs }),
        ...(backoffMs === undefined ? {} : { backoffMs }),
      });
      for await (const records of following) {
        for (const record of records) {
          this.lines.add(record);
          this.#last = record.seq;
        }
        this.#gathering ??= setTimeout(() => this.#flush(), this.#options.gatherMs ?? GATHER_MS);
      }
      if (!signal.aborted) this.#setState({ phase: 'ended' });
    } catch (error) {
      this.#setState({ phase: error instanceof LogGone ? 'gone' : 'failed', error });
    }
  }

  #flush(): void {
    if (this.#gathering === undefined) return;
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#appended.fire();
  }

  /** Lines that came before are told of before. */
  #setState(state: FeedState): void {
    this.#flush();
    this.#loaded.resolve();
    const isNews = state.phase !== this.#state.phase || state.error !== this.#state.error;
    this.#state = state;
    if (isNews) this.#stateChanged.fire(state);
  }
}
