/** What the launch form is told by the policy of a namespace. */
import assert from 'node:assert/strict';
import type { NamespacePolicySpec, NamespacePolicyStatus } from '../../../../common/api/namespace-policy.ts';
import type { SessionSpec } from '../../../../common/api/session.ts';
import { LaunchPolicy } from '../../../../extension/sessions/policy-check.ts';
import { aPolicy } from '../../../support/fixtures.ts';

const policy = (spec: NamespacePolicySpec, usage?: NamespacePolicyStatus['usage']): LaunchPolicy =>
  new LaunchPolicy({
    known: 'policy',
    policy: { ...aPolicy('team-a', spec), ...(usage === undefined ? {} : { status: { usage } }) },
  });
const spec = (more: Partial<SessionSpec> = {}): SessionSpec => ({ framework: { type: 'agent' }, ...more });
const BUDGET = { models: { budget: { monthly: '100.00', perSession: '5.00' } } };

describe('the policy of a namespace, told to a launch', () => {
  it('says nothing where there is none', () => {
    const none = new LaunchPolicy({ known: 'none' });
    assert.deepEqual(none.terms(spec()), []);
    assert.deepEqual(none.violations(spec({ framework: { type: 'agent', config: { model: 'x' } } })), []);
    assert.equal(none.sessionBudget, undefined);
  });

  it('says that it is not known to one who may not see it', () => {
    assert.match(new LaunchPolicy({ known: 'unknown' }).terms(spec())[0] ?? '', /may not see the policy/);
  });

  it('names rule, value and what is allowed of a model or tool', () => {
    const told = policy({
      models: { allowed: ['claude-*'], blocked: ['*-opus*'] },
      tools: { blocked: ['Web*'] },
    });
    assert.equal(told.refuses({ model: 'claude-sonnet' }), undefined);
    assert.match(
      told.refuses({ model: 'gpt-5' }) ?? '',
      /config\.model is "gpt-5": spec\.models\.allowed of the namespace.s policy does not cover it\. Allowed: claude-\*\./,
    );
    assert.notEqual(told.refuses({ model: 'claude-opus-4' }), undefined);
    assert.match(
      told.refuses({ tools: ['Read', 'WebFetch'] }) ?? '',
      /config\.tools\[1\] is "WebFetch": spec\.tools\.blocked/,
    );
  });

  it('refuses more than a month has, at the moment it is typed', () => {
    const told = policy(BUDGET);
    assert.equal(told.sessionBudget, '5.00');
    assert.equal(told.refusesBudget('100.00'), undefined);
    assert.match(
      told.refusesBudget('100.01') ?? '',
      /is .100\.01.: spec\.models\.budget\.monthly .* is 100\.00\. .* at most 100\.00/,
    );
    assert.match(told.refusesBudget('nonsense') ?? '', /it is no amount/);
  });

  it('says what is reserved, and what is free', () => {
    const usage = {
      budget: {
        currentMonth: '77.60',
        reserved: '10.00',
        lastReset: '2030-01-01T00:00:00Z',
        percentUsed: 77.6,
      },
    };
    assert.deepEqual(policy(BUDGET, usage).terms(spec()), [
      'Reserves $5.00; $12.40 of $100.00 free this month.',
    ]);
    const own = spec({ policy: { modelConstraints: { budget: '20' } } });
    assert.deepEqual(policy(BUDGET, usage).terms(own), [
      'Reserves $20.00; $12.40 of $100.00 free this month. It will wait for budget.',
    ]);
  });

  it('says that it will wait for its turn', () => {
    const sessions = (active: number, waiting: number): LaunchPolicy =>
      policy({ concurrency: { maxSessions: 50 } }, { sessions: { active, waiting, total: 99 } });
    assert.deepEqual(sessions(49, 0).terms(spec()), []);
    assert.deepEqual(sessions(50, 0).terms(spec()), ['50 of 50 run: it will wait for its turn.']);
    assert.deepEqual(sessions(50, 3).terms(spec()), [
      '50 of 50 run: it will wait for its turn behind 3 others.',
    ]);
  });

  it('says that approval is needed, unless it comes by itself', () => {
    const approval = { required: true, approvers: ['team-leads'] };
    assert.deepEqual(policy({ approval }).terms(spec()), [
      'Waits for approval before it starts. By: team-leads; not by you.',
    ]);
    const auto = (autoApprove: object, given = spec()): string[] =>
      policy({ ...BUDGET, approval: { ...approval, autoApprove } })
        .terms(given)
        .filter((line) => /approval/.test(line));
    assert.deepEqual(auto({ triggers: ['manual'] }), []);
    assert.equal(auto({ triggers: ['github'] }).length, 1);
    assert.deepEqual(auto({ budget: '5.00' }), []);
    assert.equal(auto({ budget: '4.99' }).length, 1);
    assert.equal(auto({ triggers: ['manual'] }, spec({ policy: { approvalRequired: true } })).length, 1);
  });
});
