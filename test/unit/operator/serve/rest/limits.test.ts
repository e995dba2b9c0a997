/** What the REST door bears: floods, slow and garbled senders, and who is let in before anything is done. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as plainly, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { ErrorBody } from '../../../../../common/api/rest/error.ts';
import { listNamespaces } from '../../../../../common/api/rest/operations.ts';
import { AmbientError } from '../../../../../common/errors.ts';
import type { Door } from '../../../../../operator/serve/http/server.ts';
import { AccessReviews } from '../../../../../operator/serve/identity/access.ts';
import { Identities } from '../../../../../operator/serve/identity/identities.ts';
import { ReviewedTokens } from '../../../../../operator/serve/identity/token-review.ts';
import { accept } from '../../../../../operator/serve/rest/accept.ts';
import { AddressLimits } from '../../../../../operator/serve/rest/limits.ts';
import { limitConnections } from '../../../../../operator/serve/rest/connections.ts';
import { addService, service } from '../../../../../operator/serve/rest/routes.ts';
import { createRestServer } from '../../../../../operator/serve/rest/server.ts';
import type { RestServerOptions } from '../../../../../operator/serve/rest/server.ts';
import { StreamPlaces } from '../../../../../operator/serve/rest/stream-places.ts';
import type { Accesses } from '../../../../../operator/sessions/accesses.ts';
import { anAccesses, CollectedAudit, refusalsOf, refusedPodIn } from '../../../../support/audit.ts';
import { TestCertificates } from '../../../../support/certificates.ts';
import { restAt, outcomeOf } from '../../../../support/rest.ts';
import type { Rest } from '../../../../support/rest.ts';
import { temporaryStore } from '../../../../support/temporary-store.ts';
import type { TemporaryStore } from '../../../../support/temporary-store.ts';
import { until } from '../../../../support/until.ts';

describe('limits of the REST door', function () {
  this.timeout(20_000);
  let certificates: TestCertificates;
  let temporary: TemporaryStore;
  let audit: CollectedAudit;
  let accesses: Accesses | undefined;
  let door: Door | undefined;
  let port: number;
  let rest: Rest;
  let time: number;
  let reviews: string[];

  before(async () => {
    certificates = await TestCertificates.make();
    temporary = await temporaryStore();
  });
  after(() => temporary[Symbol.asyncDispose]());
  beforeEach(() => {
    audit = new CollectedAudit();
    time = 0;
    reviews = [];
  });
  afterEach(async () => {
    await door?.close(0);
    accesses?.[Symbol.dispose]();
    door = undefined;
  });

  const elapsed = (): number => time;
  const begin = async (options: Partial<RestServerOptions> = {}): Promise<void> => {
    const reviewer = {
      tokenReview: async (token: string) => {
        reviews.push(token);
        if (token === 'away') throw new DOMException('no answer', 'TimeoutError');
        return { authenticated: token === 'good', user: { username: 'ann' } };
      },
      subjectAccessReview: async () => ({ allowed: true }),
    };
    accesses = anAccesses(temporary.store, audit);
    door = await createRestServer({
      identities: new Identities(
        new ReviewedTokens({ reviewer, now: () => new Date(time), elapsed }),
        undefined,
      ),
      access: new AccessReviews({ reviewer, elapsed }),
      accesses,
      refusals: refusalsOf(accesses, 'rest'),
      limits: new AddressLimits({ perSecond: 10, burst: 100, elapsed }),
      services: (scope, guard) =>
        addService(
          scope,
          guard,
          service({ operation: listNamespaces, handle: async ({ caller }) => ({ hello: caller.name }) }),
        ),
      ready: () => true,
      certificates,
      logger: pino({ level: 'silent' }),
      metrics: new Registry(),
      ...options,
    });
    port = await door.listen(0, '127.0.0.1');
    rest = restAt({ port, ca: certificates.ca });
  };
  const known = { token: 'good' };

  it('let one address ask so often, then say when to come again, before a token is looked at', async () => {
    await begin({ limits: new AddressLimits({ perSecond: 2, burst: 3, elapsed }) });
    for (let i = 0; i < 3; i++) assert.equal((await rest('/user/namespaces', known)).status, 200);
    const refused = await rest('/user/namespaces', { token: 'new' });
    assert.equal(outcomeOf(refused), '429 rate_limit_exceeded');
    assert.equal(refused.headers['retry-after'], '1');
    assert.deepEqual(reviews, ['good']);
    time = 1000;
    assert.equal((await rest('/user/namespaces', known)).status, 200);
    assert.equal((await rest('/user/namespaces', known)).status, 200);
    assert.equal((await rest('/user/namespaces', known)).status, 429);
  });

  it('make tokens that nobody knows dear', async () => {
    await begin();
    const outcomes = [];
    for (let i = 0; i < 10; i++)
      outcomes.push(outcomeOf(await rest('/user/namespaces', { token: `made-up-${i}` })));
    assert.deepEqual(new Set(outcomes), new Set(['401 unauthenticated', '429 rate_limit_exceeded']));
    assert.ok(reviews.length <= 5, `${reviews.length} reviews`);
    // What costs nobody anything is one request like others: no token, and one that was refused a moment ago.
    time = 100_000;
    await rest('/user/namespaces', { token: 'made-up' });
    for (let i = 0; i < 30; i++) {
      assert.equal((await rest('/user/namespaces', { token: 'made-up' })).status, 401);
      assert.equal((await rest('/user/namespaces')).status, 401);
    }
    assert.ok(audit.lines.every((line) => line === 'system:anonymous view sessions denied'));
  });

  it('name a pod that comes with its own token', async () => {
    await begin();
    assert.equal((await rest('/user/namespaces', { token: 'a-pod' })).status, 401);
    assert.deepEqual(refusedPodIn(audit), [
      'team-a',
      's1',
      'system:serviceaccount:team-a:ambient-runner',
      'rest',
      's1-pod',
    ]);
  });

  it('believe X-Forwarded-For only from proxies that are trusted', async () => {
    const limits = new AddressLimits({ perSecond: 1, burst: 1, elapsed });
    const from = (address: string) => ({ ...known, headers: { 'x-forwarded-for': address } });
    await begin({ limits });
    assert.equal((await rest('/user/namespaces', from('192.0.2.1'))).status, 200);
    assert.equal((await rest('/user/namespaces', from('192.0.2.2'))).status, 429);
    await door?.close(0);
    await begin({
      limits: new AddressLimits({ perSecond: 1, burst: 1, elapsed }),
      trustedProxies: ['127.0.0.0/8'],
    });
    assert.equal((await rest('/user/namespaces', from('192.0.2.1'))).status, 200);
    assert.equal((await rest('/user/namespaces', from('192.0.2.2'))).status, 200);
    assert.equal((await rest('/user/namespaces', from('192.0.2.2'))).status, 429);
  });

  it('answer with 503 and when to come again while the API server is away, or before all is read', async () => {
    await begin();
    const away = await rest('/user/namespaces', { token: 'away' });
    assert.equal(outcomeOf(away), '503 unavailable');
    assert.equal(away.headers['retry-after'], '1');
    await door?.close(0);
    await begin({ ready: () => false });
    assert.equal(outcomeOf(await rest('/user/namespaces', known)), '503 unavailable');
  });

  it('give a plugin the error body, the limits and the answers to other methods', async () => {
    await begin({
      plugins: [
        {
          prefix: '/tools',
          plugin: async (scope) => {
            scope.post('/hello', async () => {
              throw new AmbientError('policy_violation', 'not here', { details: { violations: [] } });
            });
            scope.post('/broken', async () => {
              throw new TypeError('a secret of the inside');
            });
          },
        },
      ],
    });
    const refused = await rest('/tools/hello', { method: 'POST', json: {} });
    assert.equal(outcomeOf(refused), '403 policy_violation');
    const { details, traceId } = refused.json as ErrorBody;
    assert.deepEqual(details['violations'], []);
    assert.equal(traceId, refused.headers['x-trace-id']);
    const broken = await rest('/tools/broken', { method: 'POST', json: {} });
    assert.equal(outcomeOf(broken), '500 internal');
    assert.doesNotMatch(broken.text, /secret/);
    const get = await rest('/tools/hello');
    assert.deepEqual([outcomeOf(get), get.headers.allow], ['405 method_not_allowed', 'POST']);
    const parent = '0af7651916cd43dd8448eb211c80319c';
    const traced = await rest('/tools/hello', {
      method: 'POST',
      json: {},
      headers: { traceparent: `00-${parent}-b7ad6b7169203331-01` },
    });
    assert.equal((traced.json as ErrorBody).traceId, parent);
    const nothing = '0'.repeat(32);
    const untraced = await rest('/tools/hello', {
      headers: { traceparent: `00-${nothing}-b7ad6b7169203331-01` },
    });
    assert.notEqual((untraced.json as ErrorBody).traceId, nothing);
  });

  /** All that comes until the connection ends. */
  const talk = async (say: (socket: TLSSocket) => Promise<void> | void): Promise<string> => {
    const socket = connect({ host: '127.0.0.1', port, ca: certificates.ca });
    let heard = '';
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString('utf8')));
    socket.on('error', () => undefined);
    const closed = once(socket, 'close');
    await once(socket, 'secureConnect');
    await say(socket);
    await closed;
    return heard;
  };
  const bodyOf = (heard: string): ErrorBody =>
    JSON.parse(heard.slice(heard.indexOf('\r\n\r\n'))) as ErrorBody;
  const timeouts = { headersMs: 300, requestMs: 600, checkMs: 50, idleMs: 5000 };

  it('cut off who sends slowly: nothing, headers, or a body', async () => {
    await begin({ timeouts });
    const silent = await talk(() => undefined);
    assert.match(silent, /^HTTP\/1\.1 408 /);
    const headers = await talk(async (socket) => {
      socket.write('GET /api/v1/user/namespaces HTTP/1.1\r\nhost: x\r\n');
      for (let i = 0; i < 100 && !socket.destroyed && socket.writable; i++) {
        socket.write(`x-${i}: y\r\n`);
        await sleep(20);
      }
    });
    assert.match(headers, /^HTTP\/1\.1 408 /);
    assert.equal(bodyOf(headers).error, 'too_slow');
    const body = await talk(async (socket) => {
      socket.write(
        'POST /api/v1/user/namespaces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{',
      );
      await sleep(100);
      socket.write('"a":');
    });
    assert.match(body, /^HTTP\/1\.1 (405|408) /);
    // Whoever is quick is not disturbed.
    assert.equal((await rest('/user/namespaces', known)).status, 200);
  });

  it('answer what is no HTTP, and headers without end, in the same words as everything else', async () => {
    await begin();
    const garbled = await talk((socket) => void socket.write('HELLO\r\n\r\n'));
    assert.match(garbled, /^HTTP\/1\.1 400 /);
    assert.match(bodyOf(garbled).traceId, /^[0-9a-f]{32}$/);
    const long = await talk(
      (socket) => void socket.write(`GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`),
    );
    assert.match(long, /^HTTP\/1\.1 431 /);
    assert.equal(bodyOf(long).error, 'invalid_request');
  });

  it('answer in these words also what node would refuse by itself, or read in one of two ways', async () => {
    await begin();
    const ask = (line: string, ...headers: string[]): Promise<string> =>
      talk(
        (socket) =>
          void socket.write([`${line} HTTP/1.1`, 'connection: close', ...headers, '', ''].join('\r\n')),
      );
    const path = '/api/v1/user/namespaces';
    for (const hosts of [[], ['host: x', 'Host: y']]) {
      const heard = await ask(`GET ${path}`, ...hosts);
      assert.match(heard, /^HTTP\/1\.1 400 /);
      assert.match(bodyOf(heard).message, /one Host header/);
    }
    const expecting = await ask(`GET ${path}`, 'host: x', 'expect: miracles');
    assert.equal(bodyOf(expecting).error, 'unauthenticated');
    for (const method of ['TRACE', 'PROPFIND', 'QUERY']) {
      const heard = await ask(`${method} ${path}`, 'host: x');
      assert.equal(bodyOf(heard).error, 'method_not_allowed', heard);
      assert.match(heard, /^allow: GET, HEAD\r$/im);
      assert.equal(bodyOf(await ask(`${method} /api/v1/nowhere`, 'host: x')).error, 'not_found');
    }
    const odd = await ask('GET /api/v1/%zz', 'host: x');
    assert.match(odd, new RegExp(`^x-trace-id: ${bodyOf(odd).traceId}\\r$`, 'im'));
  });

  it('answer who takes the door for a proxy, and outlive it when he breaks off', async () => {
    await begin();
    const tunnel = 'CONNECT api.example:443 HTTP/1.1\r\nhost: api.example:443\r\n\r\n';
    const heard = await talk((socket) => void socket.write(`${tunnel}GET / HTTP/1.1\r\n\r\n`));
    assert.match(heard, /^HTTP\/1\.1 405 /);
    assert.match(heard, /^allow: GET, HEAD, POST\r$/im);
    assert.match(heard, /^connection: close\r$/im);
    assert.deepEqual(
      [bodyOf(heard).error, bodyOf(heard).message],
      ['method_not_allowed', 'this is no proxy'],
    );
    const broken = connect({ host: '127.0.0.1', port, ca: certificates.ca });
    broken.on('error', () => undefined);
    await once(broken, 'secureConnect');
    broken.write(tunnel, () => broken.destroy());
    await once(broken, 'close');
    assert.equal((await rest('/user/namespaces', known)).status, 200);
  });

  it('hold out hundreds of connections that say nothing, and serve others beside them', async () => {
    await begin({ timeouts: { ...timeouts, headersMs: 2000, requestMs: 4000 } });
    const sockets = await Promise.all(
      Array.from({ length: 300 }, async () => {
        const socket = connect({ host: '127.0.0.1', port, ca: certificates.ca });
        socket.on('error', () => undefined).resume();
        await once(socket, 'secureConnect');
        return socket;
      }),
    );
    const started = performance.now();
    assert.equal((await rest('/user/namespaces', known)).status, 200);
    assert.ok(performance.now() - started < 1000);
    await until(() => sockets.every(({ closed }) => closed), 'all were cut off', 10_000);
  });

  it('give one address so many connections, and a trusted proxy those of everybody behind it', async () => {
    for (const [trusted, kept] of [
      [['10.0.0.0/8'], 2],
      [['fd00::/8', '127.0.0.0/8'], 3],
    ] as const) {
      const server = createServer();
      limitConnections(server, 2, trusted);
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const { port: listening } = server.address() as AddressInfo;
      const sockets = [];
      for (let i = 0; i < 3; i++) {
        const socket = plainly({ host: '127.0.0.1', port: listening });
        socket.on('error', () => undefined);
        sockets.push(socket.resume());
        await once(server, 'connection');
      }
      const count = promisify(server.getConnections.bind(server));
      await until(async () => (await count()) === kept, `${kept} are kept`, 5000);
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });

  it('forget addresses that are not heard of, the longest silent first', () => {
    const limits = new AddressLimits({ perSecond: 1, burst: 1, elapsed, most: 2 });
    limits.take('192.0.2.1');
    limits.take('192.0.2.2');
    assert.throws(() => limits.take('192.0.2.1'), /too many requests/);
    limits.take('192.0.2.3');
    limits.take('192.0.2.2');
  });

  it('take all addresses of one IPv6 network for one', () => {
    const limits = new AddressLimits({ perSecond: 1, burst: 1, elapsed });
    limits.take('2001:db8:1:2::1');
    assert.throws(() => limits.take('2001:db8:1:2:ffff:0:0:9'), /too many requests/);
    limits.take('2001:db8:1:3::1');
    limits.take('::ffff:192.0.2.1');
    assert.throws(() => limits.take('192.0.2.1'), /too many requests/);
  });

  it('give each person so many streams, and places back when they end', () => {
    const places = new StreamPlaces({ most: 3, perPerson: 2 });
    const first = places.take('ann');
    places.take('ann');
    assert.throws(() => places.take('ann'), /too many streams/);
    places.take('ben');
    assert.throws(() => places.take('cid'), /too many streams/);
    first[Symbol.dispose]();
    places.take('cid');
  });

  it('know what is acceptable', () => {
    const json = ['application/json'];
    for (const header of [undefined, '', '*/*', 'application/*', 'text/html, application/json;q=0.1'])
      accept(header, json);
    for (const header of ['text/html', 'application/json;q=0', '*/*, application/json;q=0'])
      assert.throws(() => accept(header, json), /answers with application\/json/);
    accept('application/octet-stream', ['*/*']);
  });
});
