/** Sessions launched from this window, followed until they end even when no view shows them: the person hears of it. */
import type { Session } from '../../common/api/session.ts';
import type { Listen } from '../ide/event.ts';
import { Emitter } from '../ide/event.ts';
import { refKey } from './session-ref.ts';
import type { SessionRef } from './session-ref.ts';
import type { SessionWatch, SessionWatches } from './session-watch.ts';
import { isFinished, needsInput } from './state.ts';

export interface Finished {
  ref: SessionRef;
  session: Session;
}

export class LaunchedSessions {
  readonly #watches: Pick<SessionWatches, 'acquire'>;
  readonly #following = new Map<string, { ref: SessionRef; watch: SessionWatch; asks?: string }>();
  readonly #finished = new Emitter<Finished>();
  readonly #asked = new Emitter<Finished>();
  readonly #changed = new Emitter<void>();

  constructor(watches: Pick<SessionWatches, 'acquire'>) {
    this.#watches = watches;
  }

  /** One that was followed has ended. */
  readonly onDidFinish: Listen<Finished> = this.#finished.event;
  /** One of them asks something. */
  readonly onDidAsk: Listen<Finished> = this.#asked.event;
  /** `active` or `asking` has changed. */
  readonly onDidChange: Listen<void> = this.#changed.event;

  /** How many of them have not ended. */
  get active(): number {
    return this.#following.size;
  }

  /** How many of them wait for an answer. */
  get asking(): number {
    return [...this.#following.values()].filter(({ asks }) => asks !== undefined).length;
  }

  follow(ref: SessionRef): void {
    const key = refKey(ref);
    if (this.#following.has(key)) return;
    const watch = this.#watches.acquire(ref.cluster, ref.namespace, ref.name);
    this.#following.set(key, { ref, watch });
    watch.onChange(({ type, object }) => {
      if (type === 'deleted' || isFinished(object)) this.#end(key);
      else this.#look(key, object);
      if (type !== 'deleted' && isFinished(object)) this.#finished.fire({ ref, session: object });
    });
    // Deleted before it was first seen: no watch tells of that.
    watch.onState(({ phase }) => {
      if (phase === 'synced' && watch.store.get(ref.name) === undefined) this.#end(key);
    });
    this.#changed.fire();
  }

  dispose(): void {
    for (const { watch } of this.#following.values()) watch.dispose();
    this.#following.clear();
  }

  #look(key: string, session: Session): void {
    const followed = this.#following.get(key);
    const asks = needsInput(session);
    if (followed === undefined || followed.asks === asks) return;
    if (asks === undefined) delete followed.asks;
    else followed.asks = asks;
    this.#changed.fire();
    if (asks !== undefined) this.#asked.fire({ ref: followed.ref, session });
  }

  #end(key: string): void {
    this.#following.get(key)?.watch.dispose();
    this.#following.delete(key);
    this.#changed.fire();
  }
}
