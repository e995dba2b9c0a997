/** Webhooks to a real receiver on the loopback address, which the rules of each test allow or do not. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { listOf } from '../../../../../operator/record/notifications/addresses.ts';
import type { Notification } from '../../../../../operator/record/notifications/events.ts';
import type { SecretReference } from '../../../../../operator/record/notifications/placeholders.ts';
import { SecretProblem } from '../../../../../operator/record/notifications/secrets.ts';
import { targetsOf } from '../../../../../operator/record/notifications/targets.ts';
import type { Webhook } from '../../../../../operator/record/notifications/targets.ts';
import { WebhookSender } from '../../../../../operator/record/notifications/webhook.ts';
import type { WebhookOptions } from '../../../../../operator/record/notifications/webhook.ts';
import { webReceiver } from '../../../../support/web-receiver.ts';
import type { WebReceiver } from '../../../../support/web-receiver.ts';

const NOW = Date.parse('2030-01-01T00:00:00.500Z');
const notification: Notification = {
  id: 'a'.repeat(32),
  event: 'session.completed',
  timestamp: '2030-01-01T00:00:00Z',
  namespace: 'team-a',
  message: 'Session s1 is completed.',
};

describe('a webhook', () => {
  let receiver: WebReceiver;
  beforeEach(async () => (receiver = await webReceiver()));
  afterEach(() => receiver[Symbol.asyncDispose]());

  const LOOPBACK = { allowed: listOf(['127.0.0.1/32']), plainHttp: true };
  const secrets: Record<string, string> = {
    'hook/secret': 'key',
    'other/token': 'tok-1\n',
    'bad/token': 'a\r\nX-Evil: 1',
  };
  const secret = async ({ name, key }: SecretReference): Promise<Buffer> => {
    const value = secrets[`${name}/${key}`];
    if (value === undefined) throw new SecretProblem(`there is no Secret ${name}`);
    return Buffer.from(value);
  };
  const send = (more: Partial<Webhook> = {}, options: Partial<WebhookOptions> = {}) =>
    new WebhookSender({ rules: LOOPBACK, now: () => NOW, timeoutMs: 500, ...options }).send({
      webhook: { url: `http://127.0.0.1:${receiver.port}/hook`, events: [], ...more },
      notification,
      secret,
      signal: new AbortController().signal,
    });
  const answering = (status: number, headers: Record<string, string> = {}) => {
    receiver.answer = (response: ServerResponse) =>
      void response.writeHead(status, headers).end('x'.repeat(100));
  };

  it('brings the notification as JSON, signed over time, id and body, with headers filled in from Secrets', async () => {
    const attempt = await send({
      secret: 'hook',
      headers: { Authorization: 'Bearer ${secret:other/token}', 'X-Own': '<${secret}>' },
    });
    assert.deepEqual(attempt, { outcome: 'delivered' });
    const [{ headers, body, path } = assert.fail()] = receiver.received;
    assert.equal(path, '/hook');
    assert.deepEqual(JSON.parse(body), notification);
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers['x-ambient-event'], 'session.completed');
    assert.equal(headers['x-ambient-delivery'], notification.id);
    assert.equal(headers['x-ambient-timestamp'], '1893456000');
    assert.equal(headers.authorization, 'Bearer tok-1');
    assert.equal(headers['x-own'], '<key>');
    const expected = createHmac('sha256', 'key')
      .update(`1893456000.${notification.id}.${body}`)
      .digest('hex');
    assert.equal(headers['x-ambient-signature'], `v1=${expected}`);
  });

  it('is not signed when the policy names no Secret', async () => {
    await send();
    assert.equal(receiver.received[0]?.headers['x-ambient-signature'], undefined);
  });

  const ANSWERS: [
    status: number,
    headers: Record<string, string>,
    outcome: string,
    reason: RegExp,
    afterMs?: number,
  ][] = [
    [200, {}, 'delivered', /^$/],
    [299, {}, 'delivered', /^$/],
    [302, { location: 'http://127.0.0.1:1/' }, 'failed', /302: redirects are not followed/],
    [400, {}, 'failed', /400/],
    [410, {}, 'refused', /410: it wants no more/],
    [429, { 'retry-after': '120' }, 'failed', /429/, 120_000],
    [429, { 'retry-after': 'Tue, 01 Jan 2030 00:01:00 GMT' }, 'failed', /429/, 59_500],
    [429, { 'retry-after': 'soon' }, 'failed', /429/],
    [500, {}, 'failed', /500/],
    [503, { 'retry-after': '5' }, 'failed', /503/, 5000],
  ];
  for (const [status, headers, outcome, reason, afterMs] of ANSWERS)
    it(`that is answered ${status} ${JSON.stringify(headers)} is ${outcome}`, async () => {
      answering(status, headers);
      const attempt = await send();
      assert.equal(attempt.outcome, outcome);
      assert.match(attempt.outcome === 'delivered' ? '' : attempt.reason, reason);
      assert.equal(attempt.outcome === 'failed' ? attempt.afterMs : undefined, afterMs);
      assert.equal(receiver.received.length, 1, 'no redirect is followed');
    });

  it('that hangs is given up after its time', async () => {
    receiver.answer = () => undefined;
    assert.deepEqual(await send(), { outcome: 'failed', reason: 'no answer within 0.5 s' });
  });

  it('that drips its answer counts by its status, and is not waited for', async () => {
    let dripping: NodeJS.Timeout | undefined;
    receiver.answer = (response) => {
      response.writeHead(200);
      dripping = setInterval(() => response.write('.'), 20);
      response.on('close', () => clearInterval(dripping));
    };
    const started = performance.now();
    assert.deepEqual(await send({}, { timeoutMs: 5000 }), { outcome: 'delivered' });
    assert.ok(performance.now() - started < 2000);
    clearInterval(dripping);
  });

  it('that drips its header is given up after its time', async () => {
    receiver.answer = (response) => {
      response.socket?.write('HTTP/1.1 200 OK\r\nX-Slow: ');
      const timer = setInterval(() => response.socket?.write('.'), 20);
      response.on('close', () => clearInterval(timer));
    };
    assert.equal((await send()).outcome, 'failed');
  });

  it('that nobody takes fails with the reason', async () => {
    const attempt = await send({ url: 'http://127.0.0.1:1/' });
    assert.deepEqual(attempt, { outcome: 'failed', reason: 'no answer (ECONNREFUSED)' });
  });

  const URLS: [url: string, reason: RegExp][] = [
    ['http://10.0.0.1/', /address 10\.0\.0\.1 is not one of the public internet/],
    ['http://[::1]/', /address ::1 is not/],
    ['http://2130706434/', /address 127\.0\.0\.2 is not/],
    ['http://0x7f.0.0.2/', /address 127\.0\.0\.2 is not/],
    ['http://0177.0.0.2/', /address 127\.0\.0\.2 is not/],
    ['http://[::ffff:169.254.169.254]/', /is not one of the public internet/],
    ['http://user:pass@127.0.0.1/', /credentials/],
    ['http://', /cannot be read/],
  ];
  for (const [url, reason] of URLS)
    it(`to ${url} is refused without a connection`, async () => {
      const attempt = await send({ url });
      assert.equal(attempt.outcome, 'refused');
      assert.match(attempt.outcome === 'refused' ? attempt.reason : '', reason);
    });

  it('to http:// is refused unless the administrator allows it', async () => {
    const attempt = await send({}, { rules: { ...LOOPBACK, plainHttp: false } });
    assert.deepEqual(attempt, { outcome: 'refused', reason: 'only https:// is allowed here' });
    assert.equal(receiver.received.length, 0);
  });

  it('to a name is refused when any of its addresses is inside, and the connection goes to the one that was checked', async () => {
    const url = `http://hooks.example:${receiver.port}/`;
    const inside = await send(
      { url },
      {
        resolve: async () => [
          { address: '127.0.0.1', family: 4 },
          { address: '10.0.0.7', family: 4 },
        ],
      },
    );
    assert.match(inside.outcome === 'refused' ? inside.reason : inside.outcome, /10\.0\.0\.7/);
    assert.equal(receiver.received.length, 0);

    let asked = 0;
    const rebinding = await send(
      { url },
      {
        resolve: async () => [{ address: asked++ === 0 ? '127.0.0.1' : '10.0.0.7', family: 4 }],
      },
    );
    assert.deepEqual([rebinding.outcome, asked], ['delivered', 1]);
    assert.equal(receiver.received[0]?.headers.host, `hooks.example:${receiver.port}`);
  });

  it('to a name that does not resolve is tried again', async () => {
    const attempt = await send(
      { url: 'http://hooks.example/' },
      {
        resolve: async () => Promise.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })),
      },
    );
    assert.deepEqual(attempt, { outcome: 'failed', reason: 'no answer (ENOTFOUND)' });
  });

  const HEADERS: [headers: Record<string, string>, outcome: string, reason: RegExp][] = [
    [{ Host: 'other' }, 'refused', /header Host is the operator's own/],
    [{ 'X-Ambient-Signature': 'v1=0' }, 'refused', /operator's own/],
    [{ 'Content-Length': '1' }, 'refused', /operator's own/],
    [{ 'a b': 'x' }, 'refused', /name that is not allowed/],
    [{ X: 'a\r\nY: b' }, 'refused', /header X has a character/],
    [{ X: '${secret:bad/token}' }, 'refused', /header X has a character/],
    [{ X: '${secret}' }, 'refused', /names no secret/],
    [{ X: '${secret:gone/token}' }, 'failed', /there is no Secret gone/],
  ];
  for (const [headers, outcome, reason] of HEADERS)
    it(`with the headers ${JSON.stringify(headers)} is ${outcome}, and says no value`, async () => {
      const attempt = await send({ headers });
      assert.equal(attempt.outcome, outcome);
      const text = attempt.outcome === 'delivered' ? '' : attempt.reason;
      assert.match(text, reason);
      assert.doesNotMatch(text, /Evil|tok-1/);
      assert.equal(receiver.received.length, 0);
    });

  it('is shown to people without its path, query and credentials', () => {
    const labels = targetsOf({
      webhooks: [
        { url: 'https://hooks.slack.com/services/T0/B0/xyz?key=1', events: [] },
        { url: 'https://ann:pass@example.com:8443/', events: [] },
      ],
    }).map(({ label }) => label);
    assert.deepEqual(labels, ['https://hooks.slack.com/…', 'https://example.com:8443/']);
  });
});
