/**
 * A session's log: numbered records appended by its runner, read and followed by people. Kept as chunks in the store, so it
 * outlives the pod, and any replica can take records and serve readers.
 */
import { isTerminal } from '../../common/api/session.ts';
import type { Session } from '../../common/api/session.ts';
import { AmbientError } from '../../common/errors.ts';
import { InTurn } from '../store/in-turn.ts';
import { keys, refOf } from '../store/keys.ts';
import type { SessionRef } from '../store/keys.ts';
import type { ArtifactStore } from '../store/store.ts';
import { LOG_CONTENT_TYPE, lastStored, mergeChunks, readLog } from './log-chunks.ts';
import type { LogLines } from './log-chunks.ts';
import type { RecordLine } from './log-records.ts';
import type { SessionLookup } from './lookup.ts';

export type { LogLines } from './log-chunks.ts';
export type { RecordLine } from './log-records.ts';

export interface SessionLogOptions {
  store: ArtifactStore;
  sessions: SessionLookup;
  /** Merging chunks failed; the log is whole all the same. */
  onError: (error: unknown) => void;
  /** How often a follower looks for what another replica stored. */
  pollMs?: number;
  /** So many chunks are merged while the log still grows. */
  mergeAfter?: number;
  chunkBytes?: number;
}

const POLL_MS = 100;
/** A runner keeps to one connection, hence to one replica: where it was heard a moment ago it will be heard again. */
const LOCAL_POLL_MS = 1000;
const LOCAL_FOR_MS = 5000;
/** Who says nothing for so long is looked after half as often. */
const QUIET_AFTER_MS = 30_000;
const MERGE_AFTER = 128;
const CHUNK_BYTES = 1024 * 1024;
/** Sessions whose last number is remembered; others are looked up in the store. */
const REMEMBERED = 2000;

interface State {
  /** Highest number known to be stored with all before it. Another replica may have stored more. */
  last: number;
  chunks: number;
  heardAt: number;
}

export class SessionLog {
  readonly #options: Required<SessionLogOptions>;
  readonly #states = new Map<string, State>();
  /** By session UID. */
  readonly #appending = new InTurn();
  readonly #followers = new Map<string, Set<() => void>>();
  /** By session UID. Told to merge again, a merge begins anew once it has ended: it may have listed the chunks before. */
  readonly #merging = new Map<string, { done: Promise<void>; isAskedAgain: boolean }>();

  constructor(options: SessionLogOptions) {
    this.#options = { pollMs: POLL_MS, mergeAfter: MERGE_AFTER, chunkBytes: CHUNK_BYTES, ...options };
  }

  /**
   * Stores records that are numbered without a gap and returns the highest number stored with all before it. Records stored
   * before are dropped. Throws conflict, with that number in `details.acknowledged`, when records are missing in between.
   */
  async append(session: Session, records: readonly RecordLine[]): Promise<number> {
    const ref = refOf(session);
    return await this.#appending.run(ref.uid, () => this.#append(ref, records));
  }

