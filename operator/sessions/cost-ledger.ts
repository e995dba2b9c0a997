/**
 * The stored sums behind a session's cost, one for each source. A state is named by the number of the last charge in it and
 * is the same whoever computes it; the one with the highest number counts. So neither a report that comes twice nor a
 * replica that is behind can change what stands.
 */
import { text } from 'node:stream/consumers';
import type { SessionStatus } from '../../common/api/session.ts';
import { BoundedMap } from '../../common/bounded-map.ts';
import { AmbientError, isAmbientError } from '../../common/errors.ts';
import { formatMoney, parseMoney, plus, sum, ZERO } from '../../common/rules/money.ts';
import type { Money } from '../../common/rules/money.ts';
import { InTurn } from '../store/in-turn.ts';
import { keys } from '../store/keys.ts';
import type { SessionRef } from '../store/keys.ts';
import type { ArtifactStore, PutOptions } from '../store/store.ts';
import { OTHER } from './charges.ts';
import type { Charge } from './charges.ts';

/** A call that may still cost something. */
export interface OpenCall {
  /** What its charge will be broken down by. */
  key: string;
  most: Money;
}

export interface Sums {
  /** Number of the last charge that is counted; of a source that numbers its states, that of the state. */
  seq: number;
  amounts: ReadonlyMap<string, Money>;
  days: ReadonlyMap<string, Money>;
  /** By id. None of them is in the amounts. */
  open: ReadonlyMap<string, OpenCall>;
  /** Charged at most by another process: whose source it is may store the truth under the same number. */
  isAtMost?: true;
}

export interface SourceSums extends Sums {
  source: string;
}

/** What turns one state of a source into its next. */
export interface Change {
  charges: readonly Omit<Charge, 'seq'>[];
  /** All that are open from now on. */
  open: ReadonlyMap<string, OpenCall>;
  isAtMost?: true;
  /** Default: `machine`. */
  survives?: PutOptions['survives'];
}

interface Known extends Sums {
  /** All up to this number was reported here, charges or not. */
  through: number;
}

/** As stored. */
interface StoredSums {
  amounts: Record<string, string>;
  days: Record<string, string>;
  open?: Record<string, { key: string; most: string }>;
  isAtMost?: true;
}

export const NOTHING: Sums = { seq: 0, amounts: new Map(), days: new Map(), open: new Map() };
const SOURCE = /^[a-z0-9-]{1,63}$/;
/** What the schema of status allows for the breakdown. */
const KEYS_MAX = 50;
/** Sources of sessions whose sums are remembered; others are read again. */
const REMEMBERED = 2000;

export class CostLedger {
  readonly #store: ArtifactStore;
  readonly #known = new BoundedMap<string, Known>(REMEMBERED);
  /** States that never change, as they stand in the store, by key. */
  readonly #states = new BoundedMap<string, SourceSums>(REMEMBERED);
  readonly #adding = new InTurn();

  constructor(store: ArtifactStore) {
    this.#store = store;
  }

  /** How much of it was new. Resolves when it is stored. */
  async add(
    ref: SessionRef,
    report: { source: string; seq: number; after: number; charges: readonly Charge[] },
    day: string,
  ): Promise<Money> {
    if (!SOURCE.test(report.source)) throw new RangeError(`not a source of costs: ${report.source}`);
    const id = `${ref.uid}/${report.source}`;
    return await this.#adding.run(id, () => this.#add(ref, id, report, day));
  }

  /**
   * Stores the next state of a source that numbers its states, and that nobody else writes while its process lives. What a call
   * costs takes the place of what it may cost in one write, so that no crash finds it counted twice, or not at all.
   */
  async next(ref: SessionRef, source: string, before: Sums, change: Change, day: string): Promise<Sums> {
    const next: Sums = {
      ...{ ...addTo(before, change.charges, day), seq: before.seq + 1, open: change.open },
      ...(change.isAtMost && { isAtMost: true }),
    };
    await this.#put(ref, source, next, change.survives);
    return next;
  }

