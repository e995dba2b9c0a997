/** Costs over a real directory store; the API server is a list of the patches it would get. */
import assert from 'node:assert/strict';
import type { Session, SessionStatus } from '../../../../common/api/session.ts';
import type { NamespacePolicy } from '../../../../common/api/namespace-policy.ts';
import type { KubeClient } from '../../../../common/kube/client.ts';
import { KubeError } from '../../../../common/kube/errors.ts';
import { ObjectStore } from '../../../../common/kube/object-store.ts';
import { formatMoney, parseMoney, plus, ZERO } from '../../../../common/rules/money.ts';
import type { Money } from '../../../../common/rules/money.ts';
import { chargesOf } from '../../../../operator/sessions/charges.ts';
import { NOTHING } from '../../../../operator/sessions/cost-ledger.ts';
import { Costs } from '../../../../operator/sessions/costs.ts';
import { parseRecords } from '../../../../operator/sessions/log-records.ts';
import { Policies } from '../../../../operator/sessions/policies.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { aPolicy, aSession } from '../../../support/fixtures.ts';
import { KnownSessions } from '../../../support/known-sessions.ts';
import { temporaryStore } from '../../../support/temporary-store.ts';
import type { TemporaryStore } from '../../../support/temporary-store.ts';
import { until } from '../../../support/until.ts';

const usd = (text: string): Money => parseMoney(text) ?? assert.fail(text);
const charge = (seq: number, text: string, key = 'opus') => ({ seq, key, amount: usd(text) });

