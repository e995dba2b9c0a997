import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  formatMoney,
  minus,
  parseMoney,
  percentOf,
  plus,
  sum,
  ZERO,
} from '../../../../common/rules/money.ts';
import type { Money } from '../../../../common/rules/money.ts';

const usd = (text: string): Money => {
  const amount = parseMoney(text);
  assert.ok(amount !== undefined, text);
  return amount;
};

describe('money', () => {
  it('adds tenths exactly, where floating point does not', () => {
    assert.notEqual(0.1 + 0.2, 0.3);
    assert.equal(formatMoney(plus(usd('0.1'), usd('0.2'))), '0.30');
    assert.equal(formatMoney(sum(Array.from({ length: 1000 }, () => usd('0.000000001')))), '0.000001');
  });

  it('reads what it wrote', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 20n }), (units) => {
        assert.equal(parseMoney(formatMoney(units as Money)), units);
      }),
    );
  });

  it('takes nothing for an amount that is none', () => {
    for (const text of [
      '',
      '-1',
      '+1',
      '1e3',
      '1.',
      '.5',
      '1,5',
      '1.0000000001',
      '9999999999999',
      ' 1',
      'NaN',
      '١',
    ])
      assert.equal(parseMoney(text), undefined, text);
  });

  it('never goes below nothing', () => {
    assert.equal(minus(usd('1'), usd('2')), ZERO);
  });

  it('tells percent rounded down, so that 100 means spent', () => {
    assert.equal(percentOf(usd('79.999999999'), usd('100')), 79.99);
    assert.equal(percentOf(usd('99.999999999'), usd('100')), 99.99);
    assert.equal(percentOf(usd('150'), usd('100')), 150);
    assert.equal(percentOf(ZERO, ZERO), 100);
  });
});
