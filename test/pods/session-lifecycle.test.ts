/** Sessions in real pods: what a user sees of each way a session can go. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { API_VERSION, GROUP, OPERATOR_ACTOR, POLICY_NAME, VERSION } from '../../common/api/names.ts';
import {
  frameworks,
  namespacePolicies,
  pods,
  serviceAccounts,
  sessions,
} from '../../common/kube/resource.ts';
import { isNotFound, KubeError } from '../../common/kube/errors.ts';
import { findCondition } from '../../common/rules/conditions.ts';
import { startApiProxy } from '../support/api-proxy.ts';
import type { ApiProxy } from '../support/api-proxy.ts';
import type { TestCluster } from '../support/cluster.ts';
import { aFramework, aSession } from '../support/fixtures.ts';
import { policyIsKnown } from '../support/known-policy.ts';
import { liveApiAvailable, runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { runnerCluster } from '../support/runner-cluster.ts';
import {
  aCommand,
  artifactsOf,
  current,
  endOf,
  finished,
  inPhase,
  launch,
  logOf,
  running,
  stopSession,
  workloadOf,
} from '../support/sessions.ts';
import { until } from '../support/until.ts';
import { allReady, keepReady, keptPods } from '../support/warm-pods.ts';

describe('a session in a real pod', function () {
  this.timeout(90_000);
  let cluster: TestCluster;
  let operator: OperatorProcess;
  let proxy: ApiProxy;
  let namespace: string;
  let runnerImage: string;

  before(async function () {
    this.timeout(300_000);
    ({ cluster, runnerImage } = await runnerCluster(this));
    proxy = await startApiProxy(cluster);
    operator = await runOperatorProcess(cluster, {
      server: proxy.server,
      flags: {
        'start-patience-seconds': 6,
        'stop-slack-seconds': 3,
        'source-patience-seconds': 3,
        'framework-patience-seconds': 1,
      },
    });
    await liveApiAvailable(cluster);
    namespace = await cluster.restrictedNamespace('life');
  });

  after(async function () {
    this.timeout(60_000);
    await operator?.[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
  });

  const end = async (builder: ReturnType<typeof aCommand>) =>
    finished(cluster.client, await launch(cluster.client, builder));
  const messageOf = ({ status }: Awaited<ReturnType<typeof end>>) => status?.message ?? '';

  it('runs a command to its end, with log, artifacts, history and times', async () => {
    const before = operator.log.length;
    const session = await end(
      aCommand(namespace, 'echo hello from $AMBIENT_SESSION; echo "# Done" > $AMBIENT_ARTIFACTS/report.md'),
    );
    assert.equal(endOf(session), 'Completed/Succeeded');
    assert.match(await logOf(cluster.client, session), new RegExp(`hello from ${session.metadata.name}`));
    assert.deepEqual(
      (await artifactsOf(cluster.client, session)).map(({ path }) => path),
      ['.ambient/provenance.intoto.jsonl', 'report.md'],
    );
    const { status } = session;
    assert.deepEqual(
      status?.artifacts?.generated?.map(({ location, contentType }) => [location, contentType]),
      [['report.md', 'text/markdown; charset=utf-8']],
    );
    assert.deepEqual(
      status?.history?.map(({ seq, event, actor }) => [seq, event, actor]),
      [
        [1, 'Created', OPERATOR_ACTOR],
        [2, 'Started', OPERATOR_ACTOR],
        [3, 'Completed', OPERATOR_ACTOR],
      ],
    );
    assert.equal(status?.workload?.exitCode, 0);
    assert.equal(status?.workload?.image, runnerImage);
    const { startTime = '', completionTime = '', podName = '', nodeName } = status?.workload ?? {};
    assert.ok(
      Date.parse(startTime) <= Date.parse(completionTime) + 1000,
      `${startTime} to ${completionTime}`,
    );
    assert.equal(typeof nodeName, 'string');
    const { jobs, pods: found } = await workloadOf(cluster.client, session);
    assert.deepEqual([jobs.length, found.map(({ metadata }) => metadata.name)], [1, [podName]]);
    for (const type of ['PolicyValidated', 'SourceReady', 'WorkloadCreated', 'ArtifactsGenerated'])
      assert.equal(findCondition(status?.conditions, type)?.status, 'True', type);
    // Of it: what is slow around the operator is told, too.
    assert.deepEqual(
      operator.log.slice(before).filter((line) => line.includes(namespace) && !line.includes('"level":30')),
      [],
      'no warning is logged',
    );
  });

  it('gives the pod no rights, no Kubernetes token and no writable root', async () => {
    const session = await end(
      aCommand(
        namespace,
        'ls /var/run/secrets/kubernetes.io 2>&1; touch /oops 2>&1; id -u; grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/self/status; cat /ambient/token 2>&1 | head -c 20; env | grep -c "^KUBERNETES_" || true',
      ),
    );
    const log = await logOf(cluster.client, session);
    assert.match(log, /secrets\/kubernetes\.io': No such file/);
    assert.match(log, /\/oops': Read-only file system/);
    assert.match(log, /^65532$/m);
    assert.match(log, /^CapEff:\t0+\nCapBnd:\t0+\nNoNewPrivs:\t1\nSeccomp:\t2$/m);
    const account = await cluster.client.get(serviceAccounts, { namespace, name: 'ambient-runner' });
    assert.equal(account.automountServiceAccountToken, false);
  });

  it('asks the API server for at most six things from beginning to end', async () => {
    const before = proxy.requests.length;
    const { metadata } = await end(aCommand(namespace, 'true'));
    const job = `POST /apis/batch/v1/namespaces/${namespace}/jobs`;
    const object = `/apis/${GROUP}/${VERSION}/namespaces/${namespace}/sessions/${metadata.name}`;
    const held = `PATCH ${object}`;
    const own = new RegExp(`/sessions/${metadata.name}(/|$)`);
    // What its namespace needs once is not its own, nor what other sessions still ask for.
    const asked = proxy.requests
      .slice(before)
      .filter((line) => line === job || own.test(line) || line.endsWith('/tokenreviews'))
      // One that lives for more than ten seconds has its data held, which this one may where images come slowly.
      .filter((line) => line !== held);
    assert.ok(asked.includes(job) && asked.length <= 6, asked.join('\n'));
  });

  const failures: [string, string, Parameters<ReturnType<typeof aCommand>['spec']>[0], string, RegExp][] = [
    [
      'a command that fails',
      'echo oh no >&2; exit 3',
      {},
      'Failed/CommandFailed',
      /exit code 3.*See the log/,
    ],
    ['a command that is not there', 'mkae all', {}, 'Failed/CommandNotFound', /Check its spelling/],
    [
      'more memory than allowed',
      'node -e "const a=[]; for(;;) a.push(Buffer.alloc(1<<24, 1))"',
      { limits: { timeoutSeconds: 60, gracePeriodSeconds: 2, memory: '128Mi' } },
      'Failed/OutOfMemory',
      /limit of 128Mi.*spec\.limits\.memory/,
    ],
    [
      'more time than allowed',
      'echo begun; sleep 600',
      { limits: { timeoutSeconds: 3, gracePeriodSeconds: 1, memory: '256Mi' } },
      'Failed/DeadlineExceeded',
      /within 3 s.*timeoutSeconds/,
    ],
    [
      'a repository that is not there',
      'true',
      { source: { type: 'git', git: { url: 'https://127.0.0.1:1/x.git' } } },
      'Failed/SourceUnavailable',
      /Check the source/,
    ],
  ];
  for (const [name, command, spec, expected, message] of failures)
    it(`tells ${name}`, async () => {
      const session = await end(aCommand(namespace, command).spec(spec));
      assert.equal(endOf(session), expected, messageOf(session));
      assert.match(messageOf(session), message);
      assert.equal(session.status?.history?.at(-1)?.event, 'Failed');
      assert.equal(session.status?.history?.at(-1)?.data?.['reason'], expected.slice('Failed/'.length));
    });

  it('keeps the log of a command that failed', async () => {
    const session = await end(aCommand(namespace, 'echo before; echo oh no >&2; exit 3'));
    assert.match(await logOf(cluster.client, session), /before[\s\S]*oh no/);
    assert.equal(session.status?.workload?.exitCode, 3);
  });

  const refusals: [string, object, string, RegExp][] = [
    ['an unknown framework', { type: 'nope' }, 'UnknownFramework', /This cluster has: .*generic/],
    [
      'an unknown version',
      { type: 'generic', version: '99', config: { command: 'true' } },
      'UnknownFrameworkVersion',
      /It has: 1/,
    ],
    ['a missing command', { type: 'generic', config: {} }, 'InvalidConfig', /required properties command/],
    [
      'a misspelt setting',
      { type: 'generic', config: { command: 'true', comand: 'x' } },
      'InvalidConfig',
      /comand/,
    ],
    [
      'a command that no kernel takes',
      { type: 'generic', config: { command: 'x'.repeat(200_000) } },
      'InvalidConfig',
      /./,
    ],
    [
      'an object too large',
      {
        type: 'generic',
        config: { command: 'true', args: Array.from({ length: 900 }, () => 'x'.repeat(700)) },
      },
      'TooLarge',
      /into the source/,
    ],
    [
      'a description too large for a pod',
      {
        type: 'generic',
        config: { command: 'true', args: Array.from({ length: 400 }, () => 'x'.repeat(700)) },
      },
      'TooLarge',
      /a pod can be given at most 240 KiB/,
    ],
  ];
  for (const [name, framework, reason, message] of refusals)
    it(`refuses ${name} without making a Job`, async () => {
      const session = await end(aCommand(namespace, '').spec({ framework: framework as { type: string } }));
      assert.equal(endOf(session), `Failed/${reason}`, messageOf(session));
      assert.match(messageOf(session), message);
      assert.deepEqual((await workloadOf(cluster.client, session)).jobs, []);
      assert.equal(session.status?.workload, undefined);
    });

  it('has malformed sessions refused by the API server itself', async () => {
    const malformed = {
      apiVersion: API_VERSION,
      kind: 'Session' as const,
      metadata: { name: 'bad', namespace },
      spec: { framework: {} },
    };
    await assert.rejects(cluster.client.create(sessions, malformed as never), (error: unknown) => {
      assert.ok(error instanceof KubeError && error.status === 422);
      assert.match(error.message, /spec\.framework\.type: Required value/);
      return true;
    });
  });

  it('takes a framework that comes a moment after the session', async () => {
    const name = `late-${Date.now()}`;
    const session = await launch(cluster.client, aCommand(namespace, 'true').of(name, { command: 'true' }));
    await cluster.client.create(
      frameworks,
      aFramework(name, { versions: [{ name: '1', image: runnerImage, imagePullPolicy: 'IfNotPresent' }] }),
    );
    assert.equal(endOf(await finished(cluster.client, session)), 'Completed/Succeeded');
    await cluster.client.delete(frameworks, { name });
  });

  const images: [string, string, 'IfNotPresent' | 'Never', RegExp][] = [
    [
      'cannot be pulled',
      'registry.invalid/nope:1',
      'IfNotPresent',
      /"registry\.invalid\/nope:1" cannot be pulled.*went on for 6 s/,
    ],
    ['has a name that is none', 'Not/A-Name', 'IfNotPresent', /cannot be used \(InvalidImageName\)/],
    ['may not be pulled', 'registry.invalid/nope:2', 'Never', /ErrImageNeverPull/],
  ];
  for (const [name, image, imagePullPolicy, message] of images)
    it(`fails when the image ${name}, and leaves no pod that tries on`, async () => {
      const framework = `image-${images.findIndex(([each]) => each === name)}-${Date.now()}`;
      await cluster.client.create(
        frameworks,
        aFramework(framework, { versions: [{ name: '1', image, imagePullPolicy }] }),
      );
      const session = await end(aCommand(namespace, '').of(framework, { command: 'true' }));
      assert.equal(endOf(session), 'Failed/ImagePullFailed');
      assert.match(messageOf(session), message);
      await until(
        async () => (await workloadOf(cluster.client, session)).pods.length === 0,
        'the pod is gone',
      );
      await cluster.client.delete(frameworks, { name: framework });
    });

  it('tells that the source did not come', async () => {
    const upload = { sizeBytes: 10, digest: `sha256:${'0'.repeat(64)}` };
    const launched = await launch(
      cluster.client,
      aCommand(namespace, 'true').spec({ source: { type: 'upload', upload } }),
    );
    const waiting = await inPhase(
      cluster.client,
      launched,
      ({ status }) => status?.phase === 'Pending',
      'it waits',
    );
    assert.equal(findCondition(waiting.status?.conditions, 'SourceReady')?.reason, 'AwaitingUpload');
    assert.deepEqual((await workloadOf(cluster.client, waiting)).jobs, []);
    const session = await finished(cluster.client, launched);
    assert.equal(endOf(session), 'Failed/SourceUnavailable');
    assert.match(messageOf(session), /did not arrive within 3 s/);
  });

  it('stops a running session in its own time, and tells who asked and why', async () => {
    const launched = await launch(
      cluster.client,
      aCommand(namespace, 'trap "echo tidied up; exit 0" TERM; echo ready; while :; do sleep 0.1; done'),
    );
    await running(cluster.client, launched);
    await until(async () => (await logOf(cluster.client, launched)).includes('ready'), 'the command runs');
    await stopSession(cluster.client, launched, { reason: 'changed my mind', gracePeriodSeconds: 5 });
    const session = await finished(cluster.client, launched);
    assert.equal(endOf(session), 'Failed/Stopped');
    assert.match(messageOf(session), /^Stopped by .+: changed my mind\.$/);
    assert.match(await logOf(cluster.client, session), /tidied up/);
    assert.deepEqual(
      session.status?.history?.map(({ event }) => event),
      ['Created', 'Started', 'StopRequested', 'Failed'],
    );
    assert.notEqual(session.status?.history?.[2]?.actor, OPERATOR_ACTOR);
  });

  describe('whose agent tells what it costs', () => {
    const name = `costly-${Date.now()}`;
    const usage = (costUsd: string): string =>
      `echo '{"type":"usage","text":"","data":{"costUsd":"${costUsd}","model":"opus"}}'`;

    before(() =>
      cluster.client.create(
        frameworks,
        aFramework(name, {
          versions: [{ name: '1', image: runnerImage, imagePullPolicy: 'IfNotPresent' }],
          eventFormat: 'ndjson',
        }),
      ),
    );
    after(() => cluster.client.delete(frameworks, { name }));

    it('is charged to the last billionth', async () => {
      const session = await end(
        aCommand(namespace, '').of(name, {
          command: `${usage('0.1')}; ${usage('0.2')}; ${usage('0.000000001')}`,
        }),
      );
      assert.equal(endOf(session), 'Completed/Succeeded', messageOf(session));
      assert.equal(session.status?.cost?.total, '0.300000001');
      assert.deepEqual(session.status?.cost?.breakdown, { opus: '0.300000001' });
    });

    it('is stopped when its budget is spent, and tidies up', async () => {
      const command = `trap "echo tidied up; exit 0" TERM; ${usage('0.30')}; sleep 1; ${usage('0.20')}; while :; do sleep 0.1; done`;
      const session = await end(
        aCommand(namespace, '')
          .of(name, { command })
          .spec({ policy: { modelConstraints: { budget: '0.50' } } }),
      );
      assert.equal(endOf(session), 'Failed/BudgetExceeded', messageOf(session));
      assert.match(messageOf(session), /has spent 0\.50 USD, and its budget is 0\.50 USD/);
      assert.match(await logOf(cluster.client, session), /tidied up/);
      assert.deepEqual(
        session.status?.history?.map(({ event }) => event),
        ['Created', 'Started', 'BudgetExceeded', 'Failed'],
      );
    });
  });

  it('stops a session that nobody would have started', async () => {
    const launched = await launch(
      cluster.client,
      aCommand(namespace, 'true').spec({
        limits: { timeoutSeconds: 60, gracePeriodSeconds: 0, cpu: '2000', memory: '256Mi' },
      }),
    );
    await inPhase(
      cluster.client,
      launched,
      ({ status }) => status?.workload?.jobName !== undefined,
      'it has a Job',
    );
    await stopSession(cluster.client, launched);
    const session = await finished(cluster.client, launched);
    assert.equal(endOf(session), 'Failed/Stopped');
  });

  it('tells that its pod was deleted', async () => {
    const launched = await launch(cluster.client, aCommand(namespace, 'echo begun; sleep 600'));
    const { status } = await running(cluster.client, launched);
    await until(async () => (await logOf(cluster.client, launched)).includes('begun'), 'the command runs');
    await cluster.client.delete(pods, { namespace, name: status?.workload?.podName ?? '' });
    const session = await finished(cluster.client, launched);
    assert.equal(endOf(session), 'Failed/PodDeleted', messageOf(session));
    assert.match(await logOf(cluster.client, session), /begun/, 'the log outlives the pod');
  });

  it('tells that its pod was torn away', async () => {
    const launched = await launch(cluster.client, aCommand(namespace, 'sleep 600'));
    const { status } = await running(cluster.client, launched);
    await cluster.kubectl([
      'delete',
      'pod',
      '-n',
      namespace,
      status?.workload?.podName ?? '',
      '--force',
      '--grace-period=0',
    ]);
    assert.equal(endOf(await finished(cluster.client, launched)), 'Failed/PodDeleted');
  });

  it('tells that its Job was deleted', async () => {
    const launched = await launch(cluster.client, aCommand(namespace, 'sleep 600'));
    const { status } = await running(cluster.client, launched);
    await cluster.kubectl([
      'delete',
      'job',
      '-n',
      namespace,
      status?.workload?.jobName ?? '',
      '--wait=false',
    ]);
    assert.equal(endOf(await finished(cluster.client, launched)), 'Failed/PodDeleted');
  });

  it('leaves nothing behind when the session is deleted while it runs', async () => {
    const launched = await launch(
      cluster.client,
      aCommand(namespace, 'echo begun; while :; do echo more; sleep 0.2; done'),
    );
    await running(cluster.client, launched);
    await until(async () => (await logOf(cluster.client, launched)).includes('more'), 'it writes');
    const data = async (): Promise<string[]> => readdir(join(operator.storeDir, namespace)).catch(() => []);
    const uid = launched.metadata.uid ?? '';
    assert.ok((await data()).includes(uid));
    await cluster.client.delete(sessions, { namespace, name: launched.metadata.name });
    await until(
      async () => {
        const left = await workloadOf(cluster.client, launched);
        return left.jobs.length + left.pods.length === 0;
      },
      'Job and pod are gone',
      60_000,
    );
    await until(async () => !(await data()).includes(uid), 'the data is gone');
    await assert.rejects(current(launched, cluster.client), isNotFound);
  });

  it('starts a session that was created anew under the same name from the beginning', async () => {
    const builder = aCommand(namespace, 'echo first', 'again');
    const first = await end(builder);
    await cluster.client.delete(sessions, { namespace, name: 'again' });
    // Its data go first.
    await until(() => current(first, cluster.client).then(() => false, isNotFound), 'the first is gone');
    const second = await end(aCommand(namespace, 'echo second', 'again'));
    assert.notEqual(first.metadata.uid, second.metadata.uid);
    assert.doesNotMatch(await logOf(cluster.client, second), /first/);
  });

  it('waits for room in a quota and says so', async () => {
    const full = await cluster.namespace('quota');
    await cluster.kubectl(['create', 'quota', 'none', '-n', full, '--hard=count/jobs.batch=0']);
    // The quota controller has to have counted first.
    await until(
      async () =>
        (await cluster.kubectl(['get', 'quota', 'none', '-n', full, '-o', 'jsonpath={.status.hard}'])) !== '',
      'the quota counts',
    );
    const launched = await launch(cluster.client, aCommand(full, 'true'));
    const waiting = await inPhase(
      cluster.client,
      launched,
      ({ status }) => status?.message !== undefined,
      'it waits',
    );
    assert.equal(waiting.status?.phase, 'Pending');
    assert.match(messageOf(waiting), /Waiting for room in the quota.*exceeded quota/);
  });

  it('tells why Kubernetes makes no pod', async () => {
    const full = await cluster.namespace('nopods');
    await cluster.kubectl(['create', 'quota', 'none', '-n', full, '--hard=count/pods=0']);
    await until(
      async () =>
        (await cluster.kubectl(['get', 'quota', 'none', '-n', full, '-o', 'jsonpath={.status.hard}'])) !== '',
      'the quota counts',
    );
    const launched = await launch(cluster.client, aCommand(full, 'true'));
    const waiting = await inPhase(
      cluster.client,
      launched,
      ({ status }) => /cannot make the pod/.test(status?.message ?? ''),
      'it says why',
    );
    assert.match(messageOf(waiting), /exceeded quota: none/);
  });

  describe('where pods are kept ready', () => {
    let tenant: string;
    const plain = (command: string, name: string) => aSession(name).in(tenant).of('generic', { command });

    before(async () => {
      tenant = await cluster.restrictedNamespace('warm');
      await keepReady(cluster.client, tenant, { warmPods: [{ framework: 'generic', count: 1 }] });
    });

    it('gives a session such a pod, and keeps another ready', async () => {
      const [kept] = await keptPods(cluster.client, tenant);
      assert.ok(kept);
      const session = await end(
        plain(
          'echo hello from $AMBIENT_SESSION; grep -c hello $AMBIENT_DESCRIPTION; echo x > $AMBIENT_ARTIFACTS/a',
          'it',
        ),
      );
      assert.equal(endOf(session), 'Completed/Succeeded');
      assert.match(await logOf(cluster.client, session), /hello from it\n1\n/);
      const { warmPod, workload, history } = session.status ?? {};
      assert.equal(warmPod?.podName, kept.metadata.name);
      assert.equal(workload?.podName, kept.metadata.name);
      assert.equal(workload?.jobName, warmPod?.jobName);
      assert.ok(
        Date.parse(workload?.startTime ?? '') >= Date.parse(session.metadata.creationTimestamp ?? ''),
      );
      assert.deepEqual(
        history?.map(({ event }) => event),
        ['Created', 'Started', 'Completed'],
      );
      const { jobs, pods: found } = await workloadOf(cluster.client, session);
      assert.deepEqual(
        [jobs[0]?.metadata.ownerReferences?.map(({ kind, name }) => `${kind} ${name}`), found.length],
        [['Session it'], 1],
      );
      const deadline = found[0]?.spec.activeDeadlineSeconds ?? 0;
      assert.ok(deadline >= 3600 + 30 && deadline < 3600 + 900, `${deadline}`);
      await allReady(cluster.client, tenant);
      assert.notEqual((await keptPods(cluster.client, tenant))[0]?.metadata.uid, kept.metadata.uid);
      await cluster.client.delete(sessions, { namespace: tenant, name: 'it' });
      await until(
        async () => (await workloadOf(cluster.client, session)).pods.length === 0,
        'its pod goes with it',
        60_000,
      );
    });

    it('gives one pod to one session, and the others pods of their own', async () => {
      await allReady(cluster.client, tenant);
      const ended = await Promise.all(
        ['one', 'two', 'three'].map((name) => end(plain('echo $AMBIENT_SESSION', name))),
      );
      assert.deepEqual(ended.map(endOf), Array(3).fill('Completed/Succeeded'));
      const podNames = ended.map(({ status }) => status?.workload?.podName);
      assert.equal(new Set(podNames).size, 3);
      const claimed = ended.filter(({ status }) => status?.warmPod !== undefined).length;
      assert.ok(claimed >= 1, 'one at least was ready');
      for (const session of ended)
        assert.match(await logOf(cluster.client, session), new RegExp(`^${session.metadata.name}$`, 'm'));
    });

    it('gives none to a session that asks for another pod', async () => {
      await allReady(cluster.client, tenant);
      const session = await end(aCommand(tenant, 'true', 'other-limits'));
      assert.deepEqual([endOf(session), session.status?.warmPod], ['Completed/Succeeded', undefined]);
    });

    it('takes them away when the policy wants them otherwise, or no more', async () => {
      await allReady(cluster.client, tenant);
      const [kept] = await keptPods(cluster.client, tenant);
      const at = { namespace: tenant, name: POLICY_NAME };
      const tools = { restrictions: { fileSystem: true } };
      await cluster.client.mergePatch(namespacePolicies, at, { spec: { tools } });
      await policyIsKnown(cluster.client, tenant);
      // Before it is replaced there is none for it.
      const session = await end(plain('touch /dev/shm/x || echo refused', 'narrowed'));
      assert.match(await logOf(cluster.client, session), /refused/);
      assert.notEqual(session.status?.workload?.podName, kept?.metadata.name);
      await allReady(cluster.client, tenant);
      const replaced = await keptPods(cluster.client, tenant);
      assert.ok(!replaced.some(({ metadata }) => metadata.uid === kept?.metadata.uid));
      await cluster.client.create(
        frameworks,
        aFramework('warm-nowhere', { versions: [{ name: '1', image: 'registry.invalid/none:1' }] }),
      );
      const warmPods = [{ framework: 'warm-nowhere', count: 1 }];
      await cluster.client.mergePatch(namespacePolicies, at, { spec: { warmPods } });
      const told = await until(
        async () => (await cluster.client.get(namespacePolicies, at)).status?.warmPods?.[0]?.message,
        'the status says what is wrong',
        60_000,
      );
      assert.match(told, /The image "registry\.invalid\/none:1" cannot be pulled/);
      await cluster.client.mergePatch(namespacePolicies, at, { spec: { warmPods: null } });
      await cluster.client.delete(frameworks, { name: 'warm-nowhere' });
      await until(async () => (await keptPods(cluster.client, tenant)).length === 0, 'none is kept', 60_000);
      await until(
        async () => (await cluster.client.get(namespacePolicies, at)).status?.warmPods === undefined,
        'the status says nothing of them',
      );
    });
  });
});
