/** The whole operator with its data in S3: launch, log, artifacts, removal; a server that goes away, and keys that are refused. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { JSONWebKeySet } from 'jose';
import { parse } from 'yaml';
import { OPERATOR_NAME, OPERATOR_NAMESPACE } from '../../common/api/names.ts';
import { isTerminal } from '../../common/api/session.ts';
import type { Session } from '../../common/api/session.ts';
import { isNotFound } from '../../common/kube/errors.ts';
import { findCondition } from '../../common/rules/conditions.ts';
import { configMaps, sessions } from '../../common/kube/resource.ts';
import { runProvenanceCommand } from '../../operator/provenance-command.ts';
import { keyIdOf, keysOf } from '../../operator/record/provenance/envelope.ts';
import { KEYS_CONFIG_MAP, SIGNING_SECRET, SigningKey } from '../../operator/record/provenance/signing-key.ts';
import { S3Store } from '../../operator/store/s3/store.ts';
import { refOf, keys } from '../../operator/store/keys.ts';
import type { TestCluster } from '../support/cluster.ts';
import { applyOperatorAccount, liveApiAvailable, runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { runnerCluster } from '../support/runner-cluster.ts';
import { s3ServerOrSkip } from '../support/s3-server.ts';
import type { S3Server } from '../support/s3-server.ts';
import {
  aCommand,
  artifactText,
  artifactsOf,
  endOf,
  finished,
  inPhase,
  launch,
  logOf,
  running,
} from '../support/sessions.ts';
import { startSecurityTokenService } from '../support/sts.ts';
import type { SecurityTokenService } from '../support/sts.ts';
import { until } from '../support/until.ts';

const PREFIX = 'clusters/test';
const FILES = 250;

describe('with data in S3', function () {
  this.timeout(180_000);
  let cluster: TestCluster;
  let server: S3Server | undefined;
  let store: S3Store;
  let secret: string;
  let operator: OperatorProcess | undefined;
  let namespace: string;

  const key = (secretKey: string): Promise<void> =>
    writeFile(join(secret, 'AWS_SECRET_ACCESS_KEY'), secretKey);

  before(async function () {
    this.timeout(600_000);
    server = await s3ServerOrSkip(this);
    ({ cluster } = await runnerCluster(this));
    secret = await mkdtemp(join(tmpdir(), 'ambient-s3-secret-'));
    const { endpoint, bucket, region, credentials } = server;
    await writeFile(join(secret, 'AWS_ACCESS_KEY_ID'), credentials.accessKeyId);
    await key(credentials.secretAccessKey);
    operator = await runOperatorProcess(cluster, {
      flags: {
        store: 's3',
        's3-bucket': bucket,
        's3-prefix': PREFIX,
        's3-endpoint': endpoint,
        's3-region': region,
        's3-credentials-dir': secret,
        'notify-allow': '127.0.0.0/8',
        'notify-http': true,
      },
    });
    await liveApiAvailable(cluster);
    store = new S3Store({ bucket, prefix: `${PREFIX}/`, endpoint, region, pathStyle: true, credentials });
    namespace = await cluster.namespace('s3');
  });

  after(async function () {
    this.timeout(60_000);
    if ((cluster as TestCluster | undefined) !== undefined && operator !== undefined)
      await cluster.removeSessions();
    await operator?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
    if ((secret as string | undefined) !== undefined) await rm(secret, { recursive: true });
  });

  const removed = async (name: string, ref: { namespace: string; uid: string }): Promise<void> => {
    await cluster.client.delete(sessions, { namespace, name });
    await until(
      () => cluster.client.get(sessions, { namespace, name }).then(() => false, isNotFound),
      `${name} is gone`,
    );
    await until(async () => (await store.listKeys(keys.session(ref))).length === 0, 'its data are gone');
  };

  /** As an administrator verifies it, with the keys that the cluster publishes. */
  const vouchedFor = async (session: Session): Promise<void> => {
    const { bucket = '', endpoint = '', region = '' } = server ?? {};
    const lines: string[] = [];
    const get = ['-n', OPERATOR_NAMESPACE, 'get', 'configmap', 'ambient-provenance-keys', '-o', 'json'];
    const code = await runProvenanceCommand(
      ['verify', '--keys', '-', '--session', `${namespace}/${session.metadata.uid ?? ''}`],
      {
        AMBIENT_STORE: 's3',
        AMBIENT_S3_BUCKET: bucket,
        AMBIENT_S3_PREFIX: PREFIX,
        AMBIENT_S3_ENDPOINT: endpoint,
        AMBIENT_S3_REGION: region,
        AMBIENT_S3_CREDENTIALS_DIR: secret,
      },
      {
        out: (line) => lines.push(line),
        error: (line) => lines.push(line),
        input: Readable.from([await cluster.kubectl(get)]),
      },
    );
    assert.equal(code, 0, lines.join('\n'));
    assert.equal(lines.filter((line) => line.startsWith('sha256:')).length, FILES);
    assert.equal(lines.at(-1), `OK: signed with ${session.status?.artifacts?.provenance?.keyId ?? ''}`);
  };

  it(`keeps log and all of ${FILES} artifacts, shows 100 in the status, and removes them with the session`, async () => {
    const many = `for n in $(seq 1 ${FILES}); do echo "file $n" > $AMBIENT_ARTIFACTS/$(printf %03d $n).txt; done`;
    const session = await finished(
      cluster.client,
      await launch(cluster.client, aCommand(namespace, `echo begun; ${many}; echo made them`)),
      120_000,
    );
    assert.equal(endOf(session), 'Completed/Succeeded', session.status?.message);
    assert.match(await logOf(cluster.client, session), /begun[\s\S]*made them/);
    const listed = await artifactsOf(cluster.client, session);
    assert.equal(listed.length, FILES + 1);
    assert.equal(listed[0]?.path, session.status?.artifacts?.provenance?.location);
    assert.equal(session.status?.artifacts?.generated?.length, 100);
    assert.equal(session.status.artifacts.count, FILES);
    assert.equal(await artifactText(cluster.client, session, '200.txt'), 'file 200\n');
    await vouchedFor(session);
    assert.match(
      (await operator?.metrics()) ?? '',
      /ambient_store_request_seconds_count\{operation="PutObject",outcome="ok"\}/,
    );
    await removed(session.metadata.name, refOf(session));
  });

  it('loses nothing of a run in which the server is killed and comes back', async () => {
    const session = await launch(
      cluster.client,
      aCommand(
        namespace,
        'for n in $(seq 1 40); do echo "line $n"; sleep 0.25; done; head -c 12000000 /dev/zero > $AMBIENT_ARTIFACTS/zeros',
      ),
    );
    await running(cluster.client, session);
    await until(async () => (await store.listKeys(keys.log(refOf(session)))).length > 0, 'its log begins');
    await server?.stop();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    assert.equal(operator?.running(), true);
    await server?.start();
    const ended = await finished(cluster.client, session, 120_000);
    assert.equal(endOf(ended), 'Completed/Succeeded', ended.status?.message);
    const log = await logOf(cluster.client, ended);
    for (let n = 1; n <= 40; n++) assert.equal(log.split(`line ${n}\n`).length, 2, `line ${n} stands once`);
    const [, artifact] = await artifactsOf(cluster.client, ended);
    assert.equal(artifact?.size, 12_000_000);
    await removed(ended.metadata.name, refOf(ended));
  });

  it('says on the session that its keys are refused, and goes on with new ones: what runs loses nothing', async () => {
    const command = 'for n in $(seq 1 60); do echo "line $n"; sleep 0.5; done; echo x > $AMBIENT_ARTIFACTS/x';
    const runs = await launch(cluster.client, aCommand(namespace, command));
    await running(cluster.client, runs);
    await key('wrong');
    // Keys are read again after ten seconds: until then sessions run, and some may not be able to hand in what they made.
    const waiting = await until(
      async () => {
        const session = await launch(cluster.client, aCommand(namespace, 'echo hello'));
        const told = await inPhase(
          cluster.client,
          session,
          ({ status }) => status?.message?.includes('credentials') === true || isTerminal(status?.phase),
          'it is told, or over',
        );
        return told.status?.phase === undefined ? told : undefined;
      },
      'a session waits',
      60_000,
    );
    assert.match(waiting.status?.message ?? '', /the operator's credentials: SignatureDoesNotMatch/);
    assert.equal(operator?.running(), true);
    await key(server?.credentials.secretAccessKey ?? '');
    for (const session of [runs, waiting]) {
      const ended = await finished(cluster.client, session, 120_000);
      assert.equal(endOf(ended), 'Completed/Succeeded', ended.status?.message);
    }
    const log = await logOf(cluster.client, runs);
    for (let n = 1; n <= 60; n++) assert.equal(log.split(`line ${n}\n`).length, 2, `line ${n} stands once`);
    assert.deepEqual(
      (await artifactsOf(cluster.client, runs)).map(({ path }) => path),
      ['.ambient/provenance.intoto.jsonl', 'x'],
    );
  });

  it('delivers to a bucket of the tenant when it may read the Secret, and says so while it may not', async () => {
    const { bucket = '', endpoint = '', region = '', credentials } = server ?? {};
    await cluster.kubectl([
      ...[
        '-n',
        namespace,
        'create',
        'secret',
        'generic',
        'results',
        `--from-literal=url=s3://${bucket}/tenant/`,
      ],
      `--from-literal=AWS_ACCESS_KEY_ID=${credentials?.accessKeyId ?? ''}`,
      `--from-literal=AWS_SECRET_ACCESS_KEY=${credentials?.secretAccessKey ?? ''}`,
      ...[`--from-literal=AWS_ENDPOINT_URL=${endpoint}`, `--from-literal=AWS_REGION=${region}`],
    ]);
    const session = await launch(
      cluster.client,
      aCommand(namespace, 'echo x > $AMBIENT_ARTIFACTS/x').spec({
        artifacts: { storage: { type: 's3', credentials: 'results' } },
      }),
    );
    const delivered = ({ status }: Session) => findCondition(status?.conditions, 'ArtifactsDelivered');
    const refused = await inPhase(
      cluster.client,
      session,
      (each) => delivered(each)?.status === 'False',
      'it is told that it may not',
      60_000,
    );
    assert.equal(refused.status?.phase, 'Completed');
    assert.match(delivered(refused)?.message ?? '', /may not read Secret results: grant its ServiceAccount/);
    const inNamespace = ['-n', namespace, 'create'];
    await cluster.kubectl([
      ...[...inNamespace, 'role', 'results', '--verb=get', '--resource=secrets'],
      '--resource-name=results',
    ]);
    await cluster.kubectl([
      ...[...inNamespace, 'rolebinding', 'results', '--role=results'],
      `--serviceaccount=${OPERATOR_NAMESPACE}:ambient-operator`,
    ]);
    const done = await inPhase(
      cluster.client,
      session,
      (each) => delivered(each)?.status === 'True',
      'it is delivered',
      60_000,
    );
    const folder = `tenant/${namespace}/${session.metadata.name}-${session.metadata.uid?.slice(0, 8) ?? ''}/`;
    assert.equal(delivered(done)?.message, `2 files in s3://${bucket}/${folder}`);
    const files = await readdir(join(server?.folder ?? '', folder), { recursive: true });
    assert.ok(files.includes('x') && files.includes('.ambient/provenance.intoto.jsonl'), files.join());
  });

  it('signs with a new key when the Secret was removed, and keeps the old one published', async () => {
    const own = await cluster.namespace('keys');
    const key = () =>
      new SigningKey({
        client: cluster.client,
        namespace: own,
        elapsed: () => performance.now(),
        log: { info: () => undefined },
      });
    // Two operators at once come to one key.
    const [first, same] = await Promise.all([key().current(), key().current()]);
    assert.equal(keyIdOf(first), keyIdOf(same));
    await cluster.kubectl(['-n', own, 'delete', 'secret', SIGNING_SECRET]);
    const second = await key().current();
    assert.notEqual(keyIdOf(second), keyIdOf(first));
    const { data = {} } = await cluster.client.get(configMaps, { namespace: own, name: KEYS_CONFIG_MAP });
    assert.deepEqual([...keysOf(data).keys()].sort(), [keyIdOf(first), keyIdOf(second)].sort());
    await cluster.kubectl(['-n', own, 'delete', 'secret', SIGNING_SECRET]);
    await cluster.kubectl([
      '-n',
      own,
      'create',
      'secret',
      'generic',
      SIGNING_SECRET,
      '--from-literal=ed25519.pem=x',
    ]);
    await assert.rejects(key().current(), /has no Ed25519 key in ed25519\.pem; remove it/);
  });

  it('is deployed by the patch of the samples: without the volume', async () => {
    const patched = await cluster.kubectl([
      ...['patch', '--local', '-f', 'manifests/operator/50-deployment.yaml', '-o', 'yaml'],
      ...['--patch-file', 'manifests/samples/s3/deployment.patch.yaml'],
    ]);
    const { spec } = parse(patched) as { spec: { strategy: object; template: { spec: PatchedPod } } };
    assert.deepEqual(spec.strategy, { type: 'RollingUpdate' });
    const [container] = spec.template.spec.containers;
    assert.deepEqual(container?.volumeMounts.map(({ name }) => name).sort(), ['s3', 'tmp']);
    assert.deepEqual(spec.template.spec.volumes.map(({ name }) => name).sort(), ['s3', 'tmp']);
    assert.ok(container.env.some(({ name }) => name === 'POD_NAME'));
    assert.ok(container.env.some(({ name }) => name === 'AMBIENT_S3_BUCKET'));
  });
});

