import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Condition } from '../../../../common/api/kubernetes.ts';
import { findCondition, isTrue, setCondition, shorten } from '../../../../common/rules/conditions.ts';

const early = '2030-01-01T00:00:00Z';
const late = '2030-01-01T00:01:00Z';
const change = { type: 'Ready', status: 'True', reason: 'Up', message: 'all well' } as const;

describe('conditions', () => {
  it('moves lastTransitionTime only when the status changes', () => {
    const first = setCondition(undefined, change, { now: early });
    const reworded = setCondition(first, { ...change, message: 'still well' }, { now: late });
    assert.equal(findCondition(reworded, 'Ready')?.lastTransitionTime, early);
    const down = setCondition(reworded, { ...change, status: 'False' }, { now: late });
    assert.equal(findCondition(down, 'Ready')?.lastTransitionTime, late);
  });

  it('gives back the very same list when nothing changed', () => {
    const first = setCondition(undefined, change, { now: early });
    assert.equal(setCondition(first, change, { now: late }), first);
  });

  it('touches no other condition and keeps one of each type', () => {
    const types = fc.constantFrom('A', 'B', 'C');
    const changes = fc.array(
      fc.record({
        type: types,
        status: fc.constantFrom('True' as const, 'False' as const),
        reason: fc.constantFrom('X', 'Y'),
        message: fc.string(),
      }),
    );
    fc.assert(
      fc.property(changes, (list) => {
        let conditions: Condition[] | undefined;
        for (const each of list) {
          const before = conditions ?? [];
          conditions = setCondition(conditions, each, { now: late });
          assert.equal(new Set(conditions.map(({ type }) => type)).size, conditions.length);
          assert.deepEqual(
            conditions.filter(({ type }) => type !== each.type),
            before.filter(({ type }) => type !== each.type),
          );
          assert.equal(isTrue(conditions, each.type), each.status === 'True');
        }
      }),
    );
  });

  it('cuts long text without halving a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 30 }), (text, max) => {
        const short = shorten(text, max);
        assert.ok(short.length <= max);
        assert.ok(short.isWellFormed());
        if (text.length <= max) assert.equal(short, text);
      }),
    );
  });
});
