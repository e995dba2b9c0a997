/** Bringing a policy to the cluster: made or replaced, never over what was not seen; refusals at the fields they name. */
import assert from 'node:assert/strict';
import type { NamespacePolicy } from '../../../../common/api/namespace-policy.ts';
import type { KubeClient } from '../../../../common/kube/client.ts';
import { KubeError } from '../../../../common/kube/errors.ts';
import { Emitter } from '../../../../extension/ide/event.ts';
import { namespacePolicies } from '../../../../common/kube/resource.ts';
import { applyObject } from '../../../../extension/objects/apply-object.ts';
import type { Applied } from '../../../../extension/objects/apply-object.ts';
import { Policies } from '../../../../extension/policies/policies.ts';
import { policyText } from '../../../../extension/policies/policy-yaml.ts';
import { aPolicy } from '../../../support/fixtures.ts';

const policy = aPolicy('team-a', { models: { budget: { monthly: '10.00' } } });
const text = policyText(policy);
const refused = (status: number, reason: string, causes: object[] = []): KubeError =>
  new KubeError(`it is ${reason}`, {
    status,
    reason,
    kubeStatus: { kind: 'Status', apiVersion: 'v1', status: 'Failure', details: { causes } },
  });

describe('applying a policy', () => {
  let done: string[];
  let answer: () => Promise<NamespacePolicy>;
  let current: NamespacePolicy | KubeError;
  const client = {
    create: async (_: unknown, object: NamespacePolicy) => {
      done.push(`create ${object.metadata.name}`);
      return await answer();
    },
    replace: async (_: unknown, object: NamespacePolicy) => {
      done.push(`replace ${object.metadata.resourceVersion ?? ''}`);
      return await answer();
    },
    get: async () => {
      if (current instanceof KubeError) throw current;
      return current;
    },
  } as unknown as KubeClient;
  const apply = (object = policy): Promise<Applied<NamespacePolicy>> =>
    applyObject(client, namespacePolicies, object, text, AbortSignal.timeout(1000));

  beforeEach(() => {
    done = [];
    answer = async () => policy;
    current = policy;
  });

  it('replaces what was read, and makes what was not there', async () => {
    assert.equal((await apply()).outcome, 'applied');
    const { resourceVersion: _, ...metadata } = policy.metadata;
    assert.equal((await apply({ ...policy, metadata })).outcome, 'applied');
    assert.deepEqual(done, ['replace 1', 'create policy']);
  });

  for (const [name, error] of [
    ['it was changed', refused(409, 'Conflict')],
    ['it was made meanwhile', refused(409, 'AlreadyExists')],
  ] as const)
    it(`is a conflict when ${name}, with what is there now`, async () => {
      answer = () => Promise.reject(error);
      assert.deepEqual(await apply(), { outcome: 'conflict', current: policy });
    });

  it('is a conflict when it was deleted', async () => {
    answer = () => Promise.reject(refused(404, 'NotFound'));
    current = refused(404, 'NotFound');
    assert.deepEqual(await apply(), { outcome: 'conflict', current: undefined });
  });

  it('is refused with what the server names, at its place', async () => {
    answer = () =>
      Promise.reject(
        refused(422, 'Invalid', [{ field: 'spec.models.budget.monthly', message: 'should be less' }]),
      );
    const applied = await apply();
    assert.ok(applied.outcome === 'refused');
    const [problem] = applied.problems;
    assert.equal(text.slice(problem?.from, problem?.to), '"10.00"');
    assert.equal(problem?.message, 'spec.models.budget.monthly: should be less');
  });

  it('rejects for what is no matter of the text: no right, no cluster', async () => {
    answer = () => Promise.reject(refused(403, 'Forbidden'));
    await assert.rejects(apply(), /Forbidden/);
    answer = () => Promise.reject(refused(503, 'ServiceUnavailable'));
    await assert.rejects(apply(), /ServiceUnavailable/);
  });
});

describe('what is known of policies', () => {
  it('is asked for once in a while, and anew when it was changed from here', async () => {
    let asked = 0;
    let answer: () => NamespacePolicy = () => policy;
    let now = 0;
    const changed = new Emitter<void>();
    const client = {
      get: async () => {
        asked += 1;
        return answer();
      },
    } as unknown as KubeClient;
    const policies = new Policies({
      clusters: { client: async () => client, onDidChange: changed.event },
      now: () => now,
    });
    const known = async (): Promise<string> => (await policies.of('dev', 'team-a')).known;
    assert.deepEqual([await known(), await known(), asked], ['policy', 'policy', 1]);
    policies.forget('dev', 'team-a');
    answer = () => {
      throw refused(404, 'NotFound');
    };
    assert.deepEqual([await known(), asked], ['none', 2]);
    now += 20_000;
    answer = () => {
      throw refused(403, 'Forbidden');
    };
    assert.deepEqual([await known(), asked], ['unknown', 3]);
    changed.fire();
    answer = () => {
      throw refused(503, 'ServiceUnavailable');
    };
    await assert.rejects(known(), /ServiceUnavailable/);
    await assert.rejects(known(), /ServiceUnavailable/);
    assert.equal(asked, 5, 'a failure is not remembered');
  });
});
