/** Buckets that replicas share: together they give what one would give, in few writes. */
import assert from 'node:assert/strict';
import type { KubeObject } from '../../../../../common/api/kubernetes.ts';
import type { KubeClient } from '../../../../../common/kube/client.ts';
import type { ConfigMap } from '../../../../../common/kube/core-types.ts';
import { KubeError } from '../../../../../common/kube/errors.ts';
import { SharedBuckets } from '../../../../../operator/sessions/webhooks/shared-buckets.ts';

/** Of one who waits as long as it takes. */
const { signal } = new AbortController();
const TEN = { perMinute: 10, burst: 20 };

/** One ConfigMap, changed only as it was read. */
class OneConfigMap {
  writes = 0;
  conflicts = 0;
  refuse: Error | undefined;
  #version = 0;
  #data: Record<string, string> | undefined;

  get data(): Record<string, string> {
    return this.#data ?? {};
  }

  get client(): Pick<KubeClient, 'create' | 'get' | 'mergePatch'> {
    const answer = async (work: () => void): Promise<never> => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (this.refuse !== undefined) throw this.refuse;
      work();
      const map: ConfigMap = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'x', resourceVersion: String(this.#version) },
        data: { ...this.#data },
      };
      return map as KubeObject as never;
    };
    return {
      get: () =>
        answer(() => {
          if (this.#data === undefined) throw new KubeError('none', { status: 404, reason: 'NotFound' });
        }),
      create: () =>
        answer(() => {
          if (this.#data !== undefined) throw new KubeError('is', { status: 409, reason: 'AlreadyExists' });
          this.#data = {};
          this.#version++;
        }),
      mergePatch: (_resource: unknown, _at: unknown, patch: object) =>
        answer(() => {
          const { metadata, data } = patch as {
            metadata: { resourceVersion: string };
            data: Record<string, string | null>;
          };
          if (metadata.resourceVersion !== String(this.#version)) {
            this.conflicts++;
            throw new KubeError('changed', { status: 409, reason: 'Conflict' });
          }
          this.#version++;
          this.writes++;
          const next: [string, string][] = [];
          for (const [name, value] of Object.entries({ ...this.#data, ...data }))
            if (value !== null) next.push([name, value]);
          this.#data = Object.fromEntries(next);
        }),
    };
  }
}

describe('buckets that replicas share', () => {
  let now: number;
  let map: OneConfigMap;
  const replica = (): SharedBuckets =>
    new SharedBuckets({ client: map.client, namespace: 'ambient-system', now: () => now });

  beforeEach(() => {
    now = 1e12;
    map = new OneConfigMap();
  });

  it('give together what one would give', async () => {
    const replicas = [replica(), replica(), replica()];
    const waits = await Promise.all(
      Array.from({ length: 90 }, async (_, n) => {
        await new Promise((resolve) => setTimeout(resolve, n % 7));
        return await replicas[n % 3]?.take('team-a.github', TEN, signal);
      }),
    );
    assert.equal(waits.filter((wait) => wait === 0).length, 20);
    assert.ok(waits.every((wait) => wait === 0 || wait === 6000));
    now += 12_000;
    const later = await Promise.all(replicas.map((each) => each.take('team-a.github', TEN, signal)));
    assert.equal(later.filter((wait) => wait === 0).length, 2);
  });

  it('go on after a restart where they stood, each by itself', async () => {
    for (let n = 0; n < 20; n++) await replica().take('team-a.github', TEN, signal);
    assert.equal(await replica().take('team-a.github', TEN, signal), 6000);
    assert.equal(await replica().take('team-b.github', TEN, signal), 0);
  });

  it('cost a few writes for a burst, and none for who has to wait', async () => {
    const one = replica();
    const wide = { perMinute: 60_000, burst: 500 };
    await Promise.all(Array.from({ length: 400 }, (_, n) => one.take(`team-${n % 40}.jira`, wide, signal)));
    assert.ok(map.writes <= 4, String(map.writes));
    for (let n = 0; n < 20; n++) await one.take('team-a.github', TEN, signal);
    const { writes } = map;
    for (let n = 0; n < 50; n++) assert.equal(await one.take('team-a.github', TEN, signal), 6000);
    assert.equal(map.writes, writes);
  });

  it('stand nowhere once they are full', async () => {
    const one = replica();
    for (let n = 0; n < 50; n++) await one.take(`team-${n}.jira`, TEN, signal);
    assert.equal(Object.keys(map.data).length, 50);
    now += 300_000;
    await one.take('team-a.github', TEN, signal);
    assert.deepEqual(Object.keys(map.data), ['team-a.github']);
  });

  it('let nobody through while the API server is away, and come back with it', async () => {
    const one = replica();
    map.refuse = new KubeError('away', { status: 0, reason: 'Unreachable' });
    await assert.rejects(one.take('team-a.github', TEN, signal), KubeError);
    map.refuse = undefined;
    assert.equal(await one.take('team-a.github', TEN, signal), 0);
  });

  it('take nothing for those who have gone before it was their turn', async () => {
    const one = replica();
    const gone = new AbortController();
    const first = one.take('team-a.github', TEN, signal);
    const second = one.take('team-a.github', TEN, gone.signal);
    gone.abort(new Error('he has gone'));
    await assert.rejects(second, /he has gone/);
    assert.equal(await first, 0);
    for (let n = 1; n < 20; n++) assert.equal(await one.take('team-a.github', TEN, signal), 0);
  });

  it('keep nobody out for long because of a clock that was wrong', async () => {
    now += 3600_000;
    for (let n = 0; n < 20; n++) await replica().take('team-a.github', TEN, signal);
    now -= 3600_000;
    assert.equal(await replica().take('team-a.github', TEN, signal), 0);
  });
});
