/** Each mistake of a policy by its name: where it stands, how bad it is, and what would be right. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { NamespacePolicySpec } from '../../../../../common/api/namespace-policy.ts';
import { policyMistakes } from '../../../../../common/rules/policy/config.ts';

const KEY = `sha256:${'a'.repeat(64)}`;
const ID = 'k7f3q2m5x8c1v';
const NOW = Date.UTC(2026, 5, 1);
const hook = (more: object): NamespacePolicySpec => ({
  notifications: {
    webhooks: [{ url: 'https://hooks.example.com/a', events: ['session.failed'], secret: 'hook', ...more }],
  },
});
const PROVIDER = { name: 'anthropic', keySecret: { name: 'model-keys', key: 'anthropic' } };
const HOOK = 'spec.notifications.webhooks[0]';

/** What it is about, the policy, and `severity path: part of the message` of each mistake. */
type Case = [about: string, policy: unknown, ...mistakes: string[]];

const TABLE: Record<string, Case[]> = {
  network: [
    ['blocks with ports', { network: { egress: [{ cidr: '10.0.0.0/8', except: ['10.96.0.0/12'] }] } }],
    ['nothing but the operator', { network: { egress: [] } }],
    [
      'a block that the schema cannot tell from one',
      { network: { egress: [{ cidr: '1:2:3/64' }, { cidr: '10.0.0.0/8', except: ['1:2:3/64'] }] } },
      'error spec.network.egress[0].cidr: so nothing is opened',
      'error spec.network.egress[1].except[0]: so nothing is opened',
    ],
    [
      'bits behind the length',
      { network: { egress: [{ cidr: '10.1.2.3/8' }] } },
      'warning spec.network.egress[0].cidr: counts as 10.0.0.0/8',
    ],
    [
      'an exception that lies elsewhere',
      { network: { egress: [{ cidr: '10.0.0.0/8', except: ['192.0.2.0/24'] }] } },
      'warning spec.network.egress[0].except[0]: is not within 10.0.0.0/8',
    ],
    [
      'a metadata service',
      { network: { egress: [{ cidr: '169.254.169.254/32' }] } },
      'error spec.network.egress[0].cidr: always closed',
    ],
    [
      'a network that is restricted and opened',
      { network: { egress: [{ cidr: '10.0.0.0/8' }] }, tools: { restrictions: { network: true } } },
      'warning spec.network.egress: has no effect',
    ],
  ],
  'models and tools': [
    ['nothing', {}],
    [
      'usual rules',
      { models: { allowed: ['claude-*'], blocked: ['claude-1*'] }, tools: { blocked: ['Bash'] } },
    ],
    [
      'allowed and blocked',
      { models: { allowed: ['a'], blocked: ['a'] } },
      'error spec.models.allowed[0]: blocked by "a"; blocked wins',
    ],
    [
      'an allowed literal within a blocked glob',
      { tools: { allowed: ['Read', 'Bash'], blocked: ['Ba*'] } },
      'error spec.tools.allowed[1]: blocked by "Ba*"',
    ],
    [
      'everything blocked',
      { models: { allowed: ['a'], blocked: ['*'] } },
      'error spec.models.blocked[0]: blocks all models',
    ],
    ['nothing allowed', { tools: { allowed: [] } }, 'warning spec.tools.allowed: no tool may be used'],
    [
      'the same twice',
      { models: { allowed: ['a', 'b', 'a'] } },
      'warning spec.models.allowed[2]: stands at [0] already',
    ],
    [
      'a control character',
      { models: { blocked: ['a\u0007'] } },
      'error spec.models.blocked[0]: invisible character',
    ],
    [
      'an invisible space',
      { models: { allowed: ['a\u200b'] } },
      'error spec.models.allowed[0]: invisible character',
    ],
    ['a space at the end', { models: { allowed: ['a '] } }, 'error spec.models.allowed[0]: Remove the space'],
  ],
  budget: [
    ['usual amounts', { models: { budget: { monthly: '100.00', perSession: '5.00' } } }],
    [
      'a session with more than a month',
      { models: { budget: { monthly: '1.00', perSession: '1.01' } } },
      'error spec.models.budget.perSession: Set at most 1.00',
    ],
    [
      'amounts that floats confuse',
      { models: { budget: { monthly: '90071992547.41', perSession: '90071992547.42' } } },
      'error spec.models.budget.perSession: more than',
    ],
    [
      'a month without money',
      { models: { budget: { monthly: '0.00' } } },
      'warning spec.models.budget.monthly: no session can spend',
    ],
    [
      'a session without money',
      { models: { budget: { monthly: '1.00', perSession: '0.00' } } },
      'warning spec.models.budget.perSession: can spend nothing',
    ],
    [
      'no amount, from before the schema',
      { models: { budget: { monthly: 'ten' } } },
      'error spec.models.budget.monthly: Write one as 100.00',
    ],
  ],
  approval: [
    [
      'required, by whoever RBAC lets',
      { approval: { required: true, approvers: [], allowSelfApproval: false } },
    ],
    [
      'automatic without required',
      { approval: { autoApprove: { triggers: ['github'] } } },
      'warning spec.approval.autoApprove: approval is not required',
    ],
    [
      'automatic for nothing',
      { approval: { required: true, autoApprove: {} } },
      'warning spec.approval.autoApprove: approves nothing',
    ],
    [
      'self-approval without required',
      { approval: { allowSelfApproval: true } },
      'warning spec.approval.allowSelfApproval: launched them',
    ],
    [
      'an approver twice',
      { approval: { required: true, approvers: ['ann', 'ann'] } },
      'warning spec.approval.approvers[1]: Remove one',
    ],
    [
      'automatic up to a whole month',
      {
        models: { budget: { monthly: '10.00' } },
        approval: { required: true, autoApprove: { budget: '10.00' } },
      },
      'warning spec.approval.autoApprove.budget: every session is approved',
    ],
  ],
  retention: [
    ['usual periods', { retention: { sessions: '90d', artifacts: '30d', auditLogs: '7y' } }],
    [
      'no period at all',
      { retention: { sessions: '0d' } },
      'error spec.retention.sessions: keeps nothing',
      'warning spec.retention.artifacts: go with their session',
    ],
    [
      'audit shorter than sessions',
      { retention: { sessions: '1y', auditLogs: '11m' } },
      'error spec.retention.auditLogs: Set at least 1y',
    ],
    ['audit as long as sessions', { retention: { sessions: '90d', auditLogs: '90d' } }],
    [
      'sessions longer than the audit’s default',
      { retention: { sessions: '8y' } },
      'error spec.retention.auditLogs: before the sessions',
    ],
    [
      'artifacts longer than sessions',
      { retention: { sessions: '7d', artifacts: '2w' } },
      'warning spec.retention.artifacts: after 7d',
    ],
    [
      'something else, from before the schema',
      { retention: { artifacts: 'long' } },
      'error spec.retention.artifacts: is no period',
    ],
  ],
  notifications: [
    ['a usual webhook', hook({})],
    [
      'a password in the URL',
      hook({ url: 'https://me:secret@example.com/' }),
      `error ${HOOK}.url: credentials`,
    ],
    ['not encrypted', hook({ url: 'http://example.com/' }), `warning ${HOOK}.url: Use https`],
    ['no URL', hook({ url: 'https://' }), `error ${HOOK}.url: is no URL`],
    ['a fragment', hook({ url: 'https://example.com/#a' }), `warning ${HOOK}.url: behind #`],
    ['no events', hook({ events: [] }), `warning ${HOOK}.events: nothing is ever sent`],
    ['an unknown event', hook({ events: ['session.ended'] }), `error ${HOOK}.events[0]: there is no event`],
    ['no secret', hook({ secret: undefined }), `warning ${HOOK}.secret: cannot tell who sent it`],
    ['no name of a Secret', hook({ secret: '../x' }), `error ${HOOK}.secret: no name of a Secret`],
    [
      'a header that breaks lines',
      hook({ headers: { 'X-A': 'a\r\nX-B: b' } }),
      `error ${HOOK}.headers["X-A"]: control characters`,
    ],
    [
      'a header that is ours',
      hook({ headers: { 'X-Ambient-Signature': 'a' } }),
      `error ${HOOK}.headers["X-Ambient-Signature"]: the operator itself`,
    ],
    ['a header that is none', hook({ headers: { 'a b': 'a' } }), `error ${HOOK}.headers["a b"]: no name`],
    [
      'the same URL twice',
      {
        notifications: {
          webhooks: [1, 2].map(() => ({
            url: 'https://a.example/',
            events: ['session.failed'],
            secret: 's',
          })),
        },
      },
      'warning spec.notifications.webhooks[1].url: told twice',
    ],
    [
      'mail to nobody',
      { notifications: { email: { enabled: true, events: ['session.failed'] } } },
      'error spec.notifications.email.recipients: Name somebody',
    ],
    [
      'mail about nothing',
      { notifications: { email: { enabled: true, recipients: ['ann@example.com'] } } },
      'warning spec.notifications.email.events: no mail is ever sent',
    ],
    [
      'no address',
      { notifications: { email: { recipients: ['ann'] } } },
      'error spec.notifications.email.recipients[0]: is no address',
    ],
  ],
  'models through the gateway': [
    [
      'a provider with a key, and a price',
      {
        models: {
          providers: [PROVIDER],
          prices: [{ model: 'house-*', input: '1', output: '2.50' }],
          whenSpent: 'pause',
        },
      },
    ],
    [
      'addresses that are none, tell too much, or leave out nothing',
      {
        models: {
          providers: [
            { ...PROVIDER, baseUrl: 'https://' },
            { ...PROVIDER, name: 'openai', baseUrl: 'https://key@models.example.com/?a=b' },
            { ...PROVIDER, name: 'gemini', baseUrl: 'http://models.example.com/v1beta' },
          ],
        },
      },
      'error spec.models.providers[0].baseUrl: is no URL',
      'error spec.models.providers[1].baseUrl: holds credentials',
      'error spec.models.providers[1].baseUrl: a part behind ?',
      'warning spec.models.providers[2].baseUrl: not encrypted',
      'warning spec.models.providers[2].baseUrl: ends with a version',
    ],
    [
      'a provider twice, and keys that no Secret has',
      {
        models: { providers: [PROVIDER, { ...PROVIDER, keySecret: { name: 'No Secret', key: 'a/b' } }] },
      },
      'error spec.models.providers[0].name: stands twice',
      'error spec.models.providers[1].name: stands twice',
      'error spec.models.providers[1].keySecret.name: no name of a Secret',
      'error spec.models.providers[1].keySecret.key: no key that a Secret can have',
    ],
    [
      'prices that hold nothing or are never reached',
      {
        models: {
          providers: [PROVIDER],
          prices: [
            { model: 'a*', input: '0', output: '1' },
            { model: 'ab', input: '1', output: 'x' },
          ],
        },
      },
      'warning spec.models.prices[0].input: is 0',
      'error spec.models.prices[1].output: is no amount',
      'warning spec.models.prices[1].model: [0] matches first',
    ],
    [
      'all of it without a provider',
      { models: { prices: [{ model: 'a', input: '1', output: '1' }], whenSpent: 'pause', logPrompts: true } },
      'warning spec.models.prices: has no effect',
      'warning spec.models.whenSpent: has no effect',
      'warning spec.models.logPrompts: has no effect',
    ],
  ],
  'keys and turns': [
    [
      'usual keys',
      { webhookAuth: { apiKeys: { github: KEY }, rateLimit: { requestsPerMinute: 60, burstSize: 5 } } },
    ],
    [
      'a key for a source that is none',
      { webhookAuth: { apiKeys: { gitlab: KEY } } },
      'error spec.webhookAuth.apiKeys["gitlab"]: Known sources: github, jira, slack, generic',
    ],
    [
      'one key for two sources',
      { webhookAuth: { apiKeys: { github: KEY, jira: KEY } } },
      'error spec.webhookAuth.apiKeys["jira"]: same key',
    ],
    [
      'a burst below the rate',
      { webhookAuth: { rateLimit: { requestsPerMinute: 600, burstSize: 1 } } },
      'warning spec.webhookAuth.rateLimit.burstSize: Set at least 10',
    ],
    [
      'two named keys of one source: a change without a gap',
      {
        webhookAuth: {
          keys: [
            { id: ID, source: 'github', signing: { secretName: 'hook', key: 'old' } },
            { id: `${ID}2`, source: 'github', hash: KEY, expiresAt: '2030-01-01T00:00:00Z' },
          ],
        },
      },
    ],
    [
      'a key that nobody can use',
      { webhookAuth: { keys: [{ id: ID, source: 'jira' }] } },
      'error spec.webhookAuth.keys[0]: neither hash nor signing',
    ],
    [
      'one key under two names',
      { webhookAuth: { apiKeys: { generic: KEY }, keys: [{ id: ID, source: 'generic', hash: KEY }] } },
      'error spec.webhookAuth.keys[0].hash: same key as that of "generic"',
    ],
    [
      'a Secret that cannot be',
      {
        webhookAuth: {
          keys: [{ id: ID, source: 'slack', signing: { secretName: '../up', key: 'a b' } }],
        },
      },
      'error spec.webhookAuth.keys[0].signing.secretName: no name of a Secret',
      'error spec.webhookAuth.keys[0].signing.key: no key',
    ],
    [
      'a public id that others may choose too',
      { webhookAuth: { keys: [{ id: 'ci', source: 'github', signing: { secretName: 'a', key: 'b' } }] } },
      'warning spec.webhookAuth.keys[0].id: random characters',
    ],
    [
      'a key that was never valid',
      {
        webhookAuth: {
          keys: [
            {
              id: ID,
              source: 'generic',
              hash: KEY,
              createdAt: '2026-05-02T00:00:00Z',
              expiresAt: '2026-05-01T00:00:00Z',
            },
          ],
        },
      },
      'error spec.webhookAuth.keys[0].expiresAt: never valid',
    ],
    [
      'a key that has expired',
      {
        webhookAuth: {
          keys: [{ id: ID, source: 'generic', hash: KEY, expiresAt: '2026-05-01T00:00:00Z' }],
        },
      },
      'warning spec.webhookAuth.keys[0].expiresAt: Remove it',
    ],
    [
      'no turns',
      { concurrency: { maxSessions: 0 } },
      'warning spec.concurrency.maxSessions: nothing will run',
    ],
  ],
};

