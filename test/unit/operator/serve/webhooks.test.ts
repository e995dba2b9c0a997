/** The webhook door as senders meet it: who is let in, what is answered, what is made of it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { WebhookAccepted, WebhookHeard, WebhookValid } from '../../../../common/api/rest/webhooks.ts';
import { SessionSpec } from '../../../../common/api/session.ts';
import type { Session } from '../../../../common/api/session.ts';
import type { SessionTriggerSpec } from '../../../../common/api/session-trigger.ts';
import { AmbientError } from '../../../../common/errors.ts';
import { KubeError } from '../../../../common/kube/errors.ts';
import { markSpent } from '../../../../operator/sessions/webhooks/spent.ts';
import { signatureOf } from '../../../../operator/record/notifications/signature.ts';
import {
  DIRECT,
  githubSignature,
  hashOf,
  post,
  slackHeaders,
  testDoor,
} from '../../../support/webhook-door.ts';
import { Contract } from '../../../support/openapi.ts';
import { until } from '../../../support/until.ts';
import { webhookPayload } from '../../../support/webhook-payloads.ts';
import type { Answer, TestDoor } from '../../../support/webhook-door.ts';

const KEY = randomBytes(32).toString('hex');
const SECRET = randomBytes(32).toString('hex');
const ID = 'k7f3q2m5x8c1v';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const JSON_TYPE = { 'content-type': 'application/json' };
const WIDE = { requestsPerMinute: 100_000, burstSize: 100_000 };

describe('the webhook door', () => {
  let door: TestDoor;

  beforeEach(async () => {
    door = await testDoor();
    door.policy('team-a', {
      webhookAuth: {
        apiKeys: { generic: hashOf(KEY) },
        keys: (['github', 'jira', 'slack', 'generic'] as const).map((source) => ({
          id: `${ID}-${source}`,
          source,
          signing: { secretName: 'hook', key: source },
        })),
        rateLimit: WIDE,
      },
    });
    door.api.secrets.set('team-a/hook', { github: SECRET, jira: SECRET, slack: SECRET, generic: SECRET });
  });
  afterEach(() => door[Symbol.asyncDispose]());

  const send = (source: string, body: unknown, headers = {}, path = ''): Promise<Answer> =>
    post(`${door.url}/${source}${path}`, typeof body === 'string' ? body : JSON.stringify(body), {
      ...JSON_TYPE,
      ...headers,
    });
  const withKey = (body: unknown, headers = {}, path = ''): Promise<Answer> =>
    send('generic', body, { 'x-api-key': KEY, ...headers }, path);
  const sessions = (): Session[] => [...door.api.sessions.values()];

  describe('lets in', () => {
    it('whoever has the key, and starts what it asks for', async () => {
      const { status, body } = await withKey(
        { ...DIRECT, displayName: 'Näht ✂', note: { a: [1, 2] } },
        { 'idempotency-key': 'one' },
      );
      assert.equal(status, 202, JSON.stringify(body));
      assert.ok(Compile(WebhookAccepted).Check(body), JSON.stringify(body));
      assert.match(String(body['sessionId']), UUID);
      assert.deepEqual([body['namespace'], body['status']], ['team-a', 'accepted']);
      const [session] = sessions();
      assert.equal(session?.metadata.name, body['sessionId']);
      assert.equal(session?.metadata.namespace, 'team-a');
      assert.ok(Compile(SessionSpec).Check(session?.spec));
      assert.deepEqual(session?.spec.createdBy, {
        user: 'system:serviceaccount:ambient-system:ambient-operator',
      });
      assert.deepEqual(session.spec.framework, DIRECT.framework);
      assert.equal(session.spec.displayName, 'Näht ✂');
      const { trigger } = session.spec;
      assert.deepEqual([trigger?.source, trigger?.delivery], ['generic', 'one']);
      assert.deepEqual(trigger?.payload?.['note'], { a: [1, 2] });
      const artifact = await door.store.store.get(
        `team-a/${session.metadata.uid}/artifacts/${trigger?.received?.artifact}`,
      );
      assert.equal(artifact.info.digest, trigger?.received?.digest);
      assert.match(await text(artifact.body), /^\{"framework"/);
      assert.deepEqual(door.audit.lines, ['ambient:webhook:generic create sessions allowed']);
      assert.ok(!JSON.stringify(door.audit.events).includes(KEY));
    });

    it('whoever asks as the REST API is asked', async () => {
      const { status } = await withKey({
        ...DIRECT,
        trigger: { source: 'generic', event: 'nightly' },
        metadata: { displayName: 'Nightly' },
        limits: { timeoutSeconds: 60 },
      });
      assert.equal(status, 202);
      const [session] = sessions();
      assert.deepEqual([session?.spec.displayName, session?.spec.trigger?.event], ['Nightly', 'nightly']);
      assert.deepEqual(session?.spec.limits, { timeoutSeconds: 60, gracePeriodSeconds: 30 });
    });

    const signed: [source: string, headers: (body: string, now: number) => Record<string, string>][] = [
      ['github', (body) => ({ 'x-hub-signature-256': githubSignature(SECRET, body) })],
      ['jira', (body) => ({ 'x-hub-signature': githubSignature(SECRET, body) })],
      ['slack', (body, now) => slackHeaders(SECRET, body, now)],
      [
        'generic',
        (body, now) => ({
          'x-ambient-timestamp': String(now / 1000),
          'x-ambient-delivery': 'd1',
          'x-ambient-signature': signatureOf(SECRET, now / 1000, 'd1', body),
        }),
      ],
    ];
    for (const [source, headersOf] of signed) {
      it(`${source} by its own signature`, async () => {
        const body = JSON.stringify({ hello: 'wörld' });
        const { status, body: said } = await send(
          source,
          body,
          headersOf(body, door.clock.now),
          `?key=${ID}-${source}`,
        );
        assert.equal(status, 200, JSON.stringify(said));
        assert.ok(Compile(WebhookHeard).Check(said), JSON.stringify(said));
        assert.deepEqual([said['status'], said['namespace']], ['ignored', 'team-a']);
      });
      it(`${source} not when one byte is another, or the key another's`, async () => {
        const body = JSON.stringify({ hello: 'world' });
        const headers = headersOf(body, door.clock.now);
        const answers = await Promise.all([
          send(source, body.replace('w', 'W'), headers, `?key=${ID}-${source}`),
          send(source, body, headers, `?key=${ID}-unknown`),
          send(source, body, headers, `?key=${ID}-${source === 'jira' ? 'github' : 'jira'}`),
          send(source, body, {}, `?key=${ID}-${source}`),
        ]);
        for (const { status, body: said } of answers)
          assert.deepEqual([status, said], [401, answers[0]?.body]);
        assert.equal(answers[0]?.body['error'], 'invalid_signature');
      });
    }

    for (const minutes of [-6, 6])
      it(`Slack not when its clock is ${minutes} minutes off`, async () => {
        const headers = slackHeaders(SECRET, '{}', door.clock.now + minutes * 60_000);
        assert.equal((await send('slack', '{}', headers, `?key=${ID}-slack`)).status, 401);
      });

    it('both secrets while one is changed, and the old one no longer than it is there', async () => {
      const fresh = randomBytes(32).toString('hex');
      const attempt = async (secret: string): Promise<number> =>
        (
          await send(
            'github',
            '{}',
            { 'x-hub-signature-256': githubSignature(secret, '{}') },
            `?key=${ID}-github`,
          )
        ).status;
      assert.deepEqual([await attempt(SECRET), await attempt(fresh)], [200, 401]);
      door.api.secrets.set('team-a/hook', { github: `${SECRET}\n${fresh}\n` });
      door.clock.now += 6000;
      assert.deepEqual([await attempt(SECRET), await attempt(fresh)], [200, 200]);
      door.api.secrets.set('team-a/hook', { github: fresh });
      door.clock.now += 6000;
      assert.deepEqual([await attempt(SECRET), await attempt(fresh)], [401, 200]);
    });

    it('two keys of one source, until one expires', async () => {
      const [first, second] = ['first-key', 'second-key'];
      const expiresAt = new Date(door.clock.now + 60_000).toISOString();
      door.policy('team-b', {
        webhookAuth: {
          keys: [
            { id: 'a', source: 'jira', hash: hashOf(first), expiresAt },
            { id: 'b', source: 'jira', hash: hashOf(second) },
          ],
          rateLimit: WIDE,
        },
      });
      const attempt = async (key: string): Promise<number> =>
        (await send('jira', '{}', { 'x-api-key': key })).status;
      assert.deepEqual([await attempt(first), await attempt(second)], [200, 200]);
      door.clock.now += 60_000;
      assert.deepEqual([await attempt(first), await attempt(second)], [401, 200]);
    });

    it('nobody with a key that two namespaces have', async () => {
      door.policy('team-b', { webhookAuth: { apiKeys: { generic: hashOf(KEY) } } });
      const { status, body } = await withKey(DIRECT);
      assert.deepEqual([status, body['error']], [401, 'invalid_api_key']);
      assert.equal(sessions().length, 0);
    });

    it('the one of two namespaces with the same id whose secret it is', async () => {
      const other = randomBytes(32).toString('hex');
      door.policy('team-b', {
        webhookAuth: {
          keys: [{ id: `${ID}-github`, source: 'github', signing: { secretName: 'mine', key: 's' } }],
          rateLimit: WIDE,
        },
      });
      door.api.secrets.set('team-b/mine', { s: other });
      const attempt = (secret: string): Promise<Answer> =>
        send('github', '{}', { 'x-hub-signature-256': githubSignature(secret, '{}') }, `?key=${ID}-github`);
      assert.equal((await attempt(SECRET)).body['namespace'], 'team-a');
      assert.equal((await attempt(other)).body['namespace'], 'team-b');
      door.api.secrets.set('team-b/mine', { s: SECRET });
      door.clock.now += 6000;
      assert.equal((await attempt(SECRET)).status, 401);
    });

    it('nobody before the policies are known', async () => {
      door.clock.ready = false;
      const { status, headers } = await withKey(DIRECT);
      assert.deepEqual([status, headers['retry-after']], [503, '1']);
    });

    it('nobody by a key whose Secret is missing, with the answer of an unknown one', async () => {
      door.api.secrets.clear();
      const signature = { 'x-hub-signature-256': githubSignature(SECRET, '{}') };
      const missing = await send('github', '{}', signature, `?key=${ID}-github`);
      const unknown = await send('github', '{}', signature, '?key=unknown');
      assert.deepEqual([missing.status, missing.body], [401, unknown.body]);
    });
  });

  describe('says', () => {
    const cases: [about: string, status: number, error: string, send: () => Promise<Answer>][] = [
      ['no key', 400, 'missing_api_key', () => send('github', DIRECT)],
      ['an empty key', 400, 'missing_api_key', () => send('github', DIRECT, { 'x-api-key': '' })],
      ['a wrong key', 401, 'invalid_api_key', () => send('generic', DIRECT, { 'x-api-key': 'x' })],
      ["another source's key", 401, 'invalid_api_key', () => send('jira', DIRECT, { 'x-api-key': KEY })],
      ['a huge key', 401, 'invalid_api_key', () => send('generic', {}, { 'x-api-key': 'x'.repeat(9000) })],
      ['a source that is none', 404, 'not_found', () => send('gitlab', DIRECT, { 'x-api-key': KEY })],
      ['__proto__', 404, 'not_found', () => send('__proto__', DIRECT, { 'x-api-key': KEY })],
      ['no JSON', 400, 'invalid_payload', () => withKey('{"a":')],
      [
        'text that curl says is a form',
        400,
        'invalid_payload',
        () => withKey('not JSON', { 'content-type': 'application/x-www-form-urlencoded' }),
      ],
      [
        'an empty form',
        400,
        'invalid_payload',
        () => withKey('', { 'content-type': 'application/x-www-form-urlencoded' }),
      ],
      ['nothing', 400, 'invalid_payload', () => withKey('')],
      ['a bomb', 400, 'invalid_payload', () => withKey('['.repeat(200_000))],
      [
        'no UTF-8',
        400,
        'invalid_payload',
        () =>
          post(`${door.url}/generic`, Buffer.from([0x22, 0xff, 0x22]), { ...JSON_TYPE, 'x-api-key': KEY }),
      ],
      ['XML', 415, 'unsupported_media_type', () => withKey('<a/>', { 'content-type': 'text/xml' })],
      ['gzip', 415, 'unsupported_media_type', () => withKey('', { 'content-encoding': 'gzip' })],
      [
        'two deliveries at once',
        400,
        'invalid_request',
        () => withKey(DIRECT, { 'idempotency-key': ['a', 'b'] }),
      ],
      [
        'an id that does not show',
        400,
        'invalid_request',
        () => withKey(DIRECT, { 'idempotency-key': 'a b' }),
      ],
      ['two ids of keys', 400, 'invalid_request', () => send('jira', {}, {}, '?key=a&key=b')],
      ['a framework without its type', 400, 'invalid_payload', () => withKey({ framework: { config: {} } })],
      ['a framework that is a name', 400, 'invalid_payload', () => withKey({ framework: 'generic' })],
      ['an unknown framework', 400, 'invalid_payload', () => withKey({ framework: { type: 'nope' } })],
      [
        'a source that cannot be',
        400,
        'invalid_payload',
        () =>
          withKey({ ...DIRECT, source: { type: 'upload', upload: { sizeBytes: 1, digest: hashOf('') } } }),
      ],
      [
        'a name that nobody sees as it is',
        400,
        'invalid_payload',
        () => withKey({ ...DIRECT, displayName: 'gpj.\u202etpircs' }),
      ],
      [
        'limits that are none',
        400,
        'invalid_payload',
        () => withKey({ ...DIRECT, limits: { timeoutSeconds: -1 } }),
      ],
    ];
    for (const [about, status, error, ask] of cases)
      it(`${status} ${error} for ${about}`, async () => {
        const { status: code, body } = await ask();
        assert.deepEqual([code, body['error']], [status, error], JSON.stringify(body));
        assert.deepEqual(Object.keys(body).sort(), ['details', 'error', 'message', 'traceId']);
        assert.equal(body['traceId'], 'c'.repeat(32));
        assert.equal(sessions().length, 0);
      });

    it('the sentences of the contract', async () => {
      const said = async (answer: Promise<Answer>): Promise<unknown> => (await answer).body['message'];
      assert.equal(await said(send('github', '{}')), 'X-API-Key header is required');
      assert.equal(await said(send('github', '{}', { 'x-api-key': 'x' })), 'API key is invalid or expired');
      assert.equal(await said(withKey('nope')), 'Request body must be valid JSON');
    });

    it('403 with what the policy forbids', async () => {
      door.policy('team-a', {
        models: { allowed: ['claude-*'] },
        webhookAuth: { apiKeys: { generic: hashOf(KEY) } },
      });
      const asked = { framework: { type: 'generic', config: { command: 'true', model: 'gpt-5' } } };
      const { status, body } = await withKey(asked);
      assert.deepEqual([status, body['error']], [403, 'policy_violation']);
      assert.match(String(body['message']), /gpt-5.*claude-\*/);
      const { violations } = body['details'] as { violations: { rule: string }[] };
      assert.equal(violations[0]?.rule, 'spec.models.allowed');
      assert.equal(sessions().length, 0);
      assert.ok(door.audit.lines.includes('ambient:webhook:generic create sessions denied'));
    });

    it('429 with when to come again, for this tenant and source alone', async () => {
      const spec = { webhookAuth: { apiKeys: { generic: hashOf(KEY), jira: hashOf('j') } } };
      door.policy('team-a', spec);
      for (let i = 0; i < 20; i++) assert.equal((await withKey(DIRECT)).status, 202);
      const { status, body, headers } = await withKey(DIRECT);
      assert.deepEqual([status, body['error'], headers['retry-after']], [429, 'rate_limit_exceeded', '6']);
      assert.equal((await send('jira', '{}', { 'x-api-key': 'j' })).status, 200);
      door.clock.now += 6000;
      assert.deepEqual([(await withKey(DIRECT)).status, (await withKey(DIRECT)).status], [202, 429]);
      assert.equal(sessions().length, 21);
    });

    it('503 with when to come again while the API server is away, and makes nothing', async () => {
      door.api.refuse = new KubeError('away', { status: 0, reason: 'Unreachable' });
      const { status, body, headers } = await withKey(DIRECT, { 'idempotency-key': 'x' });
      assert.deepEqual([status, body['error'], headers['retry-after']], [503, 'unavailable', '1']);
      assert.ok(!JSON.stringify(body).includes('away'));
      door.api.refuse = undefined;
      assert.equal((await withKey(DIRECT, { 'idempotency-key': 'x' })).status, 202);
      assert.equal(sessions().length, 1);
    });
  });

  describe('keeps nobody waiting longer than the sender waits', () => {
    const patienceMs = 400;
    const body = JSON.stringify(DIRECT);
    const signed = (): Record<string, string> => ({
      'x-ambient-timestamp': String(door.clock.now / 1000),
      'x-ambient-delivery': 'd1',
      'x-ambient-signature': signatureOf(SECRET, door.clock.now / 1000, 'd1', body),
    });
    let slow: TestDoor;

    beforeEach(async () => {
      slow = await testDoor({ patienceMs });
      slow.policy('team-a', door.policies.get({ namespace: 'team-a', name: 'policy' })?.spec ?? {});
      slow.api.secrets.set('team-a/hook', { generic: SECRET });
    });
    afterEach(() => slow[Symbol.asyncDispose]());

    const deliver = async (headers: Record<string, string>, query = ''): Promise<Answer & { ms: number }> => {
      const started = performance.now();
      const answer = await post(`${slow.url}/generic${query}`, body, { ...JSON_TYPE, ...headers });
      return { ...answer, ms: performance.now() - started };
    };

    for (const [steps, delayMs] of [
      ['at each step', 250],
      ['from the first step on', 60_000],
    ] as const)
      it(`when the API server is slow ${steps}, and makes nothing by halves`, async () => {
        slow.api.delayMs = delayMs;
        const late = [
          await deliver(signed(), `?key=${ID}-generic`),
          await deliver({ 'x-api-key': KEY, 'idempotency-key': 'x' }),
        ];
        for (const { status, headers, ms } of late) {
          assert.deepEqual([status, headers['retry-after']], [503, '1']);
          assert.ok(ms < 2 * patienceMs, `${ms} ms`);
        }
        assert.equal(slow.api.sessions.size, 0);
      });

    it('without counting what the sender takes himself', async () => {
      const sent = request(`${slow.url}/generic`, {
        method: 'POST',
        headers: { ...JSON_TYPE, 'x-api-key': KEY, 'content-length': Buffer.byteLength(body) },
      });
      const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
      sent.write(body.slice(0, 5));
      await new Promise((resolve) => setTimeout(resolve, patienceMs + 100));
      sent.end(body.slice(5));
      assert.equal((await answered)[0].resume().statusCode, 202);
    });
  });

  describe('starts one session', () => {
    it('however often and at once a delivery comes', async () => {
      const all = await Promise.all(
        Array.from({ length: 20 }, () => withKey(DIRECT, { 'idempotency-key': 'same' })),
      );
      assert.deepEqual(new Set(all.map(({ status }) => status)), new Set([202]));
      assert.equal(new Set(all.map(({ body }) => body['sessionId'])).size, 1);
      assert.equal(sessions().length, 1);
    });

    for (const [source, headers, body] of [
      ['github', { 'x-github-delivery': 'd' }, {}],
      ['jira', { 'x-atlassian-webhook-identifier': 'd' }, {}],
      ['slack', {}, { event_id: 'Ev1' }],
    ] as [string, object, object][])
      it(`for each delivery of ${source}`, async () => {
        door.policy('team-a', {
          webhookAuth: { apiKeys: { [source]: hashOf(KEY) }, rateLimit: WIDE },
        });
        const once = () => send(source, { ...DIRECT, ...body }, { 'x-api-key': KEY, ...headers });
        assert.equal((await once()).body['sessionId'], (await once()).body['sessionId']);
        const other = { 'x-github-delivery': 'e', 'x-atlassian-webhook-identifier': 'e' };
        await send(source, { ...DIRECT, event_id: 'Ev2' }, { 'x-api-key': KEY, ...other });
        assert.equal(sessions().length, 2);
      });

    it('for each that has no id', async () => {
      const ids = [(await withKey(DIRECT)).body['sessionId'], (await withKey(DIRECT)).body['sessionId']];
      assert.equal(new Set(ids).size, 2);
    });

    it('and none again when that one was deleted', async () => {
      await withKey(DIRECT, { 'idempotency-key': 'x' });
      const [session] = sessions();
      assert.ok(session);
      await markSpent(door.store.store, session);
      door.api.sessions.clear();
      const { status, body } = await withKey(DIRECT, { 'idempotency-key': 'x' });
      assert.deepEqual([status, body['error']], [410, 'gone']);
      assert.equal((await withKey(DIRECT, { 'idempotency-key': 'y' })).status, 202);
    });

    it('whose payload is completed by the next sending when the first one broke off', async () => {
      const { body } = await withKey(DIRECT, { 'idempotency-key': 'x' });
      const [session] = sessions();
      const key = `team-a/${session?.metadata.uid}/artifacts/.ambient/trigger-payload`;
      await door.store.store.remove(key);
      assert.equal((await withKey(DIRECT, { 'idempotency-key': 'x' })).body['sessionId'], body['sessionId']);
      assert.ok(await door.store.store.stat(key));
    });
  });

  describe('speaks with', () => {
    it('GitHub when it pings, with JSON or a form', async () => {
      const form = `payload=${encodeURIComponent('{"zen":"ä & b"}')}`;
      const ping = { 'x-github-event': 'ping' };
      for (const [body, type] of [
        ['{"zen":"x"}', 'application/json'],
        [form, 'application/x-www-form-urlencoded'],
      ] as const) {
        const signature = { 'x-hub-signature-256': githubSignature(SECRET, body) };
        const { status, body: said } = await send(
          'github',
          body,
          { ...ping, ...signature, 'content-type': type },
          `?key=${ID}-github`,
        );
        assert.deepEqual([status, said['status']], [200, 'ok'], JSON.stringify(said));
      }
    });

    it('Slack when it verifies the address, and only when it has signed', async () => {
      const body = JSON.stringify({ type: 'url_verification', challenge: 'abc' });
      const headers = slackHeaders(SECRET, body, door.clock.now);
      assert.deepEqual((await send('slack', body, headers, `?key=${ID}-slack`)).body, { challenge: 'abc' });
      const forged = slackHeaders('guess', body, door.clock.now);
      assert.equal((await send('slack', body, forged, `?key=${ID}-slack`)).status, 401);
    });

    it('Slack about a command, in a form', async () => {
      const body = 'command=%2Ffix&text=the+bug+%E2%9C%93&trigger_id=1.2';
      const headers = {
        ...slackHeaders(SECRET, body, door.clock.now),
        'content-type': 'application/x-www-form-urlencoded',
      };
      const { status, body: said } = await send('slack', body, headers, `?key=${ID}-slack`);
      assert.equal(status, 200);
      assert.deepEqual([said['response_type'], said['status']], ['ephemeral', 'ignored']);
      assert.match(String(said['text']), /Nothing was started/);
    });

    describe('Slack about a command that is refused, with 200, as it shows nothing else', () => {
      let typed = 0;
      const command = async (): Promise<Record<string, unknown>> => {
        const fields = { command: '/review', text: 'now', trigger_id: `1.${++typed}` };
        const body = new URLSearchParams(fields).toString();
        const type = 'application/x-www-form-urlencoded';
        const headers = { ...slackHeaders(SECRET, body, door.clock.now), 'content-type': type };
        const { status, body: said, headers: got } = await send('slack', body, headers, `?key=${ID}-slack`);
        assert.deepEqual([status, said['response_type'], got['retry-after']], [200, 'ephemeral', undefined]);
        return said;
      };
      beforeEach(() => {
        door.trigger('team-a', 'review', {
          source: 'slack',
          when: { events: ['slash_command'] },
          session: { framework: { type: 'generic', config: { command: 'true', model: 'gpt-5' } } },
        });
      });

      it('by the policy', async () => {
        door.policy('team-a', {
          ...door.policies.get({ namespace: 'team-a', name: 'policy' })?.spec,
          models: { allowed: ['claude-*'] },
        });
        const said = await command();
        assert.equal(said['error'], 'policy_violation');
        assert.match(
          String(said['text']),
          /gpt-5.* Change the request so that the namespace's policy allows it\.$/,
        );
        assert.equal(sessions().length, 0);
      });

      it('for now, as there were too many', async () => {
        const spec = door.policies.get({ namespace: 'team-a', name: 'policy' })?.spec;
        const rateLimit = { requestsPerMinute: 1, burstSize: 2 };
        door.policy('team-a', { ...spec, webhookAuth: { ...spec?.webhookAuth, rateLimit } });
        const errors = [await command(), await command(), await command()].map(({ error }) => error);
        assert.deepEqual(errors, [undefined, undefined, 'rate_limit_exceeded']);
      });

      it('within its three seconds, when the API server hangs', async () => {
        await command();
        door.api.delayMs = 60_000;
        const started = performance.now();
        const said = await command();
        const ms = performance.now() - started;
        assert.equal(said['error'], 'unavailable');
        // Others are kept waiting for 8 s.
        assert.ok(ms > 2400 && ms < 6000, `${ms} ms`);
      });

      it('as the API server is away, which leaves a doubt', async () => {
        await command();
        door.api.refuse = new KubeError('away', { status: 0, reason: 'Unreachable' });
        const said = await command();
        assert.equal(said['error'], 'unavailable');
        assert.match(String(said['text']), /Try again shortly\. If a session was started all the same/);
      });

      it('but not to who has not signed it', async () => {
        const body = 'command=%2Freview&text=x';
        const headers = {
          ...slackHeaders('guess', body, door.clock.now),
          'content-type': 'application/x-www-form-urlencoded',
        };
        assert.equal((await send('slack', body, headers, `?key=${ID}-slack`)).status, 401);
      });
    });

    for (const type of [
      'application/x-www-form-urlencoded',
      'text/plain;charset=UTF-8',
      'application/cloudevents+json',
    ])
      it(`tools that say ${type} and send JSON`, async () => {
        assert.equal((await withKey(DIRECT, { 'content-type': type })).status, 202);
      });

    it('Jira, which adds parameters of its own', async () => {
      const headers = { 'x-hub-signature': githubSignature(SECRET, '{}') };
      const query = `?key=${ID}-jira&user_id=admin&user_key=admin`;
      assert.equal((await send('jira', '{}', headers, query)).status, 200);
    });
  });

  describe('tells before', () => {
    it('what a delivery would start, and starts nothing', async () => {
      const { status, body } = await withKey(DIRECT, {}, '/validate');
      assert.equal(status, 200);
      assert.ok(Compile(WebhookValid).Check(body), JSON.stringify(body));
      assert.deepEqual(
        [body['valid'], body['namespace'], body['framework'], body['estimatedCost']],
        [true, 'team-a', 'generic', '5.00'],
      );
      assert.equal(sessions().length, 0);
      assert.equal(door.audit.events.length, 0);
    });

    it('what forbids it', async () => {
      door.policy('team-a', {
        models: { allowed: ['claude-*'], budget: { monthly: '10.00', perSession: '2.50' } },
        webhookAuth: { apiKeys: { generic: hashOf(KEY) } },
      });
      const asked = { framework: { type: 'generic', config: { command: 'true', model: 'gpt-5' } } };
      const { status, body } = await withKey(asked, {}, '/validate');
      assert.deepEqual([status, body['valid'], body['error']], [400, false, 'policy_violation']);
      assert.equal((body['violations'] as { rule: string }[])[0]?.rule, 'spec.models.allowed');
      assert.equal((await withKey(DIRECT, {}, '/validate')).body['estimatedCost'], '2.50');
    });

    it('that its session is there already, whatever policy says by now', async () => {
      const again = { 'idempotency-key': 'x' };
      const { body: accepted } = await withKey(DIRECT, again);
      for (const session of sessions()) door.known.upsert(session);
      door.policy('team-a', {
        models: { allowed: ['claude-*'] },
        webhookAuth: { apiKeys: { generic: hashOf(KEY) } },
      });
      const asked = { framework: { type: 'generic', config: { command: 'true', model: 'gpt-5' } } };
      const { status, body } = await withKey(asked, again, '/validate');
      assert.deepEqual([status, body['valid'], body['estimatedCost']], [200, true, '0.00']);
      assert.match(String(body['warnings']), new RegExp(String(accepted['sessionId'])));
    });

    it('that the body is no JSON, the key wrong, the source none', async () => {
      const { status, body } = await withKey('nope', {}, '/validate');
      assert.deepEqual([status, body['valid'], body['error']], [400, false, 'invalid_payload']);
      assert.equal((await send('generic', '{}', { 'x-api-key': 'x' }, '/validate')).status, 401);
      assert.equal((await send('nope', '{}', {}, '/validate')).status, 404);
    });
  });

  describe('by the triggers of the namespace', () => {
    const review: SessionTriggerSpec = {
      source: 'github',
      when: { events: ['pull_request'], actions: ['opened'] },
      session: {
        displayName: 'Review of {{event.title}}',
        framework: { type: 'generic', config: { command: 'true', prompt: 'Read {{event.title}}' } },
      },
    };
    const deliver = (payload: unknown, headers = {}, path = ''): Promise<Answer> => {
      const body = JSON.stringify(payload);
      const signature = { 'x-hub-signature-256': githubSignature(SECRET, body) };
      const about = { 'x-github-event': 'pull_request', 'x-github-delivery': 'd-1' };
      return send('github', body, { ...about, ...signature, ...headers }, `${path}?key=${ID}-github`);
    };
    const { payload: opened } = webhookPayload('github-pull_request-opened');

    it('starts the session of the one that matches, once, with what came from outside marked', async () => {
      door.trigger('team-a', 'review', review);
      door.trigger('team-a', 'other', { ...review, when: { events: ['push'] } });
      door.trigger('team-b', 'foreign', review);
      const { status, body } = await deliver(opened);
      assert.equal(status, 202, JSON.stringify(body));
      assert.equal((await deliver(opened)).body['sessionId'], body['sessionId']);
      const [session, ...others] = sessions();
      assert.deepEqual(others, []);
      assert.equal(session?.metadata.namespace, 'team-a');
      const { trigger, framework } = session.spec;
      assert.deepEqual(
        [trigger?.source, trigger?.event, trigger?.action, trigger?.name, trigger?.delivery],
        ['github', 'pull_request', 'opened', 'review', 'd-1'],
      );
      assert.deepEqual([trigger?.received?.key, trigger?.outside?.length], [`${ID}-github`, 2]);
      assert.match(String(framework.config?.['prompt']), /Read /);
    });

    it('starts one for each that matches, and tells of all', async () => {
      door.trigger('team-a', 'a', review);
      door.trigger('team-a', 'b', review);
      const { body } = await deliver(opened);
      assert.ok(Compile(WebhookAccepted).Check(body));
      const all = body['sessions'] as { sessionId: string; trigger: string }[];
      assert.deepEqual(
        all.map(({ trigger }) => trigger),
        ['a', 'b'],
      );
      assert.equal(all[0]?.sessionId, body['sessionId']);
      assert.equal(sessions().length, 2);
    });

    it('starts what is missing of several, and not again the one that was deleted', async () => {
      door.trigger('team-a', 'a', review);
      await deliver(opened);
      const [deleted] = sessions();
      assert.ok(deleted);
      await markSpent(door.store.store, deleted);
      door.api.sessions.clear();
      assert.equal((await deliver(opened)).status, 410);
      assert.equal((await deliver(opened, {}, '/validate')).status, 410);
      // As after a sending that broke off between the two.
      door.trigger('team-a', 'b', review);
      const { status } = await deliver(opened);
      assert.deepEqual([status, sessions().map(({ spec }) => spec.trigger?.name)], [202, ['b']]);
    });

    it('starts what the policy allows, and tells what it forbids', async () => {
      door.policy('team-a', {
        ...door.policies.get({ namespace: 'team-a', name: 'policy' })?.spec,
        models: { allowed: ['claude-*'] },
      });
      const { framework } = review.session;
      const config = { ...framework.config, model: 'gpt-5' };
      door.trigger('team-a', 'a', { ...review, session: { framework: { ...framework, config } } });
      assert.equal((await deliver(opened)).status, 403);
      door.trigger('team-a', 'b', review);
      const { status, body } = await deliver(opened);
      assert.equal(status, 202);
      assert.ok(Compile(WebhookAccepted).Check(body), JSON.stringify(body));
      assert.deepEqual(
        (body['refused'] as { trigger: string }[]).map(({ trigger }) => trigger),
        ['a'],
      );
    });

    it('tells before that what the policy allows would start, and what it forbids would not', async () => {
      door.policy('team-a', {
        ...door.policies.get({ namespace: 'team-a', name: 'policy' })?.spec,
        models: { allowed: ['claude-*'], budget: { monthly: '10.00', perSession: '2.50' } },
      });
      const { framework } = review.session;
      const config = { ...framework.config, model: 'gpt-5' };
      door.trigger('team-a', 'a', { ...review, session: { framework: { ...framework, config } } });
      const none = await deliver(opened, {}, '/validate');
      assert.deepEqual([none.status, none.body['valid']], [400, false]);
      door.trigger('team-a', 'b', review);
      door.trigger('team-a', 'c', review);
      const { status, body } = await deliver(opened, {}, '/validate');
      assert.equal(status, 200, JSON.stringify(body));
      assert.ok(Compile(WebhookValid).Check(body), JSON.stringify(body));
      assert.deepEqual(
        [body['valid'], body['framework'], body['estimatedCost'], body['sessions']],
        [
          true,
          'generic',
          '5.00',
          ['b', 'c'].map((trigger) => ({ trigger, framework: 'generic', estimatedCost: '2.50' })),
        ],
      );
      const refused = body['refused'] as { trigger: string; violations: { rule: string }[] }[];
      assert.deepEqual(
        refused.map(({ trigger, violations }) => [trigger, violations[0]?.rule]),
        [['a', 'spec.models.allowed']],
      );
      assert.equal(sessions().length, 0);
    });

    it('says why none matches', async () => {
      door.trigger('team-a', 'review', review);
      door.trigger('team-a', 'answer', { ...review, source: 'slack' });
      const closed = { ...(opened as object), action: 'closed' };
      const { status, body } = await deliver(closed);
      assert.deepEqual([status, body['status']], [200, 'ignored']);
      assert.deepEqual(body['reasons'], [
        'review: spec.when.actions wants an action like "opened", and the event has "closed".',
      ]);
      const dry = await deliver(closed, {}, '/validate');
      assert.deepEqual([dry.status, dry.body['framework']], [200, null]);
      assert.match(String(dry.body['warnings']), /review: spec\.when\.actions .*closed/);
    });

    it('never asks a signed payload what to start', async () => {
      const { body } = await deliver({ ...(opened as object), ...DIRECT });
      assert.deepEqual([body['status'], (body['reasons'] as string[]).length], ['ignored', 1]);
    });

    it('tells whoever has a key, where there is no trigger, that the body may say it', async () => {
      const { status, body } = await withKey({ event: 'deploy_failed' });
      assert.deepEqual([status, body['status']], [200, 'ignored']);
      assert.match(String(body['reasons']), /no SessionTrigger.*body may say .* in its field framework/);
    });
  });

  describe('takes long bodies', () => {
    const long = (bytes: number): Buffer =>
      Buffer.from(
        JSON.stringify({ ...DIRECT, blob: Array.from({ length: bytes / 1000 }, () => 'x'.repeat(997)) }),
      );
    const headers = () => ({ ...JSON_TYPE, 'x-api-key': KEY });

    it('whole into the store, and a part into the object', async () => {
      const body = long(20_000_000);
      const { status } = await post(`${door.url}/generic`, body, headers());
      assert.equal(status, 202);
      const [session] = sessions();
      assert.ok(JSON.stringify(session).length < 40_000);
      const info = await door.store.store.stat(
        `team-a/${session?.metadata.uid}/artifacts/.ambient/trigger-payload`,
      );
      assert.deepEqual([info?.size, info?.digest], [body.length, hashOf(body.toString())]);
      assert.deepEqual(await door.store.store.listKeys('_webhooks/'), []);
    });

    it('signed, and leaves nothing of one that is forged', async () => {
      const body = long(2_000_000);
      const attempt = (secret: string) =>
        post(`${door.url}/github?key=${ID}-github`, body, {
          ...JSON_TYPE,
          'x-hub-signature-256': githubSignature(secret, body),
        });
      assert.deepEqual([(await attempt(SECRET)).status, (await attempt('guess')).status], [200, 401]);
      assert.deepEqual(await door.store.store.listKeys('_webhooks/'), []);
    });

    it('ten at once, and of tenants also while strangers hold all the places that they can have', async () => {
      const { store } = door.store;
      let puts = 0;
      const put = store.put.bind(store);
      Object.defineProperty(store, 'put', {
        value: (...given: Parameters<typeof put>) => {
          puts++;
          return put(...given);
        },
      });
      const strangers = Array.from({ length: 12 }, () => {
        const sent = request(`${door.url}/github?key=unknown`, {
          method: 'POST',
          headers: {
            ...JSON_TYPE,
            'content-length': 9_000_000,
            'x-hub-signature-256': githubSignature('', ''),
          },
        });
        sent.on('error', () => undefined);
        sent.write(Buffer.alloc(300_000, 0x20));
        return sent;
      });
      await until(() => puts >= 3, 'bodies of strangers are coming in');
      const body = long(2_000_000);
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => post(`${door.url}/generic`, body, headers())),
      );
      assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([202]));
      for (const sent of strangers) sent.destroy();
    });

    it('of many strangers at once in bounded memory, which tenants do not notice', async () => {
      const part = Buffer.alloc(250_000, 0x20);
      const refused = Promise.withResolvers<number | undefined>();
      const strangers = Array.from({ length: 400 }, () => {
        const sent = request(`${door.url}/github?key=unknown`, {
          method: 'POST',
          headers: {
            ...JSON_TYPE,
            'content-length': 251_000,
            'x-hub-signature-256': githubSignature('', ''),
          },
        });
        sent.on('error', () => undefined);
        sent.on('response', (response) => refused.resolve(response.resume().statusCode));
        sent.write(part);
        return sent;
      });
      assert.equal(await refused.promise, 503);
      assert.equal((await withKey(DIRECT)).status, 202);
      for (const sent of strangers) sent.destroy();
    });

    it('up to 25 MiB, announced or not', async () => {
      const chunk = Buffer.alloc(1024 * 1024, 0x20);
      const announced = await post(`${door.url}/generic`, Buffer.alloc(26 * 1024 * 1024, 0x20), headers());
      assert.deepEqual([announced.status, announced.body['error']], [413, 'too_large']);
      const chunks = Array.from({ length: 26 }, () => chunk);
      const streamed = await post(`${door.url}/generic`, chunks, headers());
      assert.equal(streamed.status, 413);
      assert.deepEqual(await door.store.store.listKeys('_webhooks/'), []);
    });
  });

  describe('bears', () => {
    /** A sender that does what `act` does with its request, after the headers and a part of the body. */
    const halfway = async (act: (sent: ClientRequest) => void, url = door.url): Promise<number | string> => {
      const { promise, resolve } = Promise.withResolvers<number | string>();
      const sent = request(`${url}/generic`, {
        method: 'POST',
        headers: { ...JSON_TYPE, 'x-api-key': KEY, 'content-length': 1_000_000 },
      });
      sent.on('response', (response) => resolve(response.resume().statusCode ?? 0));
      sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
      sent.write(`{"a":"${'x'.repeat(400_000)}`);
      act(sent);
      return await promise;
    };

    it('senders that stop in the middle, and those that hang up there', async () => {
      await using slow = await testDoor({ bodyMs: 200 });
      slow.policy('team-a', { webhookAuth: { apiKeys: { generic: hashOf(KEY) } } });
      assert.equal(await halfway(() => undefined, slow.url), 408);
      assert.equal(await halfway((sent) => setTimeout(() => sent.destroy(), 50), slow.url), 'ECONNRESET');
      await until(
        async () => (await slow.store.store.listKeys('_webhooks/')).length === 0,
        'nothing is left of either',
      );
      assert.equal(
        (await post(`${slow.url}/generic`, JSON.stringify(DIRECT), { 'x-api-key': KEY })).status,
        202,
      );
    });

    it('a store that is full, and makes nothing but the session that the next sending completes', async () => {
      const full = new AmbientError('storage_full', 'the store is full');
      const { store } = door.store;
      Object.defineProperty(store, 'put', { value: () => Promise.reject(full), configurable: true });
      const { status, body } = await withKey(DIRECT, { 'idempotency-key': 'x' });
      assert.deepEqual([status, body['error']], [507, 'storage_full']);
      Reflect.deleteProperty(store, 'put');
      assert.equal((await withKey(DIRECT, { 'idempotency-key': 'x' })).status, 202);
      assert.equal(sessions().length, 1);
    });

    it('an audit log that cannot be written: then nothing is started', async () => {
      door.audit.refuse = new AmbientError('audit_unavailable', 'the audit log cannot be written');
      const { status, body } = await withKey(DIRECT);
      assert.deepEqual([status, body['error']], [503, 'audit_unavailable']);
      assert.equal(sessions().length, 0);
    });

    it('whatever is sent: every answer is one that the document names', async () => {
      const contract = new Contract();
      const header = fc.constantFrom(
        ...['x-api-key', 'content-type', 'idempotency-key', 'x-github-event', 'x-github-delivery'],
        ...['x-hub-signature-256', 'x-slack-signature', 'x-slack-request-timestamp', 'content-encoding'],
      );
      const value = fc.oneof(
        fc.constantFrom(KEY, 'application/json', 'application/x-www-form-urlencoded', 'gzip', 'ping', ''),
        fc.string({ unit: fc.constantFrom(...'abz019=:;,. /%~'.split('')), maxLength: 20 }),
      );
      const json = fc.oneof(
        fc.json({ stringUnit: 'binary' }),
        fc
          .record({ framework: fc.jsonValue(), type: fc.jsonValue(), source: fc.jsonValue() })
          .map((each) => JSON.stringify(each)),
        fc
          .record({ framework: fc.record({ type: fc.string(), config: fc.jsonValue() }) })
          .map((each) => JSON.stringify(each)),
        fc.string({ unit: 'binary' }),
        fc.constant('payload=%7B%7D&payload=1'),
      );
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom('github', 'jira', 'slack', 'generic', 'other', '%00', '..%2f'),
          fc.constantFrom('', '/validate'),
          fc.constantFrom('', '?key=', `?key=${ID}-github`, '?key=%zz', '?a=1&key=x'),
          fc.array(fc.tuple(header, value), { maxLength: 4 }),
          json,
          fc.boolean(),
          async (source, path, query, headers, body, known) => {
            const { status, body: said } = await post(`${door.url}/${source}${path}${query}`, body, {
              ...Object.fromEntries(headers),
              ...(known ? { 'x-api-key': KEY } : {}),
            });
            const { responses } =
              contract.document.paths[`/webhooks/{source}${path}`]?.['post'] ?? assert.fail();
            const schema = responses[status]?.content?.['application/json']?.schema;
            assert.ok(status < 500 && schema !== undefined, `${status} ${JSON.stringify(said)}`);
            assert.equal(contract.problems(schema, said), '', `${status} ${JSON.stringify(said)}`);
          },
        ),
        { numRuns: 1500 },
      );
    }).timeout(60_000);
  });

  it('measures and records what it refuses, without the secret', async () => {
    await send('generic', '{}', { 'x-api-key': 'not-this-one' });
    await withKey('nope');
    assert.deepEqual(door.audit.lines, [
      'system:anonymous create sessions denied',
      'ambient:webhook:generic create sessions denied',
    ]);
    assert.deepEqual(
      door.audit.events.map(({ namespace, details }) => [namespace, details?.['door'], details?.['code']]),
      [
        ['ambient-system', 'webhooks', 'invalid_api_key'],
        ['team-a', 'webhooks', 'invalid_payload'],
      ],
    );
    assert.ok(!JSON.stringify(door.audit.events).includes('not-this-one'));
    assert.deepEqual(door.strangers, ['127.0.0.1']);
    const metrics = await door.registry.metrics();
    assert.match(metrics, /ambient_webhook_deliveries_total\{source="generic",outcome="invalid_api_key"\} 1/);
  });
});
