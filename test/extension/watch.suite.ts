/** Shared session watches against a real API server: who holds them sees what is there, also over new connections. */
import assert from 'node:assert/strict';
import type { Session } from '../../common/api/session.ts';
import { KubeClient } from '../../common/kube/client.ts';
import { loadKubeconfig } from '../../common/kube/kubeconfig.ts';
import { sessions } from '../../common/kube/resource.ts';
import { SessionWatches } from '../../extension/sessions/session-watch.ts';
import type { SessionWatch } from '../../extension/sessions/session-watch.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { until } from '../support/until.ts';

describe('session watches', () => {
  let cluster: TestCluster;
  let namespace: string;
  let watches: SessionWatches;
  let connections: KubeClient[];
  let connect: () => Promise<KubeClient>;
  const errors: unknown[] = [];

  before(async function () {
    this.timeout(600_000);
    cluster = await testCluster(this);
  });
  beforeEach(async () => {
    namespace = await cluster.namespace('watch');
    connections = [];
    const config = await loadKubeconfig({ env: {}, homeDir: '/nonexistent', path: cluster.kubeconfig });
    connect = async () => {
      const client = new KubeClient(await config.connect(config.currentContext ?? ''));
      connections.push(client);
      return client;
    };
    watches = new SessionWatches({
      clusters: { client: () => connect() },
      onError: (error) => errors.push(error),
      lingerMs: 50,
      retryMs: 100,
    });
  });
  afterEach(async () => {
    await watches.close();
    await Promise.all(connections.map(({ connection }) => connection.close()));
  });

  const create = (name: string): Promise<Session> =>
    cluster.client.create(sessions, {
      apiVersion: 'ambient.ai/v1alpha1',
      kind: 'Session',
      metadata: { name, namespace },
      // Nobody runs this: whatever operator there is may only call it failed.
      spec: { framework: { type: 'none-such' }, trigger: { source: 'manual', payload: { large: 'event' } } },
    });
  const names = (watch: SessionWatch): string[] =>
    watch.store
      .list()
      .map(({ metadata }) => metadata.name)
      .sort();

  it('are one for all holders of a namespace, and end with the last', async () => {
    await create('a');
    const first = watches.acquire('dev', namespace);
    const second = watches.acquire('dev', namespace);
    await first.ready;
    assert.equal(connections.length, 1);
    assert.deepEqual(names(second), ['a']);
    assert.equal(second.store.get('a')?.spec.trigger?.payload, undefined, 'payloads are not kept');
    first.dispose();
    first.dispose();
    await create('b');
    await until(() => second.store.size === 2, 'the second holder still sees what comes');
    second.dispose();
    await until(() => watches.open.length === 0, 'the watch ends');
  });

  it('outlive their last holder for a moment, so that looking away and back is free', async () => {
    const first = watches.acquire('dev', namespace);
    await first.ready;
    first.dispose();
    const again = watches.acquire('dev', namespace);
    await again.ready;
    assert.equal(connections.length, 1);
    again.dispose();
  });

  it('can begin before anybody holds them, and end when nobody comes', async () => {
    await create('a');
    watches.expect('dev', namespace);
    const watch = watches.acquire('dev', namespace);
    await watch.ready;
    assert.deepEqual(names(watch), ['a']);
    assert.equal(connections.length, 1, 'it is the one that was expected');
    watch.dispose();
    watches.expect('dev', 'elsewhere');
    assert.ok(watches.open.some((key) => key.startsWith('elsewhere/')));
    await until(() => watches.open.length === 0, 'nobody came');
  });

  it('can be of one session alone', async () => {
    await create('a');
    await create('b');
    const watch = watches.acquire('dev', namespace, 'b');
    await watch.ready;
    assert.deepEqual(names(watch), ['b']);
    watch.dispose();
  });

  it('go on over new connections: holders keep what they have, and hear only what has changed', async () => {
    await create('stays');
    await create('goes');
    const watch = watches.acquire('dev', namespace);
    await watch.ready;
    await until(() => watch.store.size === 2, 'both are seen');
    const heard: string[] = [];
    // The operator may say something of its own about them.
    watch.onChange(({ type, object }) => {
      if (type !== 'updated') heard.push(`${type} ${object.metadata.name}`);
    });
    const [old] = connections;
    await old?.connection.close();
    await cluster.client.delete(sessions, { namespace, name: 'goes' });
    await create('comes');
    watches.restart();
    assert.equal(watch.store.size, 2, 'nothing is forgotten meanwhile');
    await until(() => heard.length === 2, 'the differences are told');
    assert.deepEqual(heard.sort(), ['added comes', 'deleted goes']);
    assert.deepEqual(names(watch), ['comes', 'stays']);
    await create('later');
    await until(() => watch.store.size === 3, 'the new watch is live');
    watch.dispose();
  });

  it('try again when there is no connection to be had, and say why meanwhile', async () => {
    const working = connect;
    const reason = new Error('the credential helper failed');
    connect = () => Promise.reject(reason);
    const watch = watches.acquire('dev', namespace);
    await assert.rejects(watch.ready, reason);
    assert.deepEqual([watch.state.phase, watch.state.error], ['failed', reason]);
    connect = working;
    await create('a');
    await until(() => watch.store.size === 1, 'it works as soon as it can');
    assert.equal(watch.state.phase, 'synced');
    watch.dispose();
  });

  it('report nothing unexpected', () => assert.deepEqual(errors, []));
});
