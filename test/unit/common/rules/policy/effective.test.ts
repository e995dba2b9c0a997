import assert from 'node:assert/strict';
import { effectivePolicy } from '../../../../../common/rules/policy/effective.ts';
import { formatMoney } from '../../../../../common/rules/money.ts';

describe('the effective policy', () => {
  it('of a namespace without a policy allows all models and tools, 50 sessions, and asks nobody', () => {
    const policy = effectivePolicy(undefined);
    assert.deepEqual(policy.models, { allowed: undefined, blocked: [] });
    assert.equal(policy.maxSessions, 50);
    assert.equal(policy.approval.required, false);
    assert.equal(policy.budget, undefined);
    assert.deepEqual(policy.retention, { sessions: '90d', artifacts: '30d', auditLogs: '7y' });
  });

  it('gives a session that sets no limit the default one, yet never more than the month has', () => {
    const of = (monthly: string, perSession?: string): string =>
      formatMoney(
        effectivePolicy({
          models: { budget: { monthly, ...(perSession === undefined ? {} : { perSession }) } },
        }).budget?.perSession ?? assert.fail('no budget'),
      );
    assert.equal(of('100.00'), '5.00');
    assert.equal(of('3.00'), '3.00');
    assert.equal(of('100.00', '20.00'), '20.00');
  });
});
