import assert from 'node:assert/strict';
import type { NamespacePolicySpec } from '../../../../common/api/namespace-policy.ts';
import type { SessionSpec } from '../../../../common/api/session.ts';
import { approvalNeed, awaiting, decisionCondition, mayDecide } from '../../../../common/rules/approval.ts';
import type { Person } from '../../../../common/rules/approval.ts';
import { effectivePolicy } from '../../../../common/rules/policy/effective.ts';

const OPERATOR = 'system:serviceaccount:ambient-system:ambient-operator';
type Approval = NonNullable<NamespacePolicySpec['approval']>;

const specOf = (spec: Partial<SessionSpec> = {}): SessionSpec => ({
  framework: { type: 'generic' },
  createdBy: { user: 'ann' },
  ...spec,
});
const policyOf = (approval: Approval, models: NamespacePolicySpec['models'] = {}) =>
  effectivePolicy({ approval, models });
const withBudget = (budget: string, more: Partial<SessionSpec> = {}): SessionSpec =>
  specOf({ policy: { modelConstraints: { budget } }, ...more });
const fromGithub = (user: string): Partial<SessionSpec> => ({
  trigger: { source: 'github' },
  createdBy: { user },
});
const ownWish = { policy: { approvalRequired: true } };

describe('whether a session needs approval', () => {
  const auto = (autoApprove: Approval['autoApprove']): Approval => ({
    required: true,
    ...(autoApprove === undefined ? {} : { autoApprove }),
  });
  const cases: [string, SessionSpec, Approval, 'none' | 'automatic' | 'approver'][] = [
    ['nobody asks for it', specOf(), {}, 'none'],
    ['the policy says it is not required', specOf(), { required: false }, 'none'],
    ['the policy requires it', specOf(), { required: true }, 'approver'],
    ['the session asks for it itself', specOf(ownWish), {}, 'approver'],
    [
      'the session says it wants none, but the policy requires it',
      specOf({ policy: { approvalRequired: false } }),
      { required: true },
      'approver',
    ],
    [
      'automatic approval is set where none is required',
      specOf(),
      { autoApprove: { triggers: ['manual'] } },
      'none',
    ],
    ['automatic approval is there but empty', specOf(), auto({}), 'approver'],
    ['automatic approval has an empty list of triggers', specOf(), auto({ triggers: [] }), 'approver'],
    ['its trigger is approved', specOf(), auto({ triggers: ['manual'] }), 'automatic'],
    ['its trigger is not approved', specOf(), auto({ triggers: ['github', 'jira'] }), 'approver'],
    [
      'it comes from GitHub through the operator',
      specOf(fromGithub(OPERATOR)),
      auto({ triggers: ['github'] }),
      'automatic',
    ],
    [
      'somebody writes GitHub as the trigger of their own',
      specOf(fromGithub('ann')),
      auto({ triggers: ['github'] }),
      'approver',
    ],
    [
      'it says GitHub, and nobody knows who launched it',
      { framework: { type: 'generic' }, trigger: { source: 'github' } },
      auto({ triggers: ['github'] }),
      'approver',
    ],
    [
      'an operator of another namespace claims a trigger',
      specOf(fromGithub('system:serviceaccount:team-a:ambient-operator')),
      auto({ triggers: ['github'] }),
      'approver',
    ],
    ['its budget is below what is approved', withBudget('1.00'), auto({ budget: '2.00' }), 'automatic'],
    ['its budget is exactly what is approved', withBudget('2.00'), auto({ budget: '2.00' }), 'automatic'],
    ['its budget is a cent above', withBudget('2.01'), auto({ budget: '2.00' }), 'approver'],
    ['it has no budget at all', specOf(), auto({ budget: '999999.00' }), 'approver'],
    [
      'trigger and budget are both approved',
      withBudget('1.00'),
      auto({ triggers: ['manual'], budget: '2.00' }),
      'automatic',
    ],
    [
      'the trigger is approved and the budget is not',
      withBudget('3.00'),
      auto({ triggers: ['manual'], budget: '2.00' }),
      'approver',
    ],
    [
      'the budget is approved and the trigger is not',
      withBudget('1.00'),
      auto({ triggers: ['slack'], budget: '2.00' }),
      'approver',
    ],
    ['nothing is approved above zero', withBudget('0.01'), auto({ budget: '0.00' }), 'approver'],
    ['it may spend nothing', withBudget('0'), auto({ budget: '0.00' }), 'automatic'],
    [
      'it asks for approval itself and everything is approved',
      withBudget('1.00', { policy: { approvalRequired: true, modelConstraints: { budget: '1.00' } } }),
      auto({ triggers: ['manual'], budget: '2.00' }),
      'approver',
    ],
  ];
  for (const [name, spec, approval, expected] of cases)
    it(`${expected}: ${name}`, () => {
      assert.equal(approvalNeed(spec, policyOf(approval), OPERATOR).kind, expected);
    });

  it("counts the namespace's limit for a session that sets none", () => {
    const models = { budget: { monthly: '100.00', perSession: '2.00' } };
    const need = approvalNeed(specOf(), policyOf(auto({ budget: '2.00' }), models), OPERATOR);
    assert.deepEqual(need, {
      kind: 'automatic',
      why: 'The policy approves by itself: a budget of 2.00 USD, at most 2.00.',
    });
    assert.equal(
      approvalNeed(specOf(), policyOf(auto({ budget: '1.99' }), models), OPERATOR).kind,
      'approver',
    );
  });

  it('tells why', () => {
    const why = (spec: SessionSpec, approval: Approval): string => {
      const need = approvalNeed(spec, policyOf(approval), OPERATOR);
      return need.kind === 'none' ? '' : need.why;
    };
    assert.equal(why(specOf(ownWish), {}), 'The session itself asks for it.');
    assert.equal(why(specOf(), { required: true }), "The namespace's policy asks for it.");
    assert.equal(
      why(withBudget('0.50'), auto({ triggers: ['manual'], budget: '2.00' })),
      'The policy approves by itself: trigger manual, and a budget of 0.50 USD, at most 2.00.',
    );
  });
});

