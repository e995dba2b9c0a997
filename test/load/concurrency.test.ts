/** Many sessions in one namespace, against a real API server: how many run at once, who is next, what a restart does. */
import assert from 'node:assert/strict';
import { API_VERSION, POLICY_NAME } from '../../common/api/names.ts';
import { isTerminal } from '../../common/api/session.ts';
import type { Session } from '../../common/api/session.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import type { Job } from '../../common/kube/core-types.ts';
import { Reflector } from '../../common/kube/reflector.ts';
import { jobs, namespacePolicies, namespaces, sessions } from '../../common/kube/resource.ts';
import { findCondition } from '../../common/rules/conditions.ts';
import { inLine } from '../../common/rules/turns.ts';
import type { FakeCluster } from '../support/fake-cluster.ts';
import { aSession } from '../support/fixtures.ts';
import { policyIsKnown } from '../support/known-policy.ts';
import { lastingOperator } from '../support/lasting-operator.ts';
import type { LastingOperator } from '../support/lasting-operator.ts';
import { endOf, finished, inPhase } from '../support/sessions.ts';
import { until } from '../support/until.ts';

describe('sessions of a namespace at once', function () {
  this.timeout(120_000);
  let fake: FakeCluster;
  let client: KubeClient;
  let operator: LastingOperator;
  let count = 0;

  before(async function () {
    this.timeout(180_000);
    operator = await lastingOperator(this);
    ({ fake } = operator);
    ({ client } = fake);
  });

  after(async function () {
    this.timeout(60_000);
    await operator?.[Symbol.asyncDispose]();
  });

  async function aNamespace(maxSessions?: number): Promise<string> {
    const name = `turns-${process.pid}-${++count}`;
    await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    if (maxSessions !== undefined) await allow(name, maxSessions);
    return name;
  }

  async function allow(namespace: string, maxSessions: number): Promise<void> {
    await client
      .mergePatch(
        namespacePolicies,
        { namespace, name: POLICY_NAME },
        { spec: { concurrency: { maxSessions } } },
      )
      .catch(() =>
        client.create(namespacePolicies, {
          apiVersion: API_VERSION,
          kind: 'NamespacePolicy',
          metadata: { name: POLICY_NAME, namespace },
          spec: { concurrency: { maxSessions } },
        }),
      );
    await policyIsKnown(client, namespace);
  }

  async function launchMany(namespace: string, many: number): Promise<Session[]> {
    const launched: Session[] = [];
    let next = 0;
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        for (let index = next++; index < many; index = next++)
          launched.push(
            await client.create(
              sessions,
              aSession(`s${String(index).padStart(4, '0')}`)
                .in(namespace)
                .spec({ limits: { timeoutSeconds: 60, gracePeriodSeconds: 0 } })
                .toCreate(),
            ),
          );
      }),
    );
    return launched;
  }

  /** What a watch has told, with the versions by which the API server itself orders what happened. */
  async function watchAll(namespace: string) {
    const sessionWatch = new Reflector<Session>({ client, resource: sessions, namespace });
    const jobWatch = new Reflector<Job>({ client, resource: jobs, namespace });
    const started = new Map<string, number>();
    const over = new Map<string, number>();
    jobWatch.onChange(({ type, object: { metadata } }) => {
      const uid = metadata.ownerReferences?.[0]?.uid ?? '';
      if (type === 'added') started.set(uid, Number(metadata.resourceVersion));
    });
    sessionWatch.onChange(({ object: { metadata, status } }) => {
      const uid = metadata.uid ?? '';
      if (isTerminal(status?.phase) && !over.has(uid)) over.set(uid, Number(metadata.resourceVersion));
    });
    jobWatch.start();
    sessionWatch.start();
    await Promise.all([jobWatch.synced(), sessionWatch.synced()]);
    return {
      started,
      over,
      list: () => sessionWatch.store.list(),
      get: (name: string) => sessionWatch.store.get({ namespace, name }),
      /** The most that ever ran at the same time. */
      most() {
        const changes = [
          ...[...started.values()].map((at) => ({ at, by: 1 })),
          ...[...over.entries()].filter(([uid]) => started.has(uid)).map(([, at]) => ({ at, by: -1 })),
        ].sort((a, b) => a.at - b.at);
        let now = 0;
        return Math.max(0, ...changes.map(({ by }) => (now += by)));
      },
      async [Symbol.asyncDispose]() {
        await Promise.all([jobWatch.close(), sessionWatch.close()]);
      },
    };
  }

  /** Requests for sessions one by one. */
  async function requests(): Promise<number> {
    const asked = (await operator.process.requests()).filter(
      ({ verb, resource }) => ['get', 'create', 'patch'].includes(verb) && !resource.startsWith('configmaps'),
    );
    return asked.reduce((sum, { count }) => sum + count, 0);
  }

  it('keeps a thousand launched at once to fifty, in order, each once, without a storm of writes', async function () {
    this.timeout(600_000);
    const namespace = await aNamespace(0);
    await using seen = await watchAll(namespace);
    const before = await requests();
    const launched = await launchMany(namespace, 1000);
    await until(() => seen.list().every(({ status }) => status?.queue !== undefined), 'all wait', 60_000);
    await new Promise((resolve) => setTimeout(resolve, 5000));
    const writes = (await requests()) - before;
    assert.ok(writes <= 1150, `${writes} requests to let 1,000 wait`);
    assert.equal(seen.started.size, 0);
    const line = launched
      .map(({ metadata: { creationTimestamp = '', name, uid = '' } }) => ({
        created: creationTimestamp,
        name,
        uid,
        need: undefined,
        lastsMs: 0,
      }))
      .sort(inLine);
    const [first] = line;
    await until(
      () => seen.get(first?.name ?? '')?.status?.queue?.position === 1,
      'the first knows its place',
    );
    const told = seen.get(first?.name ?? '');
    assert.equal(
      told?.status?.message,
      `Waiting: 1st in line; 0 of 0 sessions of namespace ${namespace} run.`,
    );
    assert.equal(findCondition(told?.status?.conditions, 'Admitted')?.reason, 'AwaitingTurn');

    await allow(namespace, 50);
    await until(() => seen.over.size === 1000, 'all have run', 450_000, 100);
    assert.equal(seen.started.size, 1000);
    assert.ok(seen.most() <= 50, `${seen.most()} at once`);
    assert.ok(seen.most() > 20, `only ${seen.most()} at once`);
    const order = [...seen.started].sort(([, a], [, b]) => a - b).map(([uid]) => uid);
    const place = new Map(order.map((uid, index) => [uid, index]));
    const off = Math.max(...line.map(({ uid }, index) => Math.abs(index - (place.get(uid) ?? 9999))));
    // Those whose turn has come make their Jobs side by side.
    assert.ok(off <= 50, `somebody started ${off} places off`);
    console.log(
      `      1,000 waited with ${writes} requests; most at once ${seen.most()}, at most ${off} places off`,
    );
  });

  it('lets fifty run in a namespace without a policy, and tells the others so', async () => {
    await using _held = await fake.holdPods();
    const namespace = await aNamespace();
    await using seen = await watchAll(namespace);
    await launchMany(namespace, 60);
    await until(
      () => seen.started.size === 50 && seen.list().filter(({ status }) => status?.queue).length === 10,
      'fifty run and ten wait',
      30_000,
    );
    assert.equal(seen.most(), 50);
    // Places are told one after the other.
    const third = await until(
      () => seen.list().find(({ status }) => status?.queue?.position === 3),
      'the third in line knows',
    );
    assert.match(third.status?.message ?? '', /^Waiting: 3rd in line; 50 of 50 sessions of namespace /);
  });

  it('follows its policy: narrowed, widened, deleted, while some run and some wait', async () => {
    await using _held = await fake.holdPods();
    const namespace = await aNamespace(3);
    await using seen = await watchAll(namespace);
    const launched = await launchMany(namespace, 8);
    await until(() => seen.started.size === 3, 'three run');
    await allow(namespace, 1);
    const stop = async (uid: string): Promise<void> => {
      const { metadata } = launched.find((each) => each.metadata.uid === uid) ?? assert.fail();
      const stop = { requestedAt: '2030-01-01T00:00:00Z', requestedBy: 'ann', gracePeriodSeconds: 0 };
      await client.mergePatch(
        sessions,
        { namespace, name: metadata.name, subresource: 'status' },
        { status: { stop } },
      );
    };
    const [one = '', two = ''] = seen.started.keys();
    await stop(one);
    await stop(two);
    await until(() => seen.over.size === 2, 'two were stopped');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    assert.equal(seen.started.size, 3, 'one runs still, and that is all there may be');
    await allow(namespace, 2);
    await until(() => seen.started.size === 4, 'another starts at once', 5000);
    await client.delete(namespacePolicies, { namespace, name: POLICY_NAME });
    await until(() => seen.started.size === 8, 'the defaults let all of them run', 5000);
  });

  it('goes on after the operator was killed: no more than allowed, nobody lost', async function () {
    this.timeout(500_000);
    const namespace = await aNamespace(5);
    await using seen = await watchAll(namespace);
    const launching = launchMany(namespace, 150);
    for (let kill = 0; kill < 3; kill++) {
      const from = seen.over.size;
      await until(() => seen.over.size >= Math.min(140, from + 15), 'some have run', 120_000);
      await operator.process.kill();
      await operator.startAgain();
    }
    await launching;
    await until(() => seen.over.size === 150, 'all have run', 100_000);
    assert.ok(seen.most() <= 5, `${seen.most()} at once`);
  });

  it('frees the place of a session that is deleted while it waits or runs', async () => {
    await using _held = await fake.holdPods();
    const namespace = await aNamespace(1);
    await using seen = await watchAll(namespace);
    const [a, b, c] = (await launchMany(namespace, 3)).sort((x, y) =>
      x.metadata.name.localeCompare(y.metadata.name),
    );
    assert.ok(a && b && c);
    await until(() => seen.list().filter(({ status }) => status?.queue).length === 2, 'two wait');
    const waiting = seen.list().filter(({ status }) => status?.queue);
    const [next, last] = waiting.sort(
      (x, y) => (x.status?.queue?.position ?? 0) - (y.status?.queue?.position ?? 0),
    );
    assert.ok(next && last);
    await client.delete(sessions, { namespace, name: next.metadata.name });
    const running = seen.list().find(({ status }) => status?.queue === undefined) ?? assert.fail();
    await client.delete(sessions, { namespace, name: running.metadata.name });
    await inPhase(
      client,
      last,
      ({ status }) => status?.workload?.jobName !== undefined,
      'the last one starts',
    );
  });

  it('ends a session that is stopped while it waits', async () => {
    const namespace = await aNamespace(0);
    const [session] = await launchMany(namespace, 1);
    assert.ok(session);
    await inPhase(client, session, ({ status }) => status?.queue !== undefined, 'it waits');
    const stop = { requestedAt: '2030-01-01T00:00:00Z', requestedBy: 'ann', gracePeriodSeconds: 0 };
    await client.mergePatch(
      sessions,
      { namespace, name: session.metadata.name, subresource: 'status' },
      { status: { stop } },
    );
    const ended = await finished(client, session);
    assert.equal(endOf(ended), 'Failed/Stopped');
    assert.equal(ended.status?.queue, undefined);
  });
});
