/**
 * One namespace's sessions as far as turns and money go: who runs, who waits, what is spent and held. Kept up to date from
 * one session at a time, so that no look at a session goes through all of them.
 */
import { HAND_IN_SECONDS } from '../../../common/api/runner.ts';
import { DEFAULT_GRACE_SECONDS, DEFAULT_TIMEOUT_SECONDS, isTerminal } from '../../../common/api/session.ts';
import type { Session } from '../../../common/api/session.ts';
import type { NamespacePolicy } from '../../../common/api/namespace-policy.ts';
import { budgetLevel, isSpent, spentSince, totalOf, unspent } from '../../../common/rules/budget.ts';
import type { BudgetLevel, BudgetState } from '../../../common/rules/budget.ts';
import { budgetMonth } from '../../../common/rules/budget-month.ts';
import type { BudgetMonth } from '../../../common/rules/budget-month.ts';
import { minus, parseMoney, ZERO } from '../../../common/rules/money.ts';
import type { Money } from '../../../common/rules/money.ts';
import type { EffectivePolicy } from '../../../common/rules/policy/effective.ts';
import { sessionBudget } from '../../../common/rules/session-budget.ts';
import { inLine, takeTurns, turnOf } from '../../../common/rules/turns.ts';
import type { Room, Waiter } from '../../../common/rules/turns.ts';

/** idle: has not asked for its turn; gone: over and its object deleted, but not yet in the policy's `carried`. */
export type EntryState = 'idle' | 'waiting' | 'running' | 'over' | 'gone';

export interface Entry extends Waiter {
  readonly uid: string;
  session: Session;
  state: EntryState;
  /** In all, and since the reset. */
  cost: Money;
  spent: Money;
  /** Clock.elapsed() when its place was last told. */
  toldAt: number | undefined;
}

/** What stands in the policy's status. */
type Usage = NonNullable<NonNullable<NamespacePolicy['status']>['usage']>['budget'];

export class Account {
  readonly namespace: string;
  readonly #entries = new Map<string, Entry>();
  /** Those that wait, in order. */
  readonly #line: Entry[] = [];
  #running = 0;
  #spent = 0n;
  #held = 0n;
  #policy: EffectivePolicy;
  #usage: Usage;
  #carried: Money = ZERO;
  #settled: ReadonlySet<string> = new Set();
  #month: BudgetMonth;
  /** Who at the last pass had no room and made all behind wait; undefined: nobody did. */
  #holder: Entry | undefined;

  constructor(namespace: string, policy: EffectivePolicy, object: NamespacePolicy | undefined, now: number) {
    this.namespace = namespace;
    this.#policy = policy;
    this.#usage = object?.status?.usage?.budget;
    this.#month = this.#monthAt(now);
    this.#readUsage();
  }

  get policy(): EffectivePolicy {
    return this.#policy;
  }
  get month(): BudgetMonth {
    return this.#month;
  }
  get running(): number {
    return this.#running;
  }
  get waiting(): number {
    return this.#line.length;
  }
  get line(): readonly Entry[] {
    return this.#line;
  }
  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** All that turns depend on besides the policy: the same text means the same. */
  get figures(): string {
    return `${this.#running}/${this.#line.length}/${this.#spent}/${this.#held}`;
  }