describe('who may approve or reject', () => {
  const bob: Person = { name: 'bob', groups: ['system:authenticated', 'leads'] };
  const ann: Person = { name: 'ann', groups: ['leads'] };
  const cases: [string, Person, Approval, Partial<SessionSpec>, true | string, RegExp?][] = [
    ['anybody, where the policy names nobody', bob, {}, {}, true],
    ['a user it names', bob, { approvers: ['eve', 'bob'] }, {}, true],
    ['a member of a group it names', bob, { approvers: ['leads'] }, {}, true],
    [
      'nobody it does not name',
      bob,
      { approvers: ['eve', 'admins'] },
      {},
      'NotAnApprover',
      /Only the approvers of the namespace's policy \(eve, admins\) may decide/,
    ],
    ['nobody by a part of a name', bob, { approvers: ['bo', 'lead', 'b*', '*'] }, {}, 'NotAnApprover'],
    ['nobody by another spelling', bob, { approvers: ['Bob', 'LEADS'] }, {}, 'NotAnApprover'],
    [
      'not the one who launched it',
      ann,
      {},
      {},
      'LaunchedIt',
      /^ann launched this session and may not decide about it; anybody else with the role ambient-approver/,
    ],
    [
      'not the one who launched it, named or not',
      ann,
      { approvers: ['ann'] },
      {},
      'LaunchedIt',
      /or the launcher can stop it/,
    ],
    ['not the one who launched it, member or not', ann, { approvers: ['leads'] }, {}, 'LaunchedIt'],
    ['the one who launched it, where the policy lets them', ann, { allowSelfApproval: true }, {}, true],
    [
      'the one who launched it only as an approver',
      ann,
      { allowSelfApproval: true, approvers: ['bob'] },
      {},
      'NotAnApprover',
    ],
    [
      'nobody, where it is unknown who launched it',
      bob,
      {},
      { createdBy: undefined },
      'LauncherUnknown',
      /launched again/,
    ],
    [
      'anybody, where it is unknown and does not matter',
      bob,
      { allowSelfApproval: true },
      { createdBy: undefined },
      true,
    ],
    [
      'not the launcher with a name too long to be kept',
      { name: 'x'.repeat(600), groups: [] },
      {},
      { createdBy: { user: 'x'.repeat(512) } },
      'LaunchedIt',
    ],
  ];
  for (const [name, person, approval, spec, expected, message] of cases)
    it(name, () => {
      const permission = mayDecide(specOf(spec), policyOf(approval), person);
      assert.equal(permission.allowed || permission.reason, expected);
      if (message !== undefined) assert.match(permission.allowed ? '' : permission.message, message);
    });
});

describe('what is said about an approval', () => {
  it('names those to ask', () => {
    assert.equal(
      awaiting('Because.', policyOf({ approvers: ['eve', 'leads'] })),
      'Waiting for approval by eve, leads. Because.',
    );
    assert.equal(
      awaiting('Because.', policyOf({})),
      'Waiting for approval by somebody with the role ambient-approver. Because.',
    );
    const many = Array.from({ length: 100 }, (_, i) => `u${i}`);
    assert.match(awaiting('', policyOf({ approvers: many })), /u9 and 90 more/);
  });

  it('keeps hostile names on one line', () => {
    const { message } = decisionCondition({
      decision: 'Rejected',
      by: 'a\nb',
      at: '',
      reason: 'c\u001b[31md',
    });
    assert.equal(message, 'Rejected by a b: c [31md');
  });

  it('tells an automatic approval from one by a person', () => {
    const reasonOf = (by: string): string => decisionCondition({ decision: 'Approved', by, at: '' }).reason;
    assert.deepEqual([reasonOf('ann'), reasonOf('system:ambient-operator')], ['Approved', 'AutoApproved']);
  });
});
