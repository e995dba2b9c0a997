/**
 * What sessions cost: the one way by which money is counted, whoever measures it. Exact, cumulative, each charge once. Kept
 * in the artifact store before it is acknowledged, and shown in status at a bounded rate.
 */
import type { Session, SessionStatus } from '../../common/api/session.ts';
import { BoundedMap } from '../../common/bounded-map.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { isConflict, isNotFound } from '../../common/kube/errors.ts';
import { sameJson } from '../../common/kube/patch.ts';
import { sessions } from '../../common/kube/resource.ts';
import { isSpent, totalOf } from '../../common/rules/budget.ts';
import { dayOf } from '../../common/rules/budget-month.ts';
import { minus, parseMoney, plus, sum, ZERO } from '../../common/rules/money.ts';
import type { Money } from '../../common/rules/money.ts';
import { sessionBudget } from '../../common/rules/session-budget.ts';
import { refOf } from '../store/keys.ts';
import type { ArtifactStore } from '../store/store.ts';
import type { Charge } from './charges.ts';
import { CostLedger, costOf, openSum, writtenOff } from './cost-ledger.ts';
import type { Change, SourceSums, Sums } from './cost-ledger.ts';
import type { SessionLookup } from './lookup.ts';
import type { Policies } from './policies.ts';

export interface CostReport {
  /** Who measures: `runner`; lower case letters, digits and dashes. Each source numbers its own charges. */
  source: string;
  /** All charges up to this number are in this report or in earlier ones. */
  seq: number;
  /** All charges up to this number are in earlier reports, perhaps to another replica. */
  after: number;
  charges: readonly Charge[];
}

export interface CostsOptions {
  store: ArtifactStore;
  client: KubeClient;
  sessions: Pick<SessionLookup, 'get' | 'fetch'>;
  policies: Pick<Policies, 'of' | 'object'>;
  clock: {
    now(): number;
    elapsed(): number;
    timer(delayMs: number, fire: () => void): Disposable;
  };
  random: () => number;
  /** Showing a cost in status failed and is tried again. */
  onError: (error: unknown) => void;
}

/** What stands against a session's budget. */
export interface Standing {
  spent: Money;
  /** What calls that are under way may still cost, by source. */
  open: ReadonlyMap<string, Money>;
}

/** Between two writes of one session's status. Not the same for all, or those of sessions that began together would stay together. */
const SHOW_MS = 2000;
const SHOW_SPREAD = 0.25;
/** A total is looked up again beside what is asked from this age on, and before it from that on. */
const FRESH_MS = 5000;
const STALE_MS = 30_000;
/** Sessions whose totals are remembered. */
const REMEMBERED = 2000;

interface Showing {
  session: Session;
  lastAt: number;
  timer: Disposable | undefined;
  underWay: Promise<void> | undefined;
}

export class Costs implements AsyncDisposable {
  readonly #options: CostsOptions;
  readonly #ledger: CostLedger;
  readonly #showing = new Map<string, Showing>();
  readonly #known = new BoundedMap<string, Standing & { at: number }>(REMEMBERED);
  readonly #readings = new Map<string, Promise<Standing>>();
  /** Writes under way: what is read beside one may have its charge or not. */
  readonly #writing = new Map<string, number>();
  #lastDay = '';
  #open = true;

  constructor(options: CostsOptions) {
    this.#options = options;
    this.#ledger = new CostLedger(options.store);
  }

