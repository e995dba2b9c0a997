/** The operator as its manifests deploy it: its rights and those of people, its pod, and a restart in the middle of a run. */
import assert from 'node:assert/strict';
import { OPERATOR_NAME, OPERATOR_NAMESPACE } from '../../common/api/names.ts';
import { livePaths } from '../../common/api/live.ts';
import { HEADS_CONFIG_MAP } from '../../operator/record/audit/heads.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { deployOperator } from '../support/deploy.ts';
import { aPerson } from '../support/rest.ts';
import { restAnswers, restForwarder } from '../support/rest-forwarder.ts';
import type { Deployed } from '../support/deploy.ts';
import { aCommand, endOf, finished, launch, logOf, running } from '../support/sessions.ts';
import { until } from '../support/until.ts';

describe('the deployed operator', function () {
  this.timeout(180_000);
  let cluster: TestCluster;
  let deployed: Deployed;
  let namespace: string;

  before(async function () {
    this.timeout(400_000);
    cluster = await testCluster(this, { node: true });
    // A first deployment: operators of other tests have published heads of stores that are gone, and one that lacks them says so.
    const heads = ['delete', 'configmap', HEADS_CONFIG_MAP, '--ignore-not-found'];
    await cluster.kubectl(['-n', OPERATOR_NAMESPACE, ...heads]);
    deployed = await deployOperator(cluster, { built: true });
    namespace = await cluster.namespace('deployed');
  });

  const inSystem = (...args: string[]): Promise<string> =>
    cluster.kubectl(['-n', OPERATOR_NAMESPACE, ...args]);
  /** `verb group/resource/subresource`, in a namespace unless that is ''. */
  const may = async (
    user: string,
    groups: string[],
    what: string,
    at = namespace,
    name?: string,
  ): Promise<boolean> => {
    const [verb = '', path = ''] = what.split(' ');
    const [group = '', resource = '', subresource] = path.split('/');
    const { allowed } = await cluster.client.subjectAccessReview(
      { user, groups },
      {
        verb,
        group,
        resource,
        ...(subresource === undefined ? {} : { subresource }),
        ...(at === '' ? {} : { namespace: at }),
        ...(name === undefined ? {} : { name }),
      },
    );
    return allowed;
  };

  it('runs the image that was built, and lets sessions run', async () => {
    const image = await inSystem(
      'get',
      'pods',
      '-l',
      `app.kubernetes.io/name=${OPERATOR_NAME}`,
      '-o',
      'jsonpath={.items[*].spec.containers[*].image}',
    );
    assert.equal(image, deployed.operatorImage);
    const session = await finished(
      cluster.client,
      await launch(cluster.client, aCommand(namespace, 'echo from a pod')),
    );
    assert.equal(endOf(session), 'Completed/Succeeded');
    assert.match(await logOf(cluster.client, session), /from a pod/);
  });

  it('logs JSON, and nothing worse than information while all is well', async () => {
    const lines = (await inSystem('logs', `deployment/${OPERATOR_NAME}`)).trim().split('\n');
    const records = lines.map((line) => JSON.parse(line) as { level: number; msg: string });
    assert.ok(records.some(({ msg }) => msg === 'leading'));
    assert.deepEqual(
      records.filter(({ level }) => level > 30),
      [],
    );
  });

  it('may do what it needs, and nothing with Secrets or workloads of others', async () => {
    const user = `system:serviceaccount:${OPERATOR_NAMESPACE}:${OPERATOR_NAME}`;
    const cases: [boolean, string, string?, string?][] = [
      [true, 'create batch/jobs'],
      [true, 'patch ambient.ai/sessions/status'],
      [false, 'update ambient.ai/sessions'],
      // What retention takes, and the finalizer that holds it.
      [true, 'delete ambient.ai/sessions'],
      [true, 'patch ambient.ai/sessions'],
      // In the name of callers of the REST API, once it is known who they are and what they may.
      [true, 'create ambient.ai/sessions'],
      [true, 'create authorization.k8s.io/subjectaccessreviews', ''],
      [true, 'list /namespaces', ''],
      [false, 'impersonate /users', ''],
      [false, 'get /secrets'],
      [false, 'list /secrets', OPERATOR_NAMESPACE],
      [true, 'get /secrets', OPERATOR_NAMESPACE, 'ambient-operator-tls'],
      [false, 'get /secrets', OPERATOR_NAMESPACE, 'other'],
      [false, 'create /pods'],
      [false, 'create /pods/exec'],
      [false, 'get /serviceaccounts', namespace, 'default'],
      [false, 'create rbac.authorization.k8s.io/clusterrolebindings', ''],
    ];
    for (const [expected, what, at, name] of cases)
      assert.equal(await may(user, [], what, at, name), expected, `${what} ${name ?? ''}`);
  });

  it('lets viewers read and editors act, by the roles Kubernetes has for them', async () => {
    for (const role of ['view', 'edit'])
      await cluster.kubectl([
        'create',
        'rolebinding',
        `${role}er`,
        '-n',
        namespace,
        `--clusterrole=${role}`,
        `--user=${role}er`,
      ]);
    const reading = [
      'get ambient.ai/sessions',
      'get live.ambient.ai/sessions/log',
      'get live.ambient.ai/sessions/artifacts',
    ];
    const acting = [
      'create ambient.ai/sessions',
      'delete ambient.ai/sessions',
      'update live.ambient.ai/sessions/source',
      'create live.ambient.ai/sessions/stop',
    ];
    const nobody = [
      'update ambient.ai/sessions',
      'patch ambient.ai/sessions/status',
      'update ambient.ai/namespacepolicies',
    ];
    const rights = async (user: string, list: string[]): Promise<string[]> => {
      const granted: string[] = [];
      for (const what of list) if (await may(user, ['system:authenticated'], what)) granted.push(what);
      return granted;
    };
    // Kubernetes aggregates roles in its own time.
    await until(async () => (await rights('editer', acting)).length === acting.length, 'editors may act');
    const all = [...reading, ...acting, ...nobody];
    assert.deepEqual(await rights('viewer', all), reading);
    assert.deepEqual(await rights('editer', all), [...reading, ...acting]);
    assert.equal(await may('viewer', ['system:authenticated'], 'list ambient.ai/frameworks', ''), true);
  });

  it('refuses a viewer who wants to stop a session, before the operator is asked', async () => {
    const session = await launch(cluster.client, aCommand(namespace, 'sleep 20'));
    const path = livePaths.stop(namespace, session.metadata.name);
    const refused = await cluster
      .kubectl(['create', '--raw', path, '-f', '-', '--as', 'viewer'], { input: '{}' })
      .catch((error: Error) => error.message);
    assert.match(refused, /cannot create resource "sessions\/stop"/);
    await cluster.kubectl(['create', '--raw', path, '-f', '-', '--as', 'editer'], { input: '{}' });
    const ended = await finished(cluster.client, session);
    assert.equal(endOf(ended), 'Failed/Stopped');
    assert.match(ended.status?.message ?? '', /^Stopped by editer\.$/);
  });

  it('tells Prometheus what it does', async () => {
    const metrics = await cluster.kubectl([
      'get',
      '--raw',
      `/api/v1/namespaces/${OPERATOR_NAMESPACE}/pods/${await podName()}:8080/proxy/metrics`,
    ]);
    for (const name of [
      'ambient_sessions{phase="Completed"} ',
      'ambient_api_requests_total{verb="patch",resource="sessions/status"} ',
      'ambient_queue_depth ',
      'ambient_reconcile_seconds_count',
      'ambient_watch_synced{resource="sessions"} 1',
      'ambient_leading 1',
      'process_resident_memory_bytes ',
    ])
      assert.ok(metrics.includes(name), name);
  });

  const podName = async (): Promise<string> =>
    (
      await inSystem(
        'get',
        'pods',
        '-l',
        `app.kubernetes.io/name=${OPERATOR_NAME}`,
        '--field-selector=status.phase=Running',
        '-o',
        'jsonpath={.items[0].metadata.name}',
      )
    ).trim();

  it('loses no line when it is rolled out anew in the middle of a run', async () => {
    const count = 100;
    const session = await launch(
      cluster.client,
      aCommand(namespace, `for i in $(seq ${count}); do echo line $i; sleep 0.15; done`),
    );
    await running(cluster.client, session);
    await inSystem('rollout', 'restart', `deployment/${OPERATOR_NAME}`);
    await cluster.kubectl(
      ['-n', OPERATOR_NAMESPACE, 'rollout', 'status', `deployment/${OPERATOR_NAME}`, '--timeout=90s'],
      { timeoutMs: 100_000 },
    );
    const ended = await finished(cluster.client, session, 90_000);
    assert.equal(endOf(ended), 'Completed/Succeeded');
    const log = await until(
      () => logOf(cluster.client, ended).catch(() => undefined),
      'the live API is back',
      30_000,
    );
    assert.deepEqual(
      log.split('\n').filter((line) => line.startsWith('line ')),
      Array.from({ length: count }, (_, index) => `line ${index + 1}`),
    );
  });

  it('serves the REST API to this machine by plain HTTP, and goes on doing so when its pod is exchanged', async () => {
    const base = await restForwarder(cluster);
    await restAnswers(base);
    const token = await aPerson(cluster, namespace, 'rest-user', { [namespace]: 'ambient-editor' });
    const ask = async (): Promise<number> => {
      const answer = await fetch(`${base}/namespaces/${namespace}/sessions`, {
        headers: { authorization: `Bearer ${token}` },
      });
      await answer.arrayBuffer();
      return answer.status;
    };
    assert.equal(await ask(), 200);
    const pod = await podName();
    await inSystem('delete', 'pod', pod, '--wait=false');
    await until(async () => (await podName().catch(() => pod)) !== pod, 'there is another pod', 60_000);
    await until(async () => (await ask().catch(() => 0)) === 200, 'the REST API is back', 60_000);
    assert.equal(await restForwarder(cluster), base);
  });
});