describe('with data in S3 and no keys but the identity of its pod', function () {
  this.timeout(180_000);
  const cleanup = new AsyncDisposableStack();
  const role = 'arn:aws:iam::123456789012:role/ambient';
  const audience = 'sts.amazonaws.com';
  let cluster: TestCluster;
  let service: SecurityTokenService;
  let operator: OperatorProcess;
  let namespace: string;
  let tokenFile: string;

  /** As the kubelet does with a projected token. */
  const writeToken = async (forWhom: string): Promise<void> => {
    const create = ['-n', OPERATOR_NAMESPACE, 'create', 'token', OPERATOR_NAME, '--audience', forWhom];
    await writeFile(tokenFile, await cluster.kubectl(create));
  };
  const published = async (path: string): Promise<unknown> =>
    JSON.parse(await cluster.kubectl(['get', '--raw', path])) as unknown;

  before(async function () {
    this.timeout(600_000);
    const server = cleanup.use(await s3ServerOrSkip(this));
    ({ cluster } = await runnerCluster(this));
    const { issuer } = (await published('/.well-known/openid-configuration')) as { issuer: string };
    const subject = `system:serviceaccount:${OPERATOR_NAMESPACE}:${OPERATOR_NAME}`;
    const keys = (await published('/openid/v1/jwks')) as JSONWebKeySet;
    service = cleanup.use(
      await startSecurityTokenService({
        trust: { role, issuer, audience, subject, keys },
        credentials: server.credentials,
        lifetimeSeconds: 2,
      }),
    );
    const folder = await mkdtemp(join(tmpdir(), 'ambient-s3-identity-'));
    cleanup.defer(() => rm(folder, { recursive: true }));
    tokenFile = join(folder, 'token');
    await applyOperatorAccount(cluster);
    await writeToken(audience);
    operator = cleanup.use(
      await runOperatorProcess(cluster, {
        flags: {
          store: 's3',
          's3-bucket': server.bucket,
          's3-prefix': PREFIX,
          's3-endpoint': server.endpoint,
          's3-region': server.region,
        },
        // As the webhook of IRSA gives them to a pod, but for the address of the service.
        env: {
          AWS_ROLE_ARN: role,
          AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
          AWS_ENDPOINT_URL_STS: service.endpoint,
        },
      }),
    );
    await liveApiAvailable(cluster);
    namespace = await cluster.namespace('s3-identity');
  });

  after(async function () {
    this.timeout(60_000);
    if ((operator as OperatorProcess | undefined) !== undefined) await cluster.removeSessions();
    await cleanup.disposeAsync();
  });

  it('runs sessions with credentials that it exchanges its token for, again and again', async () => {
    const command = 'for n in $(seq 1 12); do echo "line $n"; sleep 0.5; done; echo x > $AMBIENT_ARTIFACTS/x';
    const session = await finished(
      cluster.client,
      await launch(cluster.client, aCommand(namespace, command)),
      60_000,
    );
    assert.equal(endOf(session), 'Completed/Succeeded', session.status?.message);
    assert.match(await logOf(cluster.client, session), /line 1\n[\s\S]*line 12\n/);
    assert.deepEqual(new Set(service.answers), new Set(['ok']));
    assert.ok(service.answers.length > 1, `asked ${service.answers.length} times`);
  });

  for (const [what, refuse, allow, code] of [
    [
      'its token is meant for somebody else',
      () => writeToken('somebody-else'),
      () => writeToken(audience),
      'InvalidIdentityToken',
    ],
    ['the role does not trust it', () => service.trusts(false), () => service.trusts(true), 'AccessDenied'],
  ] as const)
    it(`says on the session that ${what}, and goes on when that is mended`, async () => {
      await refuse();
      await until(() => !service.holds(), 'nothing holds that it gave before');
      const session = await launch(cluster.client, aCommand(namespace, 'echo hello'));
      await inPhase(
        cluster.client,
        session,
        ({ status }) => status?.message?.includes(`the operator's credentials: ${code}`) === true,
        'it is told',
      );
      assert.equal(service.answers.at(-1), code);
      assert.equal(operator.running(), true);
      await allow();
      const ended = await finished(cluster.client, session, 60_000);
      assert.equal(endOf(ended), 'Completed/Succeeded', ended.status?.message);
    });
});

interface PatchedPod {
  containers: { env: { name: string }[]; volumeMounts: { name: string }[] }[];
  volumes: { name: string }[];
}
