/** Streams of the REST door that are silent, outlive the right to them, or the door itself. */
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { ErrorBody } from '../../../../../common/api/rest/error.ts';
import type { Session } from '../../../../../common/api/session.ts';
import type { Door } from '../../../../../operator/serve/http/server.ts';
import { AccessReviews } from '../../../../../operator/serve/identity/access.ts';
import { Identities } from '../../../../../operator/serve/identity/identities.ts';
import { ReviewedTokens } from '../../../../../operator/serve/identity/token-review.ts';
import { AddressLimits } from '../../../../../operator/serve/rest/limits.ts';
import { createRestServer } from '../../../../../operator/serve/rest/server.ts';
import { addStreamServices } from '../../../../../operator/serve/rest/services/streams.ts';
import { SessionLog } from '../../../../../operator/sessions/log.ts';
import { anAccesses, CollectedAudit, refusalsOf } from '../../../../support/audit.ts';
import { TestCertificates } from '../../../../support/certificates.ts';
import { eventsOf, take } from '../../../../support/event-stream.ts';
import { aSession } from '../../../../support/fixtures.ts';
import { open } from '../../../../support/https.ts';
import { KnownSessions } from '../../../../support/known-sessions.ts';
import { fillLog, READER_BYTES_MAX, SlowReaders } from '../../../../support/slow-readers.ts';
import { temporaryStore } from '../../../../support/temporary-store.ts';
import type { TemporaryStore } from '../../../../support/temporary-store.ts';
import { until } from '../../../../support/until.ts';

describe('streams of the REST door', function () {
  this.timeout(20_000);
  let certificates: TestCertificates;
  let temporary: TemporaryStore;
  let sessions: KnownSessions;
  let session: Session;
  let door: Door;
  let port: number;
  let time: number;
  let isKnown: boolean;
  let isAllowed: boolean;
  let audit: CollectedAudit;
  let log: SessionLog;

  before(async () => {
    certificates = await TestCertificates.make();
  });
  beforeEach(async () => {
    temporary = await temporaryStore();
    sessions = new KnownSessions();
    session = sessions.add(aSession().in('team-a').running().build());
    audit = new CollectedAudit();
    time = 0;
    [isKnown, isAllowed] = [true, true];
    const elapsed = (): number => time;
    const reviewer = {
      tokenReview: async () => ({ authenticated: isKnown, user: { username: 'ann' } }),
      subjectAccessReview: async () => ({ allowed: isAllowed }),
    };
    const accesses = anAccesses(temporary.store, audit);
    log = new SessionLog({ store: temporary.store, sessions, pollMs: 20, onError: assert.ifError });
    door = await createRestServer({
      identities: new Identities(
        new ReviewedTokens({ reviewer, now: () => new Date(time), elapsed }),
        undefined,
      ),
      access: new AccessReviews({ reviewer, elapsed }),
      accesses,
      refusals: refusalsOf(accesses, 'rest'),
      limits: new AddressLimits({ perSecond: 1000, burst: 1000, elapsed }),
      services: (scope, guard) =>
        addStreamServices(scope, guard, { sessions, log, accesses, heartbeatMs: 50, recheckMs: 50 }),
      ready: () => true,
      certificates,
      timeouts: { headersMs: 10_000, requestMs: 60_000, checkMs: 2000, idleMs: 3000 },
      logger: pino({ level: 'silent' }),
      metrics: new Registry(),
    });
    port = await door.listen(0, '127.0.0.1');
  });
  afterEach(async () => {
    await door.close(0);
    await temporary[Symbol.asyncDispose]();
  });

  const follow = (what: 'log' | 'events', headers: Record<string, string> = {}): Promise<IncomingMessage> =>
    open(
      { port, ca: certificates.ca },
      `/api/v1/namespaces/team-a/sessions/${session.metadata.name}/${what}`,
      { headers: { authorization: 'Bearer good', ...headers } },
    );

  for (const [what, happens, told] of [
    ['ends', () => sessions.status(session, { phase: 'Completed' }), ['state', 'state', 'end']],
    ['is deleted', () => sessions.remove(session), ['state', 'deleted']],
  ] as const)
    it(`tell of a session that ${what} between its being looked up and followed`, async () => {
      audit.record = async () => void happens();
      const seen: string[] = [];
      for await (const { event } of eventsOf(await follow('events'))) seen.push(event);
      assert.deepEqual(seen, told);
      await until(() => sessions.listeners === 0, 'nobody listens any more');
    });

  for (const what of ['log', 'events'] as const) {
    it(`are kept alive while there is nothing to tell: ${what}`, async () => {
      const response = await follow(what);
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
      await until(() => (text.match(/^: still here$/gm)?.length ?? 0) >= 2, 'two comments came', 10_000);
      assert.match(text, /^retry: \d+$/m);
      response.destroy();
      await until(() => sessions.listeners === 0, 'nobody listens any more', 5000);
    });

    it(`end when the right is taken away, and say so: ${what}`, async () => {
      const events = eventsOf(await follow(what));
      if (what === 'events') await take(events, 1);
      isAllowed = false;
      time = 20_000;
      const [refused] = await take(events, 1);
      assert.equal(refused?.event, 'refused');
      assert.equal((JSON.parse(refused?.data ?? '') as ErrorBody).error, 'forbidden');
      assert.equal((await events.next()).done, true);
    });

    it(`end when the token is good no longer: ${what}`, async () => {
      const events = eventsOf(await follow(what));
      if (what === 'events') await take(events, 1);
      isKnown = false;
      time = 20_000;
      const [refused] = await take(events, 1);
      assert.equal((JSON.parse(refused?.data ?? '') as ErrorBody).error, 'unauthenticated');
    });

    it(`end with the door, so that their readers come again elsewhere: ${what}`, async () => {
      const response = await follow(what);
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
      const ended = new Promise((resolve) => response.once('end', resolve));
      await until(() => text.includes('retry:'), 'it has begun');
      await door.close(5000);
      await ended;
      assert.doesNotMatch(text, /^event: end$/m);
    });
  }

  it('tell a browser that comes back to a log without records that there is nothing more', async () => {
    sessions.status(session, { phase: 'Failed' });
    const [end] = await take(eventsOf(await follow('log')), 1);
    assert.deepEqual([end?.id, end?.event], ['0', 'end']);
    const again = await follow('log', { 'last-event-id': '0' });
    assert.equal(again.resume().statusCode, 204);
  });

  it('hold little for fifty that do not read, cut them off, and give others all of it meanwhile', async function () {
    this.timeout(120_000);
    const last = await fillLog(log, session);
    using slow = await SlowReaders.begin(() => follow('log'));
    const reading = await follow('log');
    const events = await take(eventsOf(reading), last);
    reading.destroy();
    assert.deepEqual([events.at(-1)?.id, sessions.listeners > 1], [String(last), true]);
    await until(() => sessions.listeners === 0, 'nobody is waited for any more', 60_000);
    assert.ok(await slow.areCut());
    assert.ok(slow.peakOfOne < READER_BYTES_MAX, `${Math.round(slow.peakOfOne / 1024)} KiB for one`);
  });

  it('are on record once, when they begin', async () => {
    const events = eventsOf(await follow('log'));
    await until(() => audit.lines.length > 0, 'it is on record');
    assert.deepEqual(audit.lines, ['ann view sessions/log allowed']);
    sessions.status(session, { phase: 'Completed' });
    const [end] = await take(events, 1);
    assert.deepEqual([end?.event, end?.data], ['end', '{"status":"completed"}']);
    assert.equal(audit.lines.length, 1);
  });
});
