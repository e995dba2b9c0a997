/** The status of a policy, worked out from sessions a test makes; test/operator/budget.test.ts has a real API server. */
import assert from 'node:assert/strict';
import { pino } from 'pino';
import type { AuditEvent } from '../../../../../common/api/audit.ts';
import type { NamespacePolicy, NamespacePolicySpec } from '../../../../../common/api/namespace-policy.ts';
import type { Session } from '../../../../../common/api/session.ts';
import type { KubeClient } from '../../../../../common/kube/client.ts';
import type { Event } from '../../../../../common/kube/core-types.ts';
import { KubeError } from '../../../../../common/kube/errors.ts';
import { ObjectStore } from '../../../../../common/kube/object-store.ts';
import { findCondition } from '../../../../../common/rules/conditions.ts';
import { PolicyController, Settlements } from '../../../../../operator/controllers/policy/index.ts';
import { byUid } from '../../../../../operator/controllers/session/cleanup.ts';
import { Turns } from '../../../../../operator/controllers/session/turns.ts';
import { Policies } from '../../../../../operator/sessions/policies.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { aPolicy, aSession } from '../../../../support/fixtures.ts';

const DAY_MS = 86_400_000;
const spec = (more: NamespacePolicySpec = {}): NamespacePolicySpec => ({
  models: { budget: { monthly: '10.00', perSession: '4.00' } },
  ...more,
});

function aWatch<T extends Session | NamespacePolicy>(indexes = {}) {
  type Change = { type: 'added' | 'updated' | 'deleted'; object: T };
  const store = new ObjectStore<T>({ cluster: 'test', indexes });
  const listeners = new Set<(change: Change) => void>();
  const tell = (change: Change): void => {
    for (const each of listeners) each(change);
  };
  return {
    store,
    onChange(listener: (change: Change) => void): Disposable {
      listeners.add(listener);
      return { [Symbol.dispose]: () => listeners.delete(listener) };
    },
    put(object: T) {
      tell({ type: store.upsert(object) === undefined ? 'added' : 'updated', object });
    },
    remove(object: T) {
      store.remove(object.metadata);
      tell({ type: 'deleted', object });
    },
  };
}

function aWorld(policy: NamespacePolicy, at?: string) {
  const clock = new FakeClock(at === undefined ? undefined : Date.parse(at));
  const sessions = aWatch<Session>({ uid: byUid });
  const policies = aWatch<NamespacePolicy>();
  const events: Event[] = [];
  const writes: NonNullable<NamespacePolicy['status']>[] = [];
  const audited: AuditEvent[] = [];
  let version = 1;
  policies.put(policy);
  const current = (): NamespacePolicy => policies.store.list()[0] ?? assert.fail();
  const world = {
    clock,
    sessions,
    events,
    writes,
    audited,
    lag: false,
    current,
    status: () => current().status ?? {},
    condition: (type: string) => findCondition(current().status?.conditions, type),
    change: (next: NamespacePolicySpec) =>
      policies.put({
        ...current(),
        spec: next,
        metadata: { ...current().metadata, generation: 9, resourceVersion: String(++version) },
      }),
    /** A session that has run, or still does. */
    spent(name: string, total: string, day: string, phase: 'Running' | 'Completed' = 'Completed'): Session {
      const session = aSession(name).running().build();
      session.status = { ...session.status, phase, cost: { total, days: { [day]: total } } };
      sessions.put(session);
      return session;
    },
  };
  const api = {
    async create(_: unknown, event: Event) {
      if (events.some(({ metadata }) => metadata.name === event.metadata.name))
        throw new KubeError('there already', { status: 409, reason: 'AlreadyExists' });
      events.push(event);
    },
    async get() {
      return current();
    },
    async mergePatch(
      _: unknown,
      __: unknown,
      patch: { metadata: { resourceVersion: string }; status: NonNullable<NamespacePolicy['status']> },
    ) {
      const before = current();
      if (patch.metadata.resourceVersion !== before.metadata.resourceVersion)
        throw new KubeError('changed', { status: 409, reason: 'Conflict' });
      writes.push(patch.status);
      const { usage, ...rest } = patch.status;
      const next = {
        ...before,
        metadata: { ...before.metadata, resourceVersion: String(++version) },
        status: {
          ...before.status,
          ...rest,
          usage: {
            sessions: { active: 0, total: 0, ...before.status?.usage?.sessions, ...usage?.sessions },
            budget: { ...before.status?.usage?.budget, ...usage?.budget },
          },
        },
      } as NamespacePolicy;
      policies.put(next);
      return next;
    },
  };
  const client = api as unknown as KubeClient;
  const known = new Policies(policies.store);
  const turns = new Turns({ policies: known, hasJob: () => false, clock });
  const reflectors = { sessions, namespacePolicies: policies } as never;
  const controller = new PolicyController({
    client,
    reflectors,
    turns,
    warm: { standing: () => undefined, onChange: () => ({ [Symbol.dispose]: () => undefined }) },
    audit: { record: async (event) => void audited.push(event) },
    clock,
    random: () => 0.5,
    log: pino({ level: 'silent' }),
  });
  const costs = { atMost: async (session: Session) => session.status?.cost };
  return Object.assign(world, {
    turns,
    settlements: new Settlements({ client, policies: known, costs, clock }),
    async open() {
      turns.start(reflectors);
      controller.start();
      await clock.advance(0);
    },
    async [Symbol.asyncDispose]() {
      await controller.close(0);
      turns[Symbol.dispose]();
    },
  });
}