  /** A state that survives the process survives the machine, too, from then on. */
  async keep(ref: SessionRef, source: string, { seq }: Sums): Promise<void> {
    await this.#store.flush(keys.cost(ref, source, seq));
  }

  /** Removes a state that has been replaced. */
  async drop(ref: SessionRef, source: string, { seq }: Sums): Promise<void> {
    if (seq === 0) return;
    const key = keys.cost(ref, source, seq);
    this.#states.delete(key);
    await this.#store.remove(key);
  }

  /** The sums of every source. A state that was read or written here before is not read again. */
  async read(ref: SessionRef): Promise<SourceSums[]> {
    for (;;) {
      const found = await this.#numbers(ref);
      const all = await Promise.all([...found].map(([source, seqs]) => this.#newestOf(ref, source, seqs)));
      // One that was replaced by a newer while we looked: look again.
      if (!all.includes(undefined)) return all.filter((sums) => sums !== undefined);
    }
  }

  /** Of the states that stand, by source. */
  async #numbers(ref: SessionRef): Promise<Map<string, number[]>> {
    const numbers = new Map<string, number[]>();
    for (const key of await this.#store.listKeys(keys.costs(ref))) {
      const found = keys.parseCost(key);
      if (found !== undefined) numbers.set(found.source, [...(numbers.get(found.source) ?? []), found.seq]);
    }
    return numbers;
  }

  /** The one with the highest number that is whole; undefined when it is gone. */
  async #newestOf(ref: SessionRef, source: string, seqs: readonly number[]): Promise<SourceSums | undefined> {
    for (const seq of seqs.toSorted((a, b) => b - a)) {
      const sums = this.#states.get(keys.cost(ref, source, seq)) ?? (await this.#load(ref, source, seq));
      if (sums !== 'damaged') return sums;
    }
    throw damaged(ref, source);
  }

  async #add(
    ref: SessionRef,
    id: string,
    {
      source,
      seq,
      after,
      charges,
    }: { source: string; seq: number; after: number; charges: readonly Charge[] },
    day: string,
  ): Promise<Money> {
    let known = this.#known.get(id);
    if (charges.length === 0) {
      // Nothing to count, yet worth knowing that nothing was missed.
      if (known !== undefined && after <= known.through) known.through = Math.max(known.through, seq);
      return ZERO;
    }
    if (known === undefined || after > known.through) known = await this.#newest(ref, source, after);
    const fresh = charges.filter((charge) => charge.seq > (known?.seq ?? 0));
    if (fresh.length === 0) {
      this.#known.set(id, { ...known, through: Math.max(known.through, seq) });
      return ZERO;
    }
    const last = Math.max(...fresh.map((charge) => charge.seq));
    const next = { ...addTo(known, fresh, day), seq: last, open: known.open };
    await this.#put(ref, source, next);
    this.#known.set(id, { ...next, through: Math.max(known.through, seq) });
    // What it replaces is of no more use; left behind by a crash, it does no harm.
    await this.drop(ref, source, known);
    return sum(fresh.map(({ amount }) => amount));
  }

  async #put(
    ref: SessionRef,
    source: string,
    sums: Sums,
    survives: PutOptions['survives'] = 'machine',
  ): Promise<void> {
    const key = keys.cost(ref, source, sums.seq);
    await this.#store.put(key, Buffer.from(JSON.stringify(toStored(sums))), {
      contentType: 'application/json',
      survives,
    });
    this.#rememberState(key, { source, ...sums });
  }

  async #newest(ref: SessionRef, source: string, after: number): Promise<Known> {
    for (;;) {
      const seqs = (await this.#numbers(ref)).get(source) ?? [];
      const sums = seqs.length === 0 ? NOTHING : await this.#newestOf(ref, source, seqs);
      if (sums !== undefined) return { ...sums, through: Math.max(after, ...seqs) };
    }
  }

  async #load(ref: SessionRef, source: string, seq: number): Promise<SourceSums | 'damaged' | undefined> {
    const key = keys.cost(ref, source, seq);
    let stored: string;
    try {
      stored = await text((await this.#store.get(key)).body);
    } catch (error) {
      if (isAmbientError(error, 'not_found')) return undefined;
      if (isAmbientError(error, 'storage_unavailable') && error.details['damaged'] !== undefined)
        return 'damaged';
      throw error;
    }
    try {
      const sums = { source, ...fromStored(seq, JSON.parse(stored) as StoredSums) };
      this.#rememberState(key, sums);
      return sums;
    } catch (error) {
      // As long as it was, and zeros.
      if (error instanceof SyntaxError) return 'damaged';
      throw error;
    }
  }

  #rememberState(key: string, sums: SourceSums): void {
    if (sums.isAtMost) this.#states.delete(key);
    else this.#states.set(key, sums);
  }
}

