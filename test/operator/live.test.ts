/** The live API through a real API server: who may do what, what comes through, and that runners are who they say. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { parse } from 'yaml';
import type { Control, EventsAccepted } from '../../common/api/runner.ts';
import {
  LABEL_SESSION,
  LABEL_SESSION_UID,
  OPERATOR_NAMESPACE,
  TOKEN_AUDIENCE,
} from '../../common/api/names.ts';
import { livePaths, SOURCE_CHUNK_BYTES } from '../../common/api/live.ts';
import type {
  ArtifactList,
  MessageAccepted,
  Resumed,
  SourceState,
  StopAccepted,
} from '../../common/api/live.ts';
import type { LogRecord } from '../../common/api/log.ts';
import type { Session } from '../../common/api/session.ts';
import { KubeError } from '../../common/kube/errors.ts';
import type { RequestOptions } from '../../common/kube/connection.ts';
import {
  apiServices,
  configMaps,
  frameworks,
  jobs,
  pods,
  secrets,
  sessions,
} from '../../common/kube/resource.ts';
import type { Job, Pod } from '../../common/kube/core-types.ts';
import { readConfig } from '../../operator/config.ts';
import { systemClock } from '../../operator/controllers/clock.ts';
import { jobNameOf } from '../../operator/controllers/session/index.ts';
import { openDoors } from '../../operator/doors.ts';
import type { Doors } from '../../operator/doors.ts';
import { OperatorCertificates, TLS_SECRET } from '../../operator/serve/tls/certificates.ts';
import { allOf, makeWatches } from '../../operator/watches.ts';
import type { Watches } from '../../operator/watches.ts';
import { CollectedAudit } from '../support/audit.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { manifests } from '../support/deploy.ts';
import { aFramework, aSession } from '../support/fixtures.ts';
import { addHostEndpoint, useHostService } from '../support/host-service.ts';
import { ask } from '../support/https.ts';
import type { Answer, AskOptions } from '../support/https.ts';
import { liveApiAvailable } from '../support/operator-process.ts';
import { skipBecause } from '../support/skip.ts';
import { temporaryStore } from '../support/temporary-store.ts';
import type { TemporaryStore } from '../support/temporary-store.ts';
import { until } from '../support/until.ts';

const sha256 = (bytes: string | Buffer): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const record = (seq: number, time = new Date()): LogRecord => ({
  seq,
  time: time.toISOString(),
  type: 'output',
  text: `line ${seq}`,
});
const ndjson = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, i) => `${JSON.stringify(record(from + i))}\n`).join('');

describe('the live API behind a real API server', function () {
  this.timeout(60_000);
  let cluster: TestCluster;
  let temporary: TemporaryStore;
  let watches: Watches;
  let doors: Doors;
  const audit = new CollectedAudit();
  let namespace: string;
  const cleanup = new AsyncDisposableStack();

  before(async function () {
    this.timeout(600_000);
    cluster = await testCluster(this);
    if (cluster.nodeHostAddress.startsWith('127.')) {
      skipBecause(this, 'this cluster has no node, hence no address by which its API server could call us');
    }
    const { client } = cluster;
    await cluster.kubectl(['apply', '-f', join(manifests, 'operator', '00-namespace.yaml')]);
    await cluster.kubectl(['apply', '-f', join(manifests, 'operator', '21-user-roles.yaml')]);
    await useHostService(cluster);
    temporary = cleanup.use(await temporaryStore());
    watches = makeWatches(client, assert.ifError);
    for (const { reflector } of allOf(watches)) {
      reflector.start();
      cleanup.defer(() => reflector.close());
      await reflector.synced();
    }
    doors = await openDoors({
      config: readConfig(
        [
          `--listen-address=${cluster.nodeHostAddress}`,
          '--live-port=0',
          '--runner-port=0',
          '--admission-port=0',
          '--rest-port=0',
        ],
        {},
      ),
      client,
      store: temporary.store,
      audit,
      watches,
      registry: new Registry(),
      tenancy: { budgetStopped: () => undefined },
      log: pino({ level: 'silent' }),
    });
    cleanup.defer(() => doors.close(500));
    cleanup.use(await addHostEndpoint(cluster, 'live-test', doors.ports));
    await liveApiAvailable(cluster);
    namespace = await cluster.namespace('live');
  });
  after(async function () {
    this.timeout(60_000);
    await cleanup.disposeAsync();
  });

  const as = (user: string, options: RequestOptions = {}): RequestOptions => ({
    ...options,
    headers: { 'impersonate-user': user, ...options.headers },
  });
  const stream = (path: string, options?: RequestOptions) => cluster.client.connection.stream(path, options);
  const read = async (path: string, options?: RequestOptions): Promise<string> =>
    text((await stream(path, options)).body);
  const json = <R>(path: string, options?: RequestOptions) =>
    cluster.client.connection.json<R>(path, options);
  const refused = (work: Promise<unknown>, status: number, code?: string): Promise<void> =>
    assert.rejects(work, (error: unknown) => {
      assert.ok(error instanceof KubeError, String(error));
      assert.deepEqual(
        [error.status, code === undefined ? undefined : error.causeCode],
        [status, code],
        error.message,
      );
      return true;
    });

  let made = 0;
  const create = async (builder = aSession()): Promise<Session> => {
    const object = builder.in(namespace).toCreate();
    object.metadata.name = `s${++made}`;
    return cluster.client.create(sessions, object);
  };
  const at = ({ metadata }: Session) => [metadata.namespace ?? '', metadata.name] as const;
  const setStatus = ({ metadata }: Session, status: object): Promise<Session> =>
    cluster.client.mergePatch(
      sessions,
      { namespace, name: metadata.name, subresource: 'status' },
      { status },
    );
  const current = ({ metadata }: Session): Promise<Session> =>
    cluster.client.get(sessions, { namespace, name: metadata.name });

  /** A Job as the operator makes it, whose pod no node will ever take, and a token as that pod would have it. */
  const startRunner = async (session: Session): Promise<{ pod: Pod; token: string }> => {
    const { name, uid = '' } = session.metadata;
    const labels = { [LABEL_SESSION]: name, [LABEL_SESSION_UID]: uid };
    const ownerReferences = [
      { apiVersion: session.apiVersion, kind: 'Session', name, uid, controller: true },
    ];
    const container = { name: 'runner', image: 'none' };
    await cluster.client.create(jobs, {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: jobNameOf(uid), namespace, labels, ownerReferences },
      spec: {
        template: {
          metadata: { labels },
          spec: { restartPolicy: 'Never', nodeSelector: { never: 'ever' }, containers: [container] },
        },
      },
    } satisfies Job);
    const [pod] = await until(async () => {
      const { items } = await cluster.client.list(
        pods,
        { namespace },
        { labelSelector: `${LABEL_SESSION_UID}=${uid}` },
      );
      return items.length > 0 ? items : undefined;
    }, 'the Job controller makes the pod');
    assert.ok(pod);
    return { pod, token: await tokenOf(pod) };
  };
  const tokenOf = async (pod: Pod, audience: string = TOKEN_AUDIENCE): Promise<string> => {
    const { name, uid } = pod.metadata;
    const account = pod.spec.serviceAccountName ?? 'default';
    const { status } = await json<{ status: { token: string } }>(
      `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`,
      {
        method: 'POST',
        body: {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          spec: {
            audiences: [audience],
            expirationSeconds: 600,
            boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, uid },
          },
        },
      },
    );
    return status.token;
  };
  const runner = (token: string, method: string, path: string, options: AskOptions = {}): Promise<Answer> =>
    ask(
      { host: cluster.nodeHostAddress, port: doors.ports.runners, ca: doors.endpoint().ca },
      `/runner/v1/${path}`,
      {
        method,
        ...options,
        headers: { authorization: `Bearer ${token}`, ...options.headers },
      },
    );

  it('is discovered as a part of the cluster', async () => {
    assert.ok(await cluster.client.discovers('live.ambient.ai', 'v1alpha1'));
    const { resources } = await json<{ resources: { name: string }[] }>('/apis/live.ambient.ai/v1alpha1');
    assert.deepEqual(resources.map(({ name }) => name).sort(), [
      'namespacepolicies/retention',
      'sessions/approve',
      'sessions/artifacts',
      'sessions/audit',
      'sessions/budget',
      'sessions/interrupt',
      'sessions/log',
      'sessions/message',
      'sessions/reject',
      'sessions/resume',
      'sessions/source',
      'sessions/stop',
    ]);
    const session = await create();
    assert.equal(
      await cluster.kubectl(['get', '--raw', livePaths.log(...at(session), { format: 'text' })]),
      '',
    );
  });

  describe('rights', () => {
    const bind = (user: string, role: string): Promise<string> =>
      cluster.kubectl([
        '-n',
        namespace,
        'create',
        'rolebinding',
        `${user}-${role}`,
        `--clusterrole=${role}`,
        `--user=${user}`,
      ]);

    it('are the API server’s: view reads, edit stops and uploads, others do neither', async () => {
      await Promise.all([bind('vera', 'view'), bind('edith', 'edit')]);
      const session = await create(
        aSession().spec({ source: { type: 'upload', upload: { sizeBytes: 3, digest: sha256('abc') } } }),
      );
      const verbs: [string, () => [string, RequestOptions]][] = [
        ['log', () => [livePaths.log(...at(session)), {}]],
        ['artifacts', () => [livePaths.artifacts(...at(session)), {}]],
        ['source', () => [livePaths.source(...at(session)), {}]],
        ['upload', () => [livePaths.source(...at(session), 0), { method: 'PUT', body: 'a' }]],
        ['stop', () => [livePaths.stop(...at(session)), { method: 'POST', body: {} }]],
      ];
      const may = async (user: string): Promise<string[]> => {
        const allowed: string[] = [];
        for (const [verb, request] of verbs) {
          const [path, options] = request();
          try {
            await read(path, as(user, options));
            allowed.push(verb);
          } catch (error) {
            if (!(error instanceof KubeError) || error.status !== 403) throw error;
          }
        }
        return allowed;
      };
      await until(async () => (await may('vera')).length > 0, 'the aggregated role has the rights');
      await until(
        () => read(livePaths.source(...at(session)), as('edith')).then(Boolean, () => false),
        'and so has the other',
      );
      assert.deepEqual(await may('vera'), ['log', 'artifacts']);
      assert.deepEqual(await may('stranger'), []);
      assert.deepEqual(await may('edith'), ['log', 'artifacts', 'source', 'upload', 'stop']);
    });

    it('on one subresource lead to no other, however the path is written', async () => {
      const session = await create();
      const { token } = await startRunner(session);
      await runner(token, 'POST', 'events', { body: ndjson(1, 1) });
      const role = {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name: 'only-artifacts', namespace },
        rules: [{ apiGroups: ['live.ambient.ai'], resources: ['sessions/artifacts'], verbs: ['get'] }],
      };
      await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(role) });
      await cluster.kubectl([
        '-n',
        namespace,
        'create',
        'rolebinding',
        'art',
        '--role=only-artifacts',
        '--user=art',
      ]);
      const artifacts = livePaths.artifacts(...at(session));
      await until(() => read(artifacts, as('art')).catch(() => ''), 'the right is there');
      const base = artifacts.replace(/\/artifacts$/, '');
      for (const path of [
        `${artifacts}/../log`,
        `${artifacts}/%2e%2e/log`,
        `${artifacts}/..%2flog`,
        `${artifacts}/a/../../log`,
        `${artifacts}/%2e%2e%2flog`,
        `${artifacts}%2f..%2flog`,
        `${base}/artifacts/..;/log`,
        `${base}//log`,
        `${base}/artifacts//../log`,
      ]) {
        const answer = await read(path, as('art')).catch((error: unknown) => {
          assert.ok(error instanceof KubeError, String(error));
          assert.ok([301, 307, 400, 403, 404].includes(error.status), `${path}: ${error.status}`);
          return '';
        });
        assert.doesNotMatch(answer, /line 1/, path);
      }
      await refused(read(livePaths.log(...at(session)), as('art')), 403);
    });

    it('are not to be had by calling the operator directly, not even with an administrator’s certificate', async () => {
      const kubeconfig = parse(await readFile(cluster.kubeconfig, 'utf8')) as {
        users: { user: { 'client-certificate-data'?: string; 'client-key-data'?: string } }[];
      };
      const user = kubeconfig.users[0]?.user ?? {};
      const pem = (data: string | undefined): string => Buffer.from(data ?? '', 'base64').toString();
      const session = await create();
      const answer = await ask(
        { host: cluster.nodeHostAddress, port: doors.ports.live, ca: doors.endpoint().ca },
        livePaths.log(...at(session)),
        {
          cert: pem(user['client-certificate-data']),
          key: pem(user['client-key-data']),
          headers: { 'x-remote-user': 'admin', 'x-remote-group': 'system:masters' },
        },
      );
      assert.equal(answer.status, 401);
    });
  });

  describe('runners', () => {
    it('are known by the token of their pod, and lead to their own session', async () => {
      const [one, two] = await Promise.all([create(), create()]);
      const [first, second] = await Promise.all([startRunner(one), startRunner(two)]);
      const before = cluster.client.connection.requests;
      assert.deepEqual((await runner(first.token, 'POST', 'events', { body: ndjson(1, 3) })).json, {
        acknowledged: 3,
      });
      assert.deepEqual((await runner(second.token, 'POST', 'events', { body: ndjson(1, 1) })).json, {
        acknowledged: 1,
      });
      for (let seq = 4; seq < 14; seq++)
        await runner(first.token, 'POST', 'events', { body: ndjson(seq, seq) });
      assert.ok(cluster.client.connection.requests - before <= 6, 'one review for each token');
      assert.match(
        await read(livePaths.log(...at(one), { format: 'text' })),
        /^line 1\nline 2\n[^]*line 13\n$/,
      );
      assert.equal(await read(livePaths.log(...at(two), { format: 'text' })), 'line 1\n');
    });

    it('are refused with a token for somebody else, of nobody’s pod, or of a pod that is gone', async () => {
      const session = await create();
      const { pod, token } = await startRunner(session);
      assert.equal(
        (await runner(await tokenOf(pod, 'https://kubernetes.default.svc'), 'GET', 'control')).status,
        401,
      );
      assert.equal((await runner(`${token.slice(0, -4)}AAAA`, 'GET', 'control')).status, 401);
      const account = (
        await cluster.kubectl(['-n', namespace, 'create', 'token', 'default', `--audience=${TOKEN_AUDIENCE}`])
      ).trim();
      assert.equal((await runner(account, 'GET', 'control')).status, 401);

      // Somebody who may create pods, and writes the labels of another's session on one of their own.
      const forged = await cluster.client.create(pods, {
        ...pod,
        metadata: { name: 'forged', namespace, labels: { ...pod.metadata.labels } },
        spec: { containers: [{ name: 'x', image: 'none' }], nodeSelector: { never: 'ever' } },
      });
      const answer = await runner(await tokenOf(forged), 'GET', 'control');
      assert.equal(answer.status, 403, answer.text);

      assert.equal((await runner(token, 'GET', 'control')).status, 200);
      await cluster.client.delete(sessions, { namespace, name: session.metadata.name });
      await until(
        async () => (await runner(token, 'GET', 'control')).status === 403,
        'the runner is refused',
      );
    });

    it('hear of a stop while they wait', async () => {
      const session = await create();
      const { token } = await startRunner(session);
      await setStatus(session, { phase: 'Pending' });
      const waiting = runner(token, 'GET', 'control?wait=30');
      await sleep(200);
      const started = performance.now();
      await json(livePaths.stop(...at(session)), as('edith', { method: 'POST', body: { reason: 'enough' } }));
      assert.deepEqual((await waiting).json, {
        stop: { requestedBy: 'edith', reason: 'enough', gracePeriodSeconds: 30 },
      });
      assert.ok(performance.now() - started < 5000);
    });
  });

  describe('log', () => {
    it('is followed line by line until the session is over', async function () {
      const session = await create();
      const { token } = await startRunner(session);
      await setStatus(session, { phase: 'Pending' });
      await setStatus(session, { phase: 'Running' });
      const { body } = await stream(livePaths.log(...at(session), { follow: true }), { timeoutMs: 0 });
      const seen: { seq: number; at: number }[] = [];
      const reading = (async () => {
        let rest = '';
        for await (const chunk of body.setEncoding('utf8') as AsyncIterable<string>) {
          const now = performance.now();
          const parts = (rest + chunk).split('\n');
          rest = parts.pop() ?? '';
          for (const part of parts)
            if (part !== '') seen.push({ seq: (JSON.parse(part) as LogRecord).seq, at: now });
        }
      })();
      const sentAt: number[] = [];
      const lines = 200;
      for (let seq = 1; seq <= lines; seq++) {
        sentAt.push(performance.now());
        const { json: accepted } = await runner(token, 'POST', 'events', { body: ndjson(seq, seq) });
        assert.equal((accepted as EventsAccepted).acknowledged, seq);
      }
      await setStatus(session, { phase: 'Completed' });
      await reading;
      assert.deepEqual(
        seen.map(({ seq }) => seq),
        Array.from({ length: lines }, (_, i) => i + 1),
      );
      const delays = seen.map(({ at: seenAt }, i) => seenAt - (sentAt[i] ?? 0)).sort((a, b) => a - b);
      const [p50 = 0, p99 = 0] = [delays[Math.floor(lines / 2)], delays[Math.floor(lines * 0.99)]];
      console.log(`      runner to follower: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);
      assert.ok(p99 < 2000);
    });

    it('is over at once for a session that is over, and kept when its pod is gone', async () => {
      const session = await create();
      const { pod, token } = await startRunner(session);
      await runner(token, 'POST', 'events', { body: ndjson(1, 2) });
      await setStatus(session, { phase: 'Pending' });
      await setStatus(session, { phase: 'Failed' });
      await until(
        async () => (await runner(token, 'POST', 'events', { body: ndjson(2, 2) })).status === 409,
        'the end is known',
      );
      await cluster.client.delete(pods, { namespace, name: pod.metadata.name }, { gracePeriodSeconds: 0 });
      assert.equal(
        await read(livePaths.log(...at(session), { follow: true, format: 'text' })),
        'line 1\nline 2\n',
      );
    });

    it('is not found for a session that does not exist', async () => {
      await refused(read(livePaths.log(namespace, 'none')), 404, 'not_found');
    });
  });

  describe('artifacts', () => {
    it('come through with odd names, in ranges and unchanged', async () => {
      const session = await create();
      const { token } = await startRunner(session);
      const bytes = randomBytes(3_000_000);
      const names = [
        'plain.bin',
        'a/b c.txt',
        'ü/日本.md',
        '100% #1?.txt',
        "it's+a;b&c=d,@!$().txt",
        'new\nline',
        'tab\t',
        'back\\slash',
        '...',
        '%2e%2e',
        ' ',
      ];
      for (const name of names) {
        const path = `artifacts/${name.split('/').map(encodeURIComponent).join('/')}`;
        const answer = await runner(token, 'PUT', path, {
          body: name === 'plain.bin' ? bytes : Buffer.from(name),
          headers: { 'content-type': 'text/plain' },
        });
        assert.equal(answer.status, 201, `${name}: ${answer.text}`);
      }
      const { items } = await json<ArtifactList>(livePaths.artifacts(...at(session)));
      assert.deepEqual(items.map(({ path }) => path).sort(), [...names].sort());
      for (const name of names.slice(1)) {
        assert.equal(await read(livePaths.artifact(...at(session), name)), name);
      }
      const path = livePaths.artifact(...at(session), 'plain.bin');
      const whole = await stream(path);
      assert.equal(whole.headers['etag'], `"${sha256(bytes)}"`);
      assert.equal(whole.headers['content-length'], '3000000');
      assert.equal(whole.headers['x-content-type-options'], 'nosniff');
      assert.ok((await buffer(whole.body)).equals(bytes));
      const part = await stream(path, { headers: { range: 'bytes=1000000-1999999' } });
      assert.deepEqual([part.status, part.headers['content-range']], [206, 'bytes 1000000-1999999/3000000']);
      assert.ok((await buffer(part.body)).equals(bytes.subarray(1_000_000, 2_000_000)));
      await refused(stream(path, { headers: { range: 'bytes=3000000-' } }), 416, 'range_not_satisfiable');
      await refused(stream(livePaths.artifact(...at(session), 'none')), 404, 'not_found');
    });
  });

  describe('source', () => {
    it('arrives in pieces as large as allowed, goes on after a misplaced one, and reaches the runner', async () => {
      const archive = randomBytes(SOURCE_CHUNK_BYTES + 5000);
      const upload = { sizeBytes: archive.length, digest: sha256(archive) };
      const session = await create(aSession().spec({ source: { type: 'upload', upload } }));
      const put = (offset: number, body: Buffer): Promise<SourceState> =>
        json(livePaths.source(...at(session), offset), {
          method: 'PUT',
          body,
          contentType: 'application/gzip',
        });
      const complete: string[] = [];
      using _listener = doors.onSource(({ metadata }) => complete.push(metadata.name));
      assert.equal((await put(0, archive.subarray(0, SOURCE_CHUNK_BYTES))).received, SOURCE_CHUNK_BYTES);
      await assert.rejects(put(0, archive.subarray(0, 100)), (error: unknown) => {
        assert.ok(error instanceof KubeError && error.status === 409);
        assert.equal((error.kubeStatus as unknown as SourceState).received, SOURCE_CHUNK_BYTES);
        return true;
      });
      await refused(put(SOURCE_CHUNK_BYTES, Buffer.alloc(SOURCE_CHUNK_BYTES + 1)), 413, 'too_large');
      await refused(put(SOURCE_CHUNK_BYTES, Buffer.alloc(5001)), 413, 'too_large');
      assert.equal((await json<SourceState>(livePaths.source(...at(session)))).received, SOURCE_CHUNK_BYTES);
      assert.equal((await put(SOURCE_CHUNK_BYTES, archive.subarray(SOURCE_CHUNK_BYTES))).complete, true);
      assert.deepEqual(complete, [session.metadata.name]);
      const { token } = await startRunner(session);
      assert.ok((await runner(token, 'GET', 'source')).bytes.equals(archive));
    });
  });

  describe('talk', () => {
    const say = (session: Session, user: string, body: object): Promise<MessageAccepted> =>
      json(livePaths.message(...at(session)), as(user, { method: 'POST', body }));
    const needsInput = async (session: Session): Promise<string | undefined> =>
      (await current(session)).status?.conditions?.find(({ type }) => type === 'NeedsInput')?.status;

    before(async () => {
      await cluster.kubectl([
        '-n',
        namespace,
        'create',
        'rolebinding',
        'talk-tom',
        '--clusterrole=ambient-editor',
        '--user=tom',
      ]);
    });

    it('reaches the runner while it waits, is taken once, and answers what the agent asked', async () => {
      const session = await create();
      const { token } = await startRunner(session);
      await setStatus(session, { phase: 'Pending' });
      await refused(say(session, 'tom', { text: 'too early' }), 409, 'conflict');
      await setStatus(session, { phase: 'Running' });
      await refused(say(session, 'tom', { text: 'nobody listens' }), 409, 'conflict');
      await setStatus(session, { input: { open: true } });
      await until(
        async () =>
          watches.sessions.store.get({ namespace, name: session.metadata.name })?.status?.input?.open ===
          true,
        'it is known to listen',
      );
      const time = new Date().toISOString();
      const question = { seq: 1, time, type: 'question', text: 'Which branch?' };
      for (let sent = 0; sent < 2; sent++)
        assert.equal(
          (await runner(token, 'POST', 'events', { body: `${JSON.stringify(question)}\n` })).status,
          200,
        );
      assert.equal(await needsInput(session), 'True');
      const waiting = runner(token, 'GET', 'control?wait=30&after=0');
      await sleep(200);
      const [first, again] = await Promise.all([
        say(session, 'tom', { id: 'a', text: 'main' }),
        say(session, 'tom', { id: 'a', text: 'main' }),
      ]);
      assert.deepEqual(again, first);
      assert.deepEqual((await waiting).json, {
        messages: [{ seq: 1, id: 'a', kind: 'message', by: 'tom', text: 'main' }],
      });
      assert.equal(await needsInput(session), 'False');
      await refused(say(session, 'tom', { id: 'a', text: 'other' }), 409, 'conflict');
      await refused(say(session, 'stranger', { text: 'hello' }), 403);
      const several = await Promise.all(
        Array.from({ length: 5 }, (_, each) => say(session, 'tom', { text: `message ${each}` })),
      );
      assert.deepEqual(several.map(({ seq }) => seq).sort(), [2, 3, 4, 5, 6]);
      await json(livePaths.interrupt(...at(session)), as('tom', { method: 'POST', body: {} }));
      await until(
        async () =>
          ((await runner(token, 'GET', 'control?after=6')).json as Control).messages?.[0]?.kind ===
          'interrupt',
        'the interrupt is handed out',
      );
      await setStatus(session, { phase: 'Completed' });
      await until(
        () =>
          watches.sessions.store.get({ namespace, name: session.metadata.name })?.status?.phase ===
          'Completed',
        'it is known to be over',
      );
      await refused(say(session, 'tom', { text: 'too late' }), 409, 'already_finished');
    });
  });

  describe('resume', () => {
    const FRAMEWORK = 'live-test-resumes';
    before(async () => {
      await cluster.client.create(frameworks, aFramework(FRAMEWORK));
      await until(() => watches.frameworks.store.get({ name: FRAMEWORK }), 'the framework is known');
    });
    after(() => cluster.client.delete(frameworks, { name: FRAMEWORK }));

    it('makes a new session of one that has ended, by whoever asks', async () => {
      const session = await create(
        aSession().spec({ framework: { type: FRAMEWORK, config: { command: 'true' } } }),
      );
      const resume = (user: string): Promise<Resumed> =>
        json(livePaths.resume(...at(session)), as(user, { method: 'POST', body: { id: 'once' } }));
      await setStatus(session, { phase: 'Pending' });
      await refused(resume('tom'), 409, 'conflict');
      await setStatus(session, { phase: 'Failed' });
      const known = (): Session | undefined =>
        watches.sessions.store.get({ namespace, name: session.metadata.name });
      await until(() => known()?.status?.phase === 'Failed', 'it is known to be over');
      await refused(resume('vera'), 403);
      const { name, uid } = await resume('tom');
      assert.deepEqual(await resume('tom'), { ...(await resume('tom')), name, uid });
      const { spec } = await cluster.client.get(sessions, { namespace, name });
      assert.deepEqual(
        [spec.createdBy?.user, spec.resume],
        ['tom', { session: session.metadata.name, uid: session.metadata.uid, source: session.metadata.uid }],
      );
    });
  });

  describe('stop', () => {
    const stop = (session: Session, user: string, body: object = {}): Promise<StopAccepted> =>
      json(livePaths.stop(...at(session)), as(user, { method: 'POST', body }));

    before(async () => {
      // Whatever else users may do; here it is about who is written down.
      for (const user of ['ann', 'bob', 'jürgen']) {
        await cluster.kubectl([
          '-n',
          namespace,
          'create',
          'rolebinding',
          `stop-${user === 'jürgen' ? 'j' : user}`,
          '--clusterrole=ambient-editor',
          `--user=${user}`,
        ]);
      }
    });

    it('is state and history, with who and why, and stands', async () => {
      const session = await create();
      await setStatus(session, { phase: 'Pending' });
      const accepted = await stop(session, 'ann', { reason: 'wrong prompt', gracePeriodSeconds: 5 });
      assert.deepEqual([accepted.requestedBy, accepted.gracePeriodSeconds], ['ann', 5]);
      assert.deepEqual(await stop(session, 'bob', { gracePeriodSeconds: 0 }), accepted);
      const { status } = await current(session);
      assert.deepEqual(status?.stop, {
        requestedAt: accepted.requestedAt,
        requestedBy: 'ann',
        reason: 'wrong prompt',
        gracePeriodSeconds: 5,
      });
      assert.deepEqual(status?.history, [
        {
          seq: 1,
          timestamp: accepted.requestedAt,
          event: 'StopRequested',
          actor: 'ann',
          data: { reason: 'wrong prompt', gracePeriodSeconds: 5 },
        },
      ]);
    });

    it('names people as they are called', async () => {
      const session = await create();
      const accepted = await json<StopAccepted>(livePaths.stop(...at(session)), {
        method: 'POST',
        body: {},
        headers: { 'impersonate-user': Buffer.from('jürgen').toString('latin1') },
      });
      assert.equal(accepted.requestedBy, 'jürgen');
    });

    it('loses no entry to patches that come at the same time', async () => {
      const session = await create();
      await setStatus(session, { phase: 'Pending' });
      // Others change the session all the while, each by the version it has read.
      let others = 0;
      const busy = new AbortController();
      const change = async (): Promise<void> => {
        while (!busy.signal.aborted) {
          await setStatus(session, { message: `change ${++others}` });
          await sleep(5);
        }
      };
      const changing = change();
      const results = await Promise.allSettled(Array.from({ length: 5 }, () => stop(session, 'ann')));
      busy.abort();
      await changing;
      assert.ok(
        results.some(({ status }) => status === 'fulfilled'),
        'one got through',
      );
      const { status } = await current(session);
      assert.equal(status?.history?.filter(({ event }) => event === 'StopRequested').length, 1);
    });

    it('is refused for a session that is over', async () => {
      const session = await create();
      await setStatus(session, { phase: 'Failed' });
      await refused(stop(session, 'ann'), 409, 'already_finished');
      assert.equal((await current(session)).status?.stop, undefined);
    });
  });

  describe('certificates', () => {
    const certificates = (names: string[]): OperatorCertificates =>
      new OperatorCertificates({
        client: cluster.client,
        namespace,
        names,
        clock: systemClock,
        log: pino({ level: 'silent' }),
      });

    it('are made once, though several operators start at once', async () => {
      await using stack = new AsyncDisposableStack();
      const all = Array.from({ length: 4 }, () => stack.use(certificates(['a.svc'])));
      await Promise.all(all.map((each) => each.start()));
      assert.equal(new Set(all.map(({ current: { cert, key } }) => cert + key)).size, 1);
      assert.equal(new Set(all.map(({ caBundle }) => caBundle)).size, 1);
    });

    it('are exchanged in all operators when one renews them, and made anew when spoilt', async () => {
      await using stack = new AsyncDisposableStack();
      const [one, two] = [stack.use(certificates(['a.svc'])), stack.use(certificates(['a.svc', 'b.svc']))];
      await one.start();
      const before = one.current.cert;
      let changes = 0;
      one.onChange(() => changes++);
      await two.start();
      assert.notEqual(two.current.cert, before);
      await one.refresh();
      await one.refresh();
      assert.deepEqual([one.current.cert, changes], [two.current.cert, 1]);
      await cluster.client.mergePatch(
        secrets,
        { namespace, name: TLS_SECRET },
        { data: { 'ca.crt': 'eA==' } },
      );
      await one.refresh();
      assert.notEqual(one.current.cert, two.current.cert);
      await cluster.client.delete(secrets, { namespace, name: TLS_SECRET });
      await two.refresh();
      await one.refresh();
      assert.equal(one.caBundle, two.caBundle);
    });

    it('are told to the API server, again when somebody takes them out', async () => {
      const name = 'v1alpha1.live.ambient.ai';
      const bundle = async (): Promise<string> => {
        const { spec } = await cluster.client.get(apiServices, { name });
        return Buffer.from(spec.caBundle ?? '', 'base64').toString();
      };
      assert.equal(await bundle(), doors.endpoint().ca);
      await cluster.client.mergePatch(apiServices, { name }, { spec: { caBundle: null } });
      await until(async () => (await bundle()) === doors.endpoint().ca, 'the bundle is back');
      const { data } = await cluster.client.get(secrets, { namespace: OPERATOR_NAMESPACE, name: TLS_SECRET });
      assert.equal(Buffer.from(data?.['ca.crt'] ?? '', 'base64').toString(), doors.endpoint().ca);
    });
  });

  it('has a front proxy whose authority the cluster publishes', async () => {
    const { data } = await cluster.client.get(configMaps, {
      namespace: 'kube-system',
      name: 'extension-apiserver-authentication',
    });
    assert.match(data?.['requestheader-client-ca-file'] ?? '', /BEGIN CERTIFICATE/);
  });

  // Last, as nothing is served afterwards.
  describe('the end of the operator', () => {
    it('breaks a follower’s log off when the operator goes, so that nobody takes it for the end', async () => {
      const session = await create();
      const { token } = await startRunner(session);
      await runner(token, 'POST', 'events', { body: ndjson(1, 1) });
      const { body } = await stream(livePaths.log(...at(session), { follow: true }), { timeoutMs: 0 });
      let seen = '';
      const reading = (async () => {
        for await (const chunk of body.setEncoding('utf8') as AsyncIterable<string>) seen += chunk;
      })();
      await until(() => seen.includes('line 1'), 'the first line comes');
      const [outcome] = await Promise.all([
        reading.then(
          () => 'ended',
          () => 'broken off',
        ),
        doors.close(500),
      ]);
      assert.equal(outcome, 'broken off');
    });
  });
});
