/** The door to models over real TLS, with a stand-in for the provider and a real store; the API server is what a test says. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createHash, randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { NamespacePolicy } from '../../../../../common/api/namespace-policy.ts';
import type { Session } from '../../../../../common/api/session.ts';
import type { KubeClient } from '../../../../../common/kube/client.ts';
import { ObjectStore } from '../../../../../common/kube/object-store.ts';
import { systemClock } from '../../../../../operator/controllers/clock.ts';
import { formatMoney } from '../../../../../common/rules/money.ts';
import type { Money } from '../../../../../common/rules/money.ts';
import { makeModelDoor } from '../../../../../operator/model-door.ts';
import { listOf } from '../../../../../operator/record/notifications/addresses.ts';
import { listenerOf } from '../../../../../operator/serve/http/exchange.ts';
import { createTlsServer, doorOf } from '../../../../../operator/serve/http/server.ts';
import type { Door } from '../../../../../operator/serve/http/server.ts';
import type { RunnerIdentity } from '../../../../../operator/serve/runners/identity.ts';
import { Costs } from '../../../../../operator/sessions/costs.ts';
import { Policies } from '../../../../../operator/sessions/policies.ts';
import { anAccesses, CollectedAudit } from '../../../../support/audit.ts';
import { TestCertificates } from '../../../../support/certificates.ts';
import { aPolicy, aSession, NOW } from '../../../../support/fixtures.ts';
import { ask, open } from '../../../../support/https.ts';
import { KnownSessions } from '../../../../support/known-sessions.ts';
import * as answers from '../../../../support/model-answers.ts';
import { temporaryStore } from '../../../../support/temporary-store.ts';
import type { TemporaryStore } from '../../../../support/temporary-store.ts';
import { until } from '../../../../support/until.ts';
import { webReceiver } from '../../../../support/web-receiver.ts';
import type { WebReceiver } from '../../../../support/web-receiver.ts';

const PATH = '/models/anthropic/v1/messages';
const QUESTION = JSON.stringify({
  model: 'claude-sonnet-4-6',
  max_tokens: 100,
  stream: true,
  messages: [{ role: 'user', content: 'Hi' }],
});

describe('the door to models', () => {
  let certificates: TestCertificates;
  let provider: WebReceiver;
  let temporary: TemporaryStore;
  let sessions: KnownSessions;
  let session: Session;
  let costs: Costs;
  let stack: AsyncDisposableStack;
  let door: Door;
  let port: number;

  before(async () => {
    certificates = await TestCertificates.make();
    provider = await webReceiver();
  });
  after(() => provider[Symbol.asyncDispose]());

  beforeEach(async () => {
    provider.received.length = 0;
    temporary = await temporaryStore();
    sessions = new KnownSessions();
    session = sessions.add(aSession().in('team-a').running().build());
    const store = new ObjectStore<NamespacePolicy>({ cluster: 'test' });
    store.upsert(
      aPolicy('team-a', {
        models: {
          providers: [
            {
              name: 'anthropic',
              baseUrl: `http://127.0.0.1:${provider.port}`,
              keySecret: { name: 'keys', key: 'anthropic' },
            },
          ],
        },
      }),
    );
    const policies = new Policies(store);
    const client = {
      get: async () => ({ data: { anthropic: Buffer.from('sk-tenant\n').toString('base64') } }),
      mergePatch: async () => undefined,
    } as unknown as KubeClient;
    const audit = new CollectedAudit();
    stack = new AsyncDisposableStack();
    costs = stack.use(
      new Costs({
        store: temporary.store,
        client,
        sessions,
        policies,
        clock: systemClock,
        random: Math.random,
        onError: assert.ifError,
      }),
    );
    const { door: models } = makeModelDoor(
      {
        rules: { allowed: listOf(['127.0.0.0/8']), plainHttp: true },
        replica: 'r1',
        client,
        store: temporary.store,
        audit,
        sessions,
        policies,
        costs,
        identity: {
          sessionOf: async () => session,
          bearerOf: async () => undefined,
        } as unknown as RunnerIdentity,
        accesses: anAccesses(temporary.store, audit),
        registry: new Registry(),
        budgetStopped: () => undefined,
        log: pino({ level: 'silent' }),
      },
      stack,
    );
    const closing = new AbortController();
    const server = createTlsServer(
      certificates,
      {},
      listenerOf({
        handle: (exchange) => models.handle(exchange),
        refuse: (exchange, error) => models.refuse(exchange, error),
        observe: () => undefined,
        log: pino({ level: 'silent' }),
        closing: closing.signal,
      }),
    );
    door = doorOf(server, { closing });
    port = await door.listen(0, '127.0.0.1');
  });
  afterEach(async () => {
    await door.close(100);
    await stack.disposeAsync();
    await temporary[Symbol.asyncDispose]();
  });

  const at = () => ({ port, ca: certificates.ca });
  const asking = { method: 'POST', headers: { 'x-api-key': 'token' }, body: QUESTION };

  it('passes any bytes on as they are, no faster than they are read', async () => {
    const size = 16 * 1024 * 1024;
    const bytes = randomBytes(size);
    let sent = 0;
    provider.answer = (response) => {
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size });
      const more = (): void => {
        while (sent < size) {
          const chunk = bytes.subarray(sent, sent + 64 * 1024);
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    };
    const response = await open(at(), PATH, asking);
    assert.equal(response.headers['content-length'], String(size));
    await sleep(300);
    assert.ok(sent < size, `${sent} of ${size} bytes were taken while nobody read`);
    const hash = createHash('sha256');
    for await (const chunk of response) hash.update(chunk as Buffer);
    assert.equal(hash.digest('hex'), createHash('sha256').update(bytes).digest('hex'));
  });

  it('charges what was reserved where an answer tells nothing, and nothing where it failed', async () => {
    provider.answer = (response) => response.writeHead(529, { 'retry-after': '3' }).end('{}');
    assert.equal((await ask(at(), PATH, asking)).status, 529);
    assert.equal(await costs.of(session), undefined);
    provider.answer = (response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end('"?"');
    assert.equal((await ask(at(), PATH, asking)).json, '?');
    // All bytes and what providers add at 3, and 100 tokens at 15 USD per million.
    const nano = (Buffer.byteLength(QUESTION) + 4096) * 3000 + 100 * 15_000;
    const usd = formatMoney(BigInt(nano) as Money);
    await until(async () => (await costs.of(session))?.total === usd, `it has cost ${usd}`);
  });

  it('passes nothing on while what it may cost cannot be stored', async () => {
    await rename(temporary.root, `${temporary.root}-away`);
    const answer = await ask(at(), PATH, asking);
    await rename(`${temporary.root}-away`, temporary.root);
    assert.equal(answer.status, 503, answer.text);
    assert.equal(answer.headers['x-should-retry'], 'true');
    assert.equal(provider.received.length, 0);
    provider.answer = (response) =>
      answers.say(response, answers.anthropicStream({ input: 100, output: 10 }));
    assert.equal((await ask(at(), PATH, asking)).status, 200);
    await until(async () => (await costs.of(session))?.total === '0.00045', 'it is charged once');
  });

  it('answers 502 for a provider that goes without a word, and charges what it may have cost', async () => {
    provider.answer = (response) => response.destroy();
    const answer = await ask(at(), PATH, asking);
    assert.equal(answer.status, 502);
    assert.equal((answer.json as { error: { type: string } }).error.type, 'api_error');
    await until(async () => (await costs.of(session)) !== undefined, 'it is charged');
  });

  it('cuts what streams when the session is stopped, deleted or over, and charges it', async () => {
    for (const end of [
      () =>
        sessions.status(session, { stop: { requestedAt: NOW, requestedBy: 'ann', gracePeriodSeconds: 1 } }),
      () => sessions.status(session, { phase: 'Failed' }),
      () => sessions.remove(session),
    ]) {
      sessions.add(session);
      let cut: Promise<unknown> | undefined;
      provider.answer = (response) => {
        cut = once(response, 'close');
        answers.say(response, answers.anthropicStream({ input: 1000, output: 9 }, 'abc'), { count: 1 });
      };
      const response = await open(at(), PATH, asking);
      await once(response, 'data');
      const broken = once(response, 'error');
      end();
      await broken;
      await cut;
      // Whoever is gone has no token any more.
      if (sessions.get('team-a', session.metadata.name) !== undefined)
        assert.equal((await ask(at(), PATH, asking)).status, 403);
    }
    await until(async () => (await costs.of(session)) !== undefined, 'it is charged');
  });

  it('takes neither other methods, nor packed requests, nor paths that can be read in two ways', async () => {
    for (const [path, options, status] of [
      [PATH, { method: 'GET' }, 404],
      [PATH, { ...asking, headers: { 'content-encoding': 'gzip' } }, 415],
      ['/models/anthropic/v1/%2e%2e/messages', asking, 400],
      ['/models/anthropic//v1/messages', asking, 400],
      ['/models/elsewhere/v1/messages', asking, 404],
    ] as const)
      assert.equal((await ask(at(), path, options)).status, status, path);
    assert.deepEqual(provider.received, []);
  });
});