const damaged = (ref: SessionRef, source: string): AmbientError =>
  new AmbientError('storage_unavailable', `what a session has cost by ${source} is damaged`, {
    details: { damaged: `${keys.costs(ref)}${source}` },
  });

function addTo(
  { amounts, days }: Sums,
  charges: Change['charges'],
  today: string,
): Pick<Sums, 'amounts' | 'days'> {
  const next = { amounts: new Map(amounts), days: new Map(days) };
  // Days only go forward, whatever the clock of another replica says.
  const day = [...days.keys()].reduce((latest, each) => (each > latest ? each : latest), today);
  for (const { key, amount } of charges) {
    const name = next.amounts.has(key) || next.amounts.size < KEYS_MAX - 1 ? key : OTHER;
    next.amounts.set(name, plus(next.amounts.get(name) ?? ZERO, amount));
    next.days.set(day, plus(next.days.get(day) ?? ZERO, amount));
  }
  return next;
}

/** What the calls of a source that are under way may still cost. */
export const openSum = ({ open }: Sums): Money => sum([...open.values()].map(({ most }) => most));

/** The same with all that is open charged as what it may cost at most. */
export function writtenOff(sums: Sums, today: string): Sums {
  const charges = [...sums.open.values()].map(({ key, most }) => ({ key, amount: most }));
  return { ...sums, ...addTo(sums, charges, today), open: new Map() };
}

/** As status shows it. */
export function costOf(all: readonly Sums[]): SessionStatus['cost'] {
  const amounts = merged(all.map((sums) => sums.amounts));
  if (amounts.size === 0) return undefined;
  return {
    total: formatMoney(sum(amounts.values())),
    breakdown: toText(amounts, KEYS_MAX),
    days: toText(merged(all.map((sums) => sums.days)), KEYS_MAX),
  };
}

function merged(maps: readonly ReadonlyMap<string, Money>[]): Map<string, Money> {
  const all = new Map<string, Money>();
  for (const map of maps) for (const [key, amount] of map) all.set(key, plus(all.get(key) ?? ZERO, amount));
  return all;
}

const toText = (amounts: ReadonlyMap<string, Money>, max: number): Record<string, string> =>
  Object.fromEntries(
    [...amounts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(-max)
      .map(([key, amount]) => [key, formatMoney(amount)]),
  );

const toStored = ({ amounts, days, open, isAtMost }: Sums): StoredSums => ({
  amounts: toText(amounts, KEYS_MAX),
  days: toText(days, Infinity),
  ...(open.size > 0 && {
    open: Object.fromEntries([...open].map(([id, { key, most }]) => [id, { key, most: formatMoney(most) }])),
  }),
  ...(isAtMost && { isAtMost }),
});

const fromText = (texts: Record<string, string>): Map<string, Money> =>
  new Map(Object.entries(texts).map(([key, text]) => [key, parseMoney(text) ?? ZERO]));

const fromStored = (seq: number, { amounts, days, open = {}, isAtMost }: StoredSums): Sums => ({
  seq,
  amounts: fromText(amounts),
  days: fromText(days),
  open: new Map(
    Object.entries(open).map(([id, { key, most }]) => [id, { key, most: parseMoney(most) ?? ZERO }]),
  ),
  ...(isAtMost && { isAtMost }),
});
