/** Admission as users meet it: a real API server asks the operator before it stores sessions and policies. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { AuditRecord } from '../../common/api/audit.ts';
import {
  API_VERSION,
  FINALIZER_DATA,
  OPERATOR_ACTOR,
  OPERATOR_NAMESPACE,
  POLICY_NAME,
} from '../../common/api/names.ts';
import type { NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import type { Session } from '../../common/api/session.ts';
import { AmbientError } from '../../common/errors.ts';
import { KubeError } from '../../common/kube/errors.ts';
import {
  configMaps,
  namespacePolicies,
  pods,
  secrets,
  sessions,
  validatingWebhookConfigurations,
} from '../../common/kube/resource.ts';
import { effectivePolicy } from '../../common/rules/policy/effective.ts';
import { createAdmissionServer } from '../../operator/serve/admission/server.ts';
import { makeAuthority, makeLeaf } from '../../operator/serve/tls/authority.ts';
import { bundleOf, makeMaterial, toSecretData } from '../../operator/serve/tls/material.ts';
import { WEBHOOK_CONFIGURATION } from '../../operator/serve/tls/publisher.ts';
import { Admission } from '../../operator/sessions/admission.ts';
import { pool } from '../bench/measure.ts';
import { admissionAnswers, admissionObjects, applyAdmission } from '../support/admission.ts';
import { recordedIn } from '../support/audit.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { aPolicy, aSession } from '../support/fixtures.ts';
import { ask } from '../support/https.ts';
import { runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { current, endOf, finished, inPhase } from '../support/sessions.ts';
import { until } from '../support/until.ts';

const DAY_MS = 24 * 3600_000;
const ONLY_CLAUDE: NamespacePolicySpec = { models: { allowed: ['claude-*'], budget: { monthly: '100.00' } } };

describe('admission', function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let operator: OperatorProcess;
  let namespace: string;
  let counter = 0;

  /** Of a framework that does not exist, so that no pod comes of it. */
  const asking = (config: Record<string, unknown> = {}, spec: Partial<Session['spec']> = {}): Session =>
    aSession(`a${++counter}`).in(namespace).of('none-such', config).spec(spec).toCreate();
  const create = (session: Session, options = {}): Promise<Session> =>
    cluster.client.create(sessions, session, options);
  const kubectl = (args: string[], object: object): Promise<string> =>
    cluster.kubectl([...args, '-f', '-', '-o', 'json'], { input: JSON.stringify(object) });
  const createAs = async (user: string, session: Session, ...groups: string[]): Promise<Session> => {
    const as = ['--as', user, ...groups.flatMap((group) => ['--as-group', group])];
    return JSON.parse(await kubectl(['create', ...as], session)) as Session;
  };
  const refused = async (work: Promise<unknown>): Promise<KubeError> => {
    const error: unknown = await work.then(
      () => assert.fail('it was admitted'),
      (err: unknown) => err,
    );
    assert.ok(error instanceof KubeError, String(error));
    return error;
  };
  const setPolicy = async (spec: NamespacePolicySpec, at = namespace): Promise<void> => {
    const { apiVersion, kind, metadata } = aPolicy(at);
    const { name } = metadata;
    await kubectl(['apply'], { apiVersion, kind, metadata: { name, namespace: at }, spec });
  };
  /** What people did: the controllers have their own records. */
  const audited = async (): Promise<AuditRecord[]> =>
    (await recordedIn(operator.storeDir, namespace)).filter(({ actor }) => actor !== OPERATOR_ACTOR);

  before(async function () {
    this.timeout(400_000);
    cluster = await testCluster(this);
    operator = await runOperatorProcess(cluster, { admission: true });
    namespace = await cluster.namespace('admission');
    await setPolicy(ONLY_CLAUDE);
    // The operator's watch may bring the policy a moment later.
    await until(
      () =>
        create(asking({ model: 'x' }), { dryRun: true }).then(
          () => false,
          () => true,
        ),
      'the policy holds',
    );
    await cluster.kubectl([
      '-n',
      namespace,
      'create',
      'rolebinding',
      'ann',
      '--clusterrole=edit',
      '--user=ann',
    ]);
    await until(() => createAs('ann', asking()).catch(() => undefined), 'ann may launch sessions');
  });
  after(async function () {
    this.timeout(60_000);
    await operator?.[Symbol.asyncDispose]();
  });

  it('stamps who launched a session: nobody can launch in another’s name', async () => {
    const createdBy = { user: 'eve', uid: 'u-eve', groups: ['system:masters'] };
    const session = await createAs('ann', asking({}, { createdBy }), 'team-a');
    assert.equal(session.spec.createdBy?.user, 'ann');
    assert.equal(session.spec.createdBy.uid, undefined);
    assert.deepEqual(session.spec.createdBy.groups, ['team-a', 'system:authenticated']);
    const stored = await current(session, cluster.client);
    assert.deepEqual(stored.spec.createdBy, session.spec.createdBy);
    assert.deepEqual(stored.metadata.finalizers, [FINALIZER_DATA]);
    // Not even an administrator.
    const admins = await create(asking({}, { createdBy }));
    assert.notEqual(admins.spec.createdBy?.user, 'eve');
  });

  it('stamps a ServiceAccount as what its token says', async () => {
    await cluster.kubectl(['-n', namespace, 'create', 'serviceaccount', 'ci']);
    const subject = `--serviceaccount=${namespace}:ci`;
    await cluster.kubectl(['-n', namespace, 'create', 'rolebinding', 'ci', '--clusterrole=edit', subject]);
    const token = (await cluster.kubectl(['-n', namespace, 'create', 'token', 'ci'])).trim();
    const created = await until(
      () =>
        cluster
          .kubectl(
            [
              'create',
              '--token',
              token,
              '-f',
              '-',
              '-o',
              'json',
              '--kubeconfig',
              '/dev/null',
              '--server',
              cluster.server,
              '--insecure-skip-tls-verify',
            ],
            { input: JSON.stringify(asking()) },
          )
          .catch(() => undefined),
      'the ServiceAccount may launch sessions',
    );
    const { createdBy } = (JSON.parse(created) as Session).spec;
    assert.equal(createdBy?.user, `system:serviceaccount:${namespace}:ci`);
    assert.ok(createdBy.groups?.includes(`system:serviceaccounts:${namespace}`));
    assert.match(createdBy.uid ?? '', /^[0-9a-f-]{36}$/);
  });

  it('refuses what policy forbids, with the rule, the value and what is allowed', async () => {
    const error = await refused(create(asking({ model: 'gpt-5' })));
    assert.equal(error.status, 403);
    const message =
      'spec.framework.config.model is "gpt-5": spec.models.allowed of the namespace\'s policy does not cover it. Allowed: claude-*.';
    assert.equal(
      error.message,
      `admission webhook "policy.sessions.ambient.ai" denied the request: ${message}`,
    );
    assert.equal(error.causeCode, 'policy_violation');
    assert.deepEqual(error.kubeStatus?.details?.causes?.[1], {
      reason: 'spec.models.allowed',
      field: 'spec.framework.config.model',
      message,
    });
    const dear = await refused(
      create(asking({}, { policy: { modelConstraints: { budget: '100.01', allowed: ['*'] } } })),
    );
    assert.deepEqual(
      dear.kubeStatus?.details?.causes?.slice(1).map(({ reason }) => reason),
      ['spec.models.allowed', 'spec.models.budget.monthly'],
    );
    await create(asking({ model: 'claude-opus' }, { policy: { modelConstraints: { budget: '100' } } }));
  });

  it('records who was refused and who launched, nothing of a dry run, and stores nothing of it', async () => {
    const before = (await audited()).length;
    const dry = asking({ model: 'claude-opus' });
    const answer = await create(dry, { dryRun: true });
    assert.ok(answer.spec.createdBy?.user);
    await refused(create(asking({ model: 'gpt-5' }), { dryRun: true }));
    await refused(cluster.client.get(sessions, { namespace, name: dry.metadata.name }));
    const real = asking({ model: 'claude-opus' });
    await createAs('ann', real);
    await refused(create(asking({ model: 'gpt-5' })));
    await cluster.client.delete(sessions, { namespace, name: real.metadata.name });
    const records = await until(async () => {
      const found = (await audited()).slice(before);
      return found.length >= 3 ? found : undefined;
    }, 'three records');
    assert.deepEqual(
      records.map(({ action, outcome }) => `${action} ${outcome}`),
      ['create allowed', 'create denied', 'delete allowed'],
    );
    assert.equal(records[0]?.actor, 'ann');
    assert.equal(records[2]?.sessionId, real.metadata.name);
  });

  it('warns whoever sets a policy of each mistake in it', async () => {
    const at = await cluster.namespace('warned');
    const spec: NamespacePolicySpec = { models: { allowed: ['a'], blocked: ['a'] } };
    const { apiVersion, kind } = aPolicy(at);
    const said = await cluster
      .kubectl(['apply', '--warnings-as-errors', '-f', '-'], {
        input: JSON.stringify({ apiVersion, kind, metadata: { name: POLICY_NAME, namespace: at }, spec }),
      })
      .catch((error: unknown) => String(error));
    assert.match(said, /spec\.models\.allowed\[0\] "a" is allowed and blocked by "a"; blocked wins/);
    assert.ok(await cluster.client.get(namespacePolicies, { namespace: at, name: POLICY_NAME }));
  });

  it('holds a session to the schema of its framework, and warns of a deprecated version', async () => {
    const at = await cluster.namespace('schemas');
    const name = 'strict';
    await kubectl(['apply'], {
      ...{ apiVersion: API_VERSION, kind: 'Framework', metadata: { name } },
      spec: {
        versions: [{ name: '1', image: 'example/none:1', deprecated: 'Wait for 2.' }],
        command: ['true'],
        configSchema: {
          type: 'object',
          properties: { maxTurns: { type: 'integer', minimum: 1 } },
        },
      },
    });
    const launch = (config: Record<string, unknown>): Promise<string> =>
      cluster
        .kubectl(['create', '--dry-run=server', '--warnings-as-errors', '-f', '-'], {
          input: JSON.stringify(aSession('s').in(at).of(name, config).toCreate()),
        })
        .catch((error: unknown) => String(error));
    const wrong = /maxTurns/;
    const said = await until(async () => {
      const text = await launch({ maxTurns: 0 });
      return wrong.test(text) ? text : undefined;
    }, 'the operator knows the framework');
    assert.match(
      said,
      /spec\.framework\.config does not fit framework "strict": config\.maxTurns must be >= 1/,
    );
    assert.match(
      await launch({ maxTurns: 1 }),
      /Warning: version 1 of framework strict is deprecated: Wait for 2\./,
    );
    await cluster.kubectl(['delete', 'framework', name]);
  });

  it('decides about a session that waits anew when the policy changes', async () => {
    const at = await cluster.namespace('changed');
    const upload = { sizeBytes: 10, digest: `sha256:${'0'.repeat(64)}` };
    const framework = { apiVersion: API_VERSION, kind: 'Framework', metadata: { name: 'waits' } };
    await kubectl(['apply'], {
      ...framework,
      spec: { versions: [{ name: '1', image: 'example/none:1' }], command: ['true'] },
    });
    const waiting = aSession('waits').in(at).of('waits', { model: 'gpt-5' });
    const session = await create(waiting.spec({ source: { type: 'upload', upload } }).toCreate());
    await inPhase(cluster.client, session, ({ status }) => status?.phase === 'Pending', 'it waits');
    await setPolicy({ models: { blocked: ['gpt-*'] } }, at);
    const ended = await finished(cluster.client, session, 5000);
    assert.equal(endOf(ended), 'Failed/PolicyViolation');
    assert.match(
      ended.status?.message ?? '',
      /spec\.models\.blocked of the namespace's policy blocks it by "gpt-\*"/,
    );
    await cluster.kubectl(['delete', 'framework', 'waits']);
  });

  it('decides 1,000 launches at once over 20 connections, each rightly', async () => {
    const outcomes = { admitted: 0, refused: 0 };
    const from = performance.now();
    await pool(1000, 20, async (index) => {
      const isAllowed = index % 2 === 0;
      const session = asking({ model: isAllowed ? `claude-${index}` : `gpt-${index}` });
      const created = await create(session).catch((error: unknown) => error);
      if (created instanceof KubeError) {
        assert.equal(created.causeCode, 'policy_violation', created.message);
        assert.ok(!isAllowed, created.message);
        outcomes.refused++;
      } else {
        assert.ok(isAllowed);
        outcomes.admitted++;
      }
    });
    console.log(`      1,000 launches in ${Math.round(performance.now() - from)} ms`);
    assert.deepEqual(outcomes, { admitted: 500, refused: 500 });
  });

  it('holds out what is very large or odd', async () => {
    const tools = Array.from({ length: 100_000 }, (_, index) => `t${index}`);
    await setPolicy({
      ...ONLY_CLAUDE,
      tools: { allowed: Array.from({ length: 200 }, (_, i) => `*a*b*c${i}*`) },
    });
    const many = await until(
      () =>
        create(asking({ tools })).then(
          () => undefined,
          (error: unknown) => error as KubeError,
        ),
      'the tools are counted',
    );
    assert.match(many.message, /tools is a list of 100000: it must be a list of at most 200 strings/);
    const long = await refused(create(asking({ model: 'x'.repeat(1_000_000) })));
    assert.ok(long.message.length < 1000, long.message);
    await setPolicy(ONLY_CLAUDE);
    for (const spec of [undefined, 5, [], { framework: null }, { framework: { type: 5 } }]) {
      const error = await refused(create({ ...asking(), spec } as unknown as Session));
      assert.ok([400, 422].includes(error.status), `${JSON.stringify(spec)}: ${error.message}`);
    }
    const overwritten = await create(asking({}, { createdBy: 5 } as object));
    assert.ok(overwritten.spec.createdBy?.user);
  });

  it('is put right again when it is applied anew, and goes on with new certificates without a restart', async () => {
    const { port, host } = { port: operator.ports.admission, host: cluster.nodeHostAddress };
    const fingerprint = async (): Promise<string> => {
      const socket = connect({ port, host, rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const { fingerprint256 } = socket.getPeerCertificate();
      socket.destroy();
      return fingerprint256;
    };
    const before = await fingerprint();
    const material = await makeMaterial([host], new Date());
    const at = { namespace: OPERATOR_NAMESPACE, name: 'ambient-operator-tls' };
    const secret = await cluster.client.get(secrets, at);
    await cluster.client.replace(secrets, { ...secret, data: toSecretData(material) });
    const url = `https://${host}:${port}/`;
    const items = await admissionObjects(url);
    await cluster.kubectl(['replace', '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
    });
    await until(async () => (await fingerprint()) !== before, 'the new certificate is shown');
    await until(async () => {
      const { webhooks = [] } = await cluster.client.get(validatingWebhookConfigurations, {
        name: WEBHOOK_CONFIGURATION,
      });
      return webhooks.every(
        ({ clientConfig }) =>
          Buffer.from(clientConfig.caBundle ?? '', 'base64').toString() === bundleOf(material) &&
          clientConfig.url?.includes(material.token),
      );
    }, 'the new authority and token are published');
    await until(() => create(asking()).catch(() => undefined), 'sessions are launched again');
    assert.ok(operator.running());
  });

  /** What must go on whatever becomes of the operator. */
  const othersGoOn = async (): Promise<void> => {
    const name = `other-${++counter}`;
    const metadata = { name, namespace };
    await cluster.client.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata });
    await cluster.client.create(pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata,
      spec: { containers: [{ name: 'c', image: 'example/none:1' }] },
    });
    await cluster.client.delete(pods, { namespace, name });
    await setPolicy({ ...ONLY_CLAUDE, concurrency: { maxSessions: ++counter } });
    const { items } = await cluster.client.list(sessions, { namespace });
    const standing = items[0];
    assert.ok(standing);
    const at = { namespace, name: standing.metadata.name };
    await cluster.client.mergePatch(
      sessions,
      { ...at, subresource: 'status' },
      { status: { message: name } },
    );
    await cluster.client.delete(sessions, at);
    for (const free of ['kube-system', OPERATOR_NAMESPACE]) {
      const session = await create(aSession(name).in(free).of('none-such').toCreate());
      assert.equal(session.spec.createdBy, undefined);
      await cluster.client.delete(sessions, { namespace: free, name });
    }
  };

  it('refuses a createdBy that is not the requester, also where the operator is not asked', async () => {
    for (const free of ['kube-system', OPERATOR_NAMESPACE]) {
      const forged = aSession(`forged-${++counter}`).in(free).of('none-such');
      const error = await refused(create(forged.spec({ createdBy: { user: 'eve' } }).toCreate()));
      assert.equal(error.status, 403);
      assert.match(error.message, /spec\.createdBy\.user is eve, but .+ launches it/);
    }
    const { spec } = await create(asking(), { dryRun: true });
    const own = { user: spec.createdBy?.user ?? '', groups: ['system:authenticated', 'not-mine'] };
    const session = aSession(`forged-${++counter}`).in('kube-system').of('none-such');
    const error = await refused(create(session.spec({ createdBy: own }).toCreate()));
    assert.match(error.message, /names a group that the user who launches it is not in/);
  });

  it('lets nobody take up the data of another session by hand, also where the operator is not asked', async () => {
    const resume = { session: 'old', uid: 'uid-of-old', source: 'uid-of-old' };
    for (const place of [namespace, 'kube-system']) {
      const forged = aSession(`forged-${++counter}`).in(place).of('none-such').spec({ resume });
      const error = await refused(create(forged.toCreate()));
      assert.equal(error.status, 403);
      assert.match(
        error.message,
        /spec\.resume is the operator.s; a session is resumed by sessions\/resume|spec\.resume is the operator.s: a session is resumed/,
      );
    }
  });

  it('launches nothing while the operator is away, says so, and leaves everything else alone', async () => {
    await operator.stop();
    const error = await refused(create(asking()));
    assert.equal(error.status, 500);
    assert.match(
      error.message,
      /failed calling webhook "created-by\.sessions\.ambient\.ai".*connection refused/,
    );
    await othersGoOn();
  });

  it('launches nothing while its certificate has expired, and leaves everything else alone', async () => {
    const long = new Date(Date.now() - 200 * DAY_MS);
    const authority = await makeAuthority(long);
    const leaf = await makeLeaf(authority, [cluster.nodeHostAddress], long);
    const door = createAdmissionServer({
      admission: new Admission({
        policies: { of: () => effectivePolicy(undefined) },
        framework: () => undefined,
        frameworks: () => [],
        ready: () => true,
        audit: { record: () => Promise.reject(new AmbientError('internal', 'nobody should come so far')) },
        operator: '',
      }),
      certificates: { current: leaf, onChange: () => ({ [Symbol.dispose]: () => undefined }) },
      isToken: async () => true,
      logger: pino({ level: 'silent' }),
      metrics: new Registry(),
    });
    const port = await door.listen(0, cluster.nodeHostAddress);
    await using stack = new AsyncDisposableStack();
    stack.defer(() => door.close(0));
    stack.use(await applyAdmission(cluster, `https://${cluster.nodeHostAddress}:${port}/`));
    const caBundle = Buffer.from(authority.cert).toString('base64');
    for (const kind of ['mutating', 'validating']) {
      const name = `${kind}webhookconfiguration`;
      const { webhooks } = JSON.parse(
        await cluster.kubectl(['get', name, WEBHOOK_CONFIGURATION, '-o', 'json']),
      ) as { webhooks: { clientConfig: object }[] };
      for (const webhook of webhooks) webhook.clientConfig = { ...webhook.clientConfig, caBundle };
      const patch = JSON.stringify({ webhooks });
      await cluster.kubectl(['patch', name, WEBHOOK_CONFIGURATION, '--type=merge', '-p', patch]);
    }
    const error = await until(
      () =>
        create(asking()).then(
          () => undefined,
          (err: unknown) => (String(err).includes('x509') ? (err as KubeError) : undefined),
        ),
      'the expired certificate is met',
    );
    assert.match(error.message, /certificate has expired/);
    await othersGoOn();
  });

  it('works again when the operator is back, which makes its expired certificates anew', async () => {
    const at = { namespace: OPERATOR_NAMESPACE, name: 'ambient-operator-tls' };
    const secret = await cluster.client.get(secrets, at);
    const expired = await makeMaterial([cluster.nodeHostAddress], new Date(Date.now() - 200 * DAY_MS));
    await cluster.client.replace(secrets, { ...secret, data: toSecretData(expired) });
    await operator[Symbol.asyncDispose]();
    operator = await runOperatorProcess(cluster, { admission: true });
    await admissionAnswers(cluster);
    assert.ok((await create(asking())).spec.createdBy);
    // The API server's errors have named the path to whoever launched meanwhile.
    const { data = {} } = await cluster.client.get(secrets, at);
    const token = toSecretData(expired)['admission-token'] ?? '';
    assert.notEqual(data['admission-token'], token);
    const { port, host } = { port: operator.ports.admission, host: cluster.nodeHostAddress };
    const ca = Buffer.from(data['ca.crt'] ?? '', 'base64').toString();
    const path = `/${Buffer.from(token, 'base64').toString()}/policy.sessions.ambient.ai`;
    assert.equal((await ask({ host, port, ca }, path, { method: 'POST', body: '{}' })).status, 404);
  });
});
