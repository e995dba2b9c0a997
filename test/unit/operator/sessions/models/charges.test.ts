import assert from 'node:assert/strict';
import type { Session } from '../../../../../common/api/session.ts';
import { formatMoney, parseMoney, ZERO } from '../../../../../common/rules/money.ts';
import type { Money } from '../../../../../common/rules/money.ts';
import { NOTHING } from '../../../../../operator/sessions/cost-ledger.ts';
import { ModelCharges } from '../../../../../operator/sessions/models/charges.ts';
import { FakeClock, settle } from '../../../../support/fake-clock.ts';
import { aSession } from '../../../../support/fixtures.ts';

const usd = (text: string): Money => parseMoney(text) ?? assert.fail(text);

describe('charges of calls to models', () => {
  const session = aSession('s1').running().build();
  let clock: FakeClock;
  /** Source, charges, and what is open from then on. */
  let writes: [string, string[], string[]][];
  /** Numbers of states. */
  let kept: number[];
  let dropped: number[];
  let survived: unknown[];
  let tried: number[];
  let entered: string[];
  let refuse: Error | undefined;
  let complaints: unknown[];
  const charges = (process = 'a1') =>
    new ModelCharges({
      process,
      clock,
      onError: (error) => complaints.push(error),
      openSessions: {
        enter: async ({ metadata }) => void entered.push(metadata.name),
        leave: ({ metadata }) => void entered.splice(entered.indexOf(metadata.name), 1),
      },
      costs: {
        async next(_: Session, source, before, { charges: all, open, survives }) {
          await settle();
          tried.push(before.seq + 1);
          if (refuse !== undefined) throw refuse;
          const money = (amounts: Iterable<Money>): string[] => [...amounts].map(formatMoney);
          survived.push(survives);
          writes.push([
            source,
            money(all.map(({ amount }) => amount)),
            money([...open.values()].map(({ most }) => most)),
          ]);
          return { ...NOTHING, seq: before.seq + 1, open };
        },
        keep: async (_: Session, __, { seq }) => void kept.push(seq),
        drop: async (_: Session, __, { seq }) => void dropped.push(seq),
      },
    });

  beforeEach(() => {
    clock = new FakeClock();
    writes = [];
    kept = [];
    dropped = [];
    survived = [];
    tried = [];
    entered = [];
    refuse = undefined;
    complaints = [];
  });

  it('are open before a call is passed on, and those that come meanwhile share a write', async () => {
    const all = charges();
    const calls = await Promise.all(['0.1', '0.2', '0.3'].map((most) => all.open(session, 'm', usd(most))));
    assert.deepEqual(entered, ['s1', 's1', 's1']);
    await Promise.all(calls.map((call, index) => call.settle(index === 0 ? ZERO : usd('0.05'))));
    assert.deepEqual(writes, [
      ['gateway-a1-1', [], ['0.10']],
      ['gateway-a1-1', [], ['0.10', '0.20', '0.30']],
      ['gateway-a1-1', [], ['0.20', '0.30']],
      ['gateway-a1-1', ['0.05', '0.05'], []],
    ]);
    assert.deepEqual(entered, []);
  });

  it('are tried again until they are stored; a call whose own bound is not may not be made', async () => {
    const all = charges();
    const call = await all.open(session, 'm', usd('0.2'));
    refuse = new Error('full');
    let isStored = false;
    const settling = call.settle(usd('0.1')).then(() => (isStored = true));
    await assert.rejects(all.open(session, 'm', usd('0.4')), /full/);
    await clock.advance(3500);
    assert.ok(complaints.length > 1);
    assert.ok(!isStored);
    assert.equal(entered.length, 2);
    refuse = undefined;
    await clock.advance(1000);
    await settling;
    // What failed may be stored: it is taken back.
    assert.deepEqual(writes.at(-1), ['gateway-a1-1', ['0.10'], []]);
    // And under the number of none that failed there is ever another.
    assert.equal(new Set(tried).size, tried.length);
    assert.deepEqual(dropped, [0, ...tried.slice(1, -1)], 'they are removed');
    await clock.advance(1000);
    assert.deepEqual(entered, []);
  });

  it('have a source of each process and session of their own', async () => {
    const [one, other] = [charges('a1'), charges('b2')];
    await one.open(session, 'm', usd('0.1'));
    await one.open(aSession('s2').build(), 'm', usd('0.1'));
    await other.open(session, 'm', usd('0.1'));
    assert.deepEqual(
      writes.map(([source]) => source),
      ['gateway-a1-1', 'gateway-a1-2', 'gateway-b2-1'],
    );
    assert.ok(one.isOwn('gateway-a1-2') && !one.isOwn('gateway-b2-1') && !one.isOwn('runner'));
  });

  it('wait for the disk but at first, and are brought there within seconds, all sessions at once', async () => {
    const all = charges();
    const one = await all.open(session, 'm', usd('0.1'));
    const two = await all.open(aSession('s2').build(), 'm', usd('0.2'));
    await all.open(session, 'm', usd('0.3'));
    await one.settle(usd('0.1'));
    await two.settle(usd('0.2'));
    assert.deepEqual(survived, ['machine', 'machine', 'process', 'process', 'process']);
    assert.deepEqual(dropped, [0, 0, 2], 'the last that was kept stays');
    await clock.advance(4999);
    assert.deepEqual(kept, []);
    await clock.advance(1);
    assert.deepEqual(kept, [3, 2]);
    assert.deepEqual(dropped, [0, 0, 2, 1, 1]);
    await clock.advance(5000);
    assert.deepEqual(kept, [3, 2], 'once');
    await all.open(session, 'm', usd('0.3'));
    await all[Symbol.asyncDispose]();
    assert.deepEqual(kept, [3, 2, 4], 'at the end, too');
  });

  it('hold up the end of a process only for a while', async () => {
    const all = charges();
    const call = await all.open(session, 'm', usd('0.1'));
    refuse = new Error('full');
    call.settle(usd('0.1')).catch(assert.ifError);
    const ending = all[Symbol.asyncDispose]();
    await clock.advance(5000);
    await ending;
  });
});
