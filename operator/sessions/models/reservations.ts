/**
 * Money that calls under way may still cost, held against the budget of their session: calls at the same time can never plan to
 * spend more together than there is. A call waits while others hold what it needs, and is told at once when nobody does.
 */
import { plus, sum, ZERO } from '../../../common/rules/money.ts';
import type { Money } from '../../../common/rules/money.ts';

export interface Reservation {
  kind: 'held';
  /** Only after what it has cost is stored. */
  readonly release: () => void;
}

/** More than is left, whatever the others give back. */
export interface Shortage {
  kind: 'short';
  spent: Money;
  limit: Money;
  most: Money;
}

/** What the store has of a session. */
export interface Stored {
  spent: Money;
  /** What calls at other replicas may still cost. */
  elsewhere: Money;
}

export interface Need {
  /** UID of the session. */
  uid: string;
  most: Money;
  /** As it is now; undefined: no limit. */
  limit: () => Money | undefined;
  /** With `isFresh`, all that was stored before the question. */
  stored: (isFresh: boolean) => Promise<Stored>;
  signal: AbortSignal;
}

export interface ReservationsOptions {
  clock: { timer(delayMs: number, fire: () => void): Disposable };
  random: () => number;
}

const NOTHING: Stored = { spent: ZERO, elsewhere: ZERO };
/** Other replicas do not tell when they give something back. Not the same for all, or they would meet again and again. */
const LOOK_MS = 500;

interface Held {
  sum: Money;
  /** So that whoever was reading meanwhile reads again. */
  releases: number;
  users: number;
  waiting: Set<() => void>;
}

export class Reservations {
  readonly #options: ReservationsOptions;
  readonly #sessions = new Map<string, Held>();

  constructor(options: ReservationsOptions) {
    this.#options = options;
  }

  /** Throws what `stored` throws, and the signal's reason. */
  async reserve(need: Need, { isFresh = false } = {}): Promise<Reservation | Shortage> {
    const held = this.#enter(need.uid);
    let isHeld = false;
    try {
      for (let mustLook = isFresh; ;) {
        need.signal.throwIfAborted();
        const seen = held.releases;
        const known: Stored = need.limit() === undefined ? NOTHING : await need.stored(mustLook);
        const { spent, elsewhere } = known;
        // What somebody has just given back may not have been in what was read.
        if (held.releases !== seen) continue;
        const limit = need.limit();
        if (limit === undefined || sum([spent, elsewhere, held.sum, need.most]) <= limit) {
          held.sum = plus(held.sum, need.most);
          isHeld = true;
          return { kind: 'held', release: this.#releaseOf(need, held) };
        }
        if (plus(spent, need.most) > limit) return { kind: 'short', spent, limit, most: need.most };
        mustLook = elsewhere > ZERO;
        await this.#released(held, need.signal, mustLook);
      }
    } finally {
      if (!isHeld) this.#leave(need.uid, held);
    }
  }

  /** Whether what is held has room beside what every replica has stored by now: one that has stored its own, and then asks, is seen. */
  async fits({ uid, limit, stored }: Omit<Need, 'most'>): Promise<boolean> {
    for (;;) {
      if (limit() === undefined) return true;
      const seen = this.#sessions.get(uid)?.releases;
      const { spent, elsewhere } = await stored(true);
      if (this.#sessions.get(uid)?.releases !== seen) continue;
      const now = limit();
      return now === undefined || sum([spent, elsewhere, this.heldFor(uid)]) <= now;
    }
  }

  /** What is held for a session. */
  heldFor(uid: string): Money {
    return this.#sessions.get(uid)?.sum ?? ZERO;
  }

  #releaseOf({ uid, most }: Need, held: Held): () => void {
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      held.sum = (held.sum - most) as Money;
      held.releases++;
      for (const wake of [...held.waiting]) wake();
      this.#leave(uid, held);
    };
  }

  #enter(uid: string): Held {
    let held = this.#sessions.get(uid);
    if (held === undefined)
      this.#sessions.set(uid, (held = { sum: ZERO, releases: 0, users: 0, waiting: new Set() }));
    held.users++;
    return held;
  }

  #leave(uid: string, held: Held): void {
    if (--held.users === 0) this.#sessions.delete(uid);
  }

  async #released(held: Held, signal: AbortSignal, isHeldElsewhere: boolean): Promise<void> {
    const { clock, random } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    held.waiting.add(wake);
    signal.addEventListener('abort', wake);
    using _timer = isHeldElsewhere ? clock.timer(LOOK_MS * (0.5 + random()), wake) : undefined;
    await promise;
    held.waiting.delete(wake);
    signal.removeEventListener('abort', wake);
  }
}
