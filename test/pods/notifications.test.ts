/** Notifications by a real operator with its own rights, against a real API server, to receivers that this test runs. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { SMTPServer } from 'smtp-server';
import { parseAllDocuments } from 'yaml';
import { livePaths } from '../../common/api/live.ts';
import type { NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import type { Session } from '../../common/api/session.ts';
import { namespacePolicies } from '../../common/kube/resource.ts';
import { findCondition } from '../../common/rules/conditions.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { applyFrameworks, manifests } from '../support/deploy.ts';
import { aPolicy } from '../support/fixtures.ts';
import { liveApiAvailable, runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { aCommand, inPhase, launch } from '../support/sessions.ts';
import { until } from '../support/until.ts';
import { webReceiver } from '../support/web-receiver.ts';
import type { WebReceiver } from '../support/web-receiver.ts';

const EVENTS = ['session.created', 'session.started', 'session.completed', 'session.failed'] as const;

describe('notifications of a namespace', function () {
  this.timeout(90_000);
  let cluster: TestCluster;
  let operator: OperatorProcess;
  let storeDir: string;
  let receiver: WebReceiver;
  let mailServer: SMTPServer;
  const mails: { to: string[]; source: string }[] = [];

  const run = () =>
    runOperatorProcess(cluster, {
      storeDir,
      flags: {
        'start-patience-seconds': 3600,
        'notify-allow': '127.0.0.1/32',
        'notify-http': true,
        'smtp-host': '127.0.0.1',
        'smtp-port': (mailServer.server.address() as AddressInfo).port,
        'smtp-security': 'none',
        'smtp-user': 'operator',
        'smtp-from': 'ambient@example.com',
      },
      env: { AMBIENT_SMTP_PASSWORD: 'mail-password' },
    });

  before(async function () {
    this.timeout(300_000);
    cluster = await testCluster(this, { node: true });
    await applyFrameworks(cluster, 'ambient-runner:not-there');
    storeDir = await mkdtemp(join(tmpdir(), 'ambient-notifications-'));
    receiver = await webReceiver();
    mailServer = new SMTPServer({
      logger: false,
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      onAuth: ({ username, password }, _, callback) =>
        username === 'operator' && password === 'mail-password'
          ? callback(null, { user: username })
          : callback(new Error('wrong')),
      onData(stream, session, callback) {
        text(stream).then((source) => {
          mails.push({ to: session.envelope.rcptTo.map(({ address }) => address), source });
          callback();
        }, callback);
      },
    });
    await new Promise<void>((resolve) => mailServer.listen(0, '127.0.0.1', resolve));
    operator = await run();
    await liveApiAvailable(cluster);
  });

  after(async function () {
    this.timeout(60_000);
    await operator?.[Symbol.asyncDispose]();
    await receiver?.[Symbol.asyncDispose]();
    if (mailServer !== undefined) await new Promise<void>((resolve) => mailServer.close(() => resolve()));
    if (storeDir !== undefined) await rm(storeDir, { recursive: true, force: true });
  });

  beforeEach(() => {
    receiver.received.length = 0;
    receiver.answer = (response) => void response.writeHead(204).end();
  });

  const url = (path: string): string => `http://127.0.0.1:${receiver.port}/${path}`;
  async function notify(
    namespace: string,
    notifications: NamespacePolicySpec['notifications'],
  ): Promise<void> {
    await cluster.client.apply(
      namespacePolicies,
      { ...aPolicy(namespace, { notifications }), metadata: { name: 'policy', namespace } },
      { fieldManager: 'test', force: true },
    );
    // What happens before the operator has seen the wish is no news.
    const seen = join(storeDir, '_outbox', namespace, 'since.json@');
    await until(() => readFile(seen).then(Boolean, () => false), 'the operator knows that it is wanted');
  }
  const stateOf = async (namespace: string) =>
    (await cluster.client.get(namespacePolicies, { namespace, name: 'policy' })).status?.notifications;

  async function begun(namespace: string): Promise<Session> {
    return await inPhase(
      cluster.client,
      await launch(cluster.client, aCommand(namespace, 'true')),
      ({ status }) => findCondition(status?.conditions, 'WorkloadCreated')?.status === 'True',
      'its Job is made',
    );
  }
  const stop = ({ metadata }: Session) =>
    cluster.client.connection.json(livePaths.stop(metadata.namespace ?? '', metadata.name), {
      method: 'POST',
      body: { gracePeriodSeconds: 0 },
    });

  it('come signed, once the tenant lets the operator read the Secret, and say until then what is missing', async () => {
    const namespace = await cluster.namespace('hook');
    const objects = parseAllDocuments(
      await readFile(join(manifests, 'samples', 'tenant', 'notifications.yaml'), 'utf8'),
    ).map((document) => document.toJS() as { kind: string });
    const apply = (...kinds: string[]) =>
      cluster.kubectl(['apply', '-n', namespace, '-f', '-'], {
        input: JSON.stringify({
          apiVersion: 'v1',
          kind: 'List',
          items: objects.filter(({ kind }) => kinds.includes(kind)),
        }),
      });
    await apply('Secret');
    const headers = { Authorization: 'Bearer ${secret:ambient-hook/token}' };
    const webhook = { url: url('signed'), events: [...EVENTS], secret: 'ambient-hook', headers };
    await notify(namespace, { webhooks: [webhook] });
    const session = await begun(namespace);
    const state = await until(async () => {
      const found = await stateOf(namespace);
      return (found?.waiting ?? []).length > 0 ? found : undefined;
    }, 'the policy says why nothing comes');
    assert.equal(state.pending, 1);
    assert.match(
      state.waiting?.[0]?.reason ?? '',
      /may not read Secret ambient-hook: grant its ServiceAccount the verb get/,
    );
    assert.equal(state.waiting?.[0]?.target, `http://127.0.0.1:${receiver.port}/…`);
    assert.equal(receiver.received.length, 0);

    await apply('Role', 'RoleBinding');
    await until(() => receiver.received.length > 0, 'the notification comes', 30_000);
    const [{ headers: came, body } = assert.fail()] = receiver.received;
    const id = String(came['x-ambient-delivery']);
    const expected = createHmac('sha256', 'change-me-to-32-random-bytes')
      .update(`${String(came['x-ambient-timestamp'])}.${id}.${body}`)
      .digest('hex');
    assert.equal(came['x-ambient-signature'], `v1=${expected}`);
    assert.equal(came.authorization, 'Bearer change-me-too');
    assert.equal((JSON.parse(body) as { session: { uid: string } }).session.uid, session.metadata.uid);

    await stop(session);
    const { name } = session.metadata;
    await until(() => receiver.received.length > 1, 'the end comes');
    assert.deepEqual(receiver.events(), [`session.created/${name}`, `session.failed/${name}`]);
    const said = operator.log.join('\n');
    assert.doesNotMatch(said, /change-me/, 'no secret is logged');
    await until(async () => (await stateOf(namespace))?.pending === 0, 'nothing is pending');
    assert.doesNotMatch(JSON.stringify(await stateOf(namespace)), /change-me/);
  });

  it('are not lost when the receiver fails and the operator is started anew', async () => {
    const namespace = await cluster.namespace('again');
    await notify(namespace, { webhooks: [{ url: url('again'), events: [...EVENTS] }] });
    receiver.answer = (response) => void response.writeHead(500).end();
    const session = await begun(namespace);
    await until(() => receiver.received.length > 0, 'the receiver is tried');
    await operator.kill();
    await operator[Symbol.asyncDispose]();
    const first = receiver.received[0]?.headers['x-ambient-delivery'];
    receiver.received.length = 0;
    receiver.answer = (response) => void response.writeHead(200).end();
    operator = await run();
    await liveApiAvailable(cluster);
    await until(() => receiver.received.length > 0, 'it comes after all');
    assert.equal(receiver.received[0]?.headers['x-ambient-delivery'], first);
    await stop(session);
    await until(() => receiver.received.length > 1, 'and so does the end');
    const { name } = session.metadata;
    assert.deepEqual(receiver.events(), [`session.created/${name}`, `session.failed/${name}`]);
  });

  it('that nobody may or wants to receive are shown as dead letters', async () => {
    const namespace = await cluster.namespace('dead');
    await notify(namespace, {
      webhooks: [
        { url: url('gone'), events: ['session.created'] },
        { url: 'https://169.254.169.254/latest/meta-data', events: ['session.created'] },
      ],
    });
    receiver.answer = (response) => void response.writeHead(410).end();
    const session = await begun(namespace);
    const state = await until(async () => {
      const found = await stateOf(namespace);
      return found?.failed === 2 ? found : undefined;
    }, 'both are given up');
    assert.equal(state.pending, 0);
    const letters = (state.deadLetters ?? []).map(({ target, event, session: name, reason }) => [
      target,
      event,
      name,
      reason,
    ]);
    const { name } = session.metadata;
    const reasonOf = (target: string) => letters.find(([each]) => each === target)?.[3] ?? '';
    assert.ok(letters.every(([, event, of]) => event === 'session.created' && of === name));
    assert.match(reasonOf(`http://127.0.0.1:${receiver.port}/…`), /answered 410/);
    assert.match(
      reasonOf('https://169.254.169.254/…'),
      /169\.254\.169\.254 is not one of the public internet/,
    );
    assert.match(await operator.metrics(), /ambient_notifications_total\{kind="webhook",outcome="dead"\} 2/);
  });

  it('come by email to each recipient', async () => {
    const namespace = await cluster.namespace('mail');
    await notify(namespace, {
      email: {
        enabled: true,
        recipients: ['ann@example.com', 'bob@example.com'],
        events: ['session.failed'],
      },
    });
    await stop(await begun(namespace));
    await until(() => mails.length === 2, 'two emails come');
    assert.deepEqual(mails.map(({ to }) => to).sort(), [['ann@example.com'], ['bob@example.com']]);
    assert.match(mails[0]?.source ?? '', /Event: session\.failed/);
    assert.doesNotMatch(operator.log.join('\n'), /mail-password/);
  });
});
