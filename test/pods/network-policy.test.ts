/** What a namespace's restrictions come to in a real cluster: the NetworkPolicy of runner pods, and what a pod can do. */
import assert from 'node:assert/strict';
import { createPrivateKey, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EgressRule, NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import { POLICY_NAME, RUNNER_NETWORK_POLICY } from '../../common/api/names.ts';
import type { Session } from '../../common/api/session.ts';
import type { NetworkPolicy, Pod } from '../../common/kube/core-types.ts';
import {
  endpointSlices,
  frameworks,
  namespacePolicies,
  networkPolicies,
  runtimeClasses,
  services,
} from '../../common/kube/resource.ts';
import { KubeError } from '../../common/kube/errors.ts';
import { sameJson } from '../../common/kube/patch.ts';
import { findCondition } from '../../common/rules/conditions.ts';
import { NO_RESTRICTIONS } from '../../common/rules/policy/effective.ts';
import { runnerNetworkPolicy } from '../../operator/controllers/runner-network.ts';
import { askingPod } from '../support/asking-pod.ts';
import { recordedIn } from '../support/audit.ts';
import type { TestCluster } from '../support/cluster.ts';
import { aFramework, aPolicy } from '../support/fixtures.ts';
import { ask } from '../support/https.ts';
import { policyIsKnown } from '../support/known-policy.ts';
import { liveApiAvailable, runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { runnerCluster } from '../support/runner-cluster.ts';
import {
  aCommand,
  endOf,
  finished,
  inPhase,
  launch,
  logOf,
  running,
  stopSession,
  workloadOf,
} from '../support/sessions.ts';
import { skipBecause } from '../support/skip.ts';
import { until } from '../support/until.ts';

type Restrictions = NonNullable<NonNullable<NamespacePolicySpec['tools']>['restrictions']>;

describe('a restricted namespace', function () {
  this.timeout(90_000);
  let cluster: TestCluster;
  let operator: OperatorProcess;
  let image: string;
  /** Its addresses, as the cluster tells them. */
  let apiServer: string[];
  /** A framework that declares to hold back. */
  let polite: string;
  const cleanup = new AsyncDisposableStack();

  before(async function () {
    this.timeout(300_000);
    ({ cluster, runnerImage: image } = await runnerCluster(this));
    polite = `polite-${Date.now()}`;
    const versions = [{ name: '1', image, imagePullPolicy: 'IfNotPresent' as const }];
    await cluster.client.create(frameworks, aFramework(polite, { versions, executes: false }));
    cleanup.defer(() => cluster.client.delete(frameworks, { name: polite }));
    operator = cleanup.use(
      await runOperatorProcess(cluster, {
        flags: { 'runner-closed-cidrs': '192.0.2.0/24', 'stop-slack-seconds': 2 },
      }),
    );
    await liveApiAvailable(cluster);
    const at = { namespace: 'default', name: 'kubernetes' };
    const service = await cluster.client.get(services, at);
    const slice = await cluster.client.get(endpointSlices, at);
    const addresses = [service.spec?.clusterIP ?? '', slice.endpoints?.[0]?.addresses[0] ?? ''];
    apiServer = addresses.sort().map((address) => `${address}/32`);
  });
  after(async function () {
    this.timeout(60_000);
    await cleanup.disposeAsync();
  });

  const setPolicy = async (namespace: string, spec: NamespacePolicySpec): Promise<void> => {
    await cluster.client.apply(
      namespacePolicies,
      { ...aPolicy(namespace, spec), metadata: { name: POLICY_NAME, namespace } },
      { fieldManager: 'test', force: true },
    );
    await policyIsKnown(cluster.client, namespace);
  };
  const restrict = (namespace: string, restrictions: Restrictions): Promise<void> =>
    setPolicy(namespace, { tools: { restrictions } });
  const standing = async (namespace: string): Promise<NetworkPolicy | undefined> =>
    (await cluster.client.list(networkPolicies, { namespace })).items.find(
      ({ metadata }) => metadata.name === RUNNER_NETWORK_POLICY,
    );
  const wanted = (namespace: string, isRestricted: boolean): NetworkPolicy =>
    runnerNetworkPolicy(
      namespace,
      { restrictions: { ...NO_RESTRICTIONS, network: isRestricted }, egress: undefined },
      {
        operator: { namespace: 'ambient-system', port: operator.ports.runners },
        url: `https://${cluster.nodeHostAddress}:${operator.ports.runners}`,
        open: ['0.0.0.0/0', '::/0'],
        closed: [...apiServer, '192.0.2.0/24'],
      },
    );
  const becomes = (namespace: string, isRestricted: boolean, what: string): Promise<NetworkPolicy> =>
    until(async () => {
      const found = await standing(namespace);
      const right = wanted(namespace, isRestricted);
      return found !== undefined &&
        sameJson(found.spec, right.spec) &&
        sameJson(found.metadata.labels, right.metadata.labels)
        ? found
        : undefined;
    }, what);
  const resident = async (namespace: string): Promise<Session> =>
    running(cluster.client, await launch(cluster.client, aCommand(namespace, 'sleep 600')));
  const outputOf = async (namespace: string, command: string, framework = 'generic'): Promise<string> => {
    const session = await launch(cluster.client, aCommand(namespace, command).of(framework, { command }));
    const ended = await finished(cluster.client, session);
    assert.equal(endOf(ended), 'Completed/Succeeded', ended.status?.message);
    return logOf(cluster.client, ended);
  };

  describe('has a NetworkPolicy for its runner pods', () => {
    let namespace: string;
    let session: Session;
    before(async function () {
      this.timeout(60_000);
      namespace = await cluster.namespace('network');
      assert.equal(await standing(namespace), undefined, 'none without a session');
      session = await resident(namespace);
    });
    after(() => stopSession(cluster.client, session, { gracePeriodSeconds: 0 }));

    it('that stands before the first pod, and is written once', async () => {
      const made = await becomes(namespace, false, 'it is there');
      const pod = await cluster.kubectl([
        '-n',
        namespace,
        'get',
        'pod',
        '-l',
        'ambient.ai/session-uid',
        '-o',
        'json',
      ]);
      const { items } = JSON.parse(pod) as {
        items: { metadata: { creationTimestamp: string; labels: Record<string, string> } }[];
      };
      assert.ok((made.metadata.creationTimestamp ?? '') <= (items[0]?.metadata.creationTimestamp ?? ''));
      assert.equal(
        items[0]?.metadata.labels['app.kubernetes.io/managed-by'],
        'ambient-operator',
        'it selects the pod',
      );
      await finished(cluster.client, await launch(cluster.client, aCommand(namespace, 'true')));
      await sleep(500);
      assert.equal((await standing(namespace))?.metadata.resourceVersion, made.metadata.resourceVersion);
    });

    const tampering: [string, (at: { namespace: string; name: string }) => Promise<unknown>][] = [
      [
        'opened',
        (at) => cluster.client.mergePatch(networkPolicies, at, { spec: { egress: [{}], ingress: [{}] } }),
      ],
      [
        'turned to other pods',
        (at) =>
          cluster.client.mergePatch(networkPolicies, at, {
            spec: { podSelector: { matchLabels: { other: 'x' } } },
          }),
      ],
      [
        'stripped of its label',
        (at) => cluster.client.mergePatch(networkPolicies, at, { metadata: { labels: null } }),
      ],
      ['deleted', (at) => cluster.client.delete(networkPolicies, at)],
    ];
    for (const [what, tamper] of tampering)
      it(`that comes back when it is ${what}`, async () => {
        const before = await standing(namespace);
        await tamper({ namespace, name: RUNNER_NETWORK_POLICY });
        const after = await becomes(namespace, false, 'it is right again');
        assert.notEqual(after.metadata.resourceVersion, before?.metadata.resourceVersion);
      });

    it('that follows the policy at once, for running sessions too', async () => {
      await restrict(namespace, { network: true });
      const { spec } = await becomes(namespace, true, 'the outside is closed');
      assert.ok(!JSON.stringify(spec).includes('0.0.0.0/0'));
      await restrict(namespace, { network: false });
      await becomes(namespace, false, 'the outside is open');
      await restrict(namespace, { network: true });
      await becomes(namespace, true, 'the outside is closed');
      await cluster.client.delete(namespacePolicies, { namespace, name: POLICY_NAME });
      await becomes(namespace, false, 'the outside is open without a policy');
    });
  });

  it('opens what its policy names, and never the API server or a metadata service', async () => {
    const namespace = await cluster.namespace('opened');
    const [first = '', second = ''] = apiServer;
    const open = (egress: EgressRule[]): Promise<void> => setPolicy(namespace, { network: { egress } });
    await open([
      { cidr: '198.51.100.0/24', except: ['198.51.100.128/25'], ports: [{ port: 443, endPort: 444 }] },
      { cidr: '0.0.0.0/0', ports: [{ port: 53, protocol: 'UDP' }] },
      { cidr: first },
      { cidr: '169.254.169.254/32' },
    ]);
    const session = await launch(cluster.client, aCommand(namespace, 'true'));
    assert.equal(endOf(await finished(cluster.client, session)), 'Completed/Succeeded');
    const { spec } = await until(() => standing(namespace), 'it is there');
    assert.deepEqual(spec.egress?.slice(wanted(namespace, true).spec.egress?.length), [
      {
        to: [{ ipBlock: { cidr: '198.51.100.0/24', except: ['198.51.100.128/25'] } }],
        ports: [{ protocol: 'TCP', port: 443, endPort: 444 }],
      },
      {
        to: [
          {
            ipBlock: {
              cidr: '0.0.0.0/0',
              except: [
                '169.254.0.0/16',
                '100.100.100.200/32',
                '168.63.129.16/32',
                first,
                second,
                '192.0.2.0/24',
              ],
            },
          },
        ],
        ports: [{ protocol: 'UDP', port: 53 }],
      },
    ]);
    await open([]);
    await becomes(namespace, true, 'nothing is opened');
    const invalid = (rule: EgressRule): Promise<void> =>
      assert.rejects(open([rule]), (error: unknown) => error instanceof KubeError && error.status === 422);
    await invalid({ cidr: '10.0.0.0/33' });
    await invalid({ cidr: 'example.org' });
    await invalid({ cidr: '10.0.0.0/8', except: ['10.0.0.256/32'] });
    await invalid({ cidr: '10.0.0.0/8', ports: [{ port: 444, endPort: 443 }] });
  });

  it('takes over a NetworkPolicy of that name that somebody has made before', async () => {
    const namespace = await cluster.namespace('squatted');
    await cluster.client.create(networkPolicies, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: RUNNER_NETWORK_POLICY, namespace },
      spec: { podSelector: {}, policyTypes: ['Ingress'], ingress: [{}] },
    });
    await finished(cluster.client, await launch(cluster.client, aCommand(namespace, 'true')));
    await becomes(namespace, false, 'it is ours');
  });

  it('writes below workspace, artifacts and /tmp alone where the file system is restricted', async () => {
    const namespace = await cluster.namespace('files');
    const probe =
      'for place in /workspace /artifacts /tmp /dev/shm /var/tmp /run / /home /ambient; do touch $place/probe 2>/dev/null && echo "+$place" || echo "-$place"; done; env | grep ^AMBIENT_RESTRICT || true';
    const open = await outputOf(namespace, probe);
    assert.match(open, /\+\/dev\/shm/);
    assert.doesNotMatch(open, /^AMBIENT_RESTRICT/m);
    await restrict(namespace, { fileSystem: true });
    const places = (await outputOf(namespace, probe)).match(/^[+-]\/.*$/gm);
    assert.deepEqual(places, [
      '+/workspace',
      '+/artifacts',
      '+/tmp',
      '-/dev/shm',
      '-/var/tmp',
      '-/run',
      '-/',
      '-/home',
      '-/ambient',
    ]);
  });

  it('runs no command where execution is restricted, but frameworks that hold back, and tells them', async () => {
    const namespace = await cluster.namespace('execution');
    await restrict(namespace, { execution: true, fileSystem: true, network: true });
    const refused = await finished(cluster.client, await launch(cluster.client, aCommand(namespace, 'true')));
    assert.equal(endOf(refused), 'Failed/PolicyViolation');
    assert.match(
      refused.status?.message ?? '',
      /spec\.framework\.type.*"generic".*spec\.tools\.restrictions\.execution of the namespace's policy is true/,
    );
    const output = await outputOf(namespace, 'env | grep ^AMBIENT_RESTRICT | sort', polite);
    assert.match(
      output,
      /AMBIENT_RESTRICT_EXECUTION=true\nAMBIENT_RESTRICT_FILE_SYSTEM=true\nAMBIENT_RESTRICT_NETWORK=true/,
    );
  });

  describe('runs its sessions in a RuntimeClass', () => {
    /** The node's own runtime under another name: what is asked for is seen in the pod, whatever it is. */
    const present = `sandboxed-${Date.now()}`;
    let namespace: string;
    const isolate = (isolation: NonNullable<NamespacePolicySpec['isolation']>): Promise<void> =>
      setPolicy(namespace, { isolation });
    const runtimeClassOf = async (session: Session): Promise<string | undefined> =>
      (await workloadOf(cluster.client, session)).pods[0]?.spec.runtimeClassName;

    before(async () => {
      namespace = await cluster.namespace('runtime');
      await cluster.client.create(runtimeClasses, {
        apiVersion: 'node.k8s.io/v1',
        kind: 'RuntimeClass',
        metadata: { name: present },
        handler: 'runc',
      });
      cleanup.defer(() => cluster.client.delete(runtimeClasses, { name: present }));
    });

    it('that its policy names, and in no other', async () => {
      await isolate({ runtimeClasses: { default: present } });
      const session = await finished(
        cluster.client,
        await launch(cluster.client, aCommand(namespace, 'true')),
      );
      assert.equal(endOf(session), 'Completed/Succeeded', session.status?.message);
      assert.equal(await runtimeClassOf(session), present);
      assert.equal(session.status?.workload?.runtimeClassName, present);
      const refused = await finished(
        cluster.client,
        await launch(
          cluster.client,
          aCommand(namespace, 'true').spec({ runtimeClassName: 'runc-of-somebody' }),
        ),
      );
      assert.equal(endOf(refused), 'Failed/PolicyViolation', refused.status?.message);
      assert.match(
        refused.status?.message ?? '',
        /spec\.runtimeClassName is "runc-of-somebody": spec\.isolation\.runtimeClasses\.allowed of the namespace's policy does not list it\. Allowed: /,
      );
    });

    it('and says so when the cluster has none of that name', async () => {
      await isolate({ runtimeClasses: { default: present, allowed: ['nowhere'] } });
      const session = await launch(
        cluster.client,
        aCommand(namespace, 'true').spec({ runtimeClassName: 'nowhere' }),
      );
      await inPhase(
        cluster.client,
        session,
        ({ status }) => /this cluster has no RuntimeClass "nowhere"/.test(status?.message ?? ''),
        'it says what is missing',
      );
      await stopSession(cluster.client, session);
      const { status } = await cluster.client.get(namespacePolicies, { namespace, name: POLICY_NAME });
      const valid = findCondition(status?.conditions, 'ConfigValid');
      assert.equal(valid?.status, 'False');
      assert.match(valid.message, /runtimeClasses\.allowed\[0\]: this cluster has no RuntimeClass "nowhere"/);
    });
  });

  describe('holds a pod', () => {
    let namespace: string;
    let victim: Session;
    let victimPod: Pod;
    const podOf = (session: Session): Promise<Pod> =>
      until(async () => (await workloadOf(cluster.client, session)).pods[0], 'there is a pod');

    before(async () => {
      namespace = await cluster.namespace('hostile');
      victim = await resident(await cluster.namespace('victim'));
      victimPod = await podOf(victim);
      // What a pod would be told of in variables, had it service links.
      await cluster.client.create(services, {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'neighbor', namespace },
        spec: { ports: [{ port: 80 }] },
      });
    });
    after(() => stopSession(cluster.client, victim, { gracePeriodSeconds: 0 }));

    it('that tries everything: it is refused, and that is on record', async () => {
      const { host } = new URL(`http://${cluster.nodeHostAddress}`);
      const targets = {
        apiServer: cluster.server,
        live: `https://${host}:${operator.ports.live}`,
        rest: `https://${host}:${operator.ports.rest}`,
        victim: {
          namespace: victim.metadata.namespace,
          name: victim.metadata.name,
          pod: victimPod.metadata.name,
          podUid: victimPod.metadata.uid,
        },
      };
      const encoded = (bytes: string | Buffer): string => Buffer.from(bytes).toString('base64');
      const script = await readFile(join(import.meta.dirname, '../support/hostile-agent.ts'));
      const run = `echo ${encoded(script)} | base64 -d > /tmp/try.mts && node /tmp/try.mts ${encoded(JSON.stringify(targets))}`;
      const session = await launch(cluster.client, aCommand(namespace, run));
      const ended = await finished(cluster.client, session);
      const output = await logOf(cluster.client, ended);
      assert.equal(endOf(ended), 'Completed/Succeeded', output);
      const line = output.split('\n').find((each) => each.startsWith('{')) ?? '';
      const { 'metadata service': metadata, ...found } = JSON.parse(line) as Record<string, unknown>;
      // Here nothing listens there; what keeps it closed elsewhere is the NetworkPolicy.
      assert.notEqual(metadata, 'reached');
      assert.deepEqual(found, {
        'API server without a token': 403,
        'API server with its token': 401,
        'another session by path': 404,
        'artifacts of another session': 400,
        'as another pod': 401,
        'without a token': 401,
        'models with the wrong token': 401,
        'log of another session past the API server': 401,
        'log of another session by REST': 401,
        'its own session': 200,
        user: 65532,
        capabilities: ['0000000000000000', '0000000000000000'],
        noNewPrivileges: '1',
        seccomp: '2',
        'first process': 'the runner',
        'token of the API server': false,
        'variables of services': [],
        'root file system': 'EROFS',
        'its own token': 'EROFS',
        'the kernel': 'EROFS',
      });

      const pod = await podOf(session);
      const denied = async (at: string, actor: RegExp): Promise<string[]> =>
        (await recordedIn(operator.storeDir, at))
          .filter((record) => record.outcome === 'denied' && actor.test(record.actor))
          .map(({ resource, sessionId, details }) =>
            [
              details?.['door'],
              resource,
              details?.['code'],
              sessionId ?? JSON.stringify(details?.['claimed']),
              details?.['pod'],
            ].join(' '),
          )
          .sort();
      const by = `${session.metadata.name} ${pod.metadata.name}`;
      const itself = /^system:serviceaccount:hostile-.*:ambient-runner$/;
      // Recorded once it is known who that was, which nobody who is refused waits for.
      await until(async () => (await denied(namespace, itself)).length >= 5, 'all of it is on record');
      assert.deepEqual(await denied(namespace, itself), [
        `live sessions unauthenticated ${by}`,
        `rest sessions unauthenticated ${by}`,
        `runners models/anthropic unauthenticated ${by}`,
        `runners runner/unknown not_found ${by}`,
        `runners runner/unknown unsafe_path ${by}`,
      ]);
      const { uid: _, ...claimed } = {
        namespace: victim.metadata.namespace,
        pod: victimPod.metadata.name,
        serviceAccount: 'ambient-runner',
        uid: victimPod.metadata.uid,
      };
      for (const expected of [
        `runners runner/control unauthenticated ${JSON.stringify(claimed)} `,
        'runners runner/control unauthenticated  ',
      ])
        await until(
          async () => (await denied('ambient-system', /^system:anonymous$/)).includes(expected),
          `on record: ${expected}`,
        );
      assert.deepEqual(
        await denied(victim.metadata.namespace ?? '', /./),
        [],
        'nothing stands against the victim',
      );

      const { spec } = pod;
      assert.ok(!JSON.stringify(spec).includes('"hostP'), 'no host paths, ports or processes');
      assert.ok(!/"host(Network|IPC|Users|Path|Port)":(true|"|\d)/.test(JSON.stringify(spec)));
    });

    it('to the time of its token, by the clock of the API server', async () => {
      const at = { host: cluster.nodeHostAddress, port: operator.ports.runners };
      const { server, token } = await askingPod(cluster.client, victim, at);
      const key = createPrivateKey(await readFile(join(cluster.stateDir, 'pki', 'sa.key')));
      const [header = '', payload = ''] = token.split('.');
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
      /** As the API server would have signed it. */
      const answer = async (changed: Record<string, unknown>): Promise<number> => {
        const body = Buffer.from(JSON.stringify({ ...claims, ...changed })).toString('base64url');
        const signature = sign('sha256', Buffer.from(`${header}.${body}`), {
          key,
          dsaEncoding: 'ieee-p1363',
        });
        const bearer = `${header}.${body}.${signature.toString('base64url')}`;
        const headers = { authorization: `Bearer ${bearer}` };
        return (await ask(server, '/runner/v1/control', { headers })).status;
      };
      const seconds = Math.floor(Date.now() / 1000);
      assert.equal(await answer({}), 200);
      assert.equal(await answer({ exp: seconds - 20 }), 200, 'a minute is tolerated');
      assert.equal(await answer({ exp: seconds - 120 }), 401);
      assert.equal(await answer({ exp: seconds - 600 }), 401);
      assert.equal(await answer({ nbf: seconds + 20 }), 200, 'a minute is tolerated');
      assert.equal(await answer({ nbf: seconds + 300 }), 401);
      assert.equal(await answer({ aud: ['https://kubernetes.default.svc'] }), 401);
    });
  });

  it('lets nothing out where the network is restricted, if the cluster enforces NetworkPolicy', async function () {
    const namespace = await cluster.namespace('enforced');
    // Another door of the operator: it is on this machine, and only that for runners is open whatever policy says.
    const at = `${cluster.nodeHostAddress}/${operator.ports.rest}`;
    const knock = `timeout 3 bash -c '</dev/tcp/${at}' 2>/dev/null && echo REACHED || echo CLOSED`;
    assert.match(await outputOf(namespace, knock), /REACHED/);
    await restrict(namespace, { network: true });
    await becomes(namespace, true, 'the outside is closed');
    if (/REACHED/.test(await outputOf(namespace, knock)))
      skipBecause(this, 'the network plugin of this cluster enforces no NetworkPolicy');
  });
});