describe('the cost of a session', () => {
  let temporary: TemporaryStore;
  let clock: FakeClock;
  let sessions: KnownSessions;
  let policies: ObjectStore<NamespacePolicy>;
  let session: Session;
  let shown: SessionStatus['cost'][];
  let refuse: KubeError | undefined;

  beforeEach(async () => {
    temporary = await temporaryStore();
    clock = new FakeClock();
    sessions = new KnownSessions();
    policies = new ObjectStore({ cluster: 'test' });
    session = sessions.add(aSession().running().build());
    shown = [];
    refuse = undefined;
  });
  afterEach(() => temporary[Symbol.asyncDispose]());

  const client = {
    async mergePatch(_: unknown, __: unknown, { status }: { status: { cost: SessionStatus['cost'] } }) {
      if (refuse) throw refuse;
      shown.push(status.cost);
      const current = sessions.get('default', session.metadata.name) ?? session;
      session = sessions.status(current, { cost: status.cost });
    },
  } as unknown as KubeClient;

  const open = (): Costs =>
    new Costs({
      store: temporary.store,
      client,
      sessions,
      policies: new Policies(policies),
      clock,
      random: () => 0.5,
      onError: assert.ifError,
    });
  const report = (costs: Costs, after: number, seq: number, ...charges: ReturnType<typeof charge>[]) =>
    costs.report(session, { source: 'runner', after, seq, charges });
  const totalOf = async (costs: Costs): Promise<string | undefined> => (await costs.of(session))?.total;

  const spentOf = async (costs: Costs): Promise<string> => formatMoney((await costs.standing(session)).spent);

  it('is the exact sum, by model and by day', async () => {
    await using costs = open();
    await report(costs, 0, 9, charge(3, '0.1'), charge(5, '0.2', 'haiku'));
    await clock.advance(24 * 3_600_000);
    await report(costs, 9, 12, charge(12, '0.000000001'));
    assert.deepEqual(await costs.of(session), {
      total: '0.300000001',
      breakdown: { haiku: '0.20', opus: '0.100000001' },
      days: { '2030-01-01': '0.30', '2030-01-02': '0.000000001' },
    });
  });

  it('counts nothing twice, whatever is sent again, also to another replica or after a crash', async () => {
    await using one = open();
    await using two = open();
    await report(one, 0, 4, charge(2, '0.10'), charge(4, '0.10'));
    await report(two, 0, 4, charge(2, '0.10'), charge(4, '0.10'));
    await report(two, 4, 6, charge(6, '0.05'));
    await report(one, 2, 6, charge(4, '0.10'), charge(6, '0.05'));
    await report(one, 6, 7);
    await report(one, 7, 8, charge(8, '0.01'));
    await using three = open();
    await report(three, 0, 8, charge(2, '0.10'), charge(4, '0.10'), charge(6, '0.05'), charge(8, '0.01'));
    for (const costs of [one, two, three]) assert.equal(await totalOf(costs), '0.26');
  });

  it('is known without the store for a while, never without what was reported here', async () => {
    await using one = open();
    await using other = open();
    await report(one, 0, 1, charge(1, '0.10'));
    assert.equal(await spentOf(one), '0.10');
    await other.report(session, { source: 'gateway-x', after: 0, seq: 1, charges: [charge(1, '1.00')] });
    await report(one, 1, 2, charge(2, '0.05'));
    assert.equal(await spentOf(one), '0.15');
    await clock.advance(5000);
    assert.equal(await spentOf(one), '0.15', 'nobody waits for a look');
    await until(async () => (await spentOf(one)) === '1.15', 'it has looked');
    // What is being read while something is reported may lack it, and is nobody else's then.
    await clock.advance(30_000);
    const before = one.standing(session);
    await report(one, 2, 3, charge(3, '0.20'));
    assert.equal(await spentOf(one), '1.35');
    await before;
    assert.equal(await spentOf(one), '1.35');
    await report(one, 0, 3, charge(1, '0.10'), charge(2, '0.05'), charge(3, '0.20'));
    assert.equal(await spentOf(one), '1.35');
  });

  it('takes in what a call cost in the place of what it might have cost, and shows others what is open', async () => {
    await using one = open();
    await using other = open();
    const call = { key: 'opus', most: usd('0.40') };
    const source = 'gateway-a-1';
    const first = await one.next(session, source, NOTHING, { charges: [], open: new Map([['1', call]]) });
    assert.equal(await one.of(session), undefined);
    assert.deepEqual(await other.standing(session), {
      spent: ZERO,
      open: new Map([[source, usd('0.40')]]),
    });
    assert.equal((await other.atMost(session))?.total, '0.40');
    const charges = [{ key: 'opus', amount: usd('0.15') }];
    const second = await one.next(session, source, first, { charges, open: new Map() });
    await one.drop(session, source, first);
    assert.deepEqual(await other.standing(session, { isFresh: true }), {
      spent: usd('0.15'),
      open: new Map(),
    });
    assert.equal((await other.atMost(session))?.total, '0.15');
    // As after an answer of the store that was lost.
    await one.next(session, source, first, { charges, open: new Map() });
    assert.deepEqual(await one.of(session), await other.of(session));
    assert.equal(second.seq, 2);
  });

  it('is not known twice when it is read and reported at once', async () => {
    await using costs = open();
    await report(costs, 0, 1, charge(1, '0.10'));
    for (let seq = 1; seq < 20; seq++) {
      const reading = costs.standing(session, { isFresh: true });
      await report(costs, seq, seq + 1, charge(seq + 1, '0.10'));
      await reading;
    }
    assert.equal(await spentOf(costs), '2.00');
  });

  it('is shown also when it comes after the end', async () => {
    await using costs = open();
    session = sessions.status(session, { phase: 'Completed', cost: { total: '0.10' } });
    await costs.report(session, { source: 'gateway-x', after: 0, seq: 1, charges: [charge(1, '0.30')] });
    await until(() => shown.length > 0, 'it is shown');
    assert.deepEqual(
      shown.map((cost) => cost?.total),
      ['0.30'],
    );
  });

  it('is the same in whatever pieces and over whatever replicas it is reported', async () => {
    let state = 11;
    const random = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
    let replicas = [open(), open()];
    let expected = ZERO;
    let acknowledged = 0;
    for (let step = 0; step < 150; step++) {
      const from = acknowledged;
      const to = from + 1 + Math.floor(random() * 4);
      const charges = [];
      for (let seq = from + 1; seq <= to; seq++)
        if (seq % 3 === 0) charges.push(charge(seq, `0.00${seq % 10}1`, `model-${seq % 4}`));
      const replica = replicas[Math.floor(random() * 2)] ?? assert.fail();
      await report(replica, from, to, ...charges);
      // Now and then no answer comes, and all of it is sent again.
      if (random() < 0.3) continue;
      for (const each of charges) expected = plus(expected, each.amount);
      acknowledged = to;
      if (random() < 0.1) {
        for (const each of replicas) await each[Symbol.asyncDispose]();
        replicas = [open(), open()];
      }
    }
    // What was sent but never acknowledged has been counted as well.
    const stored = usd((await totalOf(open())) ?? '');
    const rest = [1, 2, 3, 4].map((n) => acknowledged + n).filter((seq) => seq % 3 === 0);
    const most = rest.reduce((all, seq) => plus(all, usd(`0.00${seq % 10}1`)), expected);
    assert.ok(stored === expected || stored === most, `${formatMoney(stored)}, ${formatMoney(expected)}`);
    for (const each of replicas) await each[Symbol.asyncDispose]();
  });

  it('adds up what several sources measure', async () => {
    await using costs = open();
    await report(costs, 0, 1, charge(1, '1'));
    await costs.report(session, { source: 'gateway', after: 0, seq: 1, charges: [charge(1, '2')] });
    assert.deepEqual((await costs.of(session))?.breakdown, { opus: '3.00' });
  });

  it('is shown at once, then every two seconds at most', async () => {
    await using costs = open();
    for (let seq = 1; seq <= 20; seq++) await report(costs, seq - 1, seq, charge(seq, '0.01'));
    await until(() => shown.length === 1, 'the first is shown');
    await clock.advance(1900);
    assert.equal(shown.length, 1);
    await clock.advance(200);
    await until(() => shown.length === 2, 'all of it is shown');
    assert.equal(shown[1]?.total, '0.20');
    await clock.advance(10_000);
    assert.equal(shown.length, 2, 'nothing new, nothing written');
  });

  it('is shown at once when it reaches the budget of the session, or of the namespace', async () => {
    policies.upsert(aPolicy('default', { models: { budget: { monthly: '10.00', perSession: '1.00' } } }));
    await using costs = open();
    await report(costs, 0, 1, charge(1, '0.50'));
    await until(() => shown.length === 1, 'the first is shown');
    await report(costs, 1, 2, charge(2, '0.49'));
    assert.equal(shown.length, 1);
    await report(costs, 2, 3, charge(3, '0.01'));
    await until(() => shown.at(-1)?.total === '1.00', 'the budget is reached');
  });

  it('is shown after a lost race, and by the next operator when the first one died', async () => {
    {
      await using costs = open();
      refuse = new KubeError('changed', { status: 409, reason: 'Conflict' });
      await report(costs, 0, 1, charge(1, '0.50'));
      await clock.advance(100);
      refuse = undefined;
      await clock.advance(1000);
      await until(() => shown.length === 1, 'it is shown');
      await report(costs, 1, 2, charge(2, '0.50'));
    }
    await using next = open();
    await next.catchUp(session);
    await until(() => shown.at(-1)?.total === '1.00', 'the next one shows it');
  });

  it('never falls before the last reset, nor on an earlier day than before, when a clock jumps back', async () => {
    const usage = { budget: { currentMonth: '0.00', lastReset: '2030-02-01T00:00:00Z', percentUsed: 0 } };
    policies.upsert({ ...aPolicy(), status: { usage } });
    await using costs = open();
    await report(costs, 0, 1, charge(1, '0.50'));
    assert.deepEqual((await costs.of(session))?.days, { '2030-02-01': '0.50' });
  });

  it('keeps the sum when models are more than a status can show', async () => {
    await using costs = open();
    const charges = Array.from({ length: 80 }, (_, n) => charge(n + 1, '0.01', `model ${n}`));
    await report(costs, 0, 80, ...charges);
    const cost = await costs.of(session);
    assert.equal(cost?.total, '0.80');
    assert.equal(Object.keys(cost?.breakdown ?? {}).length, 50);
    assert.equal(cost?.breakdown?.['other'], '0.31');
  });
});

