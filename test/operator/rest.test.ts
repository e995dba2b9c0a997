/** The REST API of an operator before a real API server: who may what, what it answers, and what is in the cluster afterwards. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { ErrorBody } from '../../common/api/rest/error.ts';
import type { NamespaceList, SessionDetail, SessionPage } from '../../common/api/rest/session.ts';
import type { Session } from '../../common/api/session.ts';
import { namespacePolicies, sessions } from '../../common/kube/resource.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { recordedIn } from '../support/audit.ts';
import { manifests } from '../support/deploy.ts';
import { aPolicy } from '../support/fixtures.ts';
import type { Answer, Server } from '../support/https.ts';
import { policyIsKnown } from '../support/known-policy.ts';
import { Contract } from '../support/openapi.ts';
import { runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { aPerson, operatorAuthority, outcomeOf, restAt } from '../support/rest.ts';
import type { Rest } from '../support/rest.ts';
import { until } from '../support/until.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('the REST API', function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let operator: OperatorProcess;
  let server: Server;
  let rest: Rest;
  let own: string;
  let other: string;
  let editor: string;
  let viewer: string;
  let stranger: string;
  let admin: string;

  before(async function () {
    this.timeout(300_000);
    cluster = await testCluster(this);
    await cluster.kubectl(['apply', '-f', join(manifests, 'frameworks')]);
    operator = await runOperatorProcess(cluster, { admission: true });
    own = await cluster.namespace('rest-own');
    other = await cluster.namespace('rest-other');
    editor = await aPerson(cluster, own, 'editor', { [own]: 'ambient-editor' });
    viewer = await aPerson(cluster, own, 'viewer', { [own]: 'ambient-viewer' });
    stranger = await aPerson(cluster, other, 'stranger', { [other]: 'ambient-editor' });
    admin = await aPerson(cluster, own, 'platform-admin');
    await cluster.kubectl([
      ...['create', 'clusterrolebinding', `rest-${own}`, '--clusterrole=ambient-admin'],
      `--serviceaccount=${own}:platform-admin`,
    ]);
    server = {
      host: cluster.nodeHostAddress,
      port: operator.ports.rest,
      ca: await operatorAuthority(cluster),
    };
    const contract = new Contract();
    const send = restAt(server);
    // Whatever a test asks: no answer is outside of the document.
    rest = async (path, request = {}) => {
      const answer = await send(path, request);
      contract.check(request.method ?? 'GET', path, answer);
      return answer;
    };
  });
  after(async function () {
    this.timeout(60_000);
    await cluster?.kubectl(['delete', 'clusterrolebinding', `rest-${own}`, '--ignore-not-found']);
    await cluster?.removeSessions();
    await operator?.[Symbol.asyncDispose]();
  });

  const at = (namespace: string, rest = ''): string => `/namespaces/${namespace}/sessions${rest}`;
  const hello = (command = 'true', more: object = {}) => ({
    framework: { type: 'generic', config: { command } },
    ...more,
  });
  const launch = async (body: object = hello(), token = editor): Promise<SessionDetail> => {
    const answer = await rest(at(own), { method: 'POST', token, json: body });
    assert.equal(outcomeOf(answer), '201', answer.text);
    return answer.json as SessionDetail;
  };
  const inCluster = (id: string, namespace = own): Promise<Session> =>
    cluster.client.get(sessions, { namespace, name: id });
  const errorOf = ({ json }: Answer): ErrorBody => json as ErrorBody;
  /** Without what differs from request to request. */
  const shown = ({ status, headers, json }: Answer): unknown => {
    const { date: _, 'x-trace-id': _trace, ...fixed } = headers;
    return { status, headers: fixed, body: { ...errorOf({ json } as Answer), traceId: '' } };
  };

  it('launches a session for the person who asks, with a UUID as its name', async () => {
    const answer = await rest(at(own), {
      method: 'POST',
      token: editor,
      json: hello('true', {
        trigger: { source: 'generic', event: 'nightly', payload: { run: 7 } },
        metadata: { displayName: 'Nightly', labels: { team: 'a' } },
      }),
    });
    assert.equal(answer.status, 201, answer.text);
    const detail = answer.json as SessionDetail;
    assert.match(detail.id, UUID);
    assert.equal(answer.headers.location?.endsWith(`/api/v1${at(own, `/${detail.id}`)}`), true);
    assert.deepEqual(
      [detail.namespace, detail.status, detail.framework, detail.trigger, detail.artifactCount],
      [own, 'pending', 'generic', { source: 'generic', event: 'nightly' }, 0],
    );
    const object = await inCluster(detail.id);
    assert.equal(object.spec.createdBy?.user, `system:serviceaccount:${own}:editor`);
    assert.equal(object.spec.displayName, 'Nightly');
    assert.equal(object.metadata.labels?.['team'], 'a');
    assert.deepEqual(object.metadata.finalizers, ['ambient.ai/data']);
    const records = (await recordedIn(operator.storeDir, own)).filter(
      ({ sessionId, action, resource }) =>
        sessionId === detail.id && action === 'create' && resource === 'sessions',
    );
    assert.deepEqual(
      [...new Set(records.map(({ actor, outcome }) => `${actor} ${outcome}`))],
      [`system:serviceaccount:${own}:editor allowed`],
    );
    assert.ok(records.some(({ traceId }) => traceId === answer.headers['x-trace-id']));
    const got = await rest(at(own, `/${detail.id}`), { token: viewer });
    assert.deepEqual((got.json as SessionDetail).spec, object.spec);
    assert.deepEqual((got.json as SessionDetail).spec.trigger?.payload, { run: 7 });
  });

  it('tells a namespace that is forbidden and one that does not exist apart for nobody without rights', async () => {
    const { id } = await launch();
    const absent = `absent-${randomUUID().slice(0, 8)}`;
    const requests: [string, object][] = [
      ['', {}],
      ['', { method: 'POST', json: hello() }],
      ['', { method: 'POST', json: {} }],
      ['', { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }],
      ['?limit=0', {}],
      [`/${id}`, {}],
      [`/${id}/artifacts`, {}],
      [`/${randomUUID()}`, {}],
    ];
    for (const [rest_, request] of requests) {
      const there = await rest(at(own, rest_), { ...request, token: stranger });
      const nowhere = await rest(at(absent, rest_), { ...request, token: stranger });
      assert.equal(outcomeOf(there), '403 forbidden', `${rest_} ${JSON.stringify(request)}`);
      assert.deepEqual(shown(there), shown(nowhere), rest_);
    }
    assert.equal(outcomeOf(await rest(at(absent), { token: admin })), '404 not_found');
    assert.equal(
      outcomeOf(await rest(at(absent), { method: 'POST', token: admin, json: hello() })),
      '404 not_found',
    );
    assert.equal(outcomeOf(await rest(at(own, `/${randomUUID()}`), { token: viewer })), '404 not_found');
  });

  it('lets in nobody without a token that the cluster knows', async () => {
    for (const authorization of [undefined, 'Bearer', 'Bearer nonsense', 'Basic YTpi', `Bearer ${editor}x`]) {
      const answer = await rest(at(own), authorization === undefined ? {} : { headers: { authorization } });
      assert.equal(outcomeOf(answer), '401 unauthenticated', authorization);
      assert.match(String(answer.headers['www-authenticate']), /^Bearer/);
    }
    const runner = await cluster.kubectl([
      ...['-n', own, 'create', 'token', 'editor', '--audience=ambient', '--duration=10m'],
    ]);
    assert.equal(outcomeOf(await rest(at(own), { token: runner.trim() })), '401 unauthenticated');
  });

  it('takes from each what they may: a viewer sees, an editor launches', async () => {
    const { id } = await launch();
    assert.equal(outcomeOf(await rest(at(own), { token: viewer })), '200');
    assert.equal(outcomeOf(await rest(at(own, `/${id}`), { token: viewer })), '200');
    assert.equal(
      outcomeOf(await rest(at(own), { method: 'POST', token: viewer, json: hello() })),
      '403 forbidden',
    );
  });

  it('launches in a RuntimeClass that policy allows, and in no other', async () => {
    const launchIn = (runtimeClassName: string): Promise<Answer> =>
      rest(at(own), { method: 'POST', token: editor, json: hello('true', { runtimeClassName }) });
    const refused = await launchIn('gvisor');
    assert.equal(outcomeOf(refused), '403 policy_violation');
    assert.match(errorOf(refused).message, /spec\.runtimeClassName is "gvisor"/);
    const { metadata, ...policy } = aPolicy(own, { isolation: { runtimeClasses: { allowed: ['gvisor'] } } });
    const { name, namespace = '' } = metadata;
    await cluster.client.create(namespacePolicies, { ...policy, metadata: { name, namespace } });
    try {
      const answer = await until(
        async () => {
          const tried = await launchIn('gvisor');
          return tried.status === 201 ? tried : undefined;
        },
        'the operator has heard of the policy',
        20_000,
      );
      const { id, spec } = answer.json as SessionDetail;
      assert.equal(spec.runtimeClassName, 'gvisor');
      assert.equal((await inCluster(id)).spec.runtimeClassName, 'gvisor');
      assert.equal(outcomeOf(await launchIn('kata')), '403 policy_violation');
    } finally {
      await cluster.client.delete(namespacePolicies, { namespace: own, name: 'policy' });
    }
  });

  it('refuses what policy forbids, with each rule and field, and creates nothing', async () => {
    const spec = { models: { allowed: ['good-*'] }, tools: { blocked: ['Bash'] } };
    const { metadata, ...policy } = aPolicy(own, spec);
    const { name, namespace } = metadata;
    await cluster.client.create(namespacePolicies, {
      ...policy,
      metadata: { name, namespace: namespace ?? '' },
    });
    const body = hello('true');
    body.framework.config = { ...body.framework.config, model: 'bad-1', tools: ['Bash'] } as never;
    const before = (await cluster.client.list(sessions, { namespace: own })).items.length;
    try {
      await policyIsKnown(cluster.client, own);
      const answer = await rest(at(own), { method: 'POST', token: editor, json: body });
      assert.equal(outcomeOf(answer), '403 policy_violation');
      const { violations } = errorOf(answer).details as { violations: { rule: string; field: string }[] };
      assert.deepEqual(
        violations.map(({ rule, field }) => [rule, field]),
        [
          ['spec.models.allowed', 'spec.framework.config.model'],
          ['spec.tools.blocked', 'spec.framework.config.tools[0]'],
        ],
      );
    } finally {
      await cluster.client.delete(namespacePolicies, { namespace: own, name: 'policy' });
    }
    assert.equal((await cluster.client.list(sessions, { namespace: own })).items.length, before);
  });

  it('names what is wrong with a request', async () => {
    const tries: [object, string, RegExp][] = [
      [{ json: {} }, '400 invalid_request', /framework/],
      [{ json: [] }, '400 invalid_request', /object/],
      [{ json: hello('true', { surprise: 1 }) }, '400 invalid_request', /additional/],
      [{ json: { framework: { type: 'nosuch' } } }, '400 invalid_request', /There is no framework "nosuch"/],
      [
        { json: { framework: { type: 'generic', config: { command: 7 } } } },
        '400 invalid_request',
        /command/,
      ],
      [
        { json: hello('true', { metadata: { labels: { 'not a label': 'x' } } }) },
        '400 invalid_request',
        /label/,
      ],
      [
        { json: hello('true', { metadata: { labels: { 'ambient.ai/session': 'x' } } }) },
        '400 invalid_request',
        /own/,
      ],
      [
        { json: hello('true', { metadata: { displayName: 'gpj.\u202etpircs' } }) },
        '400 invalid_request',
        /displayName: .*must be one line, without control characters/,
      ],
      [{ json: hello('true', { policy: { surprise: true } }) }, '400 invalid_request', /surprise/],
      [
        { body: '{"framework":', headers: { 'content-type': 'application/json' } },
        '400 invalid_request',
        /not JSON/,
      ],
      [{ body: 'a=b', headers: { 'content-type': 'text/plain' } }, '415 unsupported_media_type', /json/],
      [
        {
          body: '{"framework":{"type":"generic","type":"other"}}',
          headers: { 'content-type': 'application/json' },
        },
        '400 invalid_request',
        /"type" stands there twice/,
      ],
      [
        {
          body: `{"framework":{"type":"generic","config":${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}}}`,
          headers: { 'content-type': 'application/json' },
        },
        '400 invalid_request',
        /nested deeper/,
      ],
      [{ json: { x: 'y'.repeat(2 * 1024 * 1024) } }, '413 too_large', /too large/],
      [
        { body: '{"__proto__":{}}', headers: { 'content-type': 'application/json' } },
        '400 invalid_request',
        /./,
      ],
    ];
    for (const [request, outcome, message] of tries) {
      const answer = await rest(at(own), { method: 'POST', token: editor, ...request });
      assert.equal(outcomeOf(answer), outcome, answer.text);
      assert.match(errorOf(answer).message, message);
      assert.match(errorOf(answer).traceId, /^[0-9a-f]{32}$/);
      assert.equal(typeof errorOf(answer).details['remedy'], 'string');
    }
    const xml = await rest(at(own), { token: editor, headers: { accept: 'text/xml' } });
    assert.equal(outcomeOf(xml), '406 not_acceptable');
    for (const query of [
      'limit=0',
      'limit=101',
      'limit=x',
      'offset=-1',
      'limit=1&limit=2',
      'status=done',
      'x=1',
    ])
      assert.equal(
        outcomeOf(await rest(at(own, `?${query}`), { token: editor })),
        '400 invalid_request',
        query,
      );
    assert.equal(outcomeOf(await rest('/nowhere', { token: editor })), '404 not_found');
    assert.equal(outcomeOf(await rest('/%zz', { token: editor })), '400 invalid_request');
    const put = await rest(at(own), { method: 'PUT', token: editor, json: {} });
    assert.equal(outcomeOf(put), '405 method_not_allowed');
    assert.equal(put.headers.allow, 'GET, HEAD, POST');
  });

  it('turns pages in an order that stays, and filters by state', async () => {
    const namespace = await cluster.namespace('rest-pages');
    await cluster.kubectl([
      ...['-n', namespace, 'create', 'rolebinding', 'editor', '--clusterrole=ambient-editor'],
      `--serviceaccount=${own}:editor`,
    ]);
    const made = new Set<string>();
    for (let i = 0; i < 7; i++) {
      const answer = await until(
        async () => {
          const tried = await rest(at(namespace), { method: 'POST', token: editor, json: hello() });
          return tried.status === 201 ? tried : undefined;
        },
        'the right is known',
        20_000,
      );
      made.add((answer.json as SessionDetail).id);
    }
    const page = async (query: string): Promise<SessionPage> => {
      const answer = await rest(at(namespace, `?${query}`), { token: editor });
      assert.equal(answer.status, 200, answer.text);
      return answer.json as SessionPage;
    };
    await until(async () => (await page('limit=1')).total === 7, 'the watch has told of all', 10_000);
    const pages = [await page('limit=3'), await page('limit=3&offset=3'), await page('limit=3&offset=6')];
    assert.deepEqual(
      pages.map(({ sessions: { length }, total, hasMore }) => [length, total, hasMore]),
      [
        [3, 7, true],
        [3, 7, true],
        [1, 7, false],
      ],
    );
    const ids = pages.flatMap((each) => each.sessions.map(({ id }) => id));
    assert.deepEqual(new Set(ids), made);
    const all = (await page('')).sessions;
    assert.deepEqual(
      all.map(({ id }) => id),
      ids,
    );
    const times = all.map(({ createdAt }) => createdAt);
    assert.deepEqual(times, [...times].sort().reverse());
    assert.equal((await page('status=completed')).total, 0);
    // By what a page has as next none is repeated or left out, whatever is launched and deleted meanwhile.
    const read = (await page('limit=3')).sessions;
    const next = (await page('limit=3')).next ?? assert.fail();
    await rest(at(namespace), { method: 'POST', token: editor, json: hello() });
    await cluster.client.delete(sessions, { namespace, name: read[2]?.id ?? '' });
    await until(
      async () => {
        const { total, sessions: now } = await page('');
        return total === 7 && now.every(({ id }) => id !== read[2]?.id);
      },
      'the watch has told of both',
      10_000,
    );
    const behind = await page(`limit=3&after=${next}`);
    const last = await page(`after=${behind.next ?? assert.fail()}`);
    const turned = [...read, ...behind.sessions, ...last.sessions].map(({ id }) => id);
    assert.equal(new Set(turned).size, turned.length);
    // One of the same second as those before it may stand behind them, by its name.
    assert.deepEqual(
      turned.filter((id) => made.has(id)),
      ids,
    );
    assert.deepEqual([behind.total, last.total, last.hasMore, last.next], [7, 7, false, undefined]);
    const nowhere = await rest(at(namespace, '?after=nowhere'), { token: editor });
    assert.equal(outcomeOf(nowhere), '400 invalid_request');
    assert.deepEqual(await page('offset=1000'), { sessions: [], total: 7, hasMore: false });
  });

  it('answers with 304 while nothing has changed', async () => {
    const { id } = await launch();
    const settled = await until(
      async () => {
        const answer = await rest(at(own, `/${id}`), { token: viewer });
        const { spec, history } = answer.json as SessionDetail;
        return spec !== undefined && history.length > 0 ? answer : undefined;
      },
      'the controller has seen it',
      20_000,
    );
    assert.notEqual(settled.headers.etag, undefined);
    await until(
      async () => {
        const { headers } = await rest(at(own, `/${id}`), { token: viewer });
        const again = await rest(at(own, `/${id}`), {
          token: viewer,
          headers: { 'if-none-match': headers.etag },
        });
        return again.status === 304 && again.text === '';
      },
      'it does not change any more',
      20_000,
    );
    await cluster.client.mergePatch(
      sessions,
      { namespace: own, name: id },
      { metadata: { labels: { changed: 'yes' } } },
    );
    await until(
      async () => {
        const answer = await rest(at(own, `/${id}`), {
          token: viewer,
          headers: { 'if-none-match': settled.headers.etag },
        });
        return answer.status === 200;
      },
      'the change is seen',
      10_000,
    );
  });

  it('makes one session of one key, however often and at once it is sent', async () => {
    const key = randomUUID();
    const send = (body: object = hello()) =>
      rest(at(own), { method: 'POST', token: editor, json: body, headers: { 'idempotency-key': key } });
    const answers = await Promise.all(Array.from({ length: 10 }, () => send()));
    assert.deepEqual([...new Set(answers.map(outcomeOf))], ['201']);
    const ids = new Set(answers.map(({ json }) => (json as SessionDetail).id));
    assert.equal(ids.size, 1);
    assert.match([...ids][0] ?? '', UUID);
    const later = await send();
    assert.equal((later.json as SessionDetail).id, [...ids][0]);
    assert.equal(outcomeOf(await send(hello('false'))), '409 conflict');
    const another = await rest(at(own), {
      method: 'POST',
      token: admin,
      json: hello(),
      headers: { 'idempotency-key': key },
    });
    assert.equal(ids.has((another.json as SessionDetail).id), false);
    assert.equal(
      outcomeOf(
        await rest(at(own), {
          method: 'POST',
          token: editor,
          json: hello(),
          headers: { 'idempotency-key': 'a, b' },
        }),
      ),
      '400 invalid_request',
    );
  });

  it('shows its document and a page to try it to everybody, which loads nothing from elsewhere', async () => {
    const plain = restAt(server);
    const page = await plain('/');
    assert.equal(page.status, 200);
    const policy = String(page.headers['content-security-policy']);
    assert.match(policy, /^default-src 'none'; script-src 'self'/);
    assert.doesNotMatch(policy, /unsafe/);
    for (const [, file = ''] of page.text.matchAll(/(?:src|href)="([^"]+)"/g)) {
      const found = await plain(`/${file}`);
      assert.equal(found.status, 200, file);
      assert.equal(found.headers['x-content-type-options'], 'nosniff');
    }
    assert.deepEqual((await plain('/openapi.json')).json, new Contract().document);
    const bare = await plain('');
    assert.deepEqual([bare.status, bare.headers.location], [308, '/api/v1/']);
  });

  it('tells where a person may see sessions, and what holds there', async () => {
    const answer = await rest('/user/namespaces?include=stats', { token: viewer });
    assert.equal(answer.status, 200, answer.text);
    const { namespaces, totalCount, user } = answer.json as NamespaceList;
    assert.deepEqual(
      namespaces.map(({ namespace, permission }) => [namespace, permission]),
      [[own, 'viewer']],
    );
    assert.equal(totalCount, 1);
    assert.equal(user.username, `system:serviceaccount:${own}:viewer`);
    assert.ok((namespaces[0]?.stats?.total ?? 0) > 0);
    assert.equal(namespaces[0]?.policy.maxSessions, 50);
    const { etag } = (await rest('/user/namespaces', { token: viewer })).headers;
    const again = { token: viewer, headers: { 'if-none-match': etag } };
    assert.equal((await rest('/user/namespaces', again)).status, 304);
    assert.equal((await rest('/user/namespaces', { ...again, token: admin })).status, 200);
    const all = (await rest('/user/namespaces', { token: admin })).json as NamespaceList;
    const names = all.namespaces.map(({ namespace }) => namespace);
    assert.ok(
      [own, other, 'default', 'kube-system'].every((name) => names.includes(name)),
      String(names),
    );
    const found = (await rest(`/user/namespaces?search=${own}&permission=editor`, { token: admin }))
      .json as NamespaceList;
    assert.deepEqual(
      found.namespaces.map(({ namespace }) => namespace),
      [own],
    );
    assert.equal(outcomeOf(await rest('/user/namespaces')), '401 unauthenticated');
  });
});
