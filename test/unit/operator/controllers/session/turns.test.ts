/** Turns over stores that a test fills, as the watch would. test/load/concurrency.test.ts has a real API server. */
import assert from 'node:assert/strict';
import type { NamespacePolicy, NamespacePolicySpec } from '../../../../../common/api/namespace-policy.ts';
import type { Session, SessionStatus } from '../../../../../common/api/session.ts';
import { ObjectStore } from '../../../../../common/kube/object-store.ts';
import { formatMoney, parseMoney, plus } from '../../../../../common/rules/money.ts';
import type { Place } from '../../../../../operator/controllers/session/turns.ts';
import { Turns } from '../../../../../operator/controllers/session/turns.ts';
import { Policies } from '../../../../../operator/sessions/policies.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { aPolicy, aSession } from '../../../../support/fixtures.ts';

interface Change<T> {
  type: 'added' | 'updated' | 'deleted';
  object: T;
  previous?: T;
}

function aWatch<T extends Session | NamespacePolicy>() {
  const store = new ObjectStore<T>({ cluster: 'test' });
  const listeners = new Set<(change: Change<T>) => void>();
  return {
    store,
    onChange(listener: (change: Change<T>) => void): Disposable {
      listeners.add(listener);
      return { [Symbol.dispose]: () => listeners.delete(listener) };
    },
    put(object: T) {
      const known = store.upsert(object);
      for (const each of listeners) each({ type: known === undefined ? 'added' : 'updated', object });
    },
    remove(object: T) {
      store.remove(object.metadata);
      for (const each of listeners) each({ type: 'deleted', object });
    },
  };
}

const budgetOf = (monthly: string, perSession: string): NamespacePolicySpec => ({
  models: { budget: { monthly, perSession } },
  concurrency: { maxSessions: 1000 },
});

function aWorld(spec?: NamespacePolicySpec) {
  const sessions = aWatch<Session>();
  const policies = aWatch<NamespacePolicy>();
  const jobs = new Set<string>();
  const clock = new FakeClock();
  const woken: string[] = [];
  if (spec !== undefined) policies.put(aPolicy('default', spec));
  const open = (): Turns => {
    const made = new Turns({
      policies: new Policies(policies.store),
      hasJob: (uid) => jobs.has(uid),
      clock,
    });
    made.onWake((_, name) => woken.push(name));
    made.start({ sessions, namespacePolicies: policies });
    return made;
  };
  const world = {
    sessions,
    policies,
    jobs,
    clock,
    woken,
    turns: open(),
    restart() {
      world.turns[Symbol.dispose]();
      woken.length = 0;
      world.turns = open();
    },
    govern: (next: NamespacePolicySpec, status?: NamespacePolicy['status']) =>
      policies.put({ ...aPolicy('default', next), ...(status === undefined ? {} : { status }) }),
    session(name: string, budget?: string): Session {
      const session = aSession(name).build();
      if (budget !== undefined) session.spec.policy = { modelConstraints: { budget } };
      sessions.put(session);
      return session;
    },
    /** As the step asks, and then writes what it was told. */
    ask(session: Session): Place | undefined {
      const place = world.turns.ask(session);
      if (place !== undefined && session.status?.queue === undefined)
        world.status(session, {
          phase: 'Pending',
          queue: { reason: 'Concurrency', position: place.position, since: '2030-01-01T00:00:00Z' },
        });
      return place;
    },
    current: ({ metadata }: Session): Session => sessions.store.get(metadata) ?? assert.fail(metadata.name),
    status(session: Session, status: SessionStatus): Session {
      const known = world.current(session);
      const next = { ...known, status: { ...known.status, ...status } };
      sessions.put(next);
      return next;
    },
    start: (session: Session) => {
      jobs.add(session.metadata.uid ?? '');
      const { queue: _, ...status } = world.current(session).status ?? {};
      sessions.put({ ...session, status: { ...status, phase: 'Running', workload: { jobName: 'j' } } });
    },
    cost: (session: Session, total: string, day = '2030-01-01') =>
      world.status(session, { cost: { total, days: { [day]: total } } }),
    end: (session: Session) => world.status(session, { phase: 'Completed' }),
    reserved: () => formatMoney(world.turns.account('default').budget?.reserved ?? assert.fail()),
    spent: () => formatMoney(world.turns.account('default').budget?.spent ?? assert.fail()),
  };
  return world;
}