describe('usage records', () => {
  const record = (seq: number, data: unknown, type = 'usage'): string =>
    JSON.stringify({ seq, time: '2030-01-01T00:00:00Z', type, text: '', data });
  const read = (...lines: string[]) => chargesOf(parseRecords(lines.join('\n')));

  it('charge what they say, as text or as a number, to the model they name', () => {
    const { charges, malformed } = read(
      record(1, { costUsd: '0.123456789', model: 'opus' }),
      record(2, { costUsd: 0.1 }),
      record(3, { costUsd: 1e-9, model: 'haiku\n' }),
      record(4, { tokens: 5 }),
      record(5, { costUsd: '1.00' }, 'assistant'),
      record(6, { costUsd: 0 }),
    );
    assert.deepEqual(
      charges.map(({ seq, key, amount }) => [seq, key, formatMoney(amount)]),
      [
        [1, 'opus', '0.123456789'],
        [2, 'other', '0.10'],
        [3, 'haiku', '0.000000001'],
      ],
    );
    assert.deepEqual(malformed, []);
  });

  for (const hostile of [
    -1,
    '-1',
    '1e9',
    'NaN',
    '0.0000000001',
    '1,5',
    '',
    null,
    {},
    [1],
    true,
    1e300,
    '9'.repeat(40),
  ])
    it(`charge nothing for ${JSON.stringify(hostile).slice(0, 30)}`, () => {
      const { charges, malformed } = read(record(1, { costUsd: hostile }));
      assert.deepEqual([charges, malformed], [[], [1]]);
    });

  it('keep a hostile model name from doing harm', () => {
    const { charges } = read(
      record(1, { costUsd: '1', model: '__proto__' }),
      record(2, { costUsd: '1', model: 'x'.repeat(999) }),
    );
    assert.deepEqual(
      charges.map(({ key }) => key.length),
      [9, 128],
    );
  });
});