  /** Undefined without a monthly budget. */
  get budget(): BudgetState | undefined {
    const { budget } = this.#policy;
    if (budget === undefined) return undefined;
    const spent = (this.#spent + this.#carried) as Money;
    return { monthly: budget.monthly, spent, reserved: this.#held as Money };
  }

  get level(): BudgetLevel | undefined {
    const { budget } = this;
    return budget === undefined ? undefined : budgetLevel(budget);
  }

  entry(uid: string): Entry | undefined {
    return this.#entries.get(uid);
  }

  *inState(state: EntryState): Generator<Entry, void, undefined> {
    for (const entry of this.#entries.values()) if (entry.state === state) yield entry;
  }

  /** What the budget of a session comes to under the policy as it is now. */
  limitOf(session: Session): Money | undefined {
    return sessionBudget(session, this.#policy);
  }

  /** Takes in what is known of a session now. `state` undefined: as it was. */
  put(session: Session, state?: EntryState): Entry {
    const { uid = '', name, creationTimestamp = '' } = session.metadata;
    let entry = this.#entries.get(uid);
    if (entry === undefined) {
      entry = {
        uid,
        session,
        name,
        created: creationTimestamp,
        state: 'idle',
        need: undefined,
        lastsMs: lastsMs(session),
        cost: ZERO,
        spent: ZERO,
        toldAt: undefined,
      };
      this.#entries.set(uid, entry);
    } else this.#subtract(entry);
    entry.session = session;
    this.#place(entry, isTerminal(session.status?.phase) ? 'over' : (state ?? entry.state));
    this.#assess(entry);
    this.#add(entry);
    if (entry.state === 'idle' || (entry.state === 'over' && entry.spent === ZERO)) this.forget(uid);
    return entry;
  }

  /** Its object is gone. What it has spent counts until it is carried. */
  remove(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    this.#subtract(entry);
    this.#place(entry, 'gone');
    this.#add(entry);
    if (entry.spent === ZERO || this.#policy.budget === undefined || this.#settled.has(uid)) this.forget(uid);
  }

  forget(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    this.#subtract(entry);
    this.#place(entry, 'idle');
    this.#entries.delete(uid);
  }

  /** Takes over a changed policy, or a month that has begun. Returns whether anything is different. */
  govern(policy: EffectivePolicy, object: NamespacePolicy | undefined, now: number): boolean {
    const usage = object?.status?.usage?.budget;
    const begun = now >= this.#month.end;
    if (policy === this.#policy && usage === this.#usage && !begun) return false;
    this.#policy = policy;
    this.#usage = usage;
    const { start } = this.#month;
    this.#month = this.#monthAt(now);
    this.#readUsage();
    for (const entry of [...this.#entries.values()]) {
      const gone = entry.state === 'gone';
      // What was spent before a reset is history; what is carried needs no tombstone.
      if (
        gone &&
        (start !== this.#month.start || this.#settled.has(entry.uid) || policy.budget === undefined)
      )
        this.forget(entry.uid);
      else if (gone) continue;
      else this.put(entry.session);
    }
    return true;
  }

  room(now: number): Room {
    return {
      slots: this.#policy.maxSessions - this.#running,
      budget: this.budget,
      untilResetMs: this.#month.end - now,
    };
  }

  /** Gives turns to all who have one now. To be called whenever there may be more room than before. */
  advance(now: number): Entry[] {
    const { starts, holder } = takeTurns(this.#line, this.room(now));
    for (const entry of starts) this.put(entry.session, 'running');
    this.#holder = holder;
    return starts;
  }

  /** A session asks for its turn. In time independent of how many wait, but for finding its place among them. */
  ask(session: Session, now: number): Entry {
    const known = this.#entries.get(session.metadata.uid ?? '');
    if (known?.state === 'running' || known?.state === 'waiting') return this.put(session);
    const entry = this.put(session, 'waiting');
    // Those that wait already have no room, and one more leaves them none.
    const first = this.#line[0] === entry;
    const behind = this.#holder?.state === 'waiting' && inLine(this.#holder, entry) < 0;
    const turn = behind ? 'holds' : turnOf(entry, this.room(now), !first);
    if (turn === 'starts') return this.put(session, 'running');
    if (turn === 'holds' && !behind) this.#holder = entry;
    return entry;
  }

  /** From 1; 0 for one that does not wait. */
  positionOf(entry: Entry): number {
    return entry.state === 'waiting' ? this.#find(entry) + 1 : 0;
  }

  /** Why a session that waits does: what would have to change for it. */
  reasonOf(entry: Entry): 'Concurrency' | 'Reset' | 'Reserved' {
    const { budget } = this;
    const isPoor =
      budget !== undefined &&
      entry.need !== undefined &&
      (entry.need > unspent(budget) || isSpent(budget.spent, budget.monthly));
    if (isPoor) return 'Reset';
    return this.#policy.maxSessions <= this.#running ? 'Concurrency' : 'Reserved';
  }

  #monthAt(now: number): BudgetMonth {
    return budgetMonth(now, this.#policy.budget?.resetDay ?? 1, this.#usage?.lastReset);
  }

  #readUsage(): void {
    // What was carried before a reset counts for the month before.
    this.#carried = this.#month.isNew ? ZERO : (parseMoney(this.#usage?.carried ?? '') ?? ZERO);
    this.#settled = new Set(this.#usage?.carriedSessions);
  }

  /** Works out what depends on policy and month. */
  #assess(entry: Entry): void {
    const { cost } = entry.session.status ?? {};
    entry.need = this.limitOf(entry.session);
    entry.cost = totalOf(cost);
    entry.spent = this.#settled.has(entry.uid) ? ZERO : spentSince(cost, this.#month.start);
  }

  #heldBy({ state, need, cost }: Entry): Money {
    return state === 'running' && need !== undefined ? minus(need, cost) : ZERO;
  }

  #add(entry: Entry): void {
    this.#spent += entry.spent;
    this.#held += this.#heldBy(entry);
  }

  #subtract(entry: Entry): void {
    this.#spent -= entry.spent;
    this.#held -= this.#heldBy(entry);
  }

  #place(entry: Entry, state: EntryState): void {
    if (entry.state === state) return;
    if (entry.state === 'waiting') this.#line.splice(this.#find(entry), 1);
    if (entry.state === 'running') this.#running--;
    entry.state = state;
    if (state === 'waiting') this.#line.splice(this.#find(entry), 0, entry);
    if (state === 'running') this.#running++;
    if (this.#holder === entry && state !== 'waiting') this.#holder = undefined;
  }

  /** Where the entry stands in line, or would. */
  #find(entry: Entry): number {
    let low = 0;
    let high = this.#line.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const there = this.#line[middle];
      if (there !== undefined && inLine(there, entry) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function lastsMs({ spec }: Session): number {
  const { timeoutSeconds = DEFAULT_TIMEOUT_SECONDS, gracePeriodSeconds = DEFAULT_GRACE_SECONDS } =
    spec.limits ?? {};
  return (timeoutSeconds + gracePeriodSeconds + HAND_IN_SECONDS) * 1000;
}