  /** Resolves when the charges are stored. Repeating a report, in whole or in part, changes nothing. Throws what the store throws. */
  async report(session: Session, report: CostReport): Promise<void> {
    const ref = refOf(session);
    const added = await this.#write(ref.uid, async () => {
      const amount = await this.#ledger.add(ref, report, this.#dayFor(session));
      return { amount, result: amount };
    });
    if (added !== ZERO) await this.#show(session);
  }

  /**
   * Stores the next state of a source that keeps its states itself, and resolves with it. Throws what the store throws: then it is
   * not known whether it stands, and no other may be stored under its number.
   */
  async next(session: Session, source: string, before: Sums, change: Change): Promise<Sums> {
    const ref = refOf(session);
    const amount = sum(change.charges.map((charge) => charge.amount));
    const next = await this.#write(ref.uid, async () => ({
      amount,
      result: await this.#ledger.next(ref, source, before, change, this.#dayFor(session)),
    }));
    if (amount !== ZERO) await this.#show(session);
    return next;
  }

  /** A state that survives the process survives the machine, too, from then on. */
  async keep(session: Session, source: string, state: Sums): Promise<void> {
    await this.#ledger.keep(refOf(session), source, state);
  }

  /** Removes a state that has been replaced. */
  async drop(session: Session, source: string, replaced: Sums): Promise<void> {
    await this.#ledger.drop(refOf(session), source, replaced);
  }

  /** Of every source, as the store has it now. */
  async sums(session: Session): Promise<SourceSums[]> {
    return await this.#ledger.read(refOf(session));
  }

  /** With what it adds counted once, whatever is read meanwhile. */
  async #write<R>(uid: string, work: () => Promise<{ amount: Money; result: R }>): Promise<R> {
    this.#writing.set(uid, (this.#writing.get(uid) ?? 0) + 1);
    try {
      const { amount, result } = await work();
      const known = this.#known.get(uid);
      if (known !== undefined) known.spent = plus(known.spent, amount);
      // A reading under way may lack it: whoever asks from now on must not share it.
      if (amount !== ZERO) this.#readings.delete(uid);
      return result;
    } finally {
      const left = (this.#writing.get(uid) ?? 1) - 1;
      if (left === 0) this.#writing.delete(uid);
      else this.#writing.set(uid, left);
    }
  }

  /**
   * What stands, without waiting for the store each time: all that was reported here, and what other replicas have stored before the
   * last look, which is a few seconds ago while a session goes on asking. With `isFresh`, all that was stored before the question.
   */
  async standing(session: Session, { isFresh = false } = {}): Promise<Standing> {
    const { uid } = refOf(session);
    const known = this.#known.get(uid);
    const age = known === undefined ? Infinity : this.#options.clock.elapsed() - known.at;
    if (isFresh) this.#readings.delete(uid);
    if (isFresh || known === undefined || age >= STALE_MS) return await this.#look(session, uid);
    if (age >= FRESH_MS) this.#look(session, uid).catch(this.#options.onError);
    return known;
  }

  async #look(session: Session, uid: string): Promise<Standing> {
    const at = this.#options.clock.elapsed();
    const reading = this.#readings.get(uid);
    if (reading !== undefined) return await reading;
    const fresh = this.sums(session).then(standingOf);
    this.#readings.set(uid, fresh);
    try {
      const standing = await fresh;
      if (this.#readings.get(uid) === fresh && !this.#writing.has(uid))
        this.#known.set(uid, { ...standing, at });
      return standing;
    } finally {
      if (this.#readings.get(uid) === fresh) this.#readings.delete(uid);
    }
  }

  /** All that was reported; undefined when nothing was. */
  async of(session: Session): Promise<SessionStatus['cost']> {
    return costOf(await this.sums(session));
  }

  /** The same with calls that nobody has settled charged as what they may cost: of a session of which nothing runs any more. */
  async atMost(session: Session): Promise<SessionStatus['cost']> {
    const day = this.#dayFor(session);
    return costOf((await this.sums(session)).map((sums) => writtenOff(sums, day)));
  }

  /** Shows what a status may lack since an operator ended before it had written it. */
  async catchUp(session: Session): Promise<void> {
    const cost = await this.of(session);
    if (cost !== undefined && !sameJson(cost, session.status?.cost)) await this.#show(session);
  }

  /** Writes under way are finished; what is not shown yet will be by whoever comes next. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#open = false;
    for (const { timer } of this.#showing.values()) timer?.[Symbol.dispose]();
    await Promise.all([...this.#showing.values()].flatMap(({ underWay }) => underWay ?? []));
  }

  /** Money is never put before a reset that is recorded, nor before money that was spent already: clocks may jump back. */
  #dayFor(session: Session): string {
    const { policies, clock } = this.#options;
    const reset = policies.object(session.metadata.namespace ?? '')?.status?.usage?.budget?.lastReset;
    const days = [this.#lastDay, dayOf(clock.now()), reset?.slice(0, 10) ?? ''];
    return (this.#lastDay = days.reduce((latest, day) => (day > latest ? day : latest)));
  }

  async #show(session: Session): Promise<void> {
    const { uid } = refOf(session);
    const { clock, random } = this.#options;
    let showing = this.#showing.get(uid);
    if (showing === undefined) {
      showing = { session, lastAt: -Infinity, timer: undefined, underWay: undefined };
      this.#showing.set(uid, showing);
    }
    const wait = showing.lastAt + SHOW_MS * (1 + SHOW_SPREAD * (2 * random() - 1)) - clock.elapsed();
    if (wait > 0 && !(await this.#isUrgent(session))) this.#later(uid, showing, wait);
    else this.#now(uid, showing);
  }

  #later(uid: string, showing: Showing, delayMs: number): void {
    if (!this.#open) return;
    showing.timer ??= this.#options.clock.timer(delayMs, () => {
      showing.timer = undefined;
      this.#now(uid, showing);
    });
  }

  #now(uid: string, showing: Showing): void {
    if (!this.#open) return;
    if (showing.underWay !== undefined) {
      this.#later(uid, showing, SHOW_MS);
      return;
    }
    showing.timer?.[Symbol.dispose]();
    showing.timer = undefined;
    showing.lastAt = this.#options.clock.elapsed();
    showing.underWay = this.#showNow(showing)
      .then((isDone) => {
        showing.underWay = undefined;
        if (!isDone) this.#later(uid, showing, SHOW_MS / 4);
        else if (showing.timer === undefined) this.#forgetLater(uid, showing);
      })
      .catch((error: unknown) => {
        showing.underWay = undefined;
        this.#options.onError(error);
        this.#later(uid, showing, SHOW_MS);
      });
  }

  #forgetLater(uid: string, showing: Showing): void {
    const { lastAt } = showing;
    this.#options.clock.timer(SHOW_MS, () => {
      if (showing.lastAt === lastAt && showing.timer === undefined && showing.underWay === undefined)
        this.#showing.delete(uid);
    });
  }

  /** Whether that is all for now; false after a lost race. */
  async #showNow({ session }: Showing): Promise<boolean> {
    const { client, sessions: lookup } = this.#options;
    const { namespace = '', name, uid } = session.metadata;
    const cost = await this.of(session);
    const current = lookup.get(namespace, name) ?? (await lookup.fetch(namespace, name));
    // Whoever ends a session writes its cost; what is charged for a call that its end has cut comes after.
    if (cost === undefined || current?.metadata.uid !== uid) return true;
    if (sameJson(cost, current?.status?.cost)) return true;
    try {
      await client.mergePatch(
        sessions,
        { namespace, name, subresource: 'status' },
        { metadata: { uid, resourceVersion: current?.metadata.resourceVersion }, status: { cost } },
        { answer: 'metadata' },
      );
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      if (isNotFound(error)) return true;
      throw error;
    }
  }

  /** A limit is reached that the status does not show yet: somebody must be stopped. */
  async #isUrgent(session: Session): Promise<boolean> {
    const { policies, sessions: lookup } = this.#options;
    const { namespace = '', name } = session.metadata;
    const total = totalOf(await this.of(session));
    const shown = totalOf(lookup.get(namespace, name)?.status?.cost);
    const policy = policies.of(namespace);
    const own = sessionBudget(lookup.get(namespace, name) ?? session, policy);
    if (isSpent(total, own) && !isSpent(shown, own)) return true;
    const usage = policies.object(namespace)?.status?.usage?.budget;
    const spent: Money = parseMoney(usage?.currentMonth ?? '') ?? ZERO;
    const monthly = policy.budget?.monthly;
    return !isSpent(spent, monthly) && isSpent(plus(spent, minus(total, shown)), monthly);
  }
}

function standingOf(all: readonly SourceSums[]): Standing {
  return {
    spent: totalOf(costOf(all)),
    open: new Map(all.filter(({ open }) => open.size > 0).map((sums) => [sums.source, openSum(sums)])),
  };
}
