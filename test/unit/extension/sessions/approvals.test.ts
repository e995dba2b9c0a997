/** Which sessions wait for this person, and of which they are told. */
import assert from 'node:assert/strict';
import type { NamespacePolicySpec } from '../../../../common/api/namespace-policy.ts';
import type { Session } from '../../../../common/api/session.ts';
import { approversText, decisionRefusal } from '../../../../extension/sessions/approval.ts';
import { Approvals } from '../../../../extension/sessions/approvals.ts';
import { ordinal, placeInLine } from '../../../../extension/sessions/waiting.ts';
import { aPolicy, aSession } from '../../../support/fixtures.ts';
import { until } from '../../../support/until.ts';
import { Watched } from '../tree/fixture.ts';

const ME = { user: 'bob', groups: ['team-leads', 'system:authenticated'] };

const awaiting = (name: string, user = 'ann'): Session =>
  aSession(name)
    .in('team-a')
    .spec({ createdBy: { user } })
    .status({
      phase: 'Pending',
      conditions: [
        {
          type: 'Approved',
          status: 'False',
          reason: 'AwaitingApproval',
          message: '',
          lastTransitionTime: '2030-01-01T00:00:00Z',
        },
      ],
    })
    .build();

describe('who may decide on a session', () => {
  const refusal = (
    approval: NamespacePolicySpec['approval'],
    { user = 'ann', me = ME, rbac }: { user?: string; me?: typeof ME | undefined; rbac?: string } = {},
  ): string | undefined => decisionRefusal(awaiting('s', user), { rbac, me, approval });

  for (const [name, given, expected] of [
    ['whoever RBAC lets, where the policy names nobody', refusal({}), undefined],
    ['whoever RBAC lets, where there is no policy', refusal(undefined), undefined],
    ['one that the policy names', refusal({ approvers: ['bob'] }), undefined],
    ['one of a group that the policy names', refusal({ approvers: ['team-leads'] }), undefined],
    ['not one whom it does not name', refusal({ approvers: ['eve', 'boss'] }), /names others.*eve, boss/],
    ['not one whom RBAC forbids', refusal({ approvers: ['bob'] }, { rbac: 'You may not' }), /You may not/],
    ['not the one who launched it', refusal({}, { user: 'bob' }), /You launched this session/],
    [
      'the one who launched it where the policy says so',
      refusal({ allowSelfApproval: true }, { user: 'bob' }),
      undefined,
    ],
    [
      'perhaps, where the API server does not say who one is',
      decisionRefusal(awaiting('s'), {
        rbac: undefined,
        me: undefined,
        approval: { approvers: ['eve'] },
      }),
      undefined,
    ],
    [
      'nobody where it is not recorded who launched it',
      decisionRefusal(aSession('s').build(), { rbac: undefined, me: ME, approval: {} }),
      /not recorded who launched/,
    ],
  ] as const)
    it(name, () => {
      if (expected === undefined) assert.equal(given, undefined);
      else assert.match(given ?? '', expected);
    });

  it('is said in words', () => {
    assert.equal(approversText(undefined), 'Whoever holds the role of an approver');
    assert.equal(
      approversText({ approvers: ['a', 'b'], allowSelfApproval: true }),
      'a, b; also whoever launched it',
    );
  });
});

describe('sessions that wait for the person', () => {
  let watched: Watched;
  let approval: NamespacePolicySpec['approval'];
  let rbac: string | undefined;
  let errors: unknown[];
  let approvals: Approvals;
  let told: string[];

  beforeEach(() => {
    watched = new Watched();
    approval = {};
    rbac = undefined;
    errors = [];
    told = [];
    approvals = new Approvals({
      watches: { acquire: () => watched.hold() },
      rights: { refusal: async () => rbac, me: async () => ME },
      policies: {
        of: async () => ({ known: 'policy', policy: aPolicy('team-a', { approval: approval ?? {} }) }),
      },
      onError: (error) => errors.push(error),
    });
    approvals.onDidBegin(({ session }) => told.push(session.metadata.name));
  });
  afterEach(() => {
    approvals.dispose();
    assert.equal(watched.held, 0, 'every watch is given back');
    assert.deepEqual(errors, []);
  });

  const names = (): string[] => approvals.waiting.map(({ session }) => session.metadata.name);
  const see = (...sessions: Session[]): void => {
    watched.sessions = sessions;
    for (const session of sessions) approvals.seen('dev', session);
  };

  it('are counted from the first that is seen, and told of from the second', async () => {
    see(awaiting('first'));
    await until(() => names().length === 1, 'the first', 2000);
    assert.equal(watched.held, 1);
    assert.deepEqual(told, [], 'the row shows it already');
    watched.set([awaiting('second'), awaiting('first')]);
    await until(() => names().length === 2, 'the second', 2000);
    assert.deepEqual(told, ['second']);
    watched.set([awaiting('second'), awaiting('first')]);
    assert.deepEqual(told, ['second'], 'once');
  });

  it('are not counted any more when they are decided', async () => {
    see(awaiting('first'));
    await until(() => names().length === 1, 'the first', 2000);
    const decided = awaiting('first');
    decided.status = {
      ...decided.status,
      approval: { decision: 'Approved', by: 'eve', at: '2030-01-01T00:00:00Z' },
    };
    watched.set([decided]);
    assert.deepEqual(names(), []);
  });

  it('are none where RBAC, the policy or having launched them forbids to approve', async () => {
    rbac = 'You may not approve sessions.';
    see(awaiting('x'));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(watched.acquired, 0, 'nothing is watched for it');
    rbac = undefined;
    approval = { approvers: ['eve'] };
    see(awaiting('x'));
    await until(() => watched.acquired === 1, 'the watch', 2000);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(names(), []);
    approval = {};
    watched.set([awaiting('mine', 'bob')]);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(names(), []);
  });
});

describe('a place in line', () => {
  it('is an ordinal number', () => {
    assert.deepEqual([1, 2, 3, 4, 11, 12, 13, 21, 22, 103, 111, 112].map(ordinal), [
      '1st',
      '2nd',
      '3rd',
      '4th',
      '11th',
      '12th',
      '13th',
      '21st',
      '22nd',
      '103rd',
      '111th',
      '112th',
    ]);
  });

  it('says what the session waits for', () => {
    const waiting = (reason: 'Concurrency' | 'Budget'): Session =>
      aSession()
        .pending()
        .status({ queue: { reason, position: 3, since: '2030-01-01T00:00:00Z' } })
        .build();
    assert.equal(placeInLine(waiting('Concurrency'), { active: 50, max: 50 }), '3rd in line: 50 of 50 run');
    assert.equal(placeInLine(waiting('Concurrency')), '3rd in line');
    assert.equal(placeInLine(waiting('Budget')), '3rd in line: waits for budget');
    assert.equal(placeInLine(aSession().running().build()), undefined);
  });
});
