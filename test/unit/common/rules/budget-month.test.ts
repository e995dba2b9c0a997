import assert from 'node:assert/strict';
import { budgetMonth, dayOf, resetAfter, resetBefore } from '../../../../common/rules/budget-month.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const at = (text: string): number => Date.parse(text);
const iso = (milliseconds: number): string => new Date(milliseconds).toISOString();

describe('a budget month', () => {
  const cases: [now: string, resetDay: number, start: string, end: string, what: string][] = [
    ['2030-01-15T12:00:00Z', 1, '2030-01-01', '2030-02-01', 'in the middle'],
    ['2030-01-01T00:00:00Z', 1, '2030-01-01', '2030-02-01', 'at the very reset'],
    ['2029-12-31T23:59:59.999Z', 1, '2029-12-01', '2030-01-01', 'a millisecond before a year ends'],
    ['2030-01-14T23:59:59Z', 15, '2029-12-15', '2030-01-15', 'over the end of a year'],
    ['2028-02-29T12:00:00Z', 1, '2028-02-01', '2028-03-01', 'on a leap day'],
    ['2028-02-29T12:00:00Z', 28, '2028-02-28', '2028-03-28', 'on a leap day after reset day 28'],
    ['2027-02-28T00:00:00Z', 28, '2027-02-28', '2027-03-28', 'on the last day of a short February'],
    ['2100-02-28T23:00:00Z', 28, '2100-02-28', '2100-03-28', 'in a year that is no leap year after all'],
    ['2000-02-29T00:00:00Z', 28, '2000-02-28', '2000-03-28', 'in a leap year of a whole century'],
  ];
  for (const [now, resetDay, start, end, what] of cases)
    it(`is known ${what}`, () => {
      const month = budgetMonth(at(now), resetDay, undefined);
      assert.deepEqual([dayOf(month.start), dayOf(month.end)], [start, end]);
      assert.equal(iso(month.start).slice(10), 'T00:00:00.000Z');
      assert.equal(month.isNew, true);
    });

  it('holds every instant of eight years exactly once, for every reset day', () => {
    for (let resetDay = 1; resetDay <= 28; resetDay++) {
      let { start } = budgetMonth(at('2026-12-20T00:00:00Z'), resetDay, undefined);
      for (let now = at('2026-12-20T07:00:00Z'); now < at('2035-01-10T00:00:00Z'); now += DAY_MS) {
        const month = budgetMonth(now, resetDay, undefined);
        assert.ok(month.start <= now && now < month.end, `${iso(now)} day ${resetDay}`);
        assert.equal(new Date(month.start).getUTCDate(), resetDay);
        assert.equal(resetBefore(month.end - 1, resetDay), month.start);
        assert.equal(resetAfter(month.start, resetDay), month.end);
        const days = (month.end - month.start) / DAY_MS;
        assert.ok(Number.isInteger(days) && days >= 28 && days <= 31, `${days} days`);
        if (month.start !== start) assert.equal(resetAfter(start, resetDay), month.start, 'none is left out');
        ({ start } = month);
      }
    }
  });

  it('goes on while its reset is recorded, and is new once the next is due', () => {
    const lastReset = '2030-01-01T00:00:00Z';
    assert.equal(budgetMonth(at('2030-01-31T23:59:59Z'), 1, lastReset).isNew, false);
    const next = budgetMonth(at('2030-02-01T00:00:00Z'), 1, lastReset);
    assert.deepEqual([iso(next.start).slice(0, 10), next.isNew], ['2030-02-01', true]);
  });

  it('is the present one after several months in which nobody was there to reset', () => {
    const month = budgetMonth(at('2030-06-20T05:00:00Z'), 10, '2029-11-10T00:00:00Z');
    assert.deepEqual([dayOf(month.start), dayOf(month.end), month.isNew], ['2030-06-10', '2030-07-10', true]);
  });

  it('is not opened again by a clock that jumps back', () => {
    const month = budgetMonth(at('2030-01-31T23:00:00Z'), 1, '2030-02-01T00:00:00Z');
    assert.deepEqual(
      [dayOf(month.start), dayOf(month.end), month.isNew],
      ['2030-02-01', '2030-03-01', false],
    );
  });

  it('only ever moves forward, whatever the clock does', () => {
    let lastReset: string | undefined;
    let seed = 7;
    const random = (): number => (seed = (seed * 16807) % 2147483647) / 2147483647;
    let now = at('2030-01-01T00:00:00Z');
    for (let step = 0; step < 2000; step++) {
      now += (random() - 0.4) * 40 * DAY_MS;
      const month = budgetMonth(now, 1 + Math.floor(random() * 28), lastReset);
      if (lastReset !== undefined) assert.ok(month.start >= at(lastReset));
      assert.ok(month.end > month.start && month.end > now);
      lastReset = iso(month.start);
    }
  });

  it('follows a reset day that moves: to a later day at once, to an earlier one at the next reset', () => {
    const later = budgetMonth(at('2030-01-20T00:00:00Z'), 15, '2030-01-01T00:00:00Z');
    assert.deepEqual([dayOf(later.start), later.isNew], ['2030-01-15', true]);
    const earlier = budgetMonth(at('2030-01-20T00:00:00Z'), 1, '2030-01-15T00:00:00Z');
    assert.deepEqual([dayOf(earlier.start), dayOf(earlier.end)], ['2030-01-15', '2030-02-01']);
  });

  it('takes a record that cannot be read for none', () => {
    assert.equal(dayOf(budgetMonth(at('2030-01-20T00:00:00Z'), 1, 'soon').start), '2030-01-01');
  });
});
