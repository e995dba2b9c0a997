/** What needs an API server of its own: one that is filled, compacted and restarted. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Session } from '../../../common/api/session.ts';
import { KubeClient } from '../../../common/kube/client.ts';
import { loadKubeconfig } from '../../../common/kube/kubeconfig.ts';
import { Reflector } from '../../../common/kube/reflector.ts';
import { namespaces, sessions } from '../../../common/kube/resource.ts';
import { clusterCapability, clusterUp } from '../../cluster/index.ts';
import type { Cluster } from '../../cluster/index.ts';
import { applyApi } from '../../support/deploy.ts';
import { skipBecause } from '../../support/skip.ts';
import { eventually, sorted } from './eventually.ts';
import { FaultProxy, isList, isWatch } from './fault-proxy.ts';

const OBJECTS = 10_000;
const NAMESPACES = 100;
const MEBIBYTE = 1024 * 1024;

interface Held {
  objects: number;
  syncedMs: number;
  cpuMs: number;
  heapBefore: number;
  heapAfter: number;
  requests: number;
}

describe('10,000 Sessions', function () {
  this.timeout(300_000);
  let cluster: Cluster;
  let client: KubeClient;

  before(async function () {
    this.timeout(900_000);
    const { controlPlane } = await clusterCapability();
    if (controlPlane !== true) skipBecause(this, controlPlane);
    cluster = await clusterUp();
    if (cluster.provider !== 'built')
      skipBecause(this, 'only a cluster built here can be compacted and restarted');
    await applyApi(cluster);
    const config = await loadKubeconfig({ env: {}, homeDir: '/nonexistent', path: cluster.kubeconfig });
    client = new KubeClient(await config.connect(config.currentContext ?? ''));
    await fill();
  });
  after(async () => {
    await client?.connection.close();
    await cluster?.down();
  });

  const namespaceOf = (index: number): string => `team-${index % NAMESPACES}`;
  const nameOf = (index: number): string => `session-${String(index).padStart(5, '0')}`;
  const session = (index: number): Session => ({
    apiVersion: 'ambient.ai/v1alpha1',
    kind: 'Session',
    metadata: {
      name: nameOf(index),
      namespace: namespaceOf(index),
      labels: { 'ambient.ai/framework': 'generic' },
    },
    spec: {
      displayName: `Mend thing number ${index}`,
      framework: {
        type: 'generic',
        config: { command: 'npm test', prompt: 'Look at the failing test and mend it. '.repeat(10) },
      },
      trigger: {
        source: 'github',
        event: 'pull_request',
        payload: { number: index, body: 'words '.repeat(80) },
      },
    },
  });

  async function fill(): Promise<void> {
    for (let i = 0; i < NAMESPACES; i++) {
      await client.create(namespaces, {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: namespaceOf(i) },
      });
    }
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < OBJECTS) await client.create(sessions, session(next++));
    };
    await Promise.all(Array.from({ length: 16 }, worker));
  }

  const describeStore = (objects: Session[]): string[] =>
    sorted(
      objects.map(({ metadata }) => `${metadata.namespace}/${metadata.name} ${metadata.resourceVersion}`),
    );

  /** Forgets all revisions but the newest, in etcd itself. */
  async function compact(): Promise<void> {
    const state = JSON.parse(await readFile(join(cluster.stateDir, 'state.json'), 'utf8')) as {
      ports: { etcd: number };
    };
    const etcd = `http://127.0.0.1:${state.ports.etcd}/v3/kv`;
    const post = async (path: string, body: object): Promise<{ header?: { revision?: string } }> => {
      const response = await fetch(`${etcd}/${path}`, { method: 'POST', body: JSON.stringify(body) });
      assert.equal(response.status, 200, `${path}: ${response.status}`);
      return (await response.json()) as { header?: { revision?: string } };
    };
    const { header } = await post('range', { key: Buffer.from('a').toString('base64') });
    await post('compaction', { revision: header?.revision, physical: true });
  }

  it('fit into a heap of 64 MiB, with everything else in the process', async () => {
    const fixture = join(import.meta.dirname, 'hold-sessions.fixture.ts');
    // V8's own limit on old and new objects together: above it the process dies.
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--max-heap-size=64',
      fixture,
      cluster.kubeconfig,
    ]);
    const held = JSON.parse(stdout) as Held;
    console.log(
      `      ${held.objects} objects in ${held.syncedMs} ms (${held.cpuMs} ms of CPU, ${held.requests} requests); ` +
        `heap ${(held.heapAfter / MEBIBYTE).toFixed(1)} MiB, ${(held.heapBefore / MEBIBYTE).toFixed(1)} of it before`,
    );
    assert.equal(held.objects, OBJECTS);
    assert.equal(held.requests, OBJECTS / 500 + 1);
    assert.ok(held.heapAfter < 64 * MEBIBYTE);
  });

  it('are listed anew when the server has compacted the rest of the list away', async () => {
    await using proxy = await FaultProxy.start(cluster.kubeconfig);
    const through = proxy.client();
    await using _connection = through.connection;
    let lists = 0;
    const tokens: (string | null)[] = [];
    proxy.fault = async (seen) => {
      if (!isList(seen)) return undefined;
      tokens.push(seen.url.searchParams.get('continue'));
      if (++lists !== 3) return undefined;
      await client.delete(sessions, { namespace: namespaceOf(0), name: nameOf(0) });
      await compact();
      // It keeps snapshots of its own, of which etcd knows nothing.
      await cluster.restartApiServer();
      return undefined;
    };
    await using reflector = new Reflector({ client: through, resource: sessions });
    const deleted: string[] = [];
    reflector.onChange(({ type, object }) => {
      if (type === 'deleted') deleted.push(object.metadata.name);
    });
    reflector.start();
    await reflector.synced();
    assert.equal(reflector.store.size, OBJECTS - 1);
    assert.deepEqual(deleted, [nameOf(0)], 'read in the first list, gone in the second');
    assert.equal(tokens.filter((token) => token === null).length, 2, 'lists begun');
    const truth = await client.list(sessions);
    assert.deepEqual(describeStore(reflector.store.list()), describeStore(truth.items));
  });

  it('stay equal to the server’s while that is restarted and has forgotten where the watch stood', async () => {
    await using proxy = await FaultProxy.start(cluster.kubeconfig);
    const through = proxy.client();
    await using _connection = through.connection;
    await using reflector = new Reflector({ client: through, resource: sessions, pageSize: 2_000 });
    const changes: string[] = [];
    reflector.start();
    await reflector.synced();
    reflector.onChange(({ type, object }) => changes.push(`${type} ${object.metadata.name}`));
    const listsBefore = proxy.seen.filter(isList).length;
    await eventually(() => assert.equal(proxy.seen.filter(isWatch).length, 1));

    // What happens while the reflector is cut off is older than all that the restarted server can tell.
    proxy.fault = () => ({ drop: true });
    proxy.dropAll();
    await client.delete(sessions, { namespace: namespaceOf(1), name: nameOf(1) });
    await client.create(sessions, session(0));
    await client.mergePatch(
      sessions,
      { namespace: namespaceOf(2), name: nameOf(2) },
      { metadata: { labels: { changed: 'yes' } } },
    );
    await compact();
    await cluster.restartApiServer();
    proxy.fault = () => undefined;

    await eventually(
      () =>
        assert.deepEqual(sorted(changes), [
          `added ${nameOf(0)}`,
          `deleted ${nameOf(1)}`,
          `updated ${nameOf(2)}`,
        ]),
      120_000,
    );
    assert.ok(proxy.seen.filter(isList).length > listsBefore, 'it was listed again');
    const truth = await client.list(sessions);
    assert.deepEqual(describeStore(reflector.store.list()), describeStore(truth.items));

    await client.delete(sessions, { namespace: namespaceOf(3), name: nameOf(3) });
    await eventually(() => assert.equal(changes.at(-1), `deleted ${nameOf(3)}`));
  });
});
