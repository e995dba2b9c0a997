/**
 * What calls have cost, on its way into the session's cost. Each process numbers its own charges, under sources of its own, so
 * that no two replicas and no restart ever give one number to two charges; one that cannot be stored is tried again.
 */
import type { Session } from '../../../common/api/session.ts';
import { ZERO } from '../../../common/rules/money.ts';
import type { Money } from '../../../common/rules/money.ts';
import { chargeKey } from '../charges.ts';
import type { Charge } from '../charges.ts';
import type { Costs } from '../costs.ts';

export interface ModelChargesOptions {
  costs: Pick<Costs, 'report'>;
  /** Lower case letters and digits; never the same for two processes. */
  process: string;
  clock: { timer(delayMs: number, fire: () => void): Disposable };
  onError: (error: unknown, session: Session) => void;
}

const RETRY_MS = 1000;
/** Sessions whose numbers are remembered. */
const BOOKS_MAX = 5000;
/** At the end of the process. */
const PATIENCE_MS = 4000;

interface Book {
  session: Session;
  source: string;
  /** The number of the last charge, and of the last that is stored. */
  last: number;
  stored: number;
  pending: Charge[];
  /** Until all that is pending now is stored. */
  storing: Promise<void> | undefined;
}

export class ModelCharges implements AsyncDisposable {
  readonly #options: ModelChargesOptions;
  readonly #books = new Map<string, Book>();
  #opened = 0;

  constructor(options: ModelChargesOptions) {
    this.#options = options;
  }

  /** Resolves when it is stored. */
  async add(session: Session, model: string, amount: Money): Promise<void> {
    if (amount === ZERO) return;
    const book = this.#book(session);
    const seq = ++book.last;
    book.pending.push({ seq, key: chargeKey(model), amount });
    while (book.stored < seq) await (book.storing ??= this.#store(book));
  }

  /** Waits a while for what is not stored yet: it is lost with the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    const over = Promise.withResolvers<void>();
    using _patience = this.#options.clock.timer(PATIENCE_MS, () => over.resolve());
    const storing = [...this.#books.values()].flatMap((book) => book.storing ?? []);
    await Promise.race([over.promise, Promise.all(storing)]);
  }

  #book(session: Session): Book {
    const uid = session.metadata.uid ?? '';
    let book = this.#books.get(uid);
    if (book !== undefined) return book;
    const source = `gateway-${this.#options.process}-${++this.#opened}`;
    book = { session, source, last: 0, stored: 0, pending: [], storing: undefined };
    this.#books.set(uid, book);
    // A session that is away for long opens another book, under another source.
    if (this.#books.size > BOOKS_MAX)
      for (const [oldest, { last, stored }] of this.#books)
        if (last === stored && oldest !== uid) {
          this.#books.delete(oldest);
          break;
        }
    return book;
  }

  async #store(book: Book): Promise<void> {
    const { costs, onError } = this.#options;
    try {
      for (;;) {
        const charges = [...book.pending];
        const last = charges.at(-1);
        if (last === undefined) return;
        try {
          await costs.report(book.session, {
            source: book.source,
            after: book.stored,
            seq: last.seq,
            charges,
          });
          book.stored = last.seq;
          book.pending = book.pending.slice(charges.length);
        } catch (error) {
          onError(error, book.session);
          await this.#sleep();
        }
      }
    } finally {
      book.storing = undefined;
    }
  }

  async #sleep(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    using _timer = this.#options.clock.timer(RETRY_MS, resolve);
    await promise;
  }
}
