import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PHASES, isTerminal } from '../../../../common/api/session.ts';
import { canMove, nextPhase } from '../../../../common/rules/phase.ts';

const phase = fc.constantFrom(undefined, ...PHASES);

describe('phase transitions', () => {
  const allowed = [
    [undefined, 'Pending'],
    [undefined, 'Failed'],
    ['Pending', 'Running'],
    ['Pending', 'Failed'],
    ['Running', 'Completed'],
    ['Running', 'Failed'],
  ] as const;
  for (const from of [undefined, ...PHASES])
    for (const to of PHASES) {
      const expected = from === to || allowed.some(([a, b]) => a === from && b === to);
      it(`${from ?? 'nothing'} → ${to} is ${expected ? 'allowed' : 'refused'}`, () =>
        assert.equal(canMove(from, to), expected));
    }

  it('leads from every phase that is not final to every later one by allowed steps only', () => {
    fc.assert(
      fc.property(phase, fc.constantFrom(...PHASES), (from, goal) => {
        let at = from;
        for (let steps = 0; steps < 4; steps++) {
          const next = nextPhase(at, goal);
          if (next === undefined) break;
          assert.ok(canMove(at, next), `${at} → ${next}`);
          at = next;
        }
        if (isTerminal(from)) assert.equal(at, from);
        else if (isTerminal(goal)) assert.equal(at, goal);
      }),
    );
  });

  it('takes a session that ended before anybody saw it run over Running', () => {
    assert.equal(nextPhase(undefined, 'Completed'), 'Pending');
    assert.equal(nextPhase('Pending', 'Completed'), 'Running');
    assert.equal(nextPhase('Running', 'Completed'), 'Completed');
  });
});