const max = (maxSessions: number): NamespacePolicySpec => ({ concurrency: { maxSessions } });

describe('turns of a namespace', () => {
  it('are fifty at once without a policy, and the next come in order as others end', () => {
    const w = aWorld();
    const all = Array.from({ length: 60 }, (_, n) => w.session(`s${String(n).padStart(2, '0')}`));
    const places = all.map((session) => w.ask(session)?.position ?? 0);
    assert.deepEqual(places, [...new Array<number>(50).fill(0), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for (const session of all.slice(0, 50)) w.start(session);
    const [first, second] = all;
    assert.ok(first && second);
    w.end(second);
    w.end(first);
    assert.deepEqual(w.woken, ['s50', 's51']);
    assert.equal(w.turns.account('default').running, 50);
  });

  it('start at once when the policy is widened, and none when it is narrowed', () => {
    const w = aWorld(max(2));
    const all = ['a', 'b', 'c', 'd', 'e'].map((name) => w.session(name));
    for (const session of all) w.ask(session);
    w.govern(max(4));
    assert.deepEqual(w.woken, ['c', 'd']);
    w.govern(max(1));
    for (const session of all.slice(0, 4)) w.start(session);
    for (const session of all.slice(0, 3)) w.end(session);
    assert.deepEqual(w.woken, ['c', 'd'], 'one still runs');
    w.end(all[3] as Session);
    assert.deepEqual(w.woken, ['c', 'd', 'e']);
  });

  it('follow the defaults when the policy is deleted', () => {
    const w = aWorld(max(0));
    const session = w.session('a');
    assert.equal(w.ask(session)?.position, 1);
    w.policies.remove(aPolicy());
    assert.deepEqual(w.woken, ['a']);
  });

  it('are not lost with the operator: who has a Job runs, who waited waits in the same place', () => {
    const w = aWorld(max(2));
    const all = ['a', 'b', 'c', 'd'].map((name) => w.session(name));
    for (const session of all) w.ask(session);
    // A Job of which the status does not tell yet, and a turn that came to nothing.
    w.jobs.add('uid-of-a');
    w.restart();
    assert.deepEqual(w.woken, ['c'], 'it was in line before the one whose turn was forgotten');
    assert.deepEqual(
      all.map((session) => w.turns.ask(w.current(session))?.position ?? 0),
      [0, 1, 0, 2],
    );
  });

  it('go on to the next when the one whose turn it is cannot use it', () => {
    const w = aWorld(max(1));
    const [a, b, c] = ['a', 'b', 'c'].map((name) => w.session(name)) as [Session, Session, Session];
    for (const session of [a, b, c]) w.ask(session);
    w.turns.withdraw(b);
    w.turns.withdraw(a);
    assert.deepEqual(w.woken, ['c']);
    w.start(c);
    w.turns.withdraw(w.current(c));
    assert.equal(w.turns.account('default').running, 1, 'what has a Job keeps its turn');
    w.sessions.remove(w.current(c));
    assert.equal(w.turns.account('default').running, 0);
  });

  it('hold no more than the month has, for fifty that come at once', () => {
    const w = aWorld(budgetOf('10.00', '1.00'));
    const all = Array.from({ length: 50 }, (_, n) => w.session(`s${String(n).padStart(2, '0')}`));
    const started = all.filter((session) => w.ask(session) === undefined);
    assert.equal(started.length, 10);
    assert.equal(w.reserved(), '10.00');
    const [first] = started;
    assert.ok(first);
    w.start(first);
    w.cost(first, '0.40');
    assert.deepEqual([w.spent(), w.reserved()], ['0.40', '9.60']);
    w.end(first);
    assert.deepEqual([w.spent(), w.reserved()], ['0.40', '9.00']);
    assert.deepEqual(w.woken, [], '0.60 are not enough for another');
    const [, second] = started;
    assert.ok(second);
    w.start(second);
    w.cost(second, '0.10');
    w.end(second);
    assert.deepEqual([w.woken, w.reserved(), w.spent()], [['s10'], '9.00', '0.50']);
  });

  it('pass by a session that waits for the reset, which then comes first', async () => {
    const w = aWorld(budgetOf('10.00', '5.00'));
    const past = w.session('a');
    w.ask(past);
    w.start(past);
    w.cost(past, '4.00');
    w.end(past);
    const large = w.session('b', '9.00');
    const small = w.session('c', '6.00');
    assert.equal(w.ask(large)?.reason, 'Reset');
    assert.equal(w.ask(small), undefined);
    w.start(small);
    w.cost(small, '6.00');
    w.end(small);
    const next = w.session('d', '1.00');
    assert.equal(w.ask(next)?.reason, 'Reset');
    assert.equal(w.turns.ask(large)?.resetAt, Date.parse('2030-02-01T00:00:00Z'));
    await w.clock.advance(31 * 86_400_000 - 1000);
    assert.deepEqual(w.woken.filter((name) => name === 'd').length > 0, true, 'places are told');
    w.woken.length = 0;
    await w.clock.advance(2000);
    assert.deepEqual(w.woken.slice(0, 2), ['b', 'd']);
    assert.deepEqual([w.spent(), w.reserved()], ['0.00', '10.00']);
  });

  it('count what a session spends after the reset to the new month', async () => {
    const w = aWorld(budgetOf('10.00', '5.00'));
    const session = w.session('a');
    w.ask(session);
    w.start(session);
    w.cost(session, '3.00', '2030-01-31');
    await w.clock.advance(31 * 86_400_000);
    assert.equal(w.spent(), '0.00');
    w.status(session, { cost: { total: '3.50', days: { '2030-01-31': '3.00', '2030-02-01': '0.50' } } });
    assert.deepEqual([w.spent(), w.reserved()], ['0.50', '1.50']);
  });

  it('stop a session at its own budget, and all of a namespace at its', () => {
    const w = aWorld(budgetOf('10.00', '5.00'));
    const [a, b] = ['a', 'b'].map((name) => w.session(name)) as [Session, Session];
    for (const session of [a, b]) {
      w.ask(session);
      w.start(session);
    }
    w.cost(a, '4.999999999');
    assert.equal(w.turns.overspent(w.current(a)), undefined);
    w.cost(a, '5.00');
    assert.equal(w.turns.overspent(w.current(a))?.by, 'session');
    assert.equal(w.turns.overspent(w.current(b)), undefined);
    w.cost(a, '10.00');
    assert.deepEqual(w.woken.toSorted(), ['a', 'b']);
    assert.equal(w.turns.overspent(w.current(b))?.by, 'namespace');
  });

  it('stop a running session when the policy lowers its budget below what it has spent', () => {
    const w = aWorld(budgetOf('10.00', '5.00'));
    const session = w.session('a');
    w.ask(session);
    w.start(session);
    w.cost(session, '3.00');
    w.govern(budgetOf('10.00', '4.00'));
    assert.deepEqual([w.woken, w.reserved()], [[], '1.00']);
    w.govern(budgetOf('10.00', '2.00'));
    assert.deepEqual([w.woken, w.turns.overspent(w.current(session))?.by], [['a'], 'session']);
  });

  it('count a deleted session until the policy carries it, and never twice', () => {
    const w = aWorld(budgetOf('10.00', '5.00'));
    const session = w.session('a');
    w.ask(session);
    w.start(session);
    w.cost(session, '2.00');
    w.end(session);
    const carried = {
      usage: {
        budget: {
          currentMonth: '2.00',
          lastReset: '2030-01-01T00:00:00Z',
          percentUsed: 20,
          carried: '2.00',
          carriedSessions: ['uid-of-a'],
        },
      },
    };
    w.govern(budgetOf('10.00', '5.00'), carried);
    assert.equal(w.spent(), '2.00', 'carried, and still there');
    w.sessions.remove(w.current(session));
    assert.equal(w.spent(), '2.00');
    const other = w.session('b');
    w.ask(other);
    w.start(other);
    w.cost(other, '1.00');
    w.end(other);
    w.sessions.remove(w.current(other));
    assert.equal(w.spent(), '3.00', 'gone before it was carried');
  });

  it('ask little of a long line: a thousand that wait cost no thousand looks each', () => {
    const w = aWorld(max(50));
    const all = Array.from({ length: 5000 }, (_, n) => w.session(`s${String(n).padStart(4, '0')}`));
    const from = performance.now();
    for (const session of all) w.ask(session);
    for (const session of all.slice(0, 50)) w.start(session);
    for (const session of all.slice(0, 50)) w.end(session);
    const took = performance.now() - from;
    assert.ok(took < 2000, `${took.toFixed(0)} ms`);
    assert.deepEqual(
      w.woken,
      all.slice(50, 100).map(({ metadata }) => metadata.name),
    );
  });

  it('tell the first ten their places soon, and all others seldom', async () => {
    const w = aWorld(max(1));
    const all = Array.from({ length: 1001 }, (_, n) => w.session(`s${String(n).padStart(4, '0')}`));
    for (const session of all) w.ask(session)?.told();
    const first = w.turns.ask(all[1] as Session);
    const last = w.turns.ask(all[1000] as Session);
    assert.ok((first?.tellAgainMs ?? 0) <= 1000);
    assert.equal(last?.tellAgainMs, 100_000);
    w.start(all[0] as Session);
    w.end(all[0] as Session);
    await w.clock.advance(1000);
    assert.deepEqual(w.woken.slice(0, 3), ['s0001', 's0002', 's0003']);
    assert.ok(w.woken.length <= 12, `${w.woken.length} woken`);
  });

  it('never exceed sessions nor budget, and lose nobody, whatever happens in whatever order', () => {
    for (let seed = 1; seed <= 40; seed++) {
      let state = seed * 7919;
      const random = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
      const pick = <T>(of: readonly T[]): T | undefined => of[Math.floor(random() * of.length)];
      const limit = 1 + Math.floor(random() * 6);
      const spec = {
        models: { budget: { monthly: '10.00', perSession: '2.00' } },
        concurrency: { maxSessions: limit },
      };
      const w = aWorld(spec);
      const waiting = new Set<Session>();
      const running = new Set<Session>();
      const monthly = parseMoney('10.00') ?? assert.fail();
      const collect = (): void => {
        for (const name of w.woken.splice(0)) {
          const session = [...waiting].find(({ metadata }) => metadata.name === name);
          if (session === undefined || w.turns.ask(w.current(session)) !== undefined) continue;
          waiting.delete(session);
          running.add(session);
          w.start(session);
        }
      };
      for (let step = 0; step < 120; step++) {
        const what = random();
        if (what < 0.5) {
          const session = w.session(
            `s${String(step).padStart(3, '0')}`,
            pick(['0.50', '1.00', '3.00', '10.00']),
          );
          if (w.ask(session) === undefined) {
            running.add(session);
            w.start(session);
          } else waiting.add(session);
        } else if (what < 0.9) {
          const session = pick([...running]);
          if (session === undefined) continue;
          w.cost(session, pick(['0.01', '0.10', '0.20']) ?? '0');
          running.delete(session);
          w.end(session);
        } else if (what < 0.95) {
          const session = pick([...waiting]);
          if (session === undefined) continue;
          waiting.delete(session);
          w.sessions.remove(w.current(session));
        } else w.restart();
        collect();
        const account = w.turns.account('default');
        assert.ok(running.size <= limit, `seed ${seed}: ${running.size} of ${limit}`);
        assert.equal(account.running, running.size, `seed ${seed} step ${step}`);
        assert.equal(account.waiting, waiting.size, `seed ${seed} step ${step}`);
        const { spent, reserved } = account.budget ?? assert.fail();
        assert.ok(plus(spent, reserved) <= monthly, `${formatMoney(spent)} and ${formatMoney(reserved)}`);
      }
      w.turns[Symbol.dispose]();
    }
  });
});
