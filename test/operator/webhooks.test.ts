/** Webhooks before a real API server and two operators that share a store, as senders meet them. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REST_BASE } from '../../common/api/rest/operation.ts';
import { OPERATOR_NAME, OPERATOR_NAMESPACE } from '../../common/api/names.ts';
import type { NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import type { Session } from '../../common/api/session.ts';
import { configMaps, namespacePolicies, sessions } from '../../common/kube/resource.ts';
import { findCondition } from '../../common/rules/conditions.ts';
import { DirectoryStore } from '../../operator/store/directory.ts';
import { startApiProxy } from '../support/api-proxy.ts';
import type { ApiProxy } from '../support/api-proxy.ts';
import { recordedIn } from '../support/audit.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { manifests } from '../support/deploy.ts';
import { aPolicy } from '../support/fixtures.ts';
import { ask } from '../support/https.ts';
import type { Answer } from '../support/https.ts';
import { runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { operatorAuthority } from '../support/rest.ts';
import { until } from '../support/until.ts';
import { DIRECT, githubSignature, hashOf } from '../support/webhook-door.ts';
import { webReceiver } from '../support/web-receiver.ts';
import { webhookPayload } from '../support/webhook-payloads.ts';

const WIDE = { requestsPerMinute: 100_000, burstSize: 100_000 };

describe('webhooks', function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let storeDir: string;
  let ca: string;
  let operators: OperatorProcess[];
  let namespace: string;
  let key: string;
  let id: string;
  const secret = randomBytes(32).toString('hex');

  const run = (identity: string, admission = false): Promise<OperatorProcess> =>
    runOperatorProcess(cluster, {
      storeDir,
      identity,
      admission,
      flags: { 'notify-allow': '127.0.0.1/32', 'notify-http': true },
    });
  const send = (
    path: string,
    body: unknown,
    headers: Record<string, string> = {},
    operator = operators[0],
  ): Promise<Answer> =>
    ask(
      { host: cluster.nodeHostAddress, port: operator?.ports.rest ?? 0, ca },
      `${REST_BASE}/webhooks/${path}`,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      },
    );
  const withKey = (body: unknown, headers = {}, operator = operators[0]): Promise<Answer> =>
    send('generic', body, { 'x-api-key': key, ...headers }, operator);
  const field = ({ json }: Answer, name: string): unknown =>
    (json as Record<string, unknown> | undefined)?.[name];
  const apply = async (...objects: object[]): Promise<void> => {
    const list = { apiVersion: 'v1', kind: 'List', items: objects };
    await cluster.kubectl(['-n', namespace, 'apply', '-f', '-'], { input: JSON.stringify(list) });
  };
  const setPolicy = async (more: NamespacePolicySpec = {}, rateLimit = WIDE): Promise<void> => {
    // Each has a key of its own, by which it is told from the one before.
    key = randomBytes(32).toString('hex');
    const keys = [{ id, source: 'github' as const, signing: { secretName: 'hook', key: 'github' } }];
    const webhookAuth = { apiKeys: { generic: hashOf(key) }, keys, rateLimit };
    const { apiVersion, kind, metadata } = aPolicy(namespace);
    await apply({
      apiVersion,
      kind,
      metadata: { name: metadata.name, namespace },
      spec: { webhookAuth, ...more },
    });
    // Both have heard of it.
    for (const operator of operators)
      await until(
        async () => (await send('generic/validate', DIRECT, { 'x-api-key': key }, operator)).status !== 401,
        'the policy is known',
        10_000,
      );
  };
  const all = async (): Promise<Session[]> => (await cluster.client.list(sessions, { namespace })).items;

  before(async function () {
    this.timeout(400_000);
    cluster = await testCluster(this);
    await cluster.kubectl(['apply', '-f', join(manifests, 'frameworks')]);
    storeDir = await mkdtemp(join(tmpdir(), 'ambient-webhooks-'));
    operators = [await run('webhooks-one', true), await run('webhooks-two')];
    ca = await operatorAuthority(cluster);
  });
  after(async function () {
    this.timeout(60_000);
    await cluster?.removeSessions();
    for (const operator of operators ?? []) await operator[Symbol.asyncDispose]();
    if (storeDir !== undefined) await rm(storeDir, { recursive: true, force: true });
  });
  beforeEach(async () => {
    namespace = await cluster.namespace('webhooks');
    id = randomBytes(10).toString('hex');
    await setPolicy();
  });

  it('start one session for twenty redeliveries at once over two replicas, and after a restart', async () => {
    const headers = { 'idempotency-key': 'delivery-1' };
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => withKey(DIRECT, headers, operators[n % 2])),
    );
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([202]), answers[0]?.text);
    const ids = new Set(answers.map((answer) => field(answer, 'sessionId')));
    assert.equal(ids.size, 1);
    const [session, ...others] = await all();
    assert.deepEqual(others, []);
    assert.equal(session?.metadata.name, [...ids][0]);
    assert.deepEqual(session?.metadata.finalizers, ['ambient.ai/data']);
    assert.equal(
      session.spec.createdBy?.user,
      `system:serviceaccount:${OPERATOR_NAMESPACE}:${OPERATOR_NAME}`,
    );

    await operators[1]?.kill();
    await operators[1]?.[Symbol.asyncDispose]();
    operators[1] = await run('webhooks-three');
    const again = await withKey(DIRECT, headers, operators[1]);
    assert.deepEqual([again.status, field(again, 'sessionId')], [202, session.metadata.name]);
    assert.equal((await all()).length, 1);
    const records = (await recordedIn(storeDir, namespace)).filter(
      ({ details, sessionId }) => details?.['door'] === 'webhooks' && sessionId === session.metadata.name,
    );
    assert.ok(records.length > 0);
    assert.ok(
      records.every(({ actor, outcome }) => actor === 'ambient:webhook:generic' && outcome === 'allowed'),
    );
  });

  it('start none again for a delivery whose session was deleted', async () => {
    const headers = { 'idempotency-key': 'delivery-1' };
    const { status } = await withKey(DIRECT, headers);
    assert.equal(status, 202);
    await cluster.kubectl(['-n', namespace, 'delete', 'sessions', '--all', '--timeout=60s']);
    await until(
      async () => (await withKey(DIRECT, headers, operators[1])).status === 410,
      'it is gone',
      10_000,
    );
    assert.deepEqual(await all(), []);
  });

  it('take a pull request to the session that a trigger makes of it', async () => {
    await apply(
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'hook' }, stringData: { github: secret } },
      {
        apiVersion: 'ambient.ai/v1alpha1',
        kind: 'SessionTrigger',
        metadata: { name: 'review' },
        spec: {
          source: 'github',
          when: { events: ['pull_request'], actions: ['opened'] },
          session: { displayName: 'Review of {{event.title}}', framework: DIRECT.framework },
        },
      },
    );
    const { payload } = webhookPayload('github-pull_request-opened');
    const body = JSON.stringify(payload);
    const headers = {
      'x-github-event': 'pull_request',
      'x-github-delivery': 'd-1',
      'x-hub-signature-256': githubSignature(secret, body),
    };
    const deliver = (operator = operators[0]): Promise<Answer> =>
      send(`github?key=${id}`, body, headers, operator);
    // The Secret is there, but the operator may not read it: for the sender that is a wrong signature.
    const early = await deliver();
    assert.deepEqual([early.status, field(early, 'error')], [401, 'invalid_signature']);
    const configValid = async (): Promise<string> => {
      const policy = await cluster.client.get(namespacePolicies, { namespace, name: 'policy' });
      const { status, message = '' } = findCondition(policy.status?.conditions, 'ConfigValid') ?? {};
      return `${status} ${message}`;
    };
    await until(
      async () => /^False .*keys\[0\]\.signing: .*may not read Secret hook/.test(await configValid()),
      'the policy says so',
      20_000,
    );
    const reader = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'hook' };
    await apply(
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name: 'hook' },
        rules: [{ apiGroups: [''], resources: ['secrets'], resourceNames: ['hook'], verbs: ['get'] }],
      },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: 'hook' },
        roleRef: reader,
        subjects: [{ kind: 'ServiceAccount', name: OPERATOR_NAME, namespace: OPERATOR_NAMESPACE }],
      },
    );
    let answer = early;
    await until(async () => (answer = await deliver()).status !== 401, 'the secret is read', 15_000);
    assert.equal(answer.status, 202, answer.text);
    const [session] = await all();
    assert.equal(session?.metadata.name, field(answer, 'sessionId'));
    assert.match(session?.spec.displayName ?? '', /^Review of /);
    const { trigger } = session?.spec ?? {};
    assert.deepEqual(
      [trigger?.source, trigger?.name, trigger?.delivery, trigger?.received?.key],
      ['github', 'review', 'd-1', id],
    );
    assert.ok(trigger?.payload?.['pull_request']);
    const second = await deliver(operators[1]);
    assert.deepEqual([second.status, field(second, 'sessionId')], [202, session?.metadata.name]);
    await until(async () => (await configValid()).startsWith('True'), 'the policy is right', 20_000);
  });

  it('are answered where they came from when their session has ended', async () => {
    await using github = await webReceiver();
    github.answer = (response) => void response.writeHead(201).end('{"id":1}');
    const subjects = [{ kind: 'ServiceAccount', name: OPERATOR_NAME, namespace: OPERATOR_NAMESPACE }];
    await apply(
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'hook' },
        stringData: { github: secret, token: 'bot-token' },
      },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name: 'hook' },
        rules: [{ apiGroups: [''], resources: ['secrets'], resourceNames: ['hook'], verbs: ['get'] }],
      },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: 'hook' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'hook' },
        subjects,
      },
      {
        apiVersion: 'ambient.ai/v1alpha1',
        kind: 'SessionTrigger',
        metadata: { name: 'review' },
        spec: {
          source: 'github',
          session: { framework: DIRECT.framework },
          answer: {
            credential: { secretName: 'hook', key: 'token' },
            url: `http://127.0.0.1:${github.port}`,
          },
        },
      },
    );
    const { payload } = webhookPayload('github-pull_request-opened');
    const body = JSON.stringify(payload);
    const headers = {
      'x-github-event': 'pull_request',
      'x-github-delivery': 'd-2',
      'x-hub-signature-256': githubSignature(secret, body),
    };
    let answer: Answer | undefined;
    await until(
      async () => (answer = await send(`github?key=${id}`, body, headers)).status === 202,
      'the delivery is taken',
      20_000,
    );
    assert.ok(answer);
    const name = String(field(answer, 'sessionId'));
    await until(
      async () => (await cluster.client.get(sessions, { namespace, name })).status?.phase !== undefined,
      'the session is looked at',
    );
    await cluster.client.mergePatch(
      sessions,
      { namespace, name, subresource: 'status' },
      {
        status: {
          phase: 'Failed',
          conditions: [
            {
              type: 'Failed',
              status: 'True',
              reason: 'Stopped',
              message: 'By this test.',
              lastTransitionTime: new Date().toISOString(),
            },
          ],
        },
      },
    );
    await until(() => github.received.length > 0, 'GitHub is told', 20_000);
    const [{ path, headers: told, body: said } = assert.fail()] = github.received;
    assert.match(path, /^\/repos\/[^/]+\/[^/]+\/issues\/[0-9]+\/comments$/);
    assert.equal(told.authorization, 'Bearer bot-token');
    assert.match(said, new RegExp(`${name}.*has failed \\(Stopped\\)`));
  });

  it('are held to their rate by both replicas together', async () => {
    await setPolicy({}, { requestsPerMinute: 1, burstSize: 5 });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => withKey(DIRECT, {}, operators[n % 2])),
    );
    const statuses = answers.map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 202).length, 5, statuses.join());
    assert.equal(statuses.filter((status) => status === 429).length, 15);
    const refused = answers.find(({ status }) => status === 429);
    const seconds = Number(refused?.headers['retry-after']);
    assert.ok(seconds > 30 && seconds <= 60, `again after ${seconds} s`);
    assert.equal((await all()).length, 5);
    const rates = await cluster.client.get(configMaps, {
      namespace: OPERATOR_NAMESPACE,
      name: 'ambient-webhook-rates',
    });
    assert.ok(rates.data?.[`${namespace}.generic`]);
  });

  it('are refused what the policy forbids, and told before', async () => {
    await setPolicy({ models: { allowed: ['claude-*'] } });
    const asked = { framework: { type: 'generic', config: { command: 'true', model: 'gpt-5' } } };
    const refusal = async (): Promise<unknown[]> => {
      const { status, json } = await withKey(asked);
      return [status, (json as { error?: string }).error];
    };
    await until(async () => (await refusal())[0] === 403, 'the policy is known', 10_000);
    assert.deepEqual(await refusal(), [403, 'policy_violation']);
    const dry = await send('generic/validate', asked, { 'x-api-key': key });
    assert.deepEqual([dry.status, field(dry, 'valid')], [400, false]);
  });

  describe('at an operator', () => {
    let proxy: ApiProxy;
    let own: OperatorProcess;

    beforeEach(async () => {
      proxy = await startApiProxy(cluster);
      own = await runOperatorProcess(cluster, {
        storeDir,
        identity: 'webhooks-proxied',
        server: proxy.server,
      });
      await until(
        async () => (await send('generic/validate', DIRECT, { 'x-api-key': key }, own)).status === 200,
        'the key is known',
        10_000,
      );
    });
    afterEach(async () => {
      await own[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    });

    it('that dies when the session was just made, are completed by the next sending', async () => {
      const headers = { 'idempotency-key': 'delivery-1' };
      proxy.onWrite = async ({ method, path }) => {
        if (method !== 'POST' || !path.endsWith(`/${namespace}/sessions`)) return true;
        await own.kill();
        return false;
      };
      await assert.rejects(withKey(DIRECT, headers, own));
      const [session, ...others] = await all();
      assert.ok(session);
      assert.deepEqual(others, []);
      const artifact = `${namespace}/${session.metadata.uid}/artifacts/.ambient/trigger-payload`;
      const store = new DirectoryStore({ root: storeDir });
      assert.equal(await store.stat(artifact), undefined);
      const answer = await withKey(DIRECT, headers);
      assert.deepEqual([answer.status, field(answer, 'sessionId')], [202, session.metadata.name]);
      assert.equal((await all()).length, 1);
      assert.equal((await store.stat(artifact))?.digest, session.spec.trigger?.received?.digest);
    });

    it('that has lost the API server, are told to come again, and make nothing', async () => {
      await proxy[Symbol.asyncDispose]();
      const answer = await withKey(DIRECT, { 'idempotency-key': 'delivery-1' }, own);
      assert.deepEqual([answer.status, field(answer, 'error')], [503, 'unavailable']);
      assert.ok(Number(answer.headers['retry-after']) > 0);
      assert.deepEqual(await all(), []);
    });
  });

  it('answer other methods and paths as all of REST does', async () => {
    const server = { host: cluster.nodeHostAddress, port: operators[0]?.ports.rest ?? 0, ca };
    const got = await ask(server, `${REST_BASE}/webhooks/github`);
    assert.deepEqual([got.status, got.headers.allow], [405, 'POST']);
    assert.equal((await ask(server, `${REST_BASE}/webhooks`, { method: 'POST' })).status, 404);
    assert.equal((await send('github/validate/more', '{}')).status, 404);
  });
});
