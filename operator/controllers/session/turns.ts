/**
 * Who may run: grants turns within concurrency and budget, one namespace at a time, from the watched stores and its own
 * grants. Only the leader has one, and it decides synchronously, so that two sessions never get the same room. A grant that
 * no watch has told yet lives here alone; after a crash its Job tells of it, or it never happened.
 */
import type { NamespacePolicy } from '../../../common/api/namespace-policy.ts';
import { isTerminal } from '../../../common/api/session.ts';
import type { Session } from '../../../common/api/session.ts';
import type { Reflector } from '../../../common/kube/reflector.ts';
import { isSpent } from '../../../common/rules/budget.ts';
import type { BudgetLevel, BudgetState } from '../../../common/rules/budget.ts';
import type { Money } from '../../../common/rules/money.ts';
import type { Policies } from '../../sessions/policies.ts';
import type { Clock } from '../clock.ts';
import { Account } from './account.ts';
import type { Entry } from './account.ts';

export interface TurnsOptions {
  policies: Pick<Policies, 'of' | 'object'>;
  /** There is a Job of the session with this UID. */
  hasJob: (uid: string) => boolean;
  clock: Clock;
}

/** What a session that waits is told. */
export interface Place {
  reason: 'Concurrency' | 'Reset' | 'Reserved';
  /** From 1. */
  position: number;
  running: number;
  maxSessions: number;
  need: Money | undefined;
  budget: BudgetState | undefined;
  /** When the budget is reset next. */
  resetAt: number;
  /** Until its place is worth another write; zero or less: now. */
  tellAgainMs: number;
  /** Between two such writes. */
  intervalMs: number;
  told(): void;
}

/** A limit that a running session, or its namespace, has reached. */
export interface Overspent {
  by: 'session' | 'namespace';
  spent: Money;
  limit: Money;
}

/** Places up to this one are told promptly. */
const PROMPT_PLACES = 10;
const PROMPT_MS = 1000;
/** All others: at least so long between two writes, and in a long line so long that it makes ten writes a second at most. */
const SLOW_MS = 30_000;
const SLOW_MS_A_PLACE = 100;
/** How often a month's end is looked for: clocks are put right now and then, and timers do not notice. */
const MONTH_CHECK_MS = 60_000;

