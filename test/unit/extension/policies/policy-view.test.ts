/** What the policy page shows, of policies in every state. */
import assert from 'node:assert/strict';
import type { NamespacePolicy, WebhookKey } from '../../../../common/api/namespace-policy.ts';
import type { Fact, PolicyView } from '../../../../common/api/panels.ts';
import { policyView } from '../../../../extension/policies/policy-view.ts';
import { aPolicy } from '../../../support/fixtures.ts';

const NOW = Date.parse('2030-03-15T12:00:00Z');
const view = (policy: NamespacePolicy | undefined): PolicyView => policyView('team-a', policy, NOW);
const asText = (facts: readonly Fact[]): string =>
  facts.map(({ label, value }) => `${label}: ${value}`).join('\n');

const spent = (currentMonth: string, reserved = '0.00'): NamespacePolicy => ({
  ...aPolicy('team-a', {
    models: {
      budget: { monthly: '100.00', perSession: '5.00', resetDay: 28 },
      allowed: ['claude-*'],
      blocked: ['*-opus*'],
    },
    concurrency: { maxSessions: 50 },
  }),
  status: {
    usage: {
      budget: { currentMonth, reserved, lastReset: '2030-02-28T00:00:00Z', percentUsed: 0 },
      sessions: { active: 50, waiting: 3, total: 120 },
    },
  },
});

describe('the view of a policy', () => {
  it('is of the documented defaults where there is none', () => {
    const { exists, budget, models, restrictions, approval, retention, concurrency } = view(undefined);
    assert.deepEqual(
      { exists, budget, models },
      { exists: false, budget: undefined, models: { blocked: [] } },
    );
    assert.ok(restrictions.every(({ isRestricted }) => !isRestricted));
    assert.equal(asText(concurrency.facts), 'At most: 50 at once');
    assert.equal(
      asText(retention),
      'Finished sessions: 90 days\nLogs and artifacts: 30 days\nAudit records: 7 years',
    );
    assert.match(asText(approval), /only for sessions that ask for it themselves/);
  });

  it('adds up the budget to the cent, with what is held and when it begins anew', () => {
    const { budget, concurrency } = view(spent('12.40', '10.00'));
    assert.equal(
      asText(budget?.facts ?? []),
      'Spent: $12.40\nReserved for sessions that run: $10.00\nFree: $77.60\nA session may spend: $5.00\nSince: 2030-02-28T00:00:00Z\nNext reset: 2030-03-28T00:00:00.000Z',
    );
    assert.deepEqual(budget?.meter, {
      label: 'Budget of this month',
      percent: 12.4,
      heldPercent: 10,
      text: '$12.40 of $100.00 spent (12.4 %)',
      tone: 'good',
    });
    assert.equal(concurrency.meter?.text, '50 of 50 run, 3 wait');
    assert.equal(concurrency.meter?.tone, 'warning');
  });

  it('tells how many pods are kept ready, and why there are not more', () => {
    const policy = aPolicy('team-a', { warmPods: [{ framework: 'generic', count: 2 }] });
    const of = (warmPods: NonNullable<NamespacePolicy['status']>['warmPods']): string =>
      asText(view({ ...policy, status: { warmPods } }).concurrency.facts);
    assert.doesNotMatch(of(undefined), /ready/);
    assert.match(
      of([
        { framework: 'generic', wanted: 2, ready: 1 },
        { framework: 'codex', version: '1', wanted: 1, ready: 0, message: 'There is none.' },
      ]),
      /Pods kept ready: 1 of 2 of generic; 0 of 1 of codex 1 \(There is none\.\)/,
    );
  });

  it('warns from 80 %, and says what it means when all is spent', () => {
    assert.equal(view(spent('79.99')).budget?.notice, undefined);
    assert.match(view(spent('80.00')).budget?.notice ?? '', /More than 80 %/);
    const over = view(spent('100.00')).budget;
    assert.equal(over?.meter.tone, 'bad');
    assert.match(over?.notice ?? '', /no session starts/);
  });

  it('names every mistake, and keeps what may be secret out of targets', () => {
    const policy = aPolicy('team-a', {
      notifications: { webhooks: [{ url: 'https://hooks.example/T00/secret', events: ['session.failed'] }] },
    });
    policy.status = {
      conditions: [
        {
          type: 'ConfigValid',
          status: 'False',
          reason: 'Invalid',
          message: 'models: a\ntools: b',
          lastTransitionTime: '2030-01-01T00:00:00Z',
        },
      ],
    };
    assert.deepEqual(view(policy).mistakes, ['models: a', 'tools: b']);
    assert.equal(asText(view(policy).notifications), 'Webhook: https://hooks.example: session.failed');
    assert.equal(view(policy).conditions[0]?.good, false);
  });

  it('tells the keys that let events in from those that have expired', () => {
    const aKey = (id: string, source: WebhookKey['source'], expiresAt?: string): WebhookKey => ({
      id,
      source,
      hash: `sha256:${'0'.repeat(64)}`,
      ...(expiresAt === undefined ? {} : { expiresAt }),
    });
    const { webhooks } = view(
      aPolicy('team-a', {
        webhookAuth: {
          apiKeys: { generic: `sha256:${'1'.repeat(64)}` },
          keys: [
            aKey('old', 'github', '2030-03-15T12:00:00Z'),
            aKey('new', 'github', '2030-03-15T12:00:01Z'),
            aKey('jira-1', 'jira'),
            aKey('jira-2', 'jira', '2031-01-01T00:00:00Z'),
            aKey('slack-1', 'slack', '2030-01-01T00:00:00Z'),
            aKey('generic-1', 'generic', '2029-01-01T00:00:00Z'),
          ],
        },
      }),
    );
    assert.equal(
      asText(webhooks),
      'Keys for: github (2 keys, 1 expired), jira (2 keys), slack (1 key, expired), generic (2 keys, 1 expired)',
    );
  });
});