describe('the status of a policy', () => {
  it('tells what is used, and writes nothing when nothing has changed', async () => {
    await using w = aWorld(aPolicy('default', spec()));
    w.spent('a', '1.50', '2030-01-01');
    w.spent('b', '0.50', '2030-01-01', 'Running');
    await w.open();
    assert.deepEqual(w.status().usage, {
      sessions: { active: 1, waiting: 0, total: 2 },
      budget: {
        currentMonth: '2.00',
        lastReset: '2030-01-01T00:00:00Z',
        percentUsed: 20,
        reserved: '3.50',
        carried: '0.00',
        carriedSessions: [],
      },
    });
    assert.deepEqual(
      ['ConfigValid', 'BudgetWarning', 'BudgetExceeded', 'PolicyViolation'].map(
        (type) => w.condition(type)?.status,
      ),
      ['True', 'False', 'False', 'False'],
    );
    await w.clock.advance(600_000);
    assert.equal(w.writes.length, 1);
    assert.deepEqual(w.audited, [], 'a first month is no reset');
  });

  it('writes figures every two seconds at most, and a level that is reached at once', async () => {
    await using w = aWorld(aPolicy('default', spec()));
    await w.open();
    for (let cents = 1; cents <= 70; cents++) {
      w.spent('a', `0.${String(cents).padStart(2, '0')}`, '2030-01-01', 'Running');
      await w.clock.advance(100);
    }
    assert.ok(w.writes.length <= 5, `${w.writes.length} writes in 7 s`);
    const before = w.writes.length;
    w.spent('a', '8.00', '2030-01-01', 'Running');
    await w.clock.advance(1);
    assert.equal(w.writes.length, before + 1);
    assert.equal(w.condition('BudgetWarning')?.status, 'True');
    w.spent('a', '10.01', '2030-01-01', 'Running');
    await w.clock.advance(1);
    assert.equal(w.condition('BudgetExceeded')?.status, 'True');
    assert.deepEqual(
      w.events.map(({ reason, type, metadata }) => [reason, type, metadata.name]),
      [
        ['BudgetWarning', 'Warning', 'policy.budget-warning.2030-01-01.10.00'],
        ['BudgetExceeded', 'Warning', 'policy.budget-exceeded.2030-01-01.10.00'],
      ],
    );
  });

  it('resets the month, records it, and forgets what was carried before', async () => {
    await using w = aWorld(aPolicy('default', spec()), '2030-01-31T23:59:50Z');
    w.spent('a', '9.00', '2030-01-31');
    await w.open();
    assert.equal(w.condition('BudgetWarning')?.status, 'True');
    await w.clock.advance(20_000);
    assert.equal(w.status().usage?.budget?.lastReset, '2030-02-01T00:00:00Z');
    assert.equal(w.status().usage?.budget?.currentMonth, '0.00');
    assert.equal(w.condition('BudgetWarning')?.status, 'False');
    assert.deepEqual(
      w.audited.map(({ details }) => details),
      [
        {
          event: 'BudgetReset',
          from: '2030-01-01T00:00:00Z',
          to: '2030-02-01T00:00:00Z',
          spent: '9.00',
        },
      ],
    );
  });

  it('resets once after months in which no operator was there', async () => {
    const policy = aPolicy('default', spec());
    const budget = {
      currentMonth: '7.00',
      lastReset: '2029-09-01T00:00:00Z',
      percentUsed: 70,
      carried: '7.00',
    };
    policy.status = { usage: { budget } };
    await using w = aWorld(policy, '2030-01-10T00:00:00Z');
    w.spent('a', '1.00', '2029-12-31');
    w.spent('b', '2.00', '2030-01-02');
    await w.open();
    assert.equal(w.audited.length, 1);
    assert.deepEqual(
      [w.status().usage?.budget?.lastReset, w.status().usage?.budget?.currentMonth],
      ['2030-01-01T00:00:00Z', '2.00'],
    );
  });

  it('names each mistake of the policy', async () => {
    await using w = aWorld(
      aPolicy('default', {
        models: { budget: { monthly: '1.00', perSession: '5.00' }, allowed: ['a', 'b'], blocked: ['b'] },
      }),
    );
    await w.open();
    assert.equal(w.condition('ConfigValid')?.status, 'False');
    assert.match(
      w.condition('ConfigValid')?.message ?? '',
      /^2 mistakes\. spec\.models\.allowed\[1\]: "b" is allowed and blocked .*, spec\.models\.budget\.perSession: 5\.00 is more/,
    );
    w.change(spec());
    await w.clock.advance(1);
    assert.equal(w.condition('ConfigValid')?.status, 'True');
  });

  it('tells when more run than a narrowed policy allows', async () => {
    await using w = aWorld(aPolicy('default', spec()));
    w.spent('a', '0.10', '2030-01-01', 'Running');
    await w.open();
    w.change(spec({ concurrency: { maxSessions: 0 } }));
    await w.clock.advance(1);
    assert.equal(w.condition('PolicyViolation')?.reason, 'TooManySessions');
  });
});