export class Turns implements Disposable {
  readonly #options: TurnsOptions;
  readonly #accounts = new Map<string, Account>();
  readonly #subscriptions = new DisposableStack();
  readonly #wakeListeners = new Set<(namespace: string, name: string) => void>();
  readonly #accountListeners = new Set<(namespace: string, isUrgent: boolean) => void>();
  /** Namespaces whose first in line shall be told their places soon. */
  readonly #moved = new Set<string>();
  #moving: Disposable | undefined;
  #monthCheck: Disposable | undefined;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** Call when the reflectors are synced, after the listeners are there and before the controllers start. */
  start(reflectors: {
    sessions: Pick<Reflector<Session>, 'store' | 'onChange'>;
    namespacePolicies: Pick<Reflector<NamespacePolicy>, 'onChange'>;
  }): void {
    const { sessions, namespacePolicies } = reflectors;
    this.#subscriptions.use(
      sessions.onChange(({ type, object }) => {
        if (type === 'deleted') this.gone(object);
        else this.seen(object);
      }),
    );
    this.#subscriptions.use(
      namespacePolicies.onChange(({ object }) => this.governed(object.metadata.namespace ?? '')),
    );
    for (const session of sessions.store.list()) this.#take(session);
    for (const account of this.#accounts.values()) this.#advance(account);
    this.#checkMonths();
  }

  /** Called for a session whose turn has come, or that must stop, or whose place shall be told. */
  onWake(listener: (namespace: string, name: string) => void): Disposable {
    this.#wakeListeners.add(listener);
    return { [Symbol.dispose]: () => this.#wakeListeners.delete(listener) };
  }

  /** Called when the figures of a namespace may have changed; urgent: its budget has reached another level. */
  onAccount(listener: (namespace: string, isUrgent: boolean) => void): Disposable {
    this.#accountListeners.add(listener);
    return { [Symbol.dispose]: () => this.#accountListeners.delete(listener) };
  }

  [Symbol.dispose](): void {
    this.#subscriptions.dispose();
    this.#moving?.[Symbol.dispose]();
    this.#monthCheck?.[Symbol.dispose]();
  }

  /** Its turn, if it has one now; otherwise its place in line. Asked again, the answer can only get better. */
  ask(session: Session): Place | undefined {
    const account = this.account(session.metadata.namespace ?? '');
    const { clock } = this.#options;
    if (this.#isCommitted(session)) {
      this.#change(account, () => account.put(session, 'running'));
      return undefined;
    }
    const entry = this.#change(account, () => account.ask(session, clock.now()));
    return entry.state === 'running' ? undefined : this.#placeOf(account, entry);
  }

  /** It came to no Job after all, or waits for something else: the place in line, or the turn, is another's. */
  withdraw(session: Session): void {
    const { namespace = '', uid = '' } = session.metadata;
    const account = this.#accounts.get(namespace);
    const entry = account?.entry(uid);
    if (account === undefined || entry === undefined) return;
    if (entry.state !== 'waiting' && (entry.state !== 'running' || this.#isCommitted(session))) return;
    this.#change(account, () => account.forget(uid));
    this.#advance(account);
  }

  /** The limit that a running session has reached, its own first. */
  overspent(session: Session): Overspent | undefined {
    const { namespace = '', uid = '' } = session.metadata;
    const account = this.account(namespace);
    const entry = account.entry(uid);
    if (entry?.state !== 'running') return undefined;
    if (entry.need !== undefined && isSpent(entry.cost, entry.need))
      return { by: 'session', spent: entry.cost, limit: entry.need };
    const { budget } = account;
    if (budget !== undefined && isSpent(budget.spent, budget.monthly))
      return { by: 'namespace', spent: budget.spent, limit: budget.monthly };
    return undefined;
  }

  /** The watch told of a session. */
  seen(session: Session): void {
    const before = this.#accounts.get(session.metadata.namespace ?? '')?.figures;
    const account = this.#take(session);
    // Most news of sessions gives nobody room: the line is not gone through for each.
    if (account !== undefined && account.figures !== before) this.#advance(account);
  }

  gone(session: Session): void {
    const { namespace = '', uid = '' } = session.metadata;
    const account = this.#accounts.get(namespace);
    if (account === undefined) return;
    this.#change(account, () => account.remove(uid));
    this.#advance(account);
    this.#tell(account.namespace, false);
  }

  /** The watch told of a namespace's policy, or a month may have begun. */
  governed(namespace: string): void {
    const account = this.account(namespace);
    const { policies, clock } = this.#options;
    const isNews = this.#change(account, () =>
      account.govern(policies.of(namespace), policies.object(namespace), clock.now()),
    );
    if (isNews) {
      // A lowered limit holds for those that run too.
      for (const { session, cost, need } of account.inState('running'))
        if (isSpent(cost, need) && session.status?.stop === undefined) this.#wake(session);
      this.#advance(account);
      this.#tell(namespace, false);
    }
    if (account.isEmpty && policies.object(namespace) === undefined) this.#accounts.delete(namespace);
  }

  account(namespace: string): Account {
    let account = this.#accounts.get(namespace);
    if (account === undefined) {
      const { policies, clock } = this.#options;
      account = new Account(namespace, policies.of(namespace), policies.object(namespace), clock.now());
      this.#accounts.set(namespace, account);
    }
    return account;
  }

  accounts(): Iterable<Account> {
    return this.#accounts.values();
  }

  /** There is a Job, or was one: whatever the limits say by now, it has had its turn. */
  #isCommitted({ metadata, status }: Session): boolean {
    return status?.workload?.jobName !== undefined || this.#options.hasJob(metadata.uid ?? '');
  }

  #take(session: Session): Account | undefined {
    const { namespace = '', uid = '' } = session.metadata;
    const isOver = isTerminal(session.status?.phase);
    const known = this.#accounts.get(namespace);
    // Most sessions of a namespace are long over and have cost nothing this month.
    if (isOver && session.status?.cost === undefined && known?.entry(uid) === undefined) return undefined;
    const account = this.account(namespace);
    const before = account.entry(uid)?.state;
    const state = isOver
      ? 'over'
      : this.#isCommitted(session)
        ? 'running'
        : (before ?? (session.status?.queue === undefined ? 'idle' : 'waiting'));
    this.#change(account, () => account.put(session, state));
    return account;
  }

  #advance(account: Account): void {
    const { clock } = this.#options;
    const starts = this.#change(account, () => account.advance(clock.now()));
    for (const { session } of starts) this.#wake(session);
  }

  /** Does something to an account and tells whoever it concerns what has come of it. */
  #change<T>(account: Account, change: () => T): T {
    const before = { running: account.running, waiting: account.waiting, level: account.level };
    const spent = account.budget?.spent;
    const result = change();
    const level: BudgetLevel | undefined = account.level;
    if (level === 'exceeded' && before.level !== 'exceeded')
      for (const { session } of account.inState('running')) this.#wake(session);
    const isMoved = before.running !== account.running || before.waiting !== account.waiting;
    if (isMoved && account.waiting > 0) this.#move(account.namespace);
    if (isMoved || level !== before.level || spent !== account.budget?.spent)
      this.#tell(account.namespace, level !== before.level);
    return result;
  }

  #tell(namespace: string, isUrgent: boolean): void {
    for (const listener of this.#accountListeners) listener(namespace, isUrgent);
  }

  #wake({ metadata }: Session): void {
    for (const listener of this.#wakeListeners) listener(metadata.namespace ?? '', metadata.name);
  }

  /** Places have changed: those at the front learn it soon, all others when they look themselves. */
  #move(namespace: string): void {
    this.#moved.add(namespace);
    this.#moving ??= this.#options.clock.timer(PROMPT_MS, () => {
      this.#moving = undefined;
      const moved = [...this.#moved];
      this.#moved.clear();
      for (const each of moved)
        for (const { session } of this.#accounts.get(each)?.line.slice(0, PROMPT_PLACES) ?? [])
          this.#wake(session);
    });
  }

  #placeOf(account: Account, entry: Entry): Place {
    const { clock } = this.#options;
    const position = account.positionOf(entry);
    const interval =
      position <= PROMPT_PLACES ? PROMPT_MS : Math.max(SLOW_MS, account.waiting * SLOW_MS_A_PLACE);
    // What was told before a restart is told again, but not all at once.
    entry.toldAt ??=
      entry.session.status?.queue === undefined
        ? -Infinity
        : clock.elapsed() - interval * (1 - position / account.waiting);
    return {
      reason: account.reasonOf(entry),
      position,
      running: account.running,
      maxSessions: account.policy.maxSessions,
      need: entry.need,
      budget: account.budget,
      resetAt: account.month.end,
      tellAgainMs: entry.toldAt + interval - clock.elapsed(),
      intervalMs: interval,
      told: () => (entry.toldAt = clock.elapsed()),
    };
  }

  #checkMonths(): void {
    for (const namespace of [...this.#accounts.keys()]) this.governed(namespace);
    const now = this.#options.clock.now();
    const ends = [...this.#accounts.values()].map(({ month }) => month.end - now);
    const next = Math.max(1, Math.min(MONTH_CHECK_MS, ...ends));
    this.#monthCheck = this.#options.clock.timer(next, () => this.#checkMonths());
  }
}
