/** The reflector against a real API server, with faults between the two. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ConfigMap } from '../../../common/kube/core-types.ts';
import { KubeClient } from '../../../common/kube/client.ts';
import { Connection } from '../../../common/kube/connection.ts';
import { KubeError } from '../../../common/kube/errors.ts';
import { Reflector } from '../../../common/kube/reflector.ts';
import type { Change, ReflectorOptions, ReflectorPhase } from '../../../common/kube/reflector.ts';
import { configMaps } from '../../../common/kube/resource.ts';
import { testCluster } from '../../support/cluster.ts';
import type { TestCluster } from '../../support/cluster.ts';
import { assertRejectsWith, eventually, sorted } from './eventually.ts';
import { FaultProxy, isList, isWatch } from './fault-proxy.ts';
import type { Fault } from './fault-proxy.ts';

describe('a reflector', function () {
  this.timeout(60_000);
  let cluster: TestCluster;
  let admin: KubeClient;
  let namespace: string;
  let proxy: FaultProxy;
  let client: KubeClient;
  const opened: Reflector<ConfigMap>[] = [];

  before(async function () {
    this.timeout(600_000);
    cluster = await testCluster(this);
    admin = cluster.client;
  });
  beforeEach(async () => {
    namespace = await cluster.namespace('reflector');
    // Kubernetes puts one of its own into every namespace, at its leisure.
    await eventually(async () => void (await admin.get(configMaps, { namespace, name: 'kube-root-ca.crt' })));
    proxy = await FaultProxy.start(cluster.kubeconfig);
    client = proxy.client();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.close()));
    await client.connection.close();
    await proxy[Symbol.asyncDispose]();
  });

  const configMap = (name: string, value = '0'): ConfigMap => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace, labels: { test: 'yes' } },
    data: { value },
  });
  const create = (name: string) => admin.create(configMaps, configMap(name));
  const change = (name: string, value: string) =>
    admin.mergePatch(configMaps, { namespace, name }, { data: { value } });
  const remove = (name: string) => admin.delete(configMaps, { namespace, name });
  async function fill(count: number): Promise<string[]> {
    const names = Array.from({ length: count }, (_, index) => `many-${String(index).padStart(4, '0')}`);
    for (let from = 0; from < count; from += 20) await Promise.all(names.slice(from, from + 20).map(create));
    return names;
  }

  /** A reflector on the test's namespace and everything it said. */
  function reflect(options: Partial<ReflectorOptions<ConfigMap>> = {}) {
    const changes: Change<ConfigMap>[] = [];
    const phases: ReflectorPhase[] = [];
    const errors: unknown[] = [];
    const reflector = new Reflector<ConfigMap>({
      client,
      resource: configMaps,
      namespace,
      labelSelector: 'test=yes',
      backoff: { initialMs: 50, maxMs: 200, failedMs: 300 },
      onState: ({ phase }) => phases.push(phase),
      onError: (error) => errors.push(error),
      ...options,
    });
    opened.push(reflector);
    reflector.onChange((each) => changes.push(each));
    reflector.start();
    const told = () =>
      changes.map(({ type, object }) => `${type} ${object.metadata.name}=${object.data?.['value']}`);
    const has = (...expected: string[]) =>
      assert.deepEqual(
        sorted(reflector.store.list().map(({ metadata, data }) => `${metadata.name}=${data?.['value']}`)),
        sorted(expected),
      );
    return { reflector, changes, phases, errors, told, has };
  }

  /** Fails the n-th request (from 0) that matches, and only that. */
  function failOnce(matches: typeof isWatch, fault: Fault, n = 0): void {
    let count = 0;
    proxy.fault = (seen) => (matches(seen) && count++ === n ? fault : undefined);
  }

  it('holds what is there and follows what happens, in order', async () => {
    await create('a');
    const { reflector, changes, told, has } = reflect();
    await reflector.synced();
    has('a=0');
    await create('b');
    await change('a', '1');
    await remove('b');
    await eventually(() =>
      assert.deepEqual(told(), ['added a=0', 'added b=0', 'updated a=1', 'deleted b=0']),
    );
    has('a=1');
    assert.equal(changes[2]?.previous?.data?.['value'], '0');
    assert.equal(reflector.store.get({ namespace, name: 'a' })?.kind, 'ConfigMap');
    assert.equal(reflector.store.get({ namespace, name: 'a' })?.metadata.managedFields, undefined);
  });

  it('lists in pages', async () => {
    const names = await fill(25);
    const { reflector, told } = reflect({ pageSize: 10 });
    await reflector.synced();
    assert.deepEqual(
      sorted(told()),
      names.map((name) => `added ${name}=0`),
    );
    assert.equal(proxy.seen.filter(isList).length, 3);
    assert.equal(proxy.seen.filter(({ url }) => url.searchParams.get('limit') === '10').length, 3);
  });

  it('lists a short page first where one is wanted', async () => {
    await fill(30);
    const { reflector } = reflect({ pageSize: 20, firstPageSize: 5 });
    await reflector.synced();
    assert.deepEqual(
      proxy.seen.filter(isList).map(({ url }) => url.searchParams.get('limit')),
      ['5', '20', '20'],
    );
    assert.equal(reflector.store.size, 30);
  });

  it('starts the list again when its next page has expired', async () => {
    const names = await fill(25);
    const expired = '{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410}';
    failOnce(isList, { answer: { status: 410, body: expired } }, 2);
    const { reflector, told, phases } = reflect({ pageSize: 10 });
    await reflector.synced();
    assert.deepEqual(
      sorted(told()),
      names.map((name) => `added ${name}=0`),
    );
    assert.equal(proxy.seen.filter(isList).length, 6);
    assert.deepEqual(phases, ['synced']);
  });

  it('resumes where a bookmark said, without a list', async () => {
    await create('a');
    // The API server sends a bookmark every minute, and two seconds before it ends a watch: so this one is short.
    failOnce(isWatch, { query: { timeoutSeconds: '4' } });
    const { reflector, told, has } = reflect();
    await reflector.synced();
    await eventually(() => assert.equal(proxy.seen.filter(isWatch).length, 1));
    const atStart = reflector.resourceVersion;
    // Changes that its selector hides move the server's resourceVersion, of which only a bookmark tells.
    for (let i = 0; i < 3; i++) await change('kube-root-ca.crt', String(i));
    await eventually(() => assert.notEqual(reflector.resourceVersion, atStart));
    const bookmarked = reflector.resourceVersion;
    assert.deepEqual(told(), ['added a=0']);
    proxy.dropAll();
    await create('b');
    await eventually(() => has('a=0', 'b=0'));
    const watches = proxy.seen.filter(isWatch);
    assert.equal(watches[0]?.url.searchParams.get('allowWatchBookmarks'), 'true');
    assert.equal(watches[1]?.url.searchParams.get('resourceVersion'), bookmarked);
    assert.equal(proxy.seen.filter(isList).length, 1);
  });

  it('resumes after a connection that dropped in the middle of a line, and loses nothing', async () => {
    let isCut = false;
    proxy.fault = (seen) =>
      isWatch(seen) && !isCut
        ? {
            piece: (piece) => {
              if (isCut) return 'cut';
              isCut = true;
              setImmediate(() => proxy.dropAll());
              return piece.subarray(0, piece.length >> 1);
            },
          }
        : undefined;
    const { reflector, told, phases } = reflect();
    await reflector.synced();
    await create('a');
    await create('b');
    await eventually(() => assert.deepEqual(told(), ['added a=0', 'added b=0']));
    assert.ok(isCut);
    assert.equal(proxy.seen.filter(isList).length, 1);
    await eventually(() => assert.equal(reflector.state.phase, 'synced'));
    assert.deepEqual(phases, ['synced', 'reconnecting', 'synced']);
  });

  it('goes on through many drops with a store equal to the server’s', async () => {
    const { reflector } = reflect();
    await reflector.synced();
    const names = Array.from({ length: 10 }, (_, index) => `n${index}`);
    for (let round = 0; round < 8; round++) {
      await Promise.all(
        names.map(async (name) => {
          if (round % 4 === 0) await create(name);
          else if (round % 4 === 3) await remove(name);
          else await change(name, `${round}`);
        }),
      );
      proxy.dropAll();
    }
    await create('last');
    const truth = await admin.list(configMaps, { namespace }, { labelSelector: 'test=yes' });
    await eventually(() =>
      assert.deepEqual(
        sorted(reflector.store.list().map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`)),
        sorted(truth.items.map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`)),
      ),
    );
  });

  for (const kind of ['HTTP status', 'ERROR event'] as const) {
    it(`lists again when the server has forgotten its resourceVersion (410 as ${kind})`, async () => {
      await create('kept');
      await create('changed');
      await create('deleted');
      const { reflector, told, has, phases } = reflect();
      await reflector.synced();
      await eventually(() => assert.equal(proxy.seen.filter(isWatch).length, 1));
      // While no watch gets through, the world changes.
      proxy.fault = (seen) => (isWatch(seen) ? { drop: true } : undefined);
      proxy.dropAll();
      await change('changed', '1');
      await remove('deleted');
      await create('new');
      const expired = '{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410}';
      let refused = 0;
      proxy.fault = (seen) => {
        if (!isWatch(seen) || refused > 0) return undefined;
        refused += 1;
        if (kind === 'HTTP status') return { answer: { status: 410, body: expired } };
        // The API server's own refusal: it has no watch cache from before its start.
        return { query: { resourceVersion: '1' } };
      };
      await eventually(() => has('kept=0', 'changed=1', 'new=0'));
      assert.equal(refused, 1);
      assert.equal(proxy.seen.filter(isList).length, 2);
      assert.deepEqual(sorted(told().slice(3)), ['added new=0', 'deleted deleted=0', 'updated changed=1']);
      await create('after');
      await eventually(() => has('kept=0', 'changed=1', 'new=0', 'after=0'));
      assert.ok(!phases.includes('failed'));
    });
  }

  it('does not list in a tight loop when every watch is refused as expired', async () => {
    proxy.fault = (seen) => (isWatch(seen) ? { query: { resourceVersion: '1' } } : undefined);
    const { reflector } = reflect({ backoff: { initialMs: 200, maxMs: 200 }, random: () => 1 });
    await reflector.synced();
    const from = performance.now();
    await eventually(() => assert.ok(proxy.seen.filter(isList).length >= 5));
    assert.ok(performance.now() - from > 500);
  });

  it('connects anew when a watch falls silent', async () => {
    proxy.fault = (seen) =>
      isWatch(seen) && proxy.seen.filter(isWatch).length === 1 ? { piece: () => 'stall' } : undefined;
    const { reflector, has } = reflect({ idleTimeoutMs: 500 });
    await reflector.synced();
    await create('a');
    await eventually(() => has('a=0'));
    assert.ok(proxy.seen.filter(isWatch).length >= 2);
    assert.equal(proxy.seen.filter(isList).length, 1);
  });

  it('does not let events pile up before a listener that blocks, and gives it the last state', async () => {
    const names = Array.from({ length: 10 }, (_, index) => `n${index}`);
    for (const name of names) await create(name);
    const directory = await mkdtemp(join(tmpdir(), 'slow-consumer-'));
    const goOn = join(directory, 'go-on');
    const fixture = join(import.meta.dirname, 'slow-consumer.fixture.ts');
    const child = spawn(process.execPath, [fixture, proxy.url, namespace, goOn], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const output = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      assert.equal((await output.next()).value, 'ready');
      const payload = 'x'.repeat(100_000);
      for (let round = 0; round < 15; round++) {
        await Promise.all(names.map((name) => change(name, `${round}-${payload}`)));
      }
      await admin.mergePatch(configMaps, { namespace, name: 'n0' }, { data: { last: 'yes' } });
      await writeFile(goOn, '');
      const result = JSON.parse((await output.next()).value ?? '') as { events: number; waiting: number };
      // 15 MB were written; the store holds 1 MB of them, and a socket and its parser hold some tens of kilobytes.
      assert.ok(result.waiting < 4 * 1024 * 1024, `${result.waiting} bytes were waiting`);
      assert.ok(result.events > 12, `${result.events} events`);
    } finally {
      child.kill();
      await rm(directory, { recursive: true });
    }
  });

  it('goes on when a listener or trim throws, and reports it', async () => {
    const { reflector, errors, has } = reflect({
      trim: (object) => {
        if (object.metadata.name === 'bad') throw new Error('cannot trim');
        return object;
      },
    });
    const seen: string[] = [];
    const subscription = reflector.onChange(({ object }) => {
      seen.push(object.metadata.name);
      throw new Error('listener broke');
    });
    await reflector.synced();
    await create('a');
    await create('bad');
    await eventually(() => has('a=0', 'bad=0'));
    assert.deepEqual(seen, ['a', 'bad']);
    assert.deepEqual(sorted(errors.map(String)), [
      'Error: cannot trim',
      'Error: listener broke',
      'Error: listener broke',
    ]);
    subscription[Symbol.dispose]();
    await create('c');
    await eventually(() => has('a=0', 'bad=0', 'c=0'));
    assert.deepEqual(seen, ['a', 'bad']);
  });

  it('keeps an index', async () => {
    await create('a');
    await create('b');
    const { reflector } = reflect({ indexes: { value: ({ data }) => [data?.['value'] ?? ''] } });
    await reflector.synced();
    assert.equal(reflector.store.byIndex('value', '0').length, 2);
    await change('b', '1');
    await eventually(() => assert.equal(reflector.store.byIndex('value', '1').length, 1));
    assert.equal(reflector.store.byIndex('value', '0').length, 1);
    assert.throws(() => reflector.store.byIndex('none', '1'), RangeError);
  });

  it('says so when it may not list, and recovers when it may', async () => {
    await create('a');
    const user = `reader-${namespace}`;
    const headers = { 'impersonate-user': user };
    await using asUser = new Connection({
      cluster: 'faulty',
      credentials: { server: proxy.url, tls: {}, headers },
    });
    const { reflector, phases, has } = reflect({ client: new KubeClient(asUser) });
    await assert.rejects(reflector.synced(), assertRejectsWith('Forbidden'));
    assert.equal(reflector.state.phase, 'failed');
    assert.match(
      reflector.state.error?.message ?? '',
      new RegExp(`"${user}" cannot list resource "configmaps"`),
    );
    await cluster.kubectl([
      'create',
      'rolebinding',
      'reader',
      '--clusterrole=view',
      `--user=${user}`,
      '-n',
      namespace,
    ]);
    await eventually(() => has('a=0'));
    assert.equal(reflector.state.phase, 'synced');
    assert.equal(reflector.state.error, undefined);
    // As often as it tried before it was let in.
    assert.deepEqual(
      phases.filter((phase, i) => phase !== phases[i - 1]),
      ['failed', 'synced'],
    );
  });

  it('says so when the resource does not exist', async () => {
    const { reflector } = reflect({ resource: { ...configMaps, plural: 'nosuchthings' } });
    await assert.rejects(reflector.synced(), assertRejectsWith('NotFound'));
    assert.equal(reflector.state.phase, 'failed');
  });

  it('tries at once when told to', async () => {
    proxy.fault = () => ({ drop: true });
    const { reflector } = reflect({ backoff: { initialMs: 600_000, maxMs: 600_000 } });
    await eventually(() => assert.equal(reflector.state.error?.reason, 'Unreachable'));
    proxy.fault = () => undefined;
    reflector.retryNow();
    await reflector.synced(AbortSignal.timeout(5_000));
  });

  it('waits for a server that is away, as long as it takes', async () => {
    proxy.fault = () => ({ drop: true });
    const { reflector, phases } = reflect();
    await eventually(() => assert.ok(proxy.seen.length >= 4));
    assert.equal(reflector.state.phase, 'starting');
    assert.equal(reflector.state.error?.reason, 'Unreachable');
    proxy.fault = () => ({ answer: { status: 503, body: 'starting' } });
    await eventually(() => assert.equal(reflector.state.error?.status, 503));
    proxy.fault = () => undefined;
    await reflector.synced();
    assert.equal(phases.at(-1), 'synced');
  });

  it('honours Retry-After', async () => {
    const at: number[] = [];
    proxy.fault = (seen) => {
      if (isList(seen)) at.push(performance.now());
      return at.length === 1
        ? { answer: { status: 429, body: '', headers: { 'retry-after': '1' } } }
        : undefined;
    };
    const { reflector } = reflect();
    await reflector.synced();
    assert.ok((at[1] ?? 0) - (at[0] ?? 0) >= 990, `asked again after ${(at[1] ?? 0) - (at[0] ?? 0)} ms`);
  });

  it('survives a line that is no event', async () => {
    failOnce(isWatch, { piece: () => Buffer.from('<html>not an event</html>\n') });
    const { reflector, has, errors } = reflect();
    await reflector.synced();
    await create('a');
    await eventually(() => has('a=0'));
    assert.equal(errors.length, 1);
    assert.ok(errors[0] instanceof SyntaxError);
  });

  it('ends at once when closed, and with its connection', async () => {
    const first = reflect();
    const second = reflect();
    await Promise.all([first.reflector.synced(), second.reflector.synced()]);
    await first.reflector.close();
    assert.equal(first.phases.at(-1), 'closed');
    await client.connection.close();
    await eventually(() => assert.equal(second.reflector.state.phase, 'closed'));
    const unborn = reflect();
    await assert.rejects(
      unborn.reflector.synced(),
      (error: unknown) => error instanceof KubeError && error.reason === 'Closed',
    );
  });
});
