import assert from 'node:assert/strict';
import { parseMoney } from '../../../../../common/rules/money.ts';
import type { Money } from '../../../../../common/rules/money.ts';
import type { CostReport } from '../../../../../operator/sessions/costs.ts';
import { ModelCharges } from '../../../../../operator/sessions/models/charges.ts';
import { FakeClock, settle } from '../../../../support/fake-clock.ts';
import { aSession } from '../../../../support/fixtures.ts';

const usd = (text: string): Money => parseMoney(text) ?? assert.fail(text);

describe('charges of calls to models', () => {
  const session = aSession('s1').running().build();
  const clock = new FakeClock();
  let reports: CostReport[];
  let refuse: Error | undefined;
  let complaints: unknown[];
  const charges = (process = 'a1') =>
    new ModelCharges({
      process,
      clock,
      onError: (error) => complaints.push(error),
      costs: {
        async report(_, report) {
          await settle();
          if (refuse !== undefined) throw refuse;
          reports.push(report);
        },
      },
    });
  const told = () =>
    reports.map(({ source, after, seq, charges: all }) => [source, after, seq, all.map((each) => each.seq)]);

  beforeEach(() => {
    reports = [];
    refuse = undefined;
    complaints = [];
  });

  it('are numbered without a gap, and those that come meanwhile go together', async () => {
    const all = charges();
    await Promise.all(['0.1', '0.2', '0', '0.3'].map((amount) => all.add(session, 'm', usd(amount))));
    assert.deepEqual(told(), [
      ['gateway-a1-1', 0, 1, [1]],
      ['gateway-a1-1', 1, 3, [2, 3]],
    ]);
  });

  it('are tried again in order until they are stored', async () => {
    const all = charges();
    refuse = new Error('full');
    let isStored = false;
    const adding = all.add(session, 'm', usd('0.1')).then(() => (isStored = true));
    await clock.advance(3500);
    assert.ok(complaints.length > 1);
    const second = all.add(session, 'm', usd('0.2'));
    assert.ok(!isStored);
    refuse = undefined;
    await clock.advance(1000);
    await clock.advance(1000);
    await Promise.all([adding, second]);
    assert.deepEqual(told(), [['gateway-a1-1', 0, 2, [1, 2]]]);
  });

  it('have a source of each process and session of their own', async () => {
    const [one, other] = [charges('a1'), charges('b2')];
    await one.add(session, 'm', usd('0.1'));
    await one.add(aSession('s2').build(), 'm', usd('0.1'));
    await other.add(session, 'm', usd('0.1'));
    assert.deepEqual(
      reports.map(({ source }) => source),
      ['gateway-a1-1', 'gateway-a1-2', 'gateway-b2-1'],
    );
  });

  it('hold up the end of a process only for a while', async () => {
    const all = charges();
    refuse = new Error('full');
    all.add(session, 'm', usd('0.1')).catch(assert.ifError);
    const ending = all[Symbol.asyncDispose]();
    await clock.advance(5000);
    await ending;
  });
});