describe('money of sessions that are deleted', () => {
  const money = (w: ReturnType<typeof aWorld>) => {
    const { currentMonth, carried, carriedSessions } = w.status().usage?.budget ?? assert.fail();
    return [currentMonth, carried, carriedSessions];
  };

  it('stays spent, is settled once however often it is asked for, and its session is forgotten afterwards', async () => {
    await using w = aWorld(aPolicy('default', spec()));
    const session = w.spent('a', '1.50', '2030-01-01');
    await w.open();
    await w.settlements.settleDeleted(session);
    await w.settlements.settleDeleted(session);
    await w.clock.advance(5000);
    assert.deepEqual(money(w), ['1.50', '1.50', ['uid-of-a']]);
    w.sessions.remove(session);
    await w.clock.advance(5000);
    assert.deepEqual(money(w), ['1.50', '1.50', []]);
    assert.equal(w.status().usage?.sessions?.total, 0);
  });

  it('stays spent when the object is torn away without being settled', async () => {
    await using w = aWorld(aPolicy('default', spec()));
    const session = w.spent('a', '1.50', '2030-01-01');
    await w.open();
    w.sessions.remove(session);
    await w.clock.advance(5000);
    assert.deepEqual(money(w).slice(0, 2), ['1.50', '1.50']);
    await w.clock.advance(10 * 60_000);
    assert.deepEqual(money(w).slice(0, 2), ['1.50', '1.50']);
  });

  it('of an earlier month is no matter', async () => {
    await using w = aWorld(aPolicy('default', spec()));
    const session = w.spent('a', '1.50', '2029-12-31');
    await w.open();
    const before = w.writes.length;
    await w.settlements.settleDeleted(session);
    assert.equal(w.writes.length, before);
  });

  it('is gone with the month', async () => {
    await using w = aWorld(aPolicy('default', spec()), '2030-01-31T23:00:00Z');
    const session = w.spent('a', '1.50', '2030-01-31');
    await w.open();
    await w.settlements.settleDeleted(session);
    w.sessions.remove(session);
    await w.clock.advance(DAY_MS);
    assert.deepEqual(money(w), ['0.00', '0.00', []]);
  });

  it('is not settled while a reset is due', async () => {
    await using w = aWorld(aPolicy('default', spec()));
    const session = w.spent('a', '1.50', '2030-01-01');
    await assert.rejects(w.settlements.settleDeleted(session), /is being reset/);
  });
});
