import assert from 'node:assert/strict';
import { parseMoney } from '../../../../common/rules/money.ts';
import { effectivePolicy } from '../../../../common/rules/policy/effective.ts';
import { sessionBudget } from '../../../../common/rules/session-budget.ts';
import { aSession, NOW } from '../../../support/fixtures.ts';

describe('what a session may spend', () => {
  const of = (own: string | undefined, raised: string | undefined, monthly?: string) => {
    const session = aSession('s1')
      .spec(own === undefined ? {} : { policy: { modelConstraints: { budget: own } } })
      .status(raised === undefined ? {} : { budget: { limit: raised, by: 'bob', at: NOW } })
      .build();
    return sessionBudget(
      session,
      effectivePolicy(monthly === undefined ? {} : { models: { budget: { monthly } } }),
    );
  };

  for (const [own, raised, monthly, expected] of [
    [undefined, undefined, undefined, undefined],
    [undefined, '3.00', undefined, undefined],
    ['1.00', undefined, undefined, '1.00'],
    ['1.00', '3.00', undefined, '3.00'],
    ['4.00', '3.00', undefined, '4.00'],
    [undefined, '7.00', '50.00', '7.00'],
    ['1.00', '90.00', '50.00', '50.00'],
  ] as const)
    it(`own ${own}, raised ${raised}, monthly ${monthly} → ${expected}`, () => {
      assert.equal(of(own, raised, monthly), expected === undefined ? undefined : parseMoney(expected));
    });
});
