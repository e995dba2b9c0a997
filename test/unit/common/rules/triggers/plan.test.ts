/** What an event comes to in a namespace with several triggers: reasons, sessions, what policy says, what is reserved. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Framework } from '../../../../../common/api/framework.ts';
import type { NamespacePolicySpec } from '../../../../../common/api/namespace-policy.ts';
import { API_VERSION } from '../../../../../common/api/names.ts';
import { WEBHOOK_SOURCES } from '../../../../../common/api/session.ts';
import type { SessionTrigger, SessionTriggerSpec } from '../../../../../common/api/session-trigger.ts';
import { effectivePolicy } from '../../../../../common/rules/policy/effective.ts';
import { planDelivery } from '../../../../../common/rules/triggers/plan.ts';
import type { DeliveryPlan } from '../../../../../common/rules/triggers/plan.ts';
import { webhookPayload } from '../../../../support/webhook-payloads.ts';

const frameworks: Framework[] = [
  {
    apiVersion: API_VERSION,
    kind: 'Framework',
    metadata: { name: 'agent' },
    spec: {
      versions: [{ name: '1', image: 'i' }],
      command: ['agent', '{{config.prompt}}'],
      configSchema: {
        type: 'object',
        required: ['prompt'],
        properties: { prompt: { type: 'string', maxLength: 5000 }, model: { type: 'string' } },
      },
    },
  },
];
const aTrigger = (name: string, spec: Partial<SessionTriggerSpec> = {}): SessionTrigger => ({
  apiVersion: API_VERSION,
  kind: 'SessionTrigger',
  metadata: { name, namespace: 'team-a', uid: `uid-of-${name}` },
  spec: {
    source: 'github',
    when: { events: ['pull_request'], actions: ['opened'] },
    session: { framework: { type: 'agent', config: { prompt: 'Review {{event.title}}', model: 'm1' } } },
    ...spec,
  },
});
const plan = (
  triggers: SessionTrigger[],
  { policy, payload = 'github-pull_request-opened' }: { policy?: NamespacePolicySpec; payload?: string } = {},
): DeliveryPlan =>
  planDelivery({
    delivery: webhookPayload(payload),
    deliveryId: 'd-1',
    triggers,
    frameworks,
    policy: effectivePolicy(policy),
    nonce: 'n0123456789abcdef',
  });

describe('the plan of a delivery', () => {
  it('starts a session for each trigger that matches, in the order of their names', () => {
    const found = plan([aTrigger('z'), aTrigger('a'), aTrigger('m', { when: { events: ['push'] } })]);
    assert.deepEqual(
      found.triggers.map(({ trigger, matched }) => [trigger, matched]),
      [
        ['a', true],
        ['m', false],
        ['z', true],
      ],
    );
    assert.deepEqual(
      found.starts.map(({ trigger, uid, spec }) => [
        trigger,
        uid,
        spec.trigger?.name,
        spec.trigger?.delivery,
      ]),
      [
        ['a', 'uid-of-a', 'a', 'd-1'],
        ['z', 'uid-of-z', 'z', 'd-1'],
      ],
    );
    assert.deepEqual(
      found.triggers[1]?.reasons.map(({ message }) => message),
      ['spec.when.events wants an event like "push", and the event has "pull_request".'],
    );
  });

  it('starts nothing where policy forbids it, and says what and why', () => {
    const { starts, triggers } = plan([aTrigger('a')], { policy: { models: { blocked: ['m*'] } } });
    assert.deepEqual(starts, []);
    assert.deepEqual(
      triggers[0]?.violations.map(({ rule, field }) => `${rule} ← ${field}`),
      ['spec.models.blocked ← spec.framework.config.model'],
    );
  });

  it('tells what is reserved and whether somebody must approve', () => {
    const session: SessionTriggerSpec['session'] = {
      framework: { type: 'agent', config: { prompt: 'x' } },
      policy: { modelConstraints: { budget: '2.50' } },
    };
    const policy: NamespacePolicySpec = {
      models: { budget: { monthly: '100.00', perSession: '5.00' } },
      approval: { required: true },
    };
    const { triggers } = plan([aTrigger('a'), aTrigger('b', { session })], { policy });
    assert.deepEqual(
      triggers.map(({ estimatedCost, approvalRequired }) => [estimatedCost, approvalRequired]),
      [
        ['5.00', true],
        ['2.50', true],
      ],
    );
    assert.equal(plan([aTrigger('a')]).triggers[0]?.estimatedCost, undefined);
  });

  it('starts nothing by a trigger with a mistake, nor by one whose values no session can have', () => {
    const session = (config: Record<string, unknown>, more = {}): Partial<SessionTriggerSpec> => ({
      session: { framework: { type: 'agent', config }, ...more },
    });
    const git = (url: string, ref?: string) => ({
      source: { type: 'git' as const, git: { url, ...(ref !== undefined && { ref }) } },
    });
    const found = plan([
      aTrigger('a-typo', session({ prompt: '{{event.titel}}' })),
      aTrigger('b-ref', session({ prompt: 'x' }, git('https://github.com/a/b', '{{event.title}}'))),
      aTrigger('c-url', session({ prompt: 'x' }, git('{{event.title}}'))),
      aTrigger('d-long', session({ prompt: `${'x'.repeat(4990)} {{event.text}}` })),
      aTrigger('e-gone', { session: { framework: { type: 'gone' } } }),
      aTrigger(
        'f-secret',
        session({ prompt: 'x' }, git('https://ann:pass@{{payload.repository.full_name}}')),
      ),
    ]);
    assert.deepEqual(found.starts, []);
    const lines = found.triggers.map(
      ({ trigger, mistakes }) => `${trigger}: ${mistakes[0]?.path} ${mistakes[0]?.message}`,
    );
    for (const [index, pattern] of [
      /^a-typo: spec\.session\.framework\.config\.prompt an event has no "titel"/,
      /^b-ref: spec\.session\.source\.git\.ref cannot be with this event/,
      /^c-url: spec\.session\.source\.git\.url cannot be with this event/,
      /^d-long: spec\.session cannot be with this event: .*prompt/,
      /^e-gone: spec\.session\.framework\.type there is no framework/,
      /^f-secret: spec\.session\.source\.git\.url holds credentials/,
    ].entries())
      assert.match(lines[index] ?? '', pattern);
  });

  it('starts nothing for a ping', () => {
    assert.deepEqual(plan([aTrigger('a', { when: {} })], { payload: 'github-ping' }).starts, []);
  });

  it('is made of any payload without a throw, and what it starts is a session the schema takes', () => {
    const triggers = WEBHOOK_SOURCES.map((source) =>
      aTrigger(source, {
        source,
        when: { bots: true },
        session: {
          displayName: '{{event.title}}',
          framework: { type: 'agent', config: { prompt: 'See {{event.text}} {{payload.a}}' } },
        },
      }),
    );
    let started = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...WEBHOOK_SOURCES),
        fc.oneof(fc.jsonValue(), fc.anything()),
        (source, payload) => {
          const { starts } = planDelivery({
            delivery: { source, headers: {}, payload },
            deliveryId: undefined,
            triggers,
            frameworks,
            policy: effectivePolicy(undefined),
            nonce: 'n0123456789abcdef',
          });
          started += starts.length;
          for (const { spec } of starts) assert.equal(spec.trigger?.source, source);
        },
      ),
      { numRuns: 1500 },
    );
    assert.ok(started > 500, `only ${started} were started`);
  });
});
