/** What only the cluster can tell of keys: whether their Secrets can be read, and who else has them. */
import assert from 'node:assert/strict';
import type { NamespacePolicySpec } from '../../../../../common/api/namespace-policy.ts';
import { KeyChecks } from '../../../../../operator/controllers/policy/key-checks.ts';
import { SecretProblem } from '../../../../../operator/record/notifications/secrets.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { aPolicy } from '../../../../support/fixtures.ts';
import { hashOf } from '../../../../support/webhook-door.ts';

const SIGNAL = new AbortController().signal;

describe('the keys of a policy, in the cluster', () => {
  const clock = new FakeClock();
  let reads: string[];
  let problem: string | undefined;
  let holders: number;
  const checks = () =>
    new KeyChecks({
      read: async (namespace, { name, key }) => {
        reads.push(`${namespace}/${name}/${key}`);
        if (problem !== undefined) throw new SecretProblem(problem);
      },
      holders: () => holders,
      clock,
    });
  const policy = (webhookAuth: NonNullable<NamespacePolicySpec['webhookAuth']>) =>
    aPolicy('team-a', { webhookAuth });
  const signed = policy({
    keys: [{ id: 'a', source: 'github', signing: { secretName: 'hook', key: 'github' } }],
  });

  beforeEach(() => {
    reads = [];
    problem = undefined;
    holders = 1;
  });

  it('are told when a Secret cannot be read, and asked again until it can', async () => {
    const all = checks();
    problem = 'there is no Secret hook';
    const [mistake] = await all.of(signed, SIGNAL);
    assert.deepEqual(
      [mistake?.path, mistake?.severity, mistake?.message],
      ['spec.webhookAuth.keys[0].signing', 'error', 'is of no use: there is no Secret hook.'],
    );
    assert.equal(all.againMs(signed), 15_000);
    await all.of(signed, SIGNAL);
    assert.equal(reads.length, 1);
    problem = undefined;
    await clock.advance(15_000);
    assert.deepEqual(await all.of(signed, SIGNAL), []);
    assert.equal(all.againMs(signed), 300_000);
    await all.of({ ...signed, metadata: { ...signed.metadata, generation: 2 } }, SIGNAL);
    assert.deepEqual(reads, Array<string>(3).fill('team-a/hook/github'));
  });

  it('are told when the key of a model provider cannot be read', async () => {
    problem = 'Secret models has no key openai';
    const reached = aPolicy('team-a', {
      models: { providers: [{ name: 'openai', keySecret: { name: 'models', key: 'openai' } }] },
    });
    const all = checks();
    const [mistake] = await all.of(reached, SIGNAL);
    assert.deepEqual(
      [mistake?.path, mistake?.message],
      ['spec.models.providers[0].keySecret', 'is of no use: Secret models has no key openai.'],
    );
    assert.equal(all.againMs(reached), 15_000);
    assert.deepEqual(reads, ['team-a/models/openai']);
  });

  it('are told when another namespace has them', async () => {
    holders = 2;
    const both = policy({
      apiKeys: { jira: hashOf('a') },
      keys: [{ id: 'b', source: 'jira', hash: hashOf('b') }],
    });
    const paths = (await checks().of(both, SIGNAL)).map(({ path }) => path);
    assert.deepEqual(paths, ['spec.webhookAuth.apiKeys["jira"]', 'spec.webhookAuth.keys[0].hash']);
    assert.deepEqual(reads, []);
  });

  it('are looked at when one expires, and never where there is none', () => {
    const expiresAt = new Date(clock.now() + 60_000).toISOString();
    const ending = policy({ keys: [{ id: 'b', source: 'jira', hash: hashOf('b'), expiresAt }] });
    assert.equal(checks().againMs(ending), 60_000);
    assert.equal(checks().againMs(policy({})), undefined);
  });
});
