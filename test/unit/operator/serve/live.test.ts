/** The live API's door over real TLS, with an authority of our own in the place of the cluster's front proxy. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Agent } from 'node:https';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { AuditRecord } from '../../../../common/api/audit.ts';
import type { KubeStatus } from '../../../../common/api/kubernetes.ts';
import { livePaths, SOURCE_CHUNK_BYTES } from '../../../../common/api/live.ts';
import type { ArtifactList, Resumed, RetentionForecast, SourceState } from '../../../../common/api/live.ts';
import type { AuditEvent } from '../../../../common/api/audit.ts';
import type { LogRecord } from '../../../../common/api/log.ts';
import type { Session } from '../../../../common/api/session.ts';
import { AmbientError } from '../../../../common/errors.ts';
import { KubeClient } from '../../../../common/kube/client.ts';
import { Connection } from '../../../../common/kube/connection.ts';
import { ObjectStore } from '../../../../common/kube/object-store.ts';
import { effectivePolicy } from '../../../../common/rules/policy/effective.ts';
import type { Door } from '../../../../operator/serve/http/server.ts';
import { parseTrust } from '../../../../operator/serve/live/front-proxy.ts';
import type { FrontProxy, FrontProxyTrust } from '../../../../operator/serve/live/front-proxy.ts';
import { createLiveServer } from '../../../../operator/serve/live/server.ts';
import type { Accesses } from '../../../../operator/sessions/accesses.ts';
import { Approvals } from '../../../../operator/sessions/approvals.ts';
import { Artifacts } from '../../../../operator/sessions/artifacts.ts';
import { SessionLog } from '../../../../operator/sessions/log.ts';
import { RetentionForecasts } from '../../../../operator/sessions/retention-forecast.ts';
import { Sources } from '../../../../operator/sessions/source.ts';
import { BudgetRaises } from '../../../../operator/sessions/budget-raises.ts';
import { Stops } from '../../../../operator/sessions/stop.ts';
import type { KeyPair } from '../../../../operator/serve/tls/authority.ts';
import {
  anAccesses,
  anEvent,
  aTrail,
  CollectedAudit,
  refusalsOf,
  refusedPodIn,
  TestBoard,
} from '../../../support/audit.ts';
import { ClientAuthority, TestCertificates } from '../../../support/certificates.ts';
import { fillLog, READER_BYTES_MAX, SlowReaders } from '../../../support/slow-readers.ts';
import { aSession } from '../../../support/fixtures.ts';
import { ask, open } from '../../../support/https.ts';
import type { Answer, AskOptions } from '../../../support/https.ts';
import { KnownSessions } from '../../../support/known-sessions.ts';
import { temporaryStore } from '../../../support/temporary-store.ts';
import type { TemporaryStore } from '../../../support/temporary-store.ts';
import { until } from '../../../support/until.ts';

class TestFrontProxy implements FrontProxy {
  trust: FrontProxyTrust | undefined;
  readonly #listeners = new Set<() => void>();

  set(ca: string | undefined, allowedNames = ['front-proxy-client']): void {
    this.trust =
      ca === undefined
        ? undefined
        : parseTrust({
            'requestheader-client-ca-file': ca,
            'requestheader-allowed-names': JSON.stringify(allowedNames),
          });
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }
}

const line = (seq: number, text = `line ${seq}`): string =>
  JSON.stringify({ seq, time: '2030-01-01T00:00:00Z', type: 'output', text } satisfies LogRecord);
const said = (verb: string, user: string, body: unknown) => ({
  kind: 'MessageAccepted' as const,
  apiVersion: 'live.ambient.ai/v1alpha1' as const,
  seq: 1,
  id: `${verb} of ${JSON.stringify(body).length}`,
  by: user,
  at: '2030-01-01T00:00:00Z',
});
const lines = (from: number, to: number, text?: string) =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ seq: from + i, line: line(from + i, text) }));
const sha256 = (bytes: string | Buffer): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const causeOf = ({ json }: Answer): string | undefined => (json as KubeStatus).details?.causes?.[0]?.reason;

describe('the live API', () => {
  let authority: ClientAuthority;
  let certificates: TestCertificates;
  let proxyCertificate: KeyPair;
  let temporary: TemporaryStore;
  let sessions: KnownSessions;
  let session: Session;
  let log: SessionLog;
  let artifacts: Artifacts;
  let frontProxy: TestFrontProxy;
  let door: Door;
  let port: number;
  let audit: CollectedAudit;
  let accesses: Accesses;
  let logged: Record<string, unknown>[];
  let audited: AuditEvent[];
  let metrics: Registry;
  const nowhere = new Connection({
    cluster: 'none',
    credentials: { server: 'https://127.0.0.1:1', tls: {} },
  });

  before(async () => {
    authority = await ClientAuthority.make();
    certificates = await TestCertificates.make();
    proxyCertificate = await authority.client('front-proxy-client');
  });
  after(() => nowhere.close());

  beforeEach(async () => {
    temporary = await temporaryStore();
    audit = new CollectedAudit();
    sessions = new KnownSessions();
    session = sessions.add(aSession().in('team-a').running().build());
    const { store } = temporary;
    log = new SessionLog({ store, sessions, pollMs: 20, onError: assert.ifError });
    artifacts = new Artifacts(store);
    frontProxy = new TestFrontProxy();
    frontProxy.set(authority.cert);
    logged = [];
    audited = [];
    metrics = new Registry();
    const write = (text: string): void => void logged.push(JSON.parse(text) as Record<string, unknown>);
    accesses = anAccesses(store, audit);
    door = createLiveServer({
      sessions,
      log,
      artifacts,
      sources: new Sources({ store }),
      approvals: new Approvals({
        client: new KubeClient(nowhere),
        store,
        policies: { of: () => effectivePolicy({ approval: { required: true, approvers: ['bob'] } }) },
        audit: { record: async (event) => void audited.push(event) },
        operatorUser: 'operator',
        now: () => new Date(),
      }),
      stops: new Stops({ client: new KubeClient(nowhere), store, now: () => new Date() }),
      raises: new BudgetRaises({
        client: new KubeClient(nowhere),
        store,
        policies: { of: () => effectivePolicy(undefined), object: () => undefined },
        audit: { record: async (event) => void audited.push(event) },
        now: () => new Date(),
      }),
      messages: {
        send: async (_, user, body) => said('message', user, body),
        interrupt: async (_, user, body) => said('interrupt', user, body),
      },
      resumes: {
        resume: async (of, body, { by }) => ({
          kind: 'Resumed',
          apiVersion: 'live.ambient.ai/v1alpha1',
          name: `${of.metadata.name} again, by ${by.name}`,
          uid: JSON.stringify(body),
        }),
      },
      forecasts: new RetentionForecasts({
        sessions: new ObjectStore<Session>({ cluster: 'test' }),
        policies: { of: () => effectivePolicy(undefined) },
        now: () => new Date(),
      }),
      frontProxy,
      accesses,
      refusals: refusalsOf(accesses, 'live'),
      certificates,
      logger: pino({ level: 'debug' }, { write }),
      metrics,
      keepAliveMs: 50,
    });
    port = await door.listen(0, '127.0.0.1');
  });
  afterEach(async () => {
    await door.close(100);
    accesses[Symbol.dispose]();
    await log.close();
    await temporary[Symbol.asyncDispose]();
  });

  const as = (user = 'ann', options: AskOptions = {}): AskOptions => ({
    ...proxyCertificate,
    ...options,
    headers: { 'x-remote-user': user, ...options.headers },
  });
  const get = (path: string, options: AskOptions = {}): Promise<Answer> =>
    ask({ port, ca: certificates.ca }, path, as('ann', options));
  const logPath = livePaths.log('team-a', 's1');

  describe('trust', () => {
    const anonymous = (options: AskOptions): Promise<Answer> =>
      ask({ port, ca: certificates.ca }, logPath, { headers: { 'x-remote-user': 'admin' }, ...options });

    it('goes to the front proxy alone', async () => {
      const stranger = await ClientAuthority.make();
      const others: [string, AskOptions][] = [
        ['no certificate', {}],
        ['another authority, same name', await stranger.client('front-proxy-client')],
        ['same authority, another name', await authority.client('admin')],
        ['expired', await authority.client('front-proxy-client', true)],
      ];
      for (const [who, options] of others) {
        const answer = await anonymous(options);
        assert.equal(answer.status, 401, who);
        assert.equal((answer.json as KubeStatus).reason, 'Unauthorized');
        assert.equal(causeOf(answer), 'unauthenticated');
      }
      assert.equal((await anonymous(proxyCertificate)).status, 200);
    });

    it('needs a user, and keeps the letters of a name', async () => {
      const nobody = await ask({ port, ca: certificates.ca }, logPath, proxyCertificate);
      assert.equal(nobody.status, 401);
      await get(logPath, { headers: { 'x-remote-user': Buffer.from('jürgen@example').toString('latin1') } });
      assert.equal(logged.at(-1)?.['user'], 'jürgen@example');
    });

    it('follows the cluster when its authority is exchanged, also on connections that are open', async () => {
      const agent = new Agent({ keepAlive: true, maxCachedSessions: 0 });
      try {
        assert.equal((await get(logPath, { agent })).status, 200);
        const next = await ClientAuthority.make('front-proxy-ca-2');
        frontProxy.set(next.cert);
        const old = await get(logPath).catch((error: unknown) => error);
        assert.equal((old as Answer).status, 401);
        await assert.rejects(async () => {
          const answer = await get(logPath, { agent });
          if (answer.status !== 200) throw new Error(`status ${answer.status}`);
        }, /status 503|status 401|hang up|ECONNRESET/);
        const renewed = await next.client('front-proxy-client');
        assert.equal((await get(logPath, renewed)).status, 200);
      } finally {
        agent.destroy();
      }
    });

    it('is nobody’s before the cluster has told whose', async () => {
      frontProxy.set(undefined);
      assert.equal((await get(logPath)).status, 503);
      assert.equal((await get('/healthz')).status, 200);
    });
  });

  it('serves with a new certificate without a restart', async () => {
    await get(logPath);
    const before = certificates.ca;
    await certificates.exchange();
    assert.equal((await get(logPath)).status, 200);
    await assert.rejects(ask({ port, ca: before }, logPath, as()), /signature|issuer|self-signed|verify/);
  });

  it('tells what it serves', async () => {
    const { json } = await get('/apis/live.ambient.ai/v1alpha1');
    const { kind, resources } = json as { kind: string; resources: { name: string; verbs: string[] }[] };
    assert.equal(kind, 'APIResourceList');
    assert.deepEqual(
      resources.map(({ name, verbs }) => `${name} ${verbs.join()}`),
      [
        'sessions/approve create',
        'namespacepolicies/retention get',
        'sessions/artifacts get',
        'sessions/audit get',
        'sessions/budget create',
        'sessions/interrupt create',
        'sessions/log get',
        'sessions/message create',
        'sessions/reject create',
        'sessions/resume create',
        'sessions/source get,update',
        'sessions/stop create',
      ],
    );
    for (const path of ['/apis', '/apis/live.ambient.ai', '/openapi/v2', '/openapi/v3', '/version']) {
      assert.equal((await get(path)).status, 200, path);
    }
  });

  describe('paths', () => {
    const base = '/apis/live.ambient.ai/v1alpha1/namespaces/team-a/sessions/s1';

    for (const [path, code] of [
      [`${base}/artifacts/../stop`, 'unsafe_path'],
      [`${base}/artifacts/%2e%2e/log`, 'unsafe_path'],
      [`${base}/artifacts/a%2f..%2f..%2flog`, 'unsafe_path'],
      [`${base}/artifacts/a%2Fb`, 'unsafe_path'],
      [`${base}/artifacts/a%00b`, 'unsafe_path'],
      [`${base}/artifacts/%ff`, 'unsafe_path'],
      [`${base}/artifacts//a`, 'unsafe_path'],
      [`${base}/artifacts/`, 'unsafe_path'],
      [`${base}//log`, 'unsafe_path'],
      [`${base}/log/`, 'unsafe_path'],
      [`${base}/./log`, 'unsafe_path'],
      [`${base}%2flog`, 'unsafe_path'],
      [`//apis/live.ambient.ai/v1alpha1/namespaces/team-a/sessions/s1/log`, 'unsafe_path'],
      [`${base}/log/x`, 'not_found'],
      [`${base}/artifact/x`, 'not_found'],
      [`${base}/__proto__`, 'not_found'],
      [`${base}/constructor`, 'not_found'],
      [`${base}/exec`, 'not_found'],
      [base, 'not_found'],
      ['/apis/live.ambient.ai/v1alpha1/watch/namespaces/team-a/sessions/s1/log', 'not_found'],
      ['/apis/live.ambient.ai/v1/namespaces/team-a/sessions/s1/log', 'not_found'],
      ['/apis/live.ambient.ai/v1alpha1/namespaces/Team_A/sessions/s1/log', 'not_found'],
      ['/apis/live.ambient.ai/v1alpha1/namespaces/team-a/namespacepolicies/policy', 'not_found'],
      ['/apis/live.ambient.ai/v1alpha1/namespaces/team-a/namespacepolicies/other/retention', 'not_found'],
      [`${livePaths.retention('team-a')}/x`, 'not_found'],
      [livePaths.log('team-a', 'other'), 'not_found'],
      [livePaths.log('team-b', 's1'), 'not_found'],
    ] as const) {
      it(`are read in one way only: ${path.replace(base, '…')}`, async () => {
        const answer = await get(path);
        assert.equal(answer.status, code === 'not_found' ? 404 : 400, answer.text);
        assert.equal(causeOf(answer), code);
      });
    }

    it('take only their own methods', async () => {
      const answer = await get(logPath, { method: 'POST' });
      assert.deepEqual([answer.status, answer.headers.allow], [405, 'GET']);
      assert.equal((await get(livePaths.stop('team-a', 's1'))).status, 405);
      assert.equal((await get(livePaths.retention('team-a'), { method: 'POST' })).status, 405);
      assert.equal((await get(livePaths.source('team-a', 's1'), { method: 'DELETE' })).status, 405);
    });
  });

  it('forecasts what retention would take, for a period that is one', async () => {
    const answer = await get(livePaths.retention('team-a', '2w'));
    const { kind, within, retention, items } = answer.json as RetentionForecast;
    assert.deepEqual([kind, within, retention.artifacts, items], ['RetentionForecast', '2w', '30d', []]);
    const wrong = await get(livePaths.retention('team-a', '2h'));
    assert.deepEqual([wrong.status, causeOf(wrong)], [400, 'invalid_request']);
  });

  it('answers a refusal with a Status, a trace id that is in its log too, and a measurement', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
    const answer = await get(livePaths.log('team-a', 'none'), { headers });
    const status = answer.json as KubeStatus;
    assert.deepEqual(status, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'there is no session none in namespace team-a',
      reason: 'NotFound',
      code: 404,
      details: {
        name: 'none',
        group: 'live.ambient.ai',
        kind: 'sessions',
        causes: [
          { reason: 'not_found', message: 'Check the name; it may have been deleted.' },
          { reason: 'traceId', message: traceId },
        ],
      },
    });
    assert.equal(logged.at(-1)?.['traceId'], traceId);
    assert.match(await metrics.metrics(), /duration_seconds_count\{verb="log",method="GET",status="404"\} 1/);
  });

  it('finds a session that the watch has not told of yet', async () => {
    sessions.unwatched.add('s1');
    assert.equal((await get(logPath)).status, 200);
    assert.equal(sessions.fetched, 1);
  });

  describe('log', () => {
    it('is NDJSON after a number, or text', async () => {
      await log.append(session, lines(1, 3));
      const events = await get(livePaths.log('team-a', 's1', { since: 1 }));
      assert.equal(events.headers['content-type'], 'application/x-ndjson');
      assert.equal(events.text, `${line(2)}\n${line(3)}\n`);
      const text = await get(livePaths.log('team-a', 's1', { format: 'text' }));
      assert.equal(text.text, 'line 1\nline 2\nline 3\n');
      assert.equal((await get(livePaths.log('team-a', 's1', { since: 3 }))).text, '');
    });

    it('says what is wrong with the question', async () => {
      for (const query of ['since=-1', 'since=x', 'since=1e3', 'follow=maybe', 'format=xml']) {
        const answer = await get(`${logPath}?${query}`);
        assert.deepEqual([answer.status, causeOf(answer)], [400, 'invalid_request'], query);
      }
    });

    it('follows with signs of life until the session is over', async () => {
      await log.append(session, lines(1, 1));
      const following = get(livePaths.log('team-a', 's1', { follow: true }));
      await until(() => sessions.listeners > 0, 'the follower listens');
      await sleep(200);
      await log.append(session, lines(2, 2));
      sessions.status(session, { phase: 'Completed' });
      const { text } = await following;
      assert.match(text, /\n\n/);
      assert.equal(text.replace(/^\n/gm, ''), `${line(1)}\n${line(2)}\n`);
      assert.equal(sessions.listeners, 0);
    });

    it('is held in little for fifty that do not read, and given to others meanwhile', async function () {
      this.timeout(120_000);
      const last = await fillLog(log, session);
      const path = livePaths.log('team-a', 's1', { follow: true });
      const follow = () => open({ port, ca: certificates.ca }, path, as());
      using slow = await SlowReaders.begin(follow);
      const response = await follow();
      let lines = 0;
      for await (const line of createInterface(response)) if (line !== '' && ++lines === last) break;
      response.destroy();
      await until(() => sessions.listeners === 50, 'the one that has read all has gone');
      assert.ok(slow.peakOfOne < READER_BYTES_MAX, `${Math.round(slow.peakOfOne / 1024)} KiB for one`);
    });

    it('breaks off, rather than end, when the server closes', async () => {
      await log.append(session, lines(1, 1));
      const response = await open(
        { port, ca: certificates.ca },
        livePaths.log('team-a', 's1', { follow: true }),
        as(),
      );
      await once(response, 'readable');
      const broken = once(response, 'error');
      response.resume();
      await door.close(2000);
      const [error] = (await broken) as [Error];
      assert.match(error.message, /aborted/);
      assert.equal(response.complete, false);
    });

    it('forgets a client that is gone', async () => {
      const gone = new AbortController();
      const path = livePaths.log('team-a', 's1', { follow: true });
      const response = await open({ port, ca: certificates.ca }, path, as('ann', { signal: gone.signal }));
      response.on('error', () => undefined);
      await until(() => sessions.listeners > 0, 'the follower listens');
      gone.abort();
      await until(() => sessions.listeners === 0, 'the follower is forgotten', 2000);
    });

    it('reads no faster from the store than its reader takes', async function () {
      this.timeout(20_000);
      const text = 'x'.repeat(16_000);
      for (let seq = 1; seq <= 3200; seq += 64) await log.append(session, lines(seq, seq + 63, text));
      let reads = 0;
      const { store } = temporary;
      const original = store.get.bind(store);
      store.get = (...args) => {
        reads++;
        return original(...args);
      };
      const response = await open(
        { port, ca: certificates.ca },
        livePaths.log('team-a', 's1', { follow: true }),
        as(),
      );
      response.pause();
      let before = -1;
      // Until nothing moves any more.
      await until(async () => {
        if (reads > 0 && reads === before) return true;
        before = reads;
        await sleep(200);
        return false;
      }, 'the server waits');
      assert.ok(reads < 25, `${reads} of 50 chunks read for a reader that takes nothing`);
      sessions.status(session, { phase: 'Completed' });
      let bytes = 0;
      for await (const chunk of response as AsyncIterable<Buffer>) bytes += chunk.length;
      assert.ok(bytes > 3200 * 16_000);
    });
  });

  describe('artifacts', () => {
    const put = (path: string, content: string | Buffer, contentType = 'text/html') =>
      artifacts.put(session, { path, contentType }, Readable.from([Buffer.from(content)]));
    const artifact = (path: string, options: AskOptions = {}): Promise<Answer> =>
      get(livePaths.artifact('team-a', 's1', path), options);

    it('are listed', async () => {
      await put('b.html', 'b');
      await put('a/ü %.html', 'aa');
      const { json } = await get(livePaths.artifacts('team-a', 's1'));
      const list = json as ArtifactList;
      assert.deepEqual([list.kind, list.apiVersion], ['ArtifactList', 'live.ambient.ai/v1alpha1']);
      assert.deepEqual(
        list.items.map(({ path, size, digest }) => ({ path, size, digest })),
        [
          { path: 'a/ü %.html', size: 2, digest: sha256('aa') },
          { path: 'b.html', size: 1, digest: sha256('b') },
        ],
      );
    });

    it('are given as something to save, not to run', async () => {
      await put('x/it’s "odd"; name.html', '<script>alert(1)</script>');
      const { status, headers, text } = await artifact('x/it’s "odd"; name.html');
      assert.deepEqual([status, text], [200, '<script>alert(1)</script>']);
      assert.equal(headers['content-type'], 'text/html');
      assert.equal(headers['content-length'], '25');
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['content-security-policy'], "default-src 'none'; sandbox");
      assert.equal(
        headers['content-disposition'],
        "attachment; filename*=UTF-8''it%E2%80%99s%20%22odd%22%3B%20name.html",
      );
    });

    it('are given whole, in part, or not again', async () => {
      const bytes = randomBytes(700_000);
      await put('x.bin', bytes);
      const etag = `"${sha256(bytes)}"`;
      const whole = await artifact('x.bin');
      assert.ok(whole.bytes.equals(bytes));
      assert.equal(whole.headers.etag, etag);
      const ranges: [string, number, number][] = [
        ['bytes=0-0', 0, 0],
        ['bytes=100-299', 100, 299],
        ['bytes=699999-', 699_999, 699_999],
        ['bytes=-5', 699_995, 699_999],
        ['bytes=-9999999', 0, 699_999],
        ['bytes=5-9999999', 5, 699_999],
      ];
      for (const [range, first, last] of ranges) {
        const part = await artifact('x.bin', { headers: { range } });
        assert.equal(part.status, 206, range);
        assert.equal(part.headers['content-range'], `bytes ${first}-${last}/700000`);
        assert.ok(part.bytes.equals(bytes.subarray(first, last + 1)));
      }
      for (const range of ['bytes=700000-', 'bytes=-0']) {
        const answer = await artifact('x.bin', { headers: { range } });
        assert.deepEqual([answer.status, answer.headers['content-range']], [416, 'bytes */700000'], range);
        assert.equal(causeOf(answer), 'range_not_satisfiable');
      }
      for (const range of ['bytes=0-1,5-6', 'lines=1-2', 'bytes=-', 'bytes=9-3', 'nonsense']) {
        assert.equal((await artifact('x.bin', { headers: { range } })).status, 200, range);
      }
      const other = await artifact('x.bin', { headers: { range: 'bytes=0-0', 'if-range': '"other"' } });
      assert.equal(other.status, 200);
      assert.equal(
        (await artifact('x.bin', { headers: { range: 'bytes=0-0', 'if-range': etag } })).status,
        206,
      );
      const dated = { range: 'bytes=0-0', 'if-range': String(whole.headers['last-modified']) };
      for (const headers of [dated, { range: 'bytes=0-0', 'if-range': `W/${etag}` }])
        assert.equal((await artifact('x.bin', { headers })).status, 200, headers['if-range']);
      const again = await artifact('x.bin', { headers: { 'if-none-match': `"a", ${etag}` } });
      assert.deepEqual([again.status, again.bytes.length], [304, 0]);
      const head = await artifact('x.bin', { method: 'HEAD' });
      assert.deepEqual([head.status, head.headers['content-length'], head.bytes.length], [200, '700000', 0]);
    });

    it('are given only as long as they are the ones that are asked for', async () => {
      const bytes = randomBytes(100);
      await put('x.bin', bytes);
      const etag = `"${sha256(bytes)}"`;
      for (const headers of [
        { 'if-match': etag },
        { 'if-match': `"a" , ${etag}` },
        { 'if-match': '*' },
        { 'if-match': etag, range: 'bytes=0-9' },
      ] as Record<string, string>[]) {
        const { status } = await artifact('x.bin', { headers });
        assert.equal(status, 'range' in headers ? 206 : 200, headers['if-match']);
      }
      // A weak one never matches here, and what is another artifact is not told to be unchanged.
      for (const headers of [
        { 'if-match': '"other"' },
        { 'if-match': `W/${etag}` },
        { 'if-match': '"other"', range: 'bytes=0-9', 'if-range': etag },
        { 'if-match': '"other"', 'if-none-match': etag },
      ]) {
        const answer = await artifact('x.bin', { headers });
        assert.deepEqual([answer.status, causeOf(answer)], [412, 'precondition_failed']);
      }
      const both = { 'if-match': etag, 'if-none-match': etag };
      assert.equal((await artifact('x.bin', { headers: both })).status, 304);
      assert.equal((await artifact('none', { headers: { 'if-match': '*' } })).status, 404);
    });

    it('may have no bytes, and be absent', async () => {
      await put('empty', '');
      const { status, headers, bytes } = await artifact('empty');
      assert.deepEqual([status, headers['content-length'], bytes.length], [200, '0', 0]);
      assert.equal((await artifact('none')).status, 404);
    });
  });

  describe('source', () => {
    const content = randomBytes(SOURCE_CHUNK_BYTES + 1000);
    const path = (offset: number): string => livePaths.source('team-a', 'up', offset);
    const piece = (offset: number, body: Buffer | Readable): Promise<Answer> =>
      get(path(offset), { method: 'PUT', body, headers: { 'content-type': 'application/gzip' } });

    beforeEach(() => {
      const upload = { sizeBytes: content.length, digest: sha256(content) };
      sessions.add(
        aSession('up')
          .in('team-a')
          .pending()
          .spec({ source: { type: 'upload', upload } })
          .build(),
      );
    });

    it('arrives in pieces', async () => {
      const first = await piece(0, content.subarray(0, SOURCE_CHUNK_BYTES));
      assert.deepEqual([first.status, (first.json as SourceState).received], [200, SOURCE_CHUNK_BYTES]);
      const state = await get(livePaths.source('team-a', 'up'));
      assert.deepEqual(state.json, {
        kind: 'SourceState',
        apiVersion: 'live.ambient.ai/v1alpha1',
        received: SOURCE_CHUNK_BYTES,
        sizeBytes: content.length,
        complete: false,
      });
      const last = await piece(SOURCE_CHUNK_BYTES, content.subarray(SOURCE_CHUNK_BYTES));
      assert.equal((last.json as SourceState).complete, true);
    });

    it('answers a misplaced piece with the state, as a Status', async () => {
      await piece(0, content.subarray(0, 100));
      const answer = await piece(50, content.subarray(50, 200));
      const body = answer.json as Omit<SourceState, 'kind' | 'apiVersion'> & KubeStatus;
      assert.deepEqual([answer.status, body.kind, causeOf(answer)], [409, 'Status', 'conflict']);
      assert.deepEqual([body.received, body.sizeBytes, body.complete], [100, content.length, false]);
    });

    it('refuses too large a piece, announced or not, and lives on', async () => {
      const large = Buffer.alloc(SOURCE_CHUNK_BYTES + 1);
      assert.equal((await piece(0, large)).status, 413);
      const streamed = await piece(
        0,
        Readable.from([large.subarray(0, 5_000_000), large.subarray(5_000_000)]),
      );
      assert.equal(streamed.status, 413);
      assert.equal(((await get(livePaths.source('team-a', 'up'))).json as SourceState).received, 0);
    });

    it('needs an offset, and a session that takes uploads', async () => {
      assert.equal((await get(livePaths.source('team-a', 'up'), { method: 'PUT', body: 'x' })).status, 400);
      assert.equal((await get(livePaths.source('team-a', 's1'))).status, 400);
    });

    it('begins anew after damaged bytes', async () => {
      await piece(0, content.subarray(0, SOURCE_CHUNK_BYTES));
      const damaged = Buffer.alloc(1000);
      const answer = await piece(SOURCE_CHUNK_BYTES, damaged);
      assert.deepEqual([answer.status, causeOf(answer)], [422, 'digest_mismatch']);
      assert.equal(((await get(livePaths.source('team-a', 'up'))).json as SourceState).received, 0);
    });
  });

  describe('approve and reject', () => {
    const decide = (verb: 'approve' | 'reject', body: string, user = 'bob'): Promise<Answer> =>
      get(livePaths[verb]('team-a', 'waits'), { method: 'POST', body, headers: { 'x-remote-user': user } });
    beforeEach(() => {
      const approval = { decision: 'Approved', by: 'eve', at: '2030-01-01T00:00:00Z' } as const;
      sessions.add(
        aSession('waits')
          .in('team-a')
          .spec({ createdBy: { user: 'ann' } })
          .pending()
          .build(),
      );
      sessions.add(aSession('decided').in('team-a').pending().status({ approval }).build());
    });

    it('answer with the decision that stands', async () => {
      const answer = await get(livePaths.approve('team-a', 'decided'), {
        method: 'POST',
        headers: { 'x-remote-user': 'eve' },
      });
      assert.deepEqual([answer.status, (answer.json as { by: string }).by], [200, 'eve']);
      assert.equal(
        (await get(livePaths.reject('team-a', 'decided'), { method: 'POST', body: '{"reason":"x"}' })).status,
        409,
      );
      assert.equal((await get(livePaths.approve('team-a', 'decided'))).status, 405);
    });

    it('refuse whom the policy does not name, and say so in the audit record', async () => {
      const answer = await decide('approve', '', 'carl');
      assert.deepEqual([answer.status, causeOf(answer)], [403, 'approval_forbidden']);
      assert.match((answer.json as KubeStatus).message ?? '', /Only the approvers .*\(bob\)/);
      assert.deepEqual(
        audited.map(({ actor, resource, outcome, sessionId }) => [actor, resource, outcome, sessionId]),
        [['carl', 'sessions/approve', 'denied', 'waits']],
      );
    });

    it('refuse to reject without a reason', async () => {
      for (const body of ['', '{}', '{"reason":""}', '{"reason":"  "}', '[]'])
        assert.equal((await decide('reject', body)).status, 400, body);
    });
  });

  describe('stop', () => {
    const stop = (name: string, body: string): Promise<Answer> =>
      get(livePaths.stop('team-a', name), { method: 'POST', body });

    it('answers with the wish that stands', async () => {
      sessions.add(aSession('stopping').in('team-a').running().stopRequested('bob', 7).build());
      const answer = await stop('stopping', '{"reason":"me too"}');
      assert.equal(answer.status, 202);
      assert.deepEqual(answer.json, {
        kind: 'StopAccepted',
        apiVersion: 'live.ambient.ai/v1alpha1',
        requestedAt: '2030-01-01T00:00:00Z',
        requestedBy: 'bob',
        gracePeriodSeconds: 7,
      });
    });

    it('is refused for a session that is over, for nonsense, and while the API server is away', async () => {
      sessions.add(aSession('over').in('team-a').status({ phase: 'Completed' }).build());
      const over = await stop('over', '');
      assert.deepEqual([over.status, causeOf(over)], [409, 'already_finished']);
      for (const body of ['{', '[]', '{"reason":1}', '{"gracePeriodSeconds":-1}', '{"kill":true}']) {
        assert.equal((await stop('s1', body)).status, 400, body);
      }
      assert.equal((await stop('s1', `{"reason":"${'x'.repeat(20_000)}"}`)).status, 413);
      const away = await stop('s1', '');
      assert.deepEqual([away.status, causeOf(away)], [503, 'unavailable']);
      assert.doesNotMatch(away.text, /127\.0\.0\.1/);
    });
  });

  describe('messages', () => {
    it('are taken with who says them, and on record without what is said', async () => {
      const body = JSON.stringify({ text: `a secret ${'\u0001'.repeat(16_000)}` });
      const answer = await get(livePaths.message('team-a', 's1'), { method: 'POST', body });
      assert.deepEqual([answer.status, answer.json], [202, said('message', 'ann', JSON.parse(body))]);
      const interrupted = await get(livePaths.interrupt('team-a', 's1'), { method: 'POST', body: '' });
      assert.equal(interrupted.status, 202);
      assert.deepEqual(audit.lines, [
        'ann update sessions/message allowed',
        'ann update sessions/interrupt allowed',
      ]);
      assert.doesNotMatch(JSON.stringify([audit.events, logged]), /a secret/);
      assert.equal((await get(livePaths.message('team-a', 's1'))).status, 405);
      const resumed = await get(livePaths.resume('team-a', 's1'), {
        method: 'POST',
        body: '{"config":{"prompt":"go on"}}',
      });
      assert.deepEqual([resumed.status, (resumed.json as Resumed).name], [201, 's1 again, by ann']);
      assert.equal(audit.lines.at(-1), 'ann update sessions/resume allowed');
    });
  });

  describe('audit', () => {
    it('has every access on record before it is answered, and a follower once', async () => {
      sessions.add(aSession('over').in('team-a').status({ phase: 'Completed' }).build());
      await log.append(session, lines(1, 2));
      await artifacts.put(session, { path: 'a.txt' }, Readable.from(['x']));
      await get(livePaths.log('team-a', 'over', { follow: true }));
      await get(livePaths.artifacts('team-a', 's1'));
      const trace = 'c'.repeat(32);
      const headers = { traceparent: `00-${trace}-${'d'.repeat(16)}-01`, range: 'bytes=0-0' };
      await ask(
        { port, ca: certificates.ca },
        livePaths.artifact('team-a', 's1', 'a.txt'),
        as('bob', { headers }),
      );
      await get(livePaths.artifact('team-a', 's1', 'none'));
      await get(livePaths.stop('team-a', 'over'), { method: 'POST', body: '{"reason":"why not"}' });
      assert.deepEqual(audit.lines, [
        'ann view sessions/log allowed',
        'ann view sessions/artifacts allowed',
        'bob view sessions/artifacts allowed',
        'ann view sessions/artifacts allowed',
        'ann view sessions/artifacts failed',
        'ann update sessions/stop allowed',
        'ann update sessions/stop denied',
      ]);
      assert.deepEqual(audit.events[2], {
        namespace: 'team-a',
        sessionId: 's1',
        sessionUid: 'uid-of-s1',
        actor: 'bob',
        action: 'view',
        resource: 'sessions/artifacts',
        outcome: 'allowed',
        details: { path: 'a.txt', method: 'GET', range: 'bytes=0-0' },
        traceId: trace,
      });
      assert.deepEqual(audit.events[0]?.details, { follow: 'true' });
      assert.equal(audit.events[6]?.details?.['code'], 'already_finished');
    });

    it('shows nothing that cannot be recorded', async () => {
      await log.append(session, lines(1, 1, 'secret'));
      audit.refuse = new AmbientError(
        'audit_unavailable',
        'it cannot be recorded: the artifact store is full',
      );
      for (const path of [logPath, livePaths.artifacts('team-a', 's1'), livePaths.audit('team-a', 's1')]) {
        const answer = await get(path);
        assert.deepEqual([answer.status, causeOf(answer)], [503, 'audit_unavailable'], path);
        assert.doesNotMatch(answer.text, /secret/);
      }
    });

    it('has on record who was sent away, but not without bound', async () => {
      for (let count = 0; count < 30; count++)
        await ask({ port, ca: certificates.ca }, logPath, { headers: { 'x-remote-user': 'admin' } });
      const denied = audit.events.filter(({ outcome }) => outcome === 'denied');
      assert.ok(denied.length >= 20 && denied.length < 30, String(denied.length));
      const [{ namespace, actor, resource, details } = assert.fail()] = denied;
      assert.deepEqual([namespace, actor, resource], ['ambient-system', 'system:anonymous', 'sessions']);
      assert.equal(details?.['code'], 'unauthenticated');
    });

    it('names a pod that was sent away', async () => {
      const headers = { 'x-remote-user': 'admin', authorization: 'Bearer a-pod' };
      assert.equal((await ask({ port, ca: certificates.ca }, logPath, { headers })).status, 401);
      const by = 'system:serviceaccount:team-a:ambient-runner';
      assert.deepEqual(refusedPodIn(audit), ['team-a', 's1', by, 'live', 's1-pod']);
    });

    it('gives the records of a session and of no other, of all writers, oldest first', async () => {
      session.metadata.creationTimestamp = '2020-01-01T00:00:00Z';
      const { store } = temporary;
      const board = new TestBoard();
      const other = { sessionId: 's2', sessionUid: 'uid-of-s2' };
      for (const [index, writer] of ['operator-1', 'operator-2', 'operator-1'].entries()) {
        const trail = aTrail(store, board, { writer: `${writer}-${index}` });
        await trail.record(anEvent({ index }));
        await trail.record(anEvent({ index }, other));
        await trail.record(anEvent({ index }, { sessionUid: 'of an earlier session of that name' }));
        await trail.record(anEvent({ text: '"sessionId":"s1"' }, other));
      }
      const answer = await get(livePaths.audit('team-a', 's1'));
      assert.equal(answer.headers['content-type'], 'application/x-ndjson');
      const records = answer.text
        .trimEnd()
        .split('\n')
        .map((each) => JSON.parse(each) as AuditRecord);
      assert.deepEqual(
        records.map(({ writer, details }) => [writer, details?.['index']]),
        [
          ['operator-1-0', 0],
          ['operator-2-1', 1],
          ['operator-1-2', 2],
        ],
      );
      assert.deepEqual(audit.lines, ['ann view sessions/audit allowed'], 'reading them is an access as well');
      sessions.add(aSession('quiet').in('team-a').build());
      assert.deepEqual((await get(livePaths.audit('team-a', 'quiet'))).text, '');
    });
  });
});
