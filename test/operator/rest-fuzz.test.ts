/**
 * Every operation of the OpenAPI document with what fits it, what almost does, and what is hostile: no fault of the server, and no
 * answer that the document does not have. AMBIENT_FUZZ_RUNS says how many requests of each operation; a failure tells its seed.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request as send } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { REST_BASE } from '../../common/api/rest/operation.ts';
import { namespacePolicies, sessions } from '../../common/kube/resource.ts';
import { hashOf, KEYED } from '../support/webhook-key.ts';
import { Artifacts } from '../../operator/sessions/artifacts.ts';
import { DirectoryStore } from '../../operator/store/directory.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { manifests } from '../support/deploy.ts';
import { aPolicy } from '../support/fixtures.ts';
import type { Answer } from '../support/https.ts';
import { Contract } from '../support/openapi.ts';
import type { OperationObject } from '../support/openapi.ts';
import { runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { aPerson, operatorAuthority } from '../support/rest.ts';
import { fitting, oddJson, oddText, spoiled } from '../support/schema-values.ts';

const RUNS = Number(process.env['AMBIENT_FUZZ_RUNS'] ?? 150);
const SEED = process.env['AMBIENT_FUZZ_SEED'];

interface Sent {
  method: string;
  target: string;
  headers: Record<string, string>;
  body: string | undefined;
}

/** Mostly the same, so that a request gets far. */
const seldom = <T, U>(usual: T, other: fc.Arbitrary<U>): fc.Arbitrary<T | U> =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other });

