/** What breaks around an operator: the API server, a node, the operator beside it. On a cluster of its own, as it is broken. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OPERATOR_NAME, OPERATOR_NAMESPACE } from '../../common/api/names.ts';
import { KubeClient } from '../../common/kube/client.ts';
import { loadKubeconfig } from '../../common/kube/kubeconfig.ts';
import { namespaces } from '../../common/kube/resource.ts';
import { clusterCapability, clusterUp } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import { applyApi, applyFrameworks, loadImages } from '../support/deploy.ts';
import { liveApiAvailable, runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { aCommand, endOf, finished, launch, logOf, running, workloadOf } from '../support/sessions.ts';
import { skipBecause } from '../support/skip.ts';
import { until } from '../support/until.ts';

describe('with a cluster that breaks', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let client: KubeClient;
  let storeDir: string;
  const namespace = 'team-a';

  before(async function () {
    this.timeout(300_000);
    const { node } = await clusterCapability();
    if (node !== true) skipBecause(this, node);
    cluster = await clusterUp({ node: true });
    const kubeconfig = await loadKubeconfig({ env: {}, homeDir: '/nonexistent', path: cluster.kubeconfig });
    client = new KubeClient(await kubeconfig.connect(kubeconfig.currentContext ?? ''));
    await applyApi(cluster);
    const [runnerImage] = await loadImages(cluster, ['runner'], () => undefined);
    await applyFrameworks(cluster, runnerImage);
    await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    storeDir = await mkdtemp(join(tmpdir(), 'ambient-store-'));
  });

  after(async function () {
    this.timeout(120_000);
    await client?.connection.close();
    await cluster?.down();
    if (storeDir !== undefined) await rm(storeDir, { recursive: true, force: true });
  });

  const lines = (count: number): string => `for i in $(seq ${count}); do echo line $i; sleep 0.2; done`;
  const expected = (count: number): string[] =>
    Array.from({ length: count }, (_, index) => `line ${index + 1}`);
  const linesOf = async (session: Parameters<typeof logOf>[1]): Promise<string[]> =>
    (await logOf(client, session)).split('\n').filter((line) => line.startsWith('line '));

  describe('and two operators at once', () => {
    let operators: OperatorProcess[] = [];

    afterEach(async () => {
      for (const operator of operators) await operator[Symbol.asyncDispose]();
      operators = [];
    });

    const isLeading = async (operator: OperatorProcess): Promise<boolean> =>
      operator.running() && /^ambient_leading 1$/m.test(await operator.metrics());

    it('runs each session once, and goes on with the other when the leader dies', async () => {
      // By the Service, as in a cluster: a runner reaches whichever operator is there.
      const flags = {
        'lease-seconds': 6,
        'runner-url': `https://${OPERATOR_NAME}.${OPERATOR_NAMESPACE}.svc:8444`,
      };
      for (const identity of ['one', 'two'])
        operators.push(await runOperatorProcess(cluster, { identity, storeDir, flags }));
      await liveApiAvailable(cluster);
      const leaders = (): Promise<boolean[]> => Promise.all(operators.map(isLeading));
      await until(async () => (await leaders()).includes(true), 'one of them leads');
      assert.deepEqual((await leaders()).toSorted(), [false, true]);

      const first = await Promise.all(
        [1, 2, 3].map((index) => launch(client, aCommand(namespace, 'echo done', `both-${index}`))),
      );
      for (const session of first) {
        assert.equal(endOf(await finished(client, session)), 'Completed/Succeeded');
        const { jobs, pods } = await workloadOf(client, session);
        assert.deepEqual([jobs.length, pods.length], [1, 1]);
      }

      const [leader, other] = (await isLeading(operators[0] as OperatorProcess))
        ? operators
        : operators.toReversed();
      assert.ok(leader && other);
      const session = await launch(client, aCommand(namespace, lines(50), 'takeover'));
      await running(client, session);
      await leader.kill();
      await leader[Symbol.asyncDispose]();
      await until(() => isLeading(other), 'the other leads', 30_000);
      const ended = await finished(client, session, 90_000);
      assert.equal(endOf(ended), 'Completed/Succeeded');
      assert.deepEqual(await linesOf(ended), expected(50), 'no line is lost or doubled');
      assert.deepEqual(
        ended.status?.history?.map(({ event }) => event),
        ['Created', 'Started', 'Completed'],
      );
      assert.equal((await workloadOf(client, ended)).jobs.length, 1);
    });
  });

  describe('and one operator', () => {
    let operator: OperatorProcess;

    before(async () => {
      operator = await runOperatorProcess(cluster, { storeDir });
      await liveApiAvailable(cluster);
    });

    after(() => operator[Symbol.asyncDispose]());

    it('brings a session to its end when the API server is restarted meanwhile', async () => {
      const session = await launch(client, aCommand(namespace, lines(40), 'restart'));
      await running(client, session);
      await cluster.restartApiServer();
      const ended = await until(
        () => finished(client, session, 60_000).catch(() => undefined),
        'it ends',
        120_000,
      );
      assert.equal(endOf(ended), 'Completed/Succeeded');
      assert.deepEqual(
        ended.status?.history?.map(({ event }) => event),
        ['Created', 'Started', 'Completed'],
      );
      await liveApiAvailable(cluster);
      assert.deepEqual(await linesOf(ended), expected(40), 'no line is lost or doubled');
      assert.equal(operator.running(), true);
    });

    it('starts sessions that were launched while it was down', async () => {
      await operator.stop();
      await operator[Symbol.asyncDispose]();
      const session = await launch(client, aCommand(namespace, lines(3), 'patient'));
      operator = await runOperatorProcess(cluster, { storeDir });
      await liveApiAvailable(cluster);
      assert.equal(endOf(await finished(client, session, 60_000)), 'Completed/Succeeded');
      assert.deepEqual(await linesOf(session), expected(3));
    });

    it('ends in order within seconds when asked to, with a follower and a running session', async () => {
      const session = await launch(client, aCommand(namespace, lines(60), 'follow'));
      await running(client, session);
      const from = performance.now();
      assert.equal(await operator.stop(), 0);
      assert.ok(performance.now() - from < 15_000);
      const ports = operator.ports;
      await operator[Symbol.asyncDispose]();
      operator = await runOperatorProcess(cluster, { storeDir, ports });
      await liveApiAvailable(cluster);
      const ended = await finished(client, session, 90_000);
      assert.equal(endOf(ended), 'Completed/Succeeded');
      assert.deepEqual(await linesOf(ended), expected(60), 'no line is lost or doubled');
    });

    it('tells that the node was lost', async function () {
      this.timeout(300_000);
      const session = await launch(
        client,
        aCommand(namespace, 'sleep 600', 'lost').spec({
          limits: { timeoutSeconds: 3600, gracePeriodSeconds: 1, memory: '256Mi' },
        }),
      );
      const { status } = await running(client, session);
      await cluster.stopNode();
      await cluster.kubectl(['delete', 'node', status?.workload?.nodeName ?? '']);
      // The garbage collector of pods waits 40 s before it believes that a node is gone.
      const ended = await finished(client, session, 200_000);
      assert.equal(endOf(ended), 'Failed/NodeLost', ended.status?.message);
      assert.match(ended.status?.message ?? '', /node.*Launch again/i);
      await cluster.startNode();
    });
  });
});
