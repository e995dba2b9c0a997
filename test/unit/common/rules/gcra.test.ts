/** A bucket that fills evenly: as much as the rate allows, never more, and it says how long to wait. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { take } from '../../../../common/rules/gcra.ts';

const rate = fc.record({
  perMinute: fc.integer({ min: 1, max: 100_000 }),
  burst: fc.integer({ min: 1, max: 1000 }),
});

describe('a bucket', () => {
  it('gives its burst at once, then one each interval', () => {
    const ten = { perMinute: 10, burst: 20 };
    const first = take(undefined, 0, ten, 25);
    assert.deepEqual([first.count, first.waitMs], [20, 6000]);
    assert.equal(take(first.fullAt, 5999, ten).count, 0);
    assert.equal(take(first.fullAt, 6000, ten).count, 1);
    assert.equal(take(first.fullAt, 120_000, ten, 25).count, 20);
  });

  it('never gives more than burst and rate allow in any time', () => {
    fc.assert(
      fc.property(rate, fc.array(fc.tuple(fc.integer({ min: 0, max: 5000 }), fc.nat(50))), (given, steps) => {
        let now = 1e12;
        let fullAt: number | undefined;
        let taken = 0;
        for (const [wait, asked] of steps) {
          now += wait;
          const { count, fullAt: next } = take(fullAt, now, given, asked);
          fullAt = next;
          taken += count;
          const most = given.burst + ((now - 1e12) * given.perMinute) / 60_000;
          assert.ok(taken <= most + 1e-2, `${taken} of ${most}`);
        }
      }),
    );
  });

  it('has one more when the time it names is over', () => {
    fc.assert(
      fc.property(rate, fc.nat(2000), (given, asked) => {
        const { count, fullAt, waitMs } = take(undefined, 1e12, given, asked);
        if (count === asked) return;
        assert.equal(take(fullAt, 1e12 + waitMs, given).count, 1);
      }),
    );
  });
});
