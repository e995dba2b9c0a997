/**
 * Money that calls under way may still cost, held against the budget of their session: calls at the same time can never plan to
 * spend more together than there is. A call waits while others hold what it needs, and is told at once when nobody does.
 */
import { plus, ZERO } from '../../../common/rules/money.ts';
import type { Money } from '../../../common/rules/money.ts';

export interface Reservation {
  kind: 'held';
  /** Only after what it has cost is stored. */
  release(): void;
}

/** More than is left, whatever the others give back. */
export interface Shortage {
  kind: 'short';
  spent: Money;
  limit: Money;
  most: Money;
}

export interface Need {
  /** UID of the session. */
  uid: string;
  most: Money;
  /** As it is now; undefined: no limit. */
  limit: () => Money | undefined;
  /** What is stored of the session's cost. */
  spent: () => Promise<Money>;
  signal: AbortSignal;
}

interface Held {
  sum: Money;
  /** So that whoever was reading meanwhile reads again. */
  releases: number;
  users: number;
  waiting: Set<() => void>;
}

export class Reservations {
  readonly #sessions = new Map<string, Held>();

  /** Throws what `spent` throws, and the signal's reason. */
  async reserve(need: Need): Promise<Reservation | Shortage> {
    const held = this.#enter(need.uid);
    let isHeld = false;
    try {
      for (;;) {
        need.signal.throwIfAborted();
        const seen = held.releases;
        const spent = need.limit() === undefined ? ZERO : await need.spent();
        // What somebody has just given back may not have been in what was read.
        if (held.releases !== seen) continue;
        const limit = need.limit();
        if (limit === undefined || plus(plus(spent, held.sum), need.most) <= limit) {
          held.sum = plus(held.sum, need.most);
          isHeld = true;
          return { kind: 'held', release: this.#releaseOf(need, held) };
        }
        if (plus(spent, need.most) > limit) return { kind: 'short', spent, limit, most: need.most };
        await released(held, need.signal);
      }
    } finally {
      if (!isHeld) this.#leave(need.uid, held);
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
}

async function released(held: Held, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      held.waiting.delete(done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    held.waiting.add(done);
    signal.addEventListener('abort', done);
  });
}