  /** Every record after `since` that is stored now. */
  read(session: Session, since: number): AsyncGenerator<LogLines, void, undefined> {
    return readLog(this.#options.store, refOf(session), since);
  }

  /** Every record after `since`, as they come, until the session is over and all were given, or the signal aborts. */
  async *follow(
    session: Session,
    since: number,
    signal: AbortSignal,
  ): AsyncGenerator<LogLines, void, undefined> {
    const ref = refOf(session);
    const { namespace = '', name } = session.metadata;
    const bell = new Bell();
    using _appended = this.#onAppend(ref.uid, () => bell.ring());
    using _changed = this.#options.sessions.onChange(namespace, name, () => bell.ring());
    let cursor = since;
    let heardAt = performance.now();
    while (!signal.aborted) {
      // Asked before reading: what was stored before the end is then certainly read.
      const over = await this.#isOver(session, signal);
      for await (const batch of readLog(this.#options.store, ref, cursor)) {
        yield batch;
        cursor = batch.first + batch.lines.length - 1;
        heardAt = performance.now();
      }
      if (over) return;
      await bell.wait(this.#pollMs(session, heardAt), signal);
    }
  }

  /** Merges the chunks of a log that has ended, in the background. */
  finish(session: Session): void {
    this.#merge(refOf(session));
  }

  /** Waits for merging that is under way. */
  async close(): Promise<void> {
    await Promise.all([...this.#merging.values()].map(({ done }) => done));
  }

  async #append(ref: SessionRef, records: readonly RecordLine[]): Promise<number> {
    const { store, mergeAfter } = this.#options;
    let state = this.#states.get(ref.uid) ?? (await this.#load(ref));
    const first = records[0]?.seq ?? 0;
    // Another replica may have stored what is missing here.
    if (first > state.last + 1) state = await this.#load(ref);
    if (first > state.last + 1) {
      throw new AmbientError('conflict', `records ${state.last + 1} to ${first - 1} are missing`, {
        details: { acknowledged: state.last },
      });
    }
    state.heardAt = performance.now();
    const { last } = state;
    const fresh = first > last ? records : records.filter(({ seq }) => seq > last);
    const range = { first: fresh[0]?.seq ?? 0, last: fresh.at(-1)?.seq ?? 0 };
    if (fresh.length === 0) return state.last;
    const bytes = Buffer.from(`${fresh.map(({ line }) => line).join('\n')}\n`);
    await store.put(keys.logChunk(ref, range), bytes, { contentType: LOG_CONTENT_TYPE });
    state.last = range.last;
    state.chunks++;
    if (state.chunks >= mergeAfter) {
      state.chunks = 0;
      this.#merge(ref);
    }
    for (const ring of this.#followers.get(ref.uid) ?? []) ring();
    return state.last;
  }

  async #load(ref: SessionRef): Promise<State> {
    const state: State = { last: await lastStored(this.#options.store, ref), chunks: 0, heardAt: -Infinity };
    this.#states.delete(ref.uid);
    this.#states.set(ref.uid, state);
    if (this.#states.size > REMEMBERED) {
      for (const uid of this.#states.keys()) {
        if (!this.#appending.has(uid)) {
          this.#states.delete(uid);
          break;
        }
      }
    }
    return state;
  }

  async #isOver(session: Session, signal: AbortSignal): Promise<boolean> {
    const { namespace = '', name, uid } = session.metadata;
    const { sessions } = this.#options;
    try {
      const current = sessions.get(namespace, name) ?? (await sessions.fetch(namespace, name, signal));
      return current?.metadata.uid !== uid || isTerminal(current?.status?.phase);
    } catch {
      // An API server that does not answer has not said that the session is over.
      return false;
    }
  }

  #pollMs({ metadata }: Session, heardAt: number): number {
    const { pollMs, sessions } = this.#options;
    const localAt = this.#states.get(metadata.uid ?? '')?.heardAt ?? -Infinity;
    const now = performance.now();
    const phase = sessions.get(metadata.namespace ?? '', metadata.name)?.status?.phase;
    // A session begins to speak when it begins to run, and that is told by a change.
    if (phase !== 'Running' || now - localAt < LOCAL_FOR_MS) return Math.max(pollMs, LOCAL_POLL_MS);
    return now - heardAt > QUIET_AFTER_MS ? 2 * pollMs : pollMs;
  }

  #onAppend(uid: string, listener: () => void): Disposable {
    const listeners = this.#followers.get(uid) ?? new Set();
    this.#followers.set(uid, listeners);
    listeners.add(listener);
    return {
      [Symbol.dispose]: () => {
        listeners.delete(listener);
        if (listeners.size === 0) this.#followers.delete(uid);
      },
    };
  }

  #merge(ref: SessionRef): void {
    const { store, chunkBytes, onError } = this.#options;
    const current = this.#merging.get(ref.uid);
    if (current !== undefined) {
      current.isAskedAgain = true;
      return;
    }
    const merge = async (): Promise<void> => {
      do {
        merging.isAskedAgain = false;
        try {
          await mergeChunks(store, ref, chunkBytes);
        } catch (error) {
          onError(error);
        }
      } while (merging.isAskedAgain);
      this.#merging.delete(ref.uid);
    };
    const merging = { done: Promise.resolve(), isAskedAgain: false };
    this.#merging.set(ref.uid, merging);
    // close() waits for it; it never rejects.
    merging.done = merge();
  }
}

/** Something to wait for that remembers a ring nobody was waiting for. */
class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Until rung, or the time is over, or the signal aborts. Never rejects. */
  async wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          this.#wake = undefined;
          resolve();
        };
        const timer = setTimeout(done, milliseconds);
        signal.addEventListener('abort', done);
        this.#wake = done;
      });
    }
    this.#rung = false;
  }
}
