import assert from 'node:assert/strict';
import { formatMoney, minus, parseMoney, plus, ZERO } from '../../../../common/rules/money.ts';
import type { Money } from '../../../../common/rules/money.ts';
import { inLine, ordinal, takeTurns } from '../../../../common/rules/turns.ts';
import type { Room, Waiter } from '../../../../common/rules/turns.ts';

const usd = (text: string): Money => parseMoney(text) ?? assert.fail(text);
const HOUR_MS = 3_600_000;

const waiter = (name: string, need?: string, lastsMs = HOUR_MS): Waiter => ({
  created: '2030-01-01T00:00:00Z',
  name,
  need: need === undefined ? undefined : usd(need),
  lastsMs,
});
const room = (slots: number, budget?: [monthly: string, spent: string, reserved: string]): Room => ({
  slots,
  budget: budget && { monthly: usd(budget[0]), spent: usd(budget[1]), reserved: usd(budget[2]) },
  untilResetMs: 10 * HOUR_MS,
});
const names = (waiters: readonly Waiter[]): string[] => waiters.map(({ name }) => name);

describe('turns', () => {
  it('go to the oldest, then by name, as many as there is room for', () => {
    const line = [waiter('b'), { ...waiter('z'), created: '2029-12-31T23:59:59Z' }, waiter('a')].sort(inLine);
    const { starts, holder } = takeTurns(line, room(2));
    assert.deepEqual([names(starts), holder?.name], [['z', 'a'], 'b']);
  });

  it('go to nobody while more run than a narrowed policy allows', () => {
    assert.deepEqual(takeTurns([waiter('a')], room(-30)).starts, []);
    assert.deepEqual(takeTurns([waiter('a')], room(0)).starts, []);
  });

  it('wait for the first, who waits for what others hold, however little the next needs', () => {
    const line = [waiter('a', '5.00'), waiter('b', '0.01')];
    const { starts, holder } = takeTurns(line, room(9, ['10.00', '0', '6.00']));
    assert.deepEqual([names(starts), holder?.name], [[], 'a']);
  });

  it('pass by one who can only wait for the reset', () => {
    const line = [waiter('a', '5.00'), waiter('b', '0.50'), waiter('c', '2.00'), waiter('d', '0.60')];
    const { starts, holder } = takeTurns(line, room(9, ['10.00', '9.00', '0']));
    assert.deepEqual([names(starts), holder?.name], [['b'], 'd']);
  });

  it('do not pass by it to one who would still run at the reset', () => {
    const line = [waiter('a', '5.00'), waiter('b', '0.50', 11 * HOUR_MS), waiter('c', '0.50')];
    assert.deepEqual(names(takeTurns(line, room(9, ['10.00', '9.00', '0'])).starts), ['c']);
    // Nobody stands aside here: why should it not run over the reset?
    assert.deepEqual(names(takeTurns(line.slice(1), room(9, ['10.00', '9.00', '0'])).starts), ['b', 'c']);
  });

  it('are counted in English', () => {
    assert.deepEqual([1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(ordinal), [
      '1st',
      '2nd',
      '3rd',
      '4th',
      '11th',
      '12th',
      '13th',
      '21st',
      '102nd',
      '111th',
    ]);
  });

  interface Run extends Waiter {
    cost: Money;
    endsAt: number;
    startedIn?: number;
  }

  /** A namespace played through: sessions come, run, spend at most their budget and end; months pass. */
  function play(seed: number): { started: Run[]; late: number } {
    let state = seed;
    const random = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
    const cents = (most: number): Money => BigInt(Math.floor(random() * most) * 10_000_000) as Money;
    const monthly = usd('10.00');
    const monthHours = 60;
    const maxSessions = 1 + Math.floor(random() * 5);
    const line: Run[] = [];
    const running: Run[] = [];
    const started: Run[] = [];
    let spent = ZERO;
    const arrivals = 150;
    let come = 0;
    let hour = 0;
    for (; come < arrivals || line.length > 0; hour++) {
      assert.ok(hour < 20_000, `starved: ${line.map(({ name }) => name).join(', ')}`);
      if (hour % monthHours === 0) spent = ZERO;
      for (const run of running.filter(({ endsAt }) => endsAt <= hour)) {
        running.splice(running.indexOf(run), 1);
        // Spent at the end: the worst case for the month in which it ends.
        spent = plus(spent, run.cost);
      }
      for (let n = 0; n < 3 && come < arrivals && random() < 0.4; n++, come++) {
        const need = random() < 0.1 ? monthly : cents(600);
        const hours = 1 + Math.floor(random() * 20);
        line.push({
          created: new Date(hour * HOUR_MS).toISOString(),
          name: String(come).padStart(4, '0'),
          need,
          lastsMs: hours * HOUR_MS,
          cost: random() < 0.3 ? need : (((need * BigInt(Math.floor(random() * 100))) / 100n) as Money),
          endsAt: hours,
        });
      }
      line.sort(inLine);
      const reserved = running.reduce((all, { need }) => plus(all, need ?? ZERO), ZERO);
      const untilResetMs = (monthHours - (hour % monthHours)) * HOUR_MS;
      const slots = maxSessions - running.length;
      const { starts } = takeTurns(line, { slots, budget: { monthly, spent, reserved }, untilResetMs });
      for (const run of starts) {
        // Oldest first, but for those that the month has no room for or that would run into the next.
        for (const older of line.slice(0, line.indexOf(run)))
          assert.ok(
            (older.need ?? ZERO) > minus(monthly, spent) || older.lastsMs >= untilResetMs,
            `${run.name} went before ${older.name}`,
          );
        line.splice(line.indexOf(run), 1);
        running.push({ ...run, endsAt: hour + run.endsAt, startedIn: hour });
        started.push(run);
      }
      assert.ok(running.length <= maxSessions);
      const held = running.reduce((all, { need }) => plus(all, need ?? ZERO), ZERO);
      if (starts.length > 0) assert.ok(plus(spent, held) <= monthly, formatMoney(plus(spent, held)));
    }
    return { started, late: hour };
  }

  it('never exceed sessions or budget, keep the order and starve nobody, in 60 namespaces played through', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { started } = play(seed * 7919);
      assert.equal(new Set(names(started)).size, 150, 'each starts once');
    }
  });
});
