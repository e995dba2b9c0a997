/** Sessions launched from this window, followed until they end even when no view shows them: the person hears of it. */
import type { Session } from '../../common/api/session.ts';
import type { Listen } from '../ide/event.ts';
import { Emitter } from '../ide/event.ts';
import { refKey } from './session-ref.ts';
import type { SessionRef } from './session-ref.ts';
import type { SessionWatch, SessionWatches } from './session-watch.ts';
import { isFinished } from './state.ts';

export interface Finished {
  ref: SessionRef;
  session: Session;
}

export class LaunchedSessions {
  readonly #watches: Pick<SessionWatches, 'acquire'>;
  readonly #following = new Map<string, { ref: SessionRef; watch: SessionWatch }>();
  readonly #finished = new Emitter<Finished>();
  readonly #changed = new Emitter<void>();

  constructor(watches: Pick<SessionWatches, 'acquire'>) {
    this.#watches = watches;
  }

  /** One that was followed has ended. */
  readonly onDidFinish: Listen<Finished> = this.#finished.event;
  /** `active` has changed. */
  readonly onDidChange: Listen<void> = this.#changed.event;

  /** How many of them have not ended. */
  get active(): number {
    return this.#following.size;
  }

  follow(ref: SessionRef): void {
    const key = refKey(ref);
    if (this.#following.has(key)) return;
    const watch = this.#watches.acquire(ref.cluster, ref.namespace, ref.name);
    this.#following.set(key, { ref, watch });
    watch.onChange(({ type, object }) => {
      if (type === 'deleted' || isFinished(object)) this.#end(key);
      if (type !== 'deleted' && isFinished(object)) this.#finished.fire({ ref, session: object });
    });
    this.#changed.fire();
  }

  dispose(): void {
    for (const { watch } of this.#following.values()) watch.dispose();
    this.#following.clear();
  }

  #end(key: string): void {
    this.#following.get(key)?.watch.dispose();
    this.#following.delete(key);
    this.#changed.fire();
  }
}
