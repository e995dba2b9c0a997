/**
 * Which sessions have calls under way in this process, in one small object of the store, for whoever comes after it when it is
 * killed. A session stands there before its first call is stored, and longer than its last. It is written again and again while
 * there are any: a process whose object stands still is gone.
 */
import type { Session } from '../../../common/api/session.ts';
import { keys } from '../../store/keys.ts';
import type { ArtifactStore } from '../../store/store.ts';

export interface OpenSessionsOptions {
  store: Pick<ArtifactStore, 'put' | 'remove'>;
  process: string;
  /** Of the replica; one process at a time has it. */
  identity: string;
  clock: { timer(delayMs: number, fire: () => void): Disposable };
  onError: (error: unknown) => void;
}

/** As stored. */
export interface ProcessCalls {
  identity: string;
  /** Of the writing: the object is never the same twice. */
  beat: number;
  sessions: ListedSession[];
}

export interface ListedSession {
  namespace: string;
  name: string;
  uid: string;
}

export const BEAT_MS = 15_000;
/** A session whose agent calls again soon need not be written down again. */
const KEPT_BEATS = 4;

export class OpenSessions implements AsyncDisposable {
  readonly #options: OpenSessionsOptions;
  readonly #entered = new Map<string, { listed: ListedSession; users: number; idleBeats: number }>();
  /** UIDs in the object as it stands. */
  #listed: ReadonlySet<string> = new Set();
  #writing: Promise<void> | undefined;
  #timer: Disposable | undefined;
  #beat = 0;
  #isOpen = true;

  constructor(options: OpenSessionsOptions) {
    this.#options = options;
  }

  /** Resolves when it stands there. Throws what the store throws: then it has not been entered. */
  async enter(session: Session): Promise<void> {
    const { namespace = '', name, uid = '' } = session.metadata;
    const entry = this.#entered.get(uid) ?? { listed: { namespace, name, uid }, users: 0, idleBeats: 0 };
    entry.users++;
    entry.idleBeats = 0;
    this.#entered.set(uid, entry);
    try {
      while (!this.#listed.has(uid)) await this.#write();
    } catch (error) {
      this.leave(session);
      throw error;
    }
  }

  /** Once for each time it was entered. */
  leave({ metadata: { uid = '' } }: Session): void {
    const entry = this.#entered.get(uid);
    if (entry !== undefined) entry.users--;
  }

  /** What is still under way stays on record. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOpen = false;
    this.#timer?.[Symbol.dispose]();
    await this.#writing?.catch(this.#options.onError);
    const isIdle = [...this.#entered.values()].every(({ users }) => users === 0);
    if (isIdle && this.#beat > 0) await this.#remove().catch(this.#options.onError);
  }

  /** Those who come together share a write. */
  async #write(): Promise<void> {
    await (this.#writing ??= this.#put().finally(() => (this.#writing = undefined)));
  }

  async #put(): Promise<void> {
    const { store, process, identity } = this.#options;
    const entered = [...this.#entered];
    const listed = new Set(entered.map(([uid]) => uid));
    // What leaves now is entered anew only by a later write.
    this.#listed = new Set([...this.#listed].filter((uid) => listed.has(uid)));
    const calls: ProcessCalls = {
      identity,
      beat: ++this.#beat,
      sessions: entered.map(([, { listed: each }]) => each),
    };
    await store.put(keys.callsOf(process), Buffer.from(JSON.stringify(calls)), {
      contentType: 'application/json',
    });
    this.#listed = listed;
    this.#beatLater();
  }

  async #remove(): Promise<void> {
    this.#listed = new Set();
    await this.#options.store.remove(keys.callsOf(this.#options.process));
  }

  #beatLater(): void {
    if (!this.#isOpen) return;
    this.#timer ??= this.#options.clock.timer(BEAT_MS, () => {
      this.#timer = undefined;
      this.#beatOn().catch((error: unknown) => {
        this.#beatLater();
        this.#options.onError(error);
      });
    });
  }

  async #beatOn(): Promise<void> {
    // One that is under way may have been begun long ago.
    await this.#writing;
    for (const [uid, entry] of this.#entered)
      if (entry.users === 0 && ++entry.idleBeats >= KEPT_BEATS) this.#entered.delete(uid);
    if (this.#entered.size > 0) await this.#write();
    else await (this.#writing ??= this.#remove().finally(() => (this.#writing = undefined)));
  }
}
