/** The REST API when the API server is slow, away or asked by two replicas: what it asks for each request, and what it answers then. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { SessionDetail } from '../../common/api/rest/session.ts';
import { sessions } from '../../common/kube/resource.ts';
import { startApiProxy } from '../support/api-proxy.ts';
import type { ApiProxy } from '../support/api-proxy.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { manifests } from '../support/deploy.ts';
import { Contract } from '../support/openapi.ts';
import { runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { aPerson, operatorAuthority, outcomeOf, restAt } from '../support/rest.ts';
import type { Rest } from '../support/rest.ts';

describe('the REST API and its API server', function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let proxy: ApiProxy;
  let first: OperatorProcess;
  let second: OperatorProcess;
  let rests: Rest[];
  let own: string;
  let editor: string;
  let stranger: string;

  before(async function () {
    this.timeout(300_000);
    cluster = await testCluster(this);
    await cluster.kubectl(['apply', '-f', join(manifests, 'frameworks')]);
    proxy = await startApiProxy(cluster);
    first = await runOperatorProcess(cluster, { server: proxy.server });
    second = await runOperatorProcess(cluster, { storeDir: first.storeDir, identity: 'second' });
    own = await cluster.namespace('rest-faults');
    editor = await aPerson(cluster, own, 'editor', { [own]: 'ambient-editor' });
    stranger = await aPerson(cluster, own, 'stranger');
    const ca = await operatorAuthority(cluster);
    const contract = new Contract();
    rests = [first, second].map(({ ports }) => {
      const send = restAt({ host: cluster.nodeHostAddress, port: ports.rest, ca });
      return async (path, request = {}) => {
        const answer = await send(path, request);
        contract.check(request.method ?? 'GET', path, answer);
        return answer;
      };
    });
  });
  after(async function () {
    this.timeout(60_000);
    await cluster?.removeSessions();
    await second?.[Symbol.asyncDispose]();
    await first?.[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
  });

  const one: Rest = (...args) => rests[0]?.(...args) ?? assert.fail();
  const two: Rest = (...args) => rests[1]?.(...args) ?? assert.fail();
  const body = { framework: { type: 'generic', config: { command: 'true' } } };
  const at = (namespace: string): string => `/namespaces/${namespace}/sessions`;
  /** What was asked of the API server because of a request. */
  const askedFor = async (work: () => Promise<unknown>): Promise<string[]> => {
    const before = proxy.requests.length;
    await work();
    return proxy.requests.slice(before).filter((line) => /review/.test(line) || line.includes(own));
  };

  it('asks one question about one request of a stranger, whatever it is about', async () => {
    await one(at('warm-up'), { token: stranger });
    const review = 'POST /apis/authorization.k8s.io/v1/subjectaccessreviews';
    for (const namespace of [own, `absent-${randomUUID().slice(0, 8)}`, 'kube-system', 'Not A Name'])
      for (const request of [{}, { method: 'POST', json: body }]) {
        const path = at(encodeURIComponent(namespace));
        const asked = await askedFor(async () => {
          assert.equal(outcomeOf(await one(path, { ...request, token: stranger })), '403 forbidden');
        });
        assert.deepEqual(asked, [review], `${request.method ?? 'GET'} ${namespace}`);
      }
  });

  it('makes one session of one key that two replicas are given at once', async () => {
    for (let round = 0; round < 5; round++) {
      const headers = { 'idempotency-key': randomUUID() };
      const sent = { method: 'POST', token: editor, json: body, headers };
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? one : two)(at(own), sent)),
      );
      assert.deepEqual([...new Set(answers.map(outcomeOf))], ['201']);
      assert.equal(new Set(answers.map(({ json }) => (json as SessionDetail).id)).size, 1);
    }
    const { items } = await cluster.client.list(sessions, { namespace: own });
    assert.equal(items.length, 5);
  });

  it('answers with 503 when the API server does not answer in time, and finds by the key what it has made', async () => {
    const released = Promise.withResolvers<boolean>();
    proxy.onWrite = ({ method, path }) =>
      method === 'POST' && path.endsWith(`/${own}/sessions`) ? released.promise : true;
    const before = (await cluster.client.list(sessions, { namespace: own })).items.length;
    const sent = {
      method: 'POST',
      token: editor,
      json: body,
      headers: { 'idempotency-key': randomUUID() },
    };
    const late = await one(at(own), sent);
    assert.equal(outcomeOf(late), '503 unavailable', late.text);
    assert.ok(Number(late.headers['retry-after']) >= 1);
    proxy.onWrite = undefined;
    released.resolve(false);
    assert.equal(outcomeOf(await one(at(own), sent)), '201');
    assert.equal((await cluster.client.list(sessions, { namespace: own })).items.length, before + 1);
  });

  it('answers with 503 and when to come again while the API server is away, and has made nothing by halves', async () => {
    assert.equal((await one(at(own), { token: editor })).status, 200);
    const before = (await cluster.client.list(sessions, { namespace: own })).items.length;
    const fresh = await aPerson(cluster, own, 'latecomer', { [own]: 'ambient-editor' });
    await proxy[Symbol.asyncDispose]();
    const created = await one(at(own), { method: 'POST', token: editor, json: body });
    assert.equal(outcomeOf(created), '503 unavailable');
    assert.ok(Number(created.headers['retry-after']) >= 1);
    const unknown = await one(at(own), { token: fresh });
    assert.equal(outcomeOf(unknown), '503 unavailable');
    assert.doesNotMatch(created.text + unknown.text, /127\.0\.0\.1|ECONNREFUSED/);
    // What is remembered for these seconds can still be read.
    const read = await one(at(own), { token: editor });
    assert.ok([200, 503].includes(read.status));
    assert.equal((await cluster.client.list(sessions, { namespace: own })).items.length, before);
    assert.equal((await two(at(own), { method: 'POST', token: editor, json: body })).status, 201);
  });
});