describe('the REST API under random requests', function () {
  this.timeout(600_000);
  let cluster: TestCluster;
  let operator: OperatorProcess;
  let ca: string;
  let own: string;
  let known: string;
  let tokens: (string | undefined)[];
  const contract = new Contract();
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const { schemas } = contract.document.components;
  const counts = new Map<number, number>();

  before(async function () {
    this.timeout(300_000);
    cluster = await testCluster(this);
    await cluster.kubectl(['apply', '-f', join(manifests, 'frameworks')]);
    operator = await runOperatorProcess(cluster, {
      flags: { 'rest-per-second': 1_000_000, 'log-level': 'info' },
    });
    ca = await operatorAuthority(cluster);
    own = await cluster.namespace('fuzz');
    const admin = await aPerson(cluster, own, 'admin', { [own]: 'ambient-admin' });
    const viewer = await aPerson(cluster, own, 'viewer', { [own]: 'ambient-viewer' });
    const stranger = await aPerson(cluster, own, 'stranger');
    const platform = await aPerson(cluster, own, 'platform');
    await cluster.kubectl([
      ...['create', 'clusterrolebinding', own, '--clusterrole=ambient-admin'],
      `--serviceaccount=${own}:platform`,
    ]);
    tokens = [
      admin,
      admin,
      admin,
      admin,
      platform,
      platform,
      platform,
      platform,
      viewer,
      viewer,
      stranger,
      undefined,
      'made-up',
      `${admin}x`,
    ];
    const { apiVersion, kind, metadata } = aPolicy(own);
    await cluster.client.create(namespacePolicies, {
      apiVersion,
      kind,
      metadata: { name: metadata.name, namespace: own },
      spec: {
        webhookAuth: {
          apiKeys: { generic: hashOf(KEYED) },
          rateLimit: { requestsPerMinute: 600, burstSize: 600 },
        },
      },
    });
    // One that is there, waits, and has made something.
    const session = await cluster.client.create(sessions, {
      apiVersion: 'ambient.ai/v1alpha1',
      kind: 'Session',
      metadata: { name: 'known', namespace: own },
      spec: {
        framework: { type: 'generic', config: { command: 'true' } },
        policy: { approvalRequired: true },
      },
    });
    known = session.metadata.name;
    const artifacts = new Artifacts(new DirectoryStore({ root: operator.storeDir }));
    await artifacts.put(session, { path: 'a/b.txt' }, Readable.from(['hello']));
  });
  after(async function () {
    this.timeout(60_000);
    agent.destroy();
    await cluster?.kubectl(['delete', 'clusterrolebinding', own, '--ignore-not-found']);
    await cluster?.removeSessions();
    await operator?.[Symbol.asyncDispose]();
    const all = [...counts.values()].reduce((sum, each) => sum + each, 0);
    const byStatus = [...counts].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
    console.log(`      ${all} requests; ${byStatus.join(', ')}`);
  });

  /** A stream is answered when it begins. */
  const ask = async ({ method, target, headers, body }: Sent): Promise<Answer> => {
    const { port, host } = { port: operator.ports.rest, host: cluster.nodeHostAddress };
    const request = send({ host, port, ca, agent, method, path: target, headers });
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    request.end(body);
    const [response] = await answered;
    const status = response.statusCode ?? 0;
    const type = response.headers['content-type'] ?? '';
    if (type.startsWith('text/event-stream')) {
      response.destroy();
      return { status, headers: response.headers, bytes: Buffer.alloc(0), text: '', json: undefined };
    }
    const bytes = await buffer(response);
    const text = bytes.toString('utf8');
    const json: unknown = type.startsWith('application/json') && text !== '' ? JSON.parse(text) : undefined;
    return { status, headers: response.headers, bytes, text, json };
  };

  const inUrl = (value: unknown): string => encodeURIComponent(String(value).toWellFormed());
  /** What a header can carry at all; the rest no client could send. */
  const inHeader = (value: unknown): string =>
    String(value)
      .replace(/[^\t\x20-\x7e\x80-\xff]/g, '?')
      .slice(0, 4000);

  function requests(method: string, path: string, operation: OperationObject): fc.Arbitrary<Sent> {
    const value = (name: string, schema: object): fc.Arbitrary<unknown> => {
      const there: Record<string, string[]> = {
        namespace: [...Array<string>(10).fill(own), 'default', 'absent'],
        id: [...Array<string>(10).fill(known), '00000000-0000-4000-8000-000000000000'],
        path: ['a/b.txt', 'a/b.txt', 'none.txt'],
        'x-api-key': [KEYED, KEYED, 'wrong'],
      };
      const usual = there[name];
      const fit = fitting(schema, schemas);
      return usual === undefined
        ? fc.oneof({ weight: 8, arbitrary: fit }, { weight: 1, arbitrary: oddText })
        : fc.oneof({ weight: 20, arbitrary: fc.constantFrom(...usual) }, { weight: 1, arbitrary: oddText });
    };
    const parameter = operation.parameters.map(({ name, in: place, required, schema }) =>
      fc
        .tuple(value(name, schema), fc.constantFrom(...(required ? [1, 1, 1, 1, 1] : [0, 0, 1, 1, 2])))
        .map(([given, times]) => ({ name, place, given, times })),
    );
    const schema = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
    const fit = schema === undefined ? fc.constant({}) : fitting(schema, schemas);
    const usual = { framework: { type: 'generic', config: { command: 'true' } } };
    const body = fc.oneof(
      { weight: 3, arbitrary: fit.map((each) => JSON.stringify({ ...Object(each), ...usual })) },
      { weight: 3, arbitrary: fc.constant(JSON.stringify(usual)) },
      { weight: 4, arbitrary: fit.map((each) => JSON.stringify(each)) },
      { weight: 4, arbitrary: spoiled(fit).map((each) => JSON.stringify(each)) },
      { weight: 1, arbitrary: oddJson },
      { weight: 1, arbitrary: fc.constant(undefined) },
    );
    return fc
      .tuple(
        fc.tuple(...parameter),
        body,
        fc.constantFrom(...tokens.keys()),
        seldom('application/json', fc.constantFrom('text/plain', 'x', '', 'application/json; charset=utf-8')),
        seldom('*/*', fc.constantFrom('application/json', 'text/html', ';;q=,')),
        seldom(null, oddText),
      )
      .map(([parameters, text, token, type, accept, odd]) => {
        let target = `${REST_BASE}${path}`;
        const query: string[] = [];
        const headers: Record<string, string> = { accept };
        for (const { name, place, given, times } of parameters)
          if (place === 'path')
            target = target.replace(
              `{${name}}`,
              name === 'path' ? String(given).split('/').map(inUrl).join('/') : inUrl(given),
            );
          else if (place === 'query')
            for (let i = 0; i < times; i++) query.push(`${inUrl(name)}=${inUrl(given)}`);
          else if (times > 0) headers[name] = inHeader(given);
        if (odd !== null) query.push(`${inUrl(odd)}=1`);
        if (query.length > 0) target += `?${query.join('&')}`;
        const bearer = tokens[token];
        if (bearer !== undefined) headers['authorization'] = `Bearer ${bearer}`;
        const isSent = method === 'post' && text !== undefined;
        if (isSent && type !== '') headers['content-type'] = type;
        return { method: method.toUpperCase(), target, headers, body: isSent ? text : undefined };
      });
  }

  for (const [path, methods] of Object.entries(contract.document.paths))
    for (const [method, operation] of Object.entries(methods))
      it(`${method.toUpperCase()} ${path}`, async () => {
        await fc.assert(
          fc.asyncProperty(requests(method, path, operation), async (sent) => {
            const answer = await ask(sent);
            counts.set(answer.status, (counts.get(answer.status) ?? 0) + 1);
            assert.ok(answer.status < 500, `${answer.status} ${answer.text.slice(0, 1000)}`);
            // What looks like another address may be one: then the document need not have it.
            contract.check(sent.method, sent.target.slice(REST_BASE.length), answer);
          }),
          { numRuns: RUNS, ...(SEED === undefined ? {} : { seed: Number(SEED) }), endOnFailure: RUNS > 1000 },
        );
      });

  it('has logged no fault, and still serves', async () => {
    const faults = operator.log.filter((line) => /"level":(50|60)/.test(line) && line.includes('traceId'));
    assert.deepEqual(faults.slice(0, 3), []);
    const answer = await ask({
      method: 'GET',
      target: `${REST_BASE}/openapi.json`,
      headers: {},
      body: undefined,
    });
    assert.equal(answer.status, 200);
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });
});