describe('mistakes of a policy, in', () => {
  for (const [group, cases] of Object.entries(TABLE))
    describe(group, () => {
      for (const [about, policy, ...expected] of cases)
        it(`${about} → ${expected.length === 0 ? 'none' : expected.join('; ')}`, () => {
          const mistakes = policyMistakes(policy as NamespacePolicySpec, NOW);
          assert.deepEqual(
            mistakes.map(({ severity, path }) => `${severity} ${path}`),
            expected.map((text) => text.slice(0, text.indexOf(': '))),
          );
          for (const [index, text] of expected.entries()) {
            const message = mistakes[index]?.message ?? '';
            assert.ok(message.includes(text.slice(text.indexOf(': ') + 2)), message);
          }
        });
    });

  it('are found in whatever the schema takes, without a throw', () => {
    const validator = Compile(NamespacePolicySpec);
    const text = fc.string({ maxLength: 5 });
    const list = fc.array(fc.oneof(text, fc.constantFrom('*', 'a', '**')), { maxLength: 4 });
    const names = fc.record({ allowed: list, blocked: list }, { requiredKeys: [] });
    fc.assert(
      fc.property(fc.record({ models: names, tools: names }, { requiredKeys: [] }), (policy) => {
        if (!validator.Check(policy)) return;
        for (const { path, message } of policyMistakes(policy)) assert.ok(path !== '' && message !== '');
      }),
      { numRuns: 1000 },
    );
  });
});
