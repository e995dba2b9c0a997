/**
 * What calls may cost and have cost, on its way into the session's cost. A call is stored as open before it is passed on, and what
 * it has cost takes its place in one write, so that a process that is killed at any moment leaves each call either open or charged.
 * Each process writes under sources of its own. Calls that come together share a write, and none waits for the disk:
 * to be killed loses nothing of what is written. What a machine that loses power must not lose is brought to its disk now and then.
 */
import type { Session } from '../../../common/api/session.ts';
import { ZERO } from '../../../common/rules/money.ts';
import type { Money } from '../../../common/rules/money.ts';
import { chargeKey } from '../charges.ts';
import { NOTHING } from '../cost-ledger.ts';
import type { OpenCall, Sums } from '../cost-ledger.ts';
import type { Costs } from '../costs.ts';
import type { OpenSessions } from './open-sessions.ts';

export interface ModelChargesOptions {
  costs: Pick<Costs, 'next' | 'keep' | 'drop'>;
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
/** What a machine may lose with its power. For all sessions at once: file systems write that in one go. */
const KEEP_MS = 5000;
/** Sessions whose numbers are remembered. */
const BOOKS_MAX = 5000;
/** At the end of the process. */
const PATIENCE_MS = 4000;

interface Book {
  session: Session;
  source: string;
  /** Of the last state that was tried: one that failed may stand all the same, and under its number nothing else may. */
  tried: number;
  standing: Sums;
  /** The last state that survives the machine: it stays until another does. */
  kept: Sums;
  /** About to be that. */
  keeping: Sums | undefined;
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
  #keepTimer: Disposable | undefined;
  #isOpen = true;
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
    this.#isOpen = false;
    this.#keepTimer?.[Symbol.dispose]();
    const over = Promise.withResolvers<void>();
    using _patience = this.#options.clock.timer(PATIENCE_MS, () => over.resolve());
    const end = async (): Promise<void> => {
      await Promise.all(this.#underWay);
      for (const book of this.#books.values()) this.#track(this.#keep(book));
      // And what they have replaced.
      while (this.#underWay.size > 0) await Promise.all(this.#underWay);
    };
    await Promise.race([over.promise, end()]);
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
      ...{ session, source, tried: 0, standing: NOTHING, kept: NOTHING, keeping: undefined },
      ...{ open: new Map(), pending: [] },
      ...{ changes: 0, stored: 0, storing: undefined },
    };
    this.#books.set(uid, book);
    // A session that is away for long opens another book, under another source.
    if (this.#books.size > BOOKS_MAX)
      for (const [oldest, { changes, stored, open, standing, kept }] of this.#books)
        if (changes === stored && open.size === 0 && standing === kept && oldest !== uid) {
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
    // There is always one that survives the machine.
    const survives = kept === NOTHING ? 'machine' : 'process';
    const before = { ...standing, seq: book.tried++ };
    book.standing = await costs.next(session, source, before, {
      ...{ charges, open: new Map(book.open), survives },
    });
    book.pending = pending.slice(charges.length);
    book.stored = changes;
    if (survives === 'machine') book.kept = book.standing;
    else this.#keepLater();
    if (standing !== book.kept && standing !== book.keeping) this.#drop(book, standing);
    for (let seq = standing.seq + 1; seq < book.standing.seq; seq++) this.#drop(book, { ...standing, seq });
  }

  #keepLater(): void {
    if (!this.#isOpen) return;
    this.#keepTimer ??= this.#options.clock.timer(KEEP_MS, () => {
      this.#keepTimer = undefined;
      for (const book of this.#books.values()) this.#track(this.#keep(book));
    });
  }

  /** Never fails. */
  async #keep(book: Book): Promise<void> {
    const { session, source, standing, kept, keeping } = book;
    if (standing === kept || keeping !== undefined) return;
    book.keeping = standing;
    try {
      await this.#options.costs.keep(session, source, standing);
      book.kept = standing;
      this.#drop(book, kept);
    } catch (error) {
      this.#options.onError(error, session);
      if (standing !== book.standing) this.#drop(book, standing);
    }
    book.keeping = undefined;
    if (book.standing !== book.kept) this.#keepLater();
  }

  /** Nobody waits for it: left behind by a failure or a crash, it does no harm. */
  #drop({ session, source }: Book, state: Sums): void {
    this.#track(this.#options.costs.drop(session, source, state).catch(() => undefined));
  }

  async #sleep(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    using _timer = this.#options.clock.timer(RETRY_MS, resolve);
    await promise;
  }
}
