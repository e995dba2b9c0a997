/**
 * What calls may cost and have cost, on its way into the session's cost. A call is stored as open before it is passed on, and what
 * it has cost takes its place in one write, so that a process that is killed at any moment leaves each call either open or charged.
 * Each process writes under sources of its own. Calls that come together share a write.
 */
import type { Session } from '../../../common/api/session.ts';
import { ZERO } from '../../../common/rules/money.ts';
import type { Money } from '../../../common/rules/money.ts';
import { chargeKey } from '../charges.ts';
import { NOTHING } from '../cost-ledger.ts';
import type { Change, OpenCall, Sums } from '../cost-ledger.ts';
import type { Costs } from '../costs.ts';
import type { OpenSessions } from './open-sessions.ts';

export interface ModelChargesOptions {
  costs: Pick<Costs, 'next' | 'drop'>;
  /** Where whoever comes after this process finds what it has left open. */
  openSessions: Pick<OpenSessions, 'enter' | 'leave'>;
  /** Lower case letters and digits; never the same for two processes. */
  process: string;
  clock: { timer(delayMs: number, fire: () => void): Disposable };
  onError: (error: unknown, session: Session) => void;
}

export interface StoredCall {
  /** Resolves when it is stored, however often that must be tried; to be called once. */
  settle(amount: Money): Promise<void>;
}

const RETRY_MS = 1000;
/** Sessions whose numbers are remembered. */
const BOOKS_MAX = 5000;
/** At the end of the process. */
const PATIENCE_MS = 4000;

interface Book {
  session: Session;
  source: string;
  standing: Sums;
  /** The last state that survives the machine: kept until another does. */
  kept: Sums;
  open: Map<string, OpenCall>;
  pending: { key: string; amount: Money }[];
  /** Changes so far, and how many of them are stored. */
  changes: number;
  stored: number;
  /** Until all changes before it are stored, or storing them has failed. */
  storing: Promise<void> | undefined;
}

/** Sources of one process. */
export const prefixOf = (process: string): string => `gateway-${process}-`;

export class ModelCharges implements AsyncDisposable {
  readonly #options: ModelChargesOptions;
  readonly #books = new Map<string, Book>();
  readonly #underWay = new Set<Promise<void>>();
  #opened = 0;
  #calls = 0;

  constructor(options: ModelChargesOptions) {
    this.#options = options;
  }

  /** Resolves when it is stored that the call may cost so much. Throws what the store throws: then it may not be passed on. */
  async open(session: Session, model: string, most: Money): Promise<StoredCall> {
    const { openSessions } = this.#options;
    const id = String(++this.#calls);
    // First: what is open where nobody looks would be held for ever.
    await openSessions.enter(session);
    const book = this.#book(session);
    book.open.set(id, { key: chargeKey(model), most });
    const settle = async (amount: Money): Promise<void> => {
      book.open.delete(id);
      if (amount !== ZERO) book.pending.push({ key: chargeKey(model), amount });
      await this.#persist(book, ++book.changes);
      openSessions.leave(session);
    };
    try {
      await this.#stored(book, ++book.changes);
    } catch (error) {
      // It may be stored all the same.
      this.#track(settle(ZERO));
      throw error;
    }
    return {
      settle: (amount) => {
        const settling = settle(amount);
        this.#track(settling);
        return settling;
      },
    };
  }

  /** Whether a source of costs is of this process. */
  isOwn(source: string): boolean {
    return source.startsWith(prefixOf(this.#options.process));
  }

  /** Waits a while for what is not stored yet; whoever comes after finds it open. */
  async [Symbol.asyncDispose](): Promise<void> {
    const over = Promise.withResolvers<void>();
    using _patience = this.#options.clock.timer(PATIENCE_MS, () => over.resolve());
    await Promise.race([over.promise, Promise.all(this.#underWay)]);
  }

  /** Work that never fails. */
  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
  }

  #book(session: Session): Book {
    const uid = session.metadata.uid ?? '';
    let book = this.#books.get(uid);
    if (book !== undefined) return book;
    const source = `${prefixOf(this.#options.process)}${++this.#opened}`;
    book = {
      ...{ session, source, standing: NOTHING, kept: NOTHING, open: new Map(), pending: [] },
      ...{ changes: 0, stored: 0, storing: undefined },
    };
    this.#books.set(uid, book);
    // A session that is away for long opens another book, under another source.
    if (this.#books.size > BOOKS_MAX)
      for (const [oldest, { changes, stored, open }] of this.#books)
        if (changes === stored && open.size === 0 && oldest !== uid) {
          this.#books.delete(oldest);
          break;
        }
    return book;
  }

  /** Until a change is stored, however often that must be tried. */
  async #persist(book: Book, change: number): Promise<void> {
    for (;;)
      try {
        await this.#stored(book, change);
        return;
      } catch (error) {
        this.#options.onError(error, book.session);
        await this.#sleep();
      }
  }

  /** Throws when storing it fails. */
  async #stored(book: Book, change: number): Promise<void> {
    while (book.stored < change)
      await (book.storing ??= this.#store(book).finally(() => (book.storing = undefined)));
  }

  async #store(book: Book): Promise<void> {
    const { costs } = this.#options;
    const { session, source, standing, kept, changes, pending } = book;
    const charges = [...pending];
    const open = new Map(book.open);
    // Agents wait for what only opens calls. To be killed loses nothing of it; only a machine that loses power may.
    const isPassing =
      kept !== NOTHING && charges.length === 0 && [...standing.open.keys()].every((id) => open.has(id));
    const change: Change = { charges, open, survives: isPassing ? 'process' : 'machine' };
    book.standing = await costs.next(session, source, standing, change);
    book.pending = pending.slice(charges.length);
    book.stored = changes;
    if (!isPassing) book.kept = book.standing;
    // Nobody waits for it: left behind by a failure or a crash, it does no harm.
    for (const each of new Set([standing, kept]))
      if (each !== book.kept) this.#track(costs.drop(session, source, each).catch(() => undefined));
  }

  async #sleep(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    using _timer = this.#options.clock.timer(RETRY_MS, resolve);
    await promise;
  }
}
