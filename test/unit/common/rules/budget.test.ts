import assert from 'node:assert/strict';
import {
  budgetLevel,
  budgetVerdict,
  free,
  isSpent,
  spentSince,
  totalOf,
} from '../../../../common/rules/budget.ts';
import { formatMoney, parseMoney, ZERO } from '../../../../common/rules/money.ts';
import type { Money } from '../../../../common/rules/money.ts';

const usd = (text: string): Money => parseMoney(text) ?? assert.fail(text);
const state = (monthly: string, spent: string, reserved = '0') => ({
  monthly: usd(monthly),
  spent: usd(spent),
  reserved: usd(reserved),
});

describe('a budget', () => {
  const verdicts: [need: string, monthly: string, spent: string, reserved: string, verdict: string][] = [
    ['1.00', '10.00', '0', '0', 'fits'],
    ['1.00', '10.00', '9', '0', 'fits'],
    ['1.00', '10.00', '9.000000001', '0', 'after-reset'],
    ['1.00', '10.00', '5', '4.000000001', 'after-others'],
    ['1.00', '10.00', '5', '4', 'fits'],
    ['10.00', '10.00', '0', '0', 'fits'],
    ['10.01', '10.00', '0', '0', 'never'],
    ['0.00', '10.00', '10', '0', 'after-reset'],
    ['0.00', '10.00', '0', '10', 'fits'],
    ['0.00', '0.00', '0', '0', 'fits'],
    ['0.01', '0.00', '0', '0', 'never'],
    ['1.00', '10.00', '12', '3', 'after-reset'],
  ];
  for (const [need, monthly, spent, reserved, verdict] of verdicts)
    it(`of ${monthly} with ${spent} spent and ${reserved} held answers ${need} with ${verdict}`, () =>
      assert.equal(budgetVerdict(usd(need), state(monthly, spent, reserved)), verdict));

  it('is never less than nothing', () => assert.equal(free(state('1', '3', '5')), ZERO));

  it('warns from four fifths on and is spent when all is', () => {
    const levels = ['0', '7.999999999', '8', '9.999999999', '10', '11'].map((spent) =>
      budgetLevel(state('10', spent)),
    );
    assert.deepEqual(levels, ['ok', 'ok', 'warning', 'warning', 'exceeded', 'exceeded']);
    assert.equal(budgetLevel(state('0', '0')), 'ok');
  });

  it('of a session that may spend nothing is spent with the first billionth', () => {
    assert.equal(isSpent(ZERO, ZERO), false);
    assert.equal(isSpent(usd('0.000000001'), ZERO), true);
    assert.equal(isSpent(usd('5'), undefined), false);
  });

  it('counts what was spent since the reset, by days', () => {
    const cost = {
      total: '1.75',
      days: { '2030-01-30': '1.00', '2030-01-31': '0.50', '2030-02-01': '0.25' },
    };
    const since = (start: string): string => formatMoney(spentSince(cost, Date.parse(start)));
    assert.equal(since('2030-01-01T00:00:00Z'), '1.75');
    assert.equal(since('2030-01-31T00:00:00Z'), '0.75');
    assert.equal(since('2030-02-01T00:00:00Z'), '0.25');
    assert.equal(since('2030-03-01T00:00:00Z'), '0.00');
  });

  it('counts a cost without days as a whole, and one that is none as nothing', () => {
    assert.equal(formatMoney(spentSince({ total: '2.50' }, 0)), '2.50');
    assert.equal(spentSince(undefined, 0), ZERO);
    assert.equal(totalOf({ total: 'much' }), ZERO);
  });
});
