/** Keys as they are made, kept in the policy and taken out of it. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Compile } from 'typebox/compile';
import type { NamespacePolicy } from '../../../../common/api/namespace-policy.ts';
import { WebhookKey } from '../../../../common/api/namespace-policy.ts';
import type { KubeClient } from '../../../../common/kube/client.ts';
import { KubeError } from '../../../../common/kube/errors.ts';
import { policyMistakes } from '../../../../common/rules/policy/config.ts';
import { changePolicy } from '../../../../extension/webhooks/change-policy.ts';
import {
  keyText,
  newApiKey,
  newSigningKey,
  signingManifest,
} from '../../../../extension/webhooks/new-key.ts';
import {
  keyRows,
  rowText,
  usableKeys,
  withKey,
  withoutKey,
} from '../../../../extension/policies/webhook-keys.ts';
import { aPolicy } from '../../../support/fixtures.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const wish = { source: 'github' as const, days: 90, now: NOW };

describe('a webhook key', () => {
  it('is 32 random bytes of which only the digest is kept', () => {
    const { key, entry } = newApiKey(wish, randomBytes);
    assert.equal(Buffer.from(key, 'base64url').length, 32);
    assert.equal(entry.hash, `sha256:${createHash('sha256').update(key).digest('hex')}`);
    assert.ok(!JSON.stringify(entry).includes(key));
    assert.deepEqual(
      [entry.createdAt, entry.expiresAt, entry.source],
      ['2030-01-01T00:00:00Z', '2030-04-01T00:00:00Z', 'github'],
    );
    assert.match(entry.id, /^github-[a-z2-7]{20}$/);
  });

  it('is another one each time, and fits the policy without a mistake', () => {
    const keys = Array.from({ length: 20 }, () => newApiKey({ ...wish, days: undefined }, randomBytes));
    assert.equal(new Set(keys.map(({ key }) => key)).size, 20);
    assert.equal(new Set(keys.map(({ entry }) => entry.id)).size, 20);
    const validator = Compile(WebhookKey);
    const signing = newSigningKey(wish, randomBytes);
    for (const { entry } of [...keys, signing]) assert.deepEqual([...validator.Errors(entry)], []);
    const spec = { webhookAuth: { keys: [...keys, signing].map(({ entry }) => entry) } };
    assert.deepEqual(policyMistakes(spec, NOW), []);
  });

  it('that signs comes with what lets the operator read its Secret, and no other', () => {
    const made = newSigningKey(wish, randomBytes);
    const objects = signingManifest('team-a', made) as Record<string, unknown>[];
    const [secret, role, binding] = objects;
    const name = made.entry.signing?.secretName;
    assert.equal(name, `ambient-webhook-${made.entry.id}`);
    assert.deepEqual(secret?.['stringData'], { secret: made.key });
    assert.deepEqual(role?.['rules'], [
      { apiGroups: [''], resources: ['secrets'], resourceNames: [name], verbs: ['get'] },
    ]);
    assert.deepEqual(binding?.['subjects'], [
      { kind: 'ServiceAccount', name: 'ambient-operator', namespace: 'ambient-system' },
    ]);
    for (const each of objects) assert.deepEqual(each['metadata'], { name, namespace: 'team-a' });
  });

  it('that Slack signs with is the one that Slack has made', () => {
    const slack = { ...wish, source: 'slack' as const };
    const made = newSigningKey(slack, randomBytes, 'of-the-slack-app');
    const [secret] = signingManifest('team-a', made) as Record<string, unknown>[];
    assert.deepEqual(secret?.['stringData'], { secret: 'of-the-slack-app' });
    assert.match(keyText(made), /^Give the address to Slack\./);
    assert.ok(!keyText(made).includes('of-the-slack-app'), 'nobody needs to be shown it');
    const github = newSigningKey(wish, randomBytes);
    assert.ok(keyText(github).startsWith(`${github.key}\n\nGive it to GitHub as the secret`));
  });

  const digest = `sha256:${'a'.repeat(64)}`;
  const policy = aPolicy('team-a', {
    concurrency: { maxSessions: 3 },
    webhookAuth: {
      apiKeys: { jira: digest },
      keys: [
        {
          id: 'old',
          source: 'github',
          hash: digest,
          createdAt: '2029-01-01T00:00:00Z',
          expiresAt: '2029-02-01T00:00:00Z',
        },
        { id: 'new', source: 'github', signing: { secretName: 's', key: 'k' } },
      ],
      rateLimit: { requestsPerMinute: 5 },
    },
  });

  it('is a row that says what people look for', () => {
    assert.deepEqual(
      keyRows(policy, NOW).map((row) => `${row.label}: ${rowText(row)}`),
      [
        'old: github · X-API-Key · created 2029-01-01 · expired 2029-02-01',
        'new: github · signs · does not expire',
        'jira: jira · X-API-Key · does not expire',
      ],
    );
    assert.deepEqual(
      usableKeys(policy, 'github', NOW).map(({ label }) => label),
      ['new'],
    );
    assert.deepEqual(keyRows(undefined, NOW), []);
  });

  it('goes into the policy and out of it, and leaves everything else', () => {
    const { entry } = newApiKey(wish, randomBytes);
    const added = withKey(policy, 'team-a', entry);
    assert.deepEqual(
      added.spec.webhookAuth?.keys?.map(({ id }) => id),
      ['old', 'new', entry.id],
    );
    assert.deepEqual(withoutKey(added, { kind: 'named', id: entry.id }), policy);
    assert.deepEqual(withoutKey(policy, { kind: 'unnamed', source: 'jira' })?.spec.webhookAuth?.apiKeys, {});
    assert.equal(withoutKey(policy, { kind: 'named', id: 'gone' }), undefined);
    assert.equal(withoutKey(policy, { kind: 'unnamed', source: 'constructor' }), undefined);
    assert.equal(withoutKey(undefined, { kind: 'named', id: 'x' }), undefined);
    assert.deepEqual(withKey(undefined, 'team-b', entry), {
      apiVersion: 'ambient.ai/v1alpha1',
      kind: 'NamespacePolicy',
      metadata: { name: 'policy', namespace: 'team-b' },
      spec: { webhookAuth: { keys: [entry] } },
    });
  });

  it('is added to what others have made of the policy meanwhile', async () => {
    let stored: NamespacePolicy = policy;
    let conflicts = 2;
    const client = {
      get: () => Promise.resolve(stored),
      replace: (_: unknown, object: NamespacePolicy) => {
        if (conflicts-- > 0) {
          stored = { ...stored, spec: { ...stored.spec, concurrency: { maxSessions: 10 - conflicts } } };
          throw new KubeError('changed', { status: 409, reason: 'Conflict' });
        }
        stored = object;
        return Promise.resolve(object);
      },
    } as unknown as KubeClient;
    const { entry } = newApiKey(wish, randomBytes);
    const signal = AbortSignal.timeout(5000);
    await changePolicy(client, 'team-a', (found) => withKey(found, 'team-a', entry), signal);
    assert.equal(stored.spec.concurrency?.maxSessions, 10, 'the last that others have set');
    assert.equal(stored.spec.webhookAuth?.keys?.at(-1)?.id, entry.id);
    assert.equal(stored.status, undefined, 'the status is the operator’s');
  });
});
