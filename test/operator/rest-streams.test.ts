/** Streams and downloads of the REST API, of an operator before a real API server. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { AuditRecord } from '../../common/api/audit.ts';
import { OPERATOR_NAMESPACE } from '../../common/api/names.ts';
import { REST_BASE } from '../../common/api/rest/operation.ts';
import type { ArtifactPage, SessionDetail, SessionSummary } from '../../common/api/rest/session.ts';
import type { LogRecord } from '../../common/api/log.ts';
import type { Session } from '../../common/api/session.ts';
import { sessions } from '../../common/kube/resource.ts';
import { Artifacts } from '../../operator/sessions/artifacts.ts';
import { SessionLog } from '../../operator/sessions/log.ts';
import { DirectoryStore } from '../../operator/store/directory.ts';
import { recordedIn } from '../support/audit.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { manifests } from '../support/deploy.ts';
import { eventsOf, take } from '../support/event-stream.ts';
import { ask, open } from '../support/https.ts';
import type { Answer, AskOptions, Server } from '../support/https.ts';
import { KnownSessions } from '../support/known-sessions.ts';
import { Contract } from '../support/openapi.ts';
import { runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { aPerson, operatorAuthority, outcomeOf, restAt } from '../support/rest.ts';
import type { Rest } from '../support/rest.ts';
import { until } from '../support/until.ts';

describe('streams and downloads of the REST API', function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let operator: OperatorProcess;
  let server: Server;
  let rest: Rest;
  let own: string;
  let editor: string;
  let viewer: string;
  let stranger: string;
  let approver: string;
  let log: SessionLog;
  let artifacts: Artifacts;

  before(async function () {
    this.timeout(300_000);
    cluster = await testCluster(this);
    await cluster.kubectl(['apply', '-f', join(manifests, 'frameworks')]);
    operator = await runOperatorProcess(cluster);
    own = await cluster.namespace('streams');
    editor = await aPerson(cluster, own, 'editor', { [own]: 'ambient-admin' });
    viewer = await aPerson(cluster, own, 'viewer', { [own]: 'ambient-viewer' });
    stranger = await aPerson(cluster, own, 'stranger');
    approver = await aPerson(cluster, own, 'approver', { [own]: 'ambient-approver' });
    const host = cluster.nodeHostAddress;
    server = { host, port: operator.ports.rest, ca: await operatorAuthority(cluster) };
    const contract = new Contract();
    const send = restAt(server);
    rest = async (path, request = {}) => {
      const answer = await send(path, request);
      if (request.method !== 'HEAD') contract.check(request.method ?? 'GET', path, answer);
      return answer;
    };
    // As another replica would write what runners send.
    const store = new DirectoryStore({ root: operator.storeDir });
    log = new SessionLog({ store, sessions: new KnownSessions(), onError: assert.ifError });
    artifacts = new Artifacts(store);
  });
  after(async function () {
    this.timeout(60_000);
    await log?.close();
    await cluster?.removeSessions();
    await operator?.[Symbol.asyncDispose]();
  });

  const at = (id: string, rest = ''): string => `/namespaces/${own}/sessions/${id}${rest}`;
  const launch = async (more: object = {}): Promise<Session> => {
    const json = { framework: { type: 'generic', config: { command: 'sleep 600' } }, ...more };
    const answer = await rest(`/namespaces/${own}/sessions`, { method: 'POST', token: editor, json });
    assert.equal(outcomeOf(answer), '201', answer.text);
    const { id } = answer.json as SessionDetail;
    return cluster.client.get(sessions, { namespace: own, name: id });
  };
  const say = (session: Session, from: number, to: number): Promise<number> =>
    log.append(
      session,
      Array.from({ length: to - from + 1 }, (_, i) => {
        const record: LogRecord = {
          seq: from + i,
          time: new Date().toISOString(),
          type: 'output',
          text: `line ${from + i}\r\nid: 99`,
        };
        return { seq: record.seq, line: JSON.stringify(record) };
      }),
    );
  const follow = async (path: string, headers: Record<string, string> = {}, token = viewer) => {
    const options = { headers: { authorization: `Bearer ${token}`, ...headers } };
    const response = await open(server, `${REST_BASE}${path}`, options);
    assert.equal(response.statusCode, 200);
    assert.equal(response.headers['content-type'], 'text/event-stream');
    return eventsOf(response);
  };
  const stop = async ({ metadata }: Session): Promise<void> => {
    const answer = await rest(at(metadata.name, '/stop'), {
      method: 'POST',
      token: editor,
      json: { gracePeriodSeconds: 0 },
    });
    assert.equal(outcomeOf(answer), '202', answer.text);
  };

  /** One that does not begin, whatever the nodes of this cluster are. */
  const waiting = (): Promise<Session> => launch({ policy: { approvalRequired: true } });

  it('tell the log as it grows, go on where a reader left off, and end with the session', async () => {
    const session = await waiting();
    const { name } = session.metadata;
    await say(session, 1, 3);
    const first = await follow(at(name, '/log'));
    const begun = await take(first, 3);
    assert.deepEqual(
      begun.map(({ id, event }) => [id, event]),
      [
        ['1', 'record'],
        ['2', 'record'],
        ['3', 'record'],
      ],
    );
    assert.equal((JSON.parse(begun[2]?.data ?? '') as LogRecord).text, 'line 3\r\nid: 99');
    await say(session, 4, 5);
    assert.deepEqual(
      (await take(first, 2)).map(({ id }) => id),
      ['4', '5'],
    );
    await first.return();
    const again = await follow(at(name, '/log'), { 'last-event-id': '4' });
    assert.deepEqual(
      (await take(again, 1)).map(({ id }) => id),
      ['5'],
    );
    await say(session, 6, 6);
    await stop(session);
    const ending = await take(again, 2);
    assert.deepEqual(
      ending.map(({ id, event }) => [id, event]),
      [
        ['6', 'record'],
        ['6', 'end'],
      ],
    );
    assert.deepEqual(JSON.parse(ending[1]?.data ?? ''), { status: 'failed' });
    assert.equal((await again.next()).done, true);
    const over = await rest(at(name, '/log'), { token: viewer, headers: { 'last-event-id': '6' } });
    assert.equal(over.status, 204);
    const whole = await rest(at(name, '/log'), { token: viewer });
    assert.equal(whole.text.match(/^event: record$/gm)?.length, 6);
    const some = await rest(at(name, '/log?since=4&follow=false'), { token: viewer });
    assert.equal(some.text.match(/^event: record$/gm)?.length, 2);
    for (const id of ['-1', 'x', '1e3'])
      assert.equal(
        outcomeOf(await rest(at(name, '/log'), { token: viewer, headers: { 'last-event-id': id } })),
        '400 invalid_request',
      );
  });

  it('tell the state as it changes, until it is final', async () => {
    const session = await waiting();
    const { name } = session.metadata;
    const events = await follow(at(name, '/events'));
    const [now] = await take(events, 1);
    assert.equal(now?.event, 'state');
    assert.equal((JSON.parse(now?.data ?? '') as SessionSummary).id, name);
    await stop(session);
    const later: string[] = [];
    let last = '';
    for await (const { event, data, id } of events) {
      later.push(event === 'state' ? (JSON.parse(data) as SessionSummary).status : event);
      last = id ?? last;
    }
    assert.deepEqual(later.slice(-2), ['failed', 'end']);
    const over = await rest(at(name, '/events'), { token: viewer, headers: { 'last-event-id': last } });
    assert.equal(over.status, 204);
  });

  it('tell that a session was deleted', async () => {
    const session = await waiting();
    const events = await follow(at(session.metadata.name, '/events'));
    await take(events, 1);
    await cluster.client.delete(sessions, { namespace: own, name: session.metadata.name });
    const seen: string[] = [];
    for await (const { event } of events) seen.push(event);
    assert.ok(['deleted', 'end'].includes(seen.at(-1) ?? ''), String(seen));
  });

  it('are for those who may see the log, and answer nobody else', async () => {
    const { metadata } = await launch();
    for (const part of ['/log', '/events'])
      for (const token of [stranger, undefined]) {
        const answer = await rest(at(metadata.name, part), { token });
        assert.equal(outcomeOf(answer), token === undefined ? '401 unauthenticated' : '403 forbidden');
      }
    const head = await rest(at(metadata.name, '/log'), { method: 'HEAD', token: viewer });
    assert.equal(head.status, 405);
  });

  const plain = (url: string, options: AskOptions = {}, to = server): Promise<Answer> => {
    const { pathname, search } = new URL(url);
    return ask(to, `${pathname}${search}`, options);
  };
  const bytes = randomBytes(100_000);
  const withArtifact = async (path = 'out/ä b.bin'): Promise<{ session: Session; url: string }> => {
    const session = await launch();
    await artifacts.put(session, { path, contentType: 'text/html' }, Readable.from([bytes]));
    const answer = await rest(at(session.metadata.name, '/artifacts'), { token: viewer });
    assert.equal(outcomeOf(answer), '200', answer.text);
    const { artifacts: found, totalCount, hasMore } = answer.json as ArtifactPage;
    assert.deepEqual([totalCount, hasMore, found[0]?.location], [1, false, path]);
    return { session, url: found[0]?.downloadUrl ?? '' };
  };

  it('list what is kept beside artifacts only when asked', async () => {
    const { session } = await withArtifact();
    await artifacts.put(session, { path: '.ambient/memory.tar.gz' }, Readable.from([bytes]));
    const total = async (query: string): Promise<number> => {
      const answer = await rest(at(session.metadata.name, `/artifacts${query}`), { token: viewer });
      return (answer.json as ArtifactPage).totalCount;
    };
    assert.deepEqual([await total(''), await total('?include=operator')], [1, 2]);
  });

  it('send an artifact to whoever has its signed address, whole or in part, and never as a page', async () => {
    const { session, url } = await withArtifact();
    const all = await plain(url);
    assert.equal(all.status, 200, all.text.slice(0, 300));
    assert.ok(all.bytes.equals(bytes));
    assert.match(String(all.headers['content-disposition']), /^attachment/);
    assert.match(String(all.headers['content-security-policy']), /sandbox/);
    assert.match(String(all.headers['x-trace-id']), /^[0-9a-f]{32}$/);
    const typed = await plain(url, { headers: { accept: 'application/octet-stream' } });
    assert.equal(typed.status, 200);
    const part = await plain(url, { headers: { range: 'bytes=10-19' } });
    assert.deepEqual([part.status, part.headers['content-range']], [206, 'bytes 10-19/100000']);
    assert.ok(part.bytes.equals(bytes.subarray(10, 20)));
    const beyond = await plain(url, { headers: { range: 'bytes=200000-' } });
    assert.equal(outcomeOf(beyond), '416 range_not_satisfiable');
    assert.equal(beyond.headers['content-range'], 'bytes */100000');
    const head = await plain(url, { method: 'HEAD' });
    assert.deepEqual([head.status, head.headers['content-length'], head.text], [200, '100000', '']);
    // A range is of GET alone.
    const headOfPart = await plain(url, { method: 'HEAD', headers: { range: 'bytes=10-19' } });
    assert.deepEqual([headOfPart.status, headOfPart.headers['content-length']], [200, '100000']);
    const same = await plain(url, { headers: { 'if-none-match': String(all.headers.etag) } });
    assert.equal(same.status, 304);
    const path = `${at(session.metadata.name)}/artifacts/out/${encodeURIComponent('ä b.bin')}`;
    assert.ok((await rest(path, { token: viewer })).bytes.equals(bytes));
    assert.equal(outcomeOf(await rest(path)), '401 unauthenticated');
    assert.equal(outcomeOf(await rest(path, { token: stranger })), '403 forbidden');
    const records = (await recordedIn(operator.storeDir, own)).filter(
      ({ sessionId, details }) => sessionId === session.metadata.name && details?.['link'] === true,
    );
    assert.ok(records.length >= 4);
    assert.equal(records[0]?.actor, `system:serviceaccount:${own}:viewer`);
  });

  it('take no address that was changed in any part, and none of another session', async () => {
    const { session, url } = await withArtifact('a.txt');
    const other = await withArtifact('a.txt');
    const changed = (change: (url: URL) => void): string => {
      const copy = new URL(url);
      change(copy);
      return copy.href;
    };
    const grant = JSON.stringify({ name: 'system:admin', groups: ['system:masters'], session: 'x' });
    const tries = {
      'another path': changed((each) => (each.pathname = each.pathname.replace('a.txt', 'b.txt'))),
      'another session': changed(
        (each) => (each.pathname = each.pathname.replace(session.metadata.name, other.session.metadata.name)),
      ),
      'another namespace': changed((each) => (each.pathname = each.pathname.replace(own, 'default'))),
      'a later end': changed((each) => each.searchParams.set('expires', '99999999999')),
      'another person': changed((each) =>
        each.searchParams.set('grant', Buffer.from(grant).toString('base64url')),
      ),
      'no signature': changed((each) => each.searchParams.delete('signature')),
      'half a signature': changed((each) =>
        each.searchParams.set('signature', each.searchParams.get('signature')?.slice(0, 20) ?? ''),
      ),
      'nothing but a signature': changed((each) => (each.search = '?signature=AAAA')),
    };
    for (const [what, address] of Object.entries(tries))
      assert.equal(outcomeOf(await plain(address)), '403 forbidden', what);
    assert.equal((await plain(url)).status, 200);
    const isTold = ({ actor, resource, outcome, details }: AuditRecord): boolean =>
      actor === 'system:anonymous' &&
      resource === 'sessions/artifacts' &&
      outcome === 'denied' &&
      details?.['link'] === true &&
      details['namespace'] === own;
    await until(
      async () => (await recordedIn(operator.storeDir, OPERATOR_NAMESPACE)).some(isTold),
      'it is on record',
      10_000,
    );
  });

  it('take an address no longer than its owner may see the artifact', async () => {
    const { session } = await withArtifact('a.txt');
    const guest = await aPerson(cluster, own, 'guest', { [own]: 'ambient-viewer' });
    const list = await until(
      async () => {
        const answer = await rest(at(session.metadata.name, '/artifacts'), { token: guest });
        return answer.status === 200 ? answer : undefined;
      },
      'the guest may',
      20_000,
    );
    const url = (list.json as ArtifactPage).artifacts[0]?.downloadUrl ?? '';
    assert.equal((await plain(url)).status, 200);
    await cluster.kubectl(['-n', own, 'delete', 'rolebinding', 'guest']);
    await until(async () => (await plain(url)).status === 403, 'the address is of no use any more', 20_000);
  });

  it('take an address on every replica, and after a restart', async () => {
    const { url } = await withArtifact('a.txt');
    await using second = await runOperatorProcess(cluster, {
      storeDir: operator.storeDir,
      identity: 'second',
    });
    const there = { ...server, port: second.ports.rest };
    assert.ok((await plain(url, {}, there)).bytes.equals(bytes));
  });

  it('let nobody decide about a session who is no approver', async () => {
    const session = await waiting();
    const { name } = session.metadata;
    await until(
      async () => (await cluster.client.get(sessions, { namespace: own, name })).status?.phase === 'Pending',
      'it waits',
    );
    const viewed = await rest(at(name, '/approve'), { method: 'POST', token: viewer });
    assert.equal(outcomeOf(viewed), '403 forbidden');
    // Who launched it does not decide.
    const self = await rest(at(name, '/approve'), { method: 'POST', token: editor });
    assert.equal(outcomeOf(self), '403 approval_forbidden');
    const bare = await rest(at(name, '/reject'), { method: 'POST', token: approver, json: {} });
    assert.equal(outcomeOf(bare), '400 invalid_request');
    const decided = await rest(at(name, '/reject'), {
      method: 'POST',
      token: approver,
      json: { reason: 'not today' },
    });
    assert.equal(outcomeOf(decided), '200', decided.text);
    assert.equal((decided.json as { reason: string }).reason, 'not today');
    await until(
      async () => (await cluster.client.get(sessions, { namespace: own, name })).status?.phase === 'Failed',
      'it ends',
    );
  });

  it('let who may approve raise the budget of a session, which tells so', async () => {
    const limited = { approvalRequired: true, modelConstraints: { budget: '1.00' } };
    const { name } = (await launch({ policy: limited })).metadata;
    const raise = (token: string, json: object = { limit: '2.50' }): Promise<Answer> =>
      rest(at(name, '/budget'), { method: 'POST', token, json });
    assert.equal(outcomeOf(await raise(viewer)), '403 forbidden');
    // Who launched it does not decide about its money either.
    assert.equal(outcomeOf(await raise(editor)), '403 approval_forbidden');
    assert.equal(outcomeOf(await raise(approver, { limit: '2.5' })), '400 invalid_request');
    assert.equal(outcomeOf(await raise(approver, { limit: '1.00' })), '400 invalid_request');
    const raised = await raise(approver);
    assert.equal(outcomeOf(raised), '200', raised.text);
    const { budget } = (await cluster.client.get(sessions, { namespace: own, name })).status ?? {};
    assert.deepEqual(raised.json, budget);
    assert.deepEqual(budget?.limit, '2.50');
    const recorded = (await recordedIn(operator.storeDir, own)).filter(
      ({ sessionId, resource }) => sessionId === name && resource === 'sessions/budget',
    );
    assert.deepEqual(
      recorded.filter(({ outcome }) => outcome === 'allowed').map(({ actor }) => actor),
      [budget?.by],
    );
    await stop(await cluster.client.get(sessions, { namespace: own, name }));
    await until(async () => outcomeOf(await raise(approver)) === '409 already_finished', 'it is over');
  });
});
