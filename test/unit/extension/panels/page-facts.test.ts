/** What a session's page is told beside the session: rights, who may decide, budget and turns. */
import assert from 'node:assert/strict';
import type { Right } from '../../../../extension/clusters/rights.ts';
import { approvalView } from '../../../../extension/panels/approval-view.ts';
import { pageFacts } from '../../../../extension/panels/page-facts.ts';
import type { PageFacts } from '../../../../extension/panels/page-facts.ts';
import { sessionView } from '../../../../extension/panels/session-view.ts';
import type { PolicyKnowledge } from '../../../../extension/policies/policies.ts';
import { aPolicy, aSession } from '../../../support/fixtures.ts';

const REF = { cluster: 'dev', namespace: 'team-a', name: 's1' };
const facts = (
  known: PolicyKnowledge,
  {
    forbidden = [],
    session = aSession('s1')
      .spec({ createdBy: { user: 'ann' } })
      .build(),
  }: { forbidden?: Right[]; session?: ReturnType<ReturnType<typeof aSession>['build']> } = {},
): Promise<PageFacts> =>
  pageFacts(
    {
      rights: {
        refusal: async (_, namespace, right) =>
          forbidden.includes(right) ? `${right} is not yours in ${namespace}` : undefined,
        me: async () => ({ user: 'bob', groups: ['team-b'] }),
      },
      policies: { of: async () => known },
    },
    REF,
    session,
  );

describe('what a page shows beside the session', () => {
  it('is nothing to refuse for one who may everything, without a policy', async () => {
    assert.deepEqual(await facts({ known: 'none' }), { refusals: {}, policy: undefined });
  });

  it('refuses what RBAC forbids, and decisions that the policy leaves to others', async () => {
    const policy = aPolicy('team-a', { approval: { approvers: ['team-leads'] } });
    const { refusals } = await facts({ known: 'policy', policy }, { forbidden: ['stop', 'audit'] });
    assert.match(refusals.stop ?? '', /stop is not yours/);
    assert.match(refusals.audit ?? '', /audit is not yours/);
    assert.match(refusals.approve ?? '', /names others.*team-leads/);
    assert.match(refusals.reject ?? '', /names others/);
    assert.equal(refusals.delete, undefined);
  });

  it('is the budget of the session, narrowed by its own, and the turns of the namespace', async () => {
    const policy = aPolicy('team-a', {
      models: { budget: { monthly: '100.00', perSession: '5.00' } },
      concurrency: { maxSessions: 50 },
    });
    policy.status = { usage: { sessions: { active: 50, waiting: 3, total: 60 } } };
    const session = aSession('s1')
      .spec({ policy: { modelConstraints: { budget: '2.5' } } })
      .pending()
      .status({
        queue: { reason: 'Concurrency', position: 3, since: '2030-01-01T00:00:00Z' },
        cost: { total: '2.00' },
      })
      .build();
    const found = await facts({ known: 'policy', policy }, { session });
    assert.equal(found.budget, '2.50');
    const view = sessionView(session, { facts: found });
    assert.equal(view.queue, '3rd in line: 50 of 50 run');
    assert.deepEqual(view.cost?.budget, { limit: '$2.50', percent: 80 });
  });
});

describe('what an approver is shown', () => {
  it('is everything that was asked for, and that it is not known who may decide', () => {
    const session = aSession('s1')
      .spec({
        createdBy: { user: 'ann', groups: ['system:authenticated'] },
        framework: { type: 'agent', config: { prompt: 'a\nb', depth: 3, nested: { x: [1] } } },
        source: { type: 'git', git: { url: 'https://git.example/a.git', ref: 'main' } },
        limits: { timeoutSeconds: 600, gracePeriodSeconds: 30, memory: '2Gi' },
      })
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
    const view = approvalView(session, undefined);
    assert.deepEqual(view?.tasks, [{ label: 'prompt', value: 'a\nb' }]);
    assert.deepEqual(Object.fromEntries((view?.asked ?? []).map(({ label, value }) => [label, value])), {
      'Launched by': 'ann',
      Trigger: 'manual',
      Framework: 'agent',
      depth: '3',
      nested: '{\n  "x": [\n    1\n  ]\n}',
      Source: 'https://git.example/a.git at main',
      Limits: '10 min, 2Gi memory',
      Budget: 'not known',
    });
    assert.match(view?.approvers ?? '', /Not known/);
  });

  it('is nothing of a session that needs no approval', () => {
    assert.equal(approvalView(aSession('s1').running().build(), undefined), undefined);
  });
});
