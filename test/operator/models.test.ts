/** The model gateway against a real API server and a stand-in for the providers: what passes, what it costs, what is refused. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { once } from 'node:events';
import {
  MODELS_TOKEN_AUDIENCE,
  OPERATOR_ACTOR,
  POLICY_NAME,
  TOKEN_AUDIENCE,
} from '../../common/api/names.ts';
import type { NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import { RUNNER_PATHS } from '../../common/api/runner.ts';
import type { Session, SessionSpec } from '../../common/api/session.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { namespacePolicies, pods, secrets, sessions } from '../../common/kube/resource.ts';
import { usd } from '../../common/rules/budget.ts';
import { findCondition } from '../../common/rules/conditions.ts';
import { formatMoney } from '../../common/rules/money.ts';
import type { Money } from '../../common/rules/money.ts';
import { effectivePolicy } from '../../common/rules/policy/effective.ts';
import { BudgetRaises } from '../../operator/sessions/budget-raises.ts';
import { DirectoryStore } from '../../operator/store/directory.ts';
import { askingPod } from '../support/asking-pod.ts';
import type { AskingPod } from '../support/asking-pod.ts';
import { CollectedAudit, recordedIn } from '../support/audit.ts';
import type { FakeCluster } from '../support/fake-cluster.ts';
import { aSession } from '../support/fixtures.ts';
import { ask, open } from '../support/https.ts';
import type { Answer, AskOptions } from '../support/https.ts';
import * as answers from '../support/model-answers.ts';
import { createModelTenant, MODEL_FLAGS, MODEL_KEYS, MODEL_SECRET } from '../support/model-tenant.ts';
import { policyIsKnown } from '../support/known-policy.ts';
import { lastingOperator } from '../support/lasting-operator.ts';
import type { LastingOperator } from '../support/lasting-operator.ts';
import { monthGoesOn } from '../support/month.ts';
import { current, endOf, finished, inPhase, workloadOf } from '../support/sessions.ts';
import { until } from '../support/until.ts';
import { webReceiver } from '../support/web-receiver.ts';
import type { WebReceiver } from '../support/web-receiver.ts';

const MODEL = 'claude-sonnet-4-6';

interface Pod extends AskingPod {
  session: Session;
  namespace: string;
}

describe('the model gateway', function () {
  this.timeout(60_000);
  let fake: FakeCluster;
  let client: KubeClient;
  let held: AsyncDisposable;
  let operator: LastingOperator;
  let provider: WebReceiver;
  let count = 0;

  before(async function () {
    this.timeout(180_000);
    operator = await lastingOperator(this, MODEL_FLAGS);
    ({ fake } = operator);
    ({ client } = fake);
    held = await fake.holdPods();
    provider = await webReceiver();
  });

  after(async function () {
    this.timeout(60_000);
    await provider?.[Symbol.asyncDispose]();
    await held?.[Symbol.asyncDispose]();
    await operator?.[Symbol.asyncDispose]();
  });

  beforeEach(async function () {
    this.timeout(120_000);
    // Longer than any test takes.
    await monthGoesOn(60_000);
    provider.received.length = 0;
    provider.answer = (response) =>
      answers.say(response, answers.anthropicStream({ input: 100, output: 10 }));
  });

  async function aTenant(models: NamespacePolicySpec['models'] = {}): Promise<string> {
    const namespace = `models-${process.pid}-${++count}`;
    await createModelTenant(fake, namespace, provider.port, { models });
    await policyIsKnown(client, namespace);
    return namespace;
  }

  const change = (namespace: string, spec: NamespacePolicySpec) =>
    client.mergePatch(namespacePolicies, { namespace, name: POLICY_NAME }, { spec });

  /** A session whose pod waits for a node, which may ask as one that runs. */
  async function aPod(
    namespace: string,
    spec: Partial<SessionSpec> = {},
    audience = MODELS_TOKEN_AUDIENCE,
  ): Promise<Pod> {
    const session = await client.create(
      sessions,
      aSession(`s${++count}`)
        .in(namespace)
        .spec({ limits: { timeoutSeconds: 60, gracePeriodSeconds: 0 }, ...spec })
        .toCreate(),
    );
    const at = { host: fake.cluster.nodeHostAddress, port: operator.process.ports.runners };
    return { session, namespace, ...(await askingPod(client, session, at, audience)) };
  }

  const question = (more: object = {}): object => ({
    model: MODEL,
    max_tokens: 100,
    stream: true,
    messages: [{ role: 'user', content: 'What is in the vault?' }],
    ...more,
  });
  const asking = (token: string, body: object, headers: object = {}): AskOptions => ({
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': token, ...headers },
    body: JSON.stringify(body),
  });
  const messages = ({ server, token }: Pod, more: object = {}, headers: object = {}): Promise<Answer> =>
    ask(server, '/models/anthropic/v1/messages?beta=true', asking(token, question(more), headers));
  const streaming = ({ server, token }: Pod, signal?: AbortSignal) =>
    open(server, '/models/anthropic/v1/messages', {
      ...asking(token, question()),
      ...(signal === undefined ? {} : { signal }),
    });

  const costs = (pod: Pod, total: string): Promise<unknown> =>
    until(
      async () => (await current(pod.session, client)).status?.cost?.total === total,
      `${pod.session.metadata.name} has cost ${total}`,
    ).catch(async (error: unknown) => {
      const { status } = await current(pod.session, client);
      throw new Error(`it has cost ${JSON.stringify(status?.cost)}`, { cause: error });
    });
  const stop = ({ metadata: { namespace, name } }: Session) =>
    client.mergePatch(
      sessions,
      { namespace, name, subresource: 'status' },
      {
        status: {
          stop: { requestedAt: '2030-01-01T00:00:00Z', requestedBy: 'ann', gracePeriodSeconds: 0 },
        },
      },
    );
  /** As kubelets tell it. */
  const tell = async ({ session, namespace }: Pod, status: object): Promise<void> => {
    const [{ metadata: { name } } = assert.fail()] = (await workloadOf(client, session)).pods;
    await client.mergePatch(pods, { namespace, name, subresource: 'status' }, { status });
  };
  const begins = async (pod: Pod, startedAt = new Date().toISOString()): Promise<void> => {
    const container = { name: 'runner', image: '', imageID: '', ready: true, restartCount: 0 };
    const containerStatuses = [{ ...container, state: { running: { startedAt } } }];
    await tell(pod, { phase: 'Running', containerStatuses });
    await inPhase(client, pod.session, ({ status }) => status?.phase === 'Running', 'it runs');
  };
  const errorOf = ({ json }: Answer) => (json as { error: { type?: string; message: string } }).error;

  it('passes a stream on unchanged, with the key of the tenant, and counts it to the billionth', async () => {
    const pod = await aPod(await aTenant());
    const said = answers.anthropicStream({ input: 25, cacheRead: 4000, cacheWrite1h: 200, output: 1234 });
    provider.answer = (response) =>
      answers.say(response, said, {
        headers: {
          'request-id': 'req_011',
          'anthropic-ratelimit-requests-remaining': '7',
          'set-cookie': 'a=b',
          'x-api-key': 'sk-ant-tenant',
        },
      });
    const body = question();
    const answer = await messages(
      pod,
      {},
      {
        'anthropic-version': '2023-06-01',
        'anthropic-beta': 'a,b',
        authorization: 'Bearer of-somebody',
        cookie: 'c=d',
        'openai-organization': 'org',
        'x-forwarded-for': '10.0.0.1',
      },
    );
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.text, said.chunks.join(''));
    assert.equal(answer.headers['content-type'], said.contentType);
    assert.equal(answer.headers['request-id'], 'req_011');
    assert.equal(answer.headers['anthropic-ratelimit-requests-remaining'], '7');
    assert.equal(answer.headers['set-cookie'], undefined);
    assert.equal(answer.headers['x-api-key'], undefined);
    const [received] = provider.received;
    assert.ok(received !== undefined);
    assert.equal(received.path, '/anthropic/v1/messages?beta=true');
    assert.equal(received.body, JSON.stringify(body));
    assert.equal(received.headers['x-api-key'], MODEL_KEYS.anthropic);
    assert.equal(received.headers['anthropic-version'], '2023-06-01');
    assert.equal(received.headers['anthropic-beta'], 'a,b');
    for (const name of ['authorization', 'cookie', 'openai-organization', 'x-forwarded-for'])
      assert.equal(received.headers[name], undefined, name);
    assert.ok(!JSON.stringify(received.headers).includes(pod.token));
    // 25 × 3 + 4000 × 0.30 + 200 × 6 + 1234 × 15 USD per million.
    await costs(pod, '0.020985');
    assert.deepEqual((await current(pod.session, client)).status?.cost?.breakdown, { [MODEL]: '0.020985' });
    const all = operator.process.log.join('\n');
    assert.ok(
      !all.includes('vault') && !all.includes(MODEL_KEYS.anthropic),
      'neither prompt nor key is logged',
    );
    const metrics = await operator.process.metrics();
    assert.match(metrics, /ambient_model_requests_total\{provider="anthropic",status="200"\} 1\n/);
    assert.match(metrics, /ambient_model_tokens_total\{provider="anthropic",kind="output"\} 1234\n/);
    assert.match(metrics, /ambient_model_cost_usd_total\{provider="anthropic"\} 0\.020985\n/);
  });

  const tokens = { input: 1000, cacheRead: 500, output: 200 };
  const protocols: [
    title: string,
    path: string,
    header: (token: string) => Record<string, string>,
    body: object,
    said: answers.Said,
    total: string,
  ][] = [
    [
      'Anthropic Messages in one piece',
      '/models/anthropic/v1/messages',
      (token) => ({ authorization: `Bearer ${token}` }),
      question({ stream: false }),
      answers.anthropicMessage(tokens),
      '0.00615',
    ],
    [
      'OpenAI Responses, streamed',
      '/models/openai/v1/responses',
      (token) => ({ authorization: `Bearer ${token}` }),
      { model: 'gpt-5.3-codex', input: 'Hi', stream: true, tools: [{ type: 'function', name: 'shell' }] },
      answers.responsesStream(tokens),
      '0.0046375',
    ],
    [
      'OpenAI Responses in one piece',
      '/models/openai/v1/responses',
      (token) => ({ authorization: `Bearer ${token}` }),
      { model: 'gpt-5.3-codex', input: 'Hi' },
      answers.responsesBody(tokens),
      '0.0046375',
    ],
    [
      'OpenAI chat completions, streamed',
      '/models/openai/v1/chat/completions',
      (token) => ({ authorization: `Bearer ${token}` }),
      { model: 'gpt-5.4-2026-03-05', messages: [], stream: true, stream_options: { include_usage: true } },
      answers.chatStream(tokens),
      '0.005625',
    ],
    [
      'OpenAI chat completions in one piece',
      '/models/openai/v1/chat/completions',
      (token) => ({ authorization: `Bearer ${token}` }),
      { model: 'gpt-5.4', messages: [] },
      answers.chatBody(tokens),
      '0.005625',
    ],
    [
      'Gemini, streamed',
      '/models/gemini/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse',
      (token) => ({ 'x-goog-api-key': token }),
      { contents: [] },
      answers.geminiStream(tokens),
      '0.0033125',
    ],
    [
      'Gemini in one piece',
      '/models/gemini/v1beta/models/gemini-2.5-pro:generateContent?key=TOKEN',
      () => ({}),
      { contents: [] },
      answers.geminiBody(tokens),
      '0.0033125',
    ],
  ];
  for (const [title, path, headers, body, said, total] of protocols)
    it(`speaks ${title}, exact to the token`, async () => {
      const pod = await aPod(await aTenant());
      provider.answer = (response) => answers.say(response, said);
      const answer = await ask(pod.server, path.replace('TOKEN', pod.token), {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers(pod.token) },
        body: JSON.stringify(body),
      });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.text, said.chunks.join(''));
      const [received] = provider.received;
      assert.ok(received !== undefined);
      assert.equal(received.path, path.replace('/models', '').replace('?key=TOKEN', ''));
      assert.ok(!JSON.stringify(received).includes(pod.token), 'the token stays here');
      const sent = JSON.stringify(received.headers);
      assert.ok(
        Object.values(MODEL_KEYS).some((key) => sent.includes(key)),
        'the key of the tenant is sent',
      );
      await costs(pod, total);
    });

  it('counts tokens for nothing', async () => {
    const pod = await aPod(await aTenant({ budget: { monthly: '1.00', perSession: '0.00' } }));
    provider.answer = (response) =>
      answers.say(response, { contentType: 'application/json', chunks: ['{"input_tokens":7}'] });
    const answer = await ask(
      pod.server,
      '/models/anthropic/v1/messages/count_tokens',
      asking(pod.token, { model: MODEL, messages: [] }),
    );
    assert.deepEqual(answer.json, { input_tokens: 7 });
  });

  it('passes on what a provider says of limits and overload, and charges nothing for it', async () => {
    const pod = await aPod(await aTenant({ budget: { monthly: '1.00', perSession: '0.10' } }));
    for (const status of [400, 429, 500, 529]) {
      const body = JSON.stringify({
        type: 'error',
        error: { type: 'of_the_provider', message: String(status) },
      });
      provider.answer = (response) =>
        response
          .writeHead(status, {
            'content-type': 'application/json',
            'retry-after': '17',
            'request-id': 'req_9',
          })
          .end(body);
      for (let times = 0; times < 3; times++) {
        const answer = await messages(pod);
        assert.deepEqual(
          [answer.status, answer.text, answer.headers['retry-after'], answer.headers['request-id']],
          [status, body, '17', 'req_9'],
        );
      }
    }
    assert.equal((await current(pod.session, client)).status?.cost, undefined);
  });

  it('keeps to itself what a provider says of the key, and follows no redirect', async () => {
    const pod = await aPod(await aTenant());
    provider.answer = (response) =>
      response
        .writeHead(401, { 'content-type': 'application/json' })
        .end(`{"error":"${MODEL_KEYS.anthropic}"}`);
    const refused = await messages(pod);
    assert.equal(refused.status, 403);
    assert.ok(!refused.text.includes(MODEL_KEYS.anthropic));
    assert.match(errorOf(refused).message, /refuses the namespace's key.* Secret model-keys/);
    provider.answer = (response) =>
      response.writeHead(307, { location: `http://127.0.0.1:${provider.port}/elsewhere` }).end();
    const redirected = await messages(pod);
    assert.equal(redirected.status, 502);
    assert.equal(redirected.headers.location, undefined);
    assert.equal(provider.received.length, 2);
  });

  it('charges for half a stream what had come, and lets the agent see that it broke off', async () => {
    const pod = await aPod(await aTenant());
    const said = answers.anthropicStream({ input: 1000, output: 50 }, 'abcde');
    // To the third word.
    const begun = said.chunks.slice(0, 5).join('');
    let breakOff: (() => void) | undefined;
    provider.answer = (response) => {
      answers.say(response, said, { count: 5 });
      breakOff = () => response.destroy();
    };
    const response = await streaming(pod);
    let text = '';
    await assert.rejects(async () => {
      for await (const chunk of response) {
        text += String(chunk);
        // Not before it came through: what was on its way might be lost.
        if (text.length >= begun.length) breakOff?.();
      }
    });
    assert.equal(text, begun);
    // 1000 in; out, each byte of what was generated counts: three letters and an empty block of 23 bytes.
    const bytes = 3 + JSON.stringify({ type: 'text', text: '' }).length;
    await costs(pod, `0.00${3000 + 15 * bytes}`.replace(/0+$/, ''));
  });

  it('refuses a model, tools and prices that the policy does not have, and says so as the provider would', async () => {
    const namespace = await aTenant({ allowed: ['claude-*', 'house-*'], blocked: ['claude-opus-*'] });
    await change(namespace, { tools: { blocked: ['Bash*'] } });
    await policyIsKnown(client, namespace);
    const pod = await aPod(namespace, {
      policy: { modelConstraints: { allowed: ['claude-sonnet-*', 'house-*'] } },
    });
    for (const [more, message] of [
      [{ model: 'claude-opus-5' }, /does not allow the model claude-opus-5; allowed: claude-sonnet-\*/],
      [{ model: 'claude-haiku-4-5' }, /does not allow the model claude-haiku-4-5/],
      [{ model: 'gpt-5.4' }, /does not allow the model gpt-5.4/],
      [{ model: 'house-1' }, /There is no price for the model house-1.*spec\.models\.prices/],
      [{ tools: [{ name: 'Read' }, { name: 'Bash' }] }, /does not allow the tool Bash\./],
      [
        { tools: [{ type: 'web_search_20250305', name: 'web_search' }] },
        /Tools that anthropic runs itself are not allowed.*web_search/,
      ],
      [{ speed: 'fast' }, /What speed: "fast" costs is not known/],
    ] as const) {
      const answer = await messages(pod, more);
      assert.equal(answer.status, 403, answer.text);
      assert.match(answer.headers['content-type'] ?? '', /^application\/json/);
      const { type, message: said } = errorOf(answer);
      assert.equal(type, 'permission_error');
      assert.match(said, message);
    }
    assert.deepEqual(provider.received, [], 'the provider has heard of none');
    const denied = await until(async () => {
      const records = await recordedIn(operator.process.storeDir, namespace);
      const found = records.filter(({ resource, outcome }) => resource === 'models' && outcome === 'denied');
      return found.length === 7 ? found : undefined;
    }, 'all are on record');
    assert.deepEqual(
      [denied[0]?.sessionId, denied[0]?.details?.['model'], denied[0]?.details?.['code']],
      [pod.session.metadata.name, 'claude-opus-5', 'policy_violation'],
    );
    await change(namespace, { models: { prices: [{ model: 'house-*', input: '1', output: '2' }] } });
    await until(async () => (await messages(pod, { model: 'house-1' })).status === 200, 'a price is enough');
    const broken = await ask(pod.server, '/models/anthropic/v1/messages', {
      ...asking(pod.token, {}),
      body: '{"model"',
    });
    assert.deepEqual([broken.status, errorOf(broken).type], [400, 'invalid_request_error']);
    const elsewhere = await ask(pod.server, '/models/anthropic/v1/files', asking(pod.token, {}));
    assert.deepEqual([elsewhere.status, errorOf(elsewhere).type], [404, 'not_found_error']);
  });

  it('knows whose token it is, and none that is nobody’s', async () => {
    const [mine, other] = [await aPod(await aTenant()), await aPod(await aTenant({ providers: [] }))];
    const strange = await messages({ ...mine, token: 'sk-ant-api03-mine' });
    assert.deepEqual([strange.status, errorOf(strange).type], [401, 'authentication_error']);
    const [header = '', payload = '', signature = ''] = mine.token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
    const expired = [
      header,
      Buffer.from(JSON.stringify({ ...claims, exp: 1_700_000_000 })).toString('base64url'),
      signature,
    ].join('.');
    assert.equal((await messages({ ...mine, token: expired })).status, 401);
    const ofRunner = await aPod(mine.namespace, {}, TOKEN_AUDIENCE);
    assert.equal((await messages(ofRunner)).status, 401);
    const records = await ask(mine.server, RUNNER_PATHS.events, {
      method: 'POST',
      headers: { authorization: `Bearer ${mine.token}` },
      body: '',
    });
    assert.equal(records.status, 401, 'a key to models takes no records');
    // Whatever it says of itself, a token of another tenant has that tenant's providers, of which there are none.
    const theirs = await messages({ ...mine, token: other.token });
    assert.equal(theirs.status, 403);
    assert.match(errorOf(theirs).message, new RegExp(`namespace ${other.namespace} reaches no models`));
    assert.deepEqual(provider.received, []);
    assert.equal((await messages(mine)).status, 200);
    await costs(mine, '0.00045');
    assert.equal((await current(other.session, client)).status?.cost, undefined);
  });

  it('takes a changed key without a restart, and tells when the operator may not read it', async () => {
    const pod = await aPod(await aTenant());
    assert.equal((await messages(pod)).status, 200);
    const { namespace } = pod;
    await client.mergePatch(
      secrets,
      { namespace, name: MODEL_SECRET },
      {
        stringData: { anthropic: 'sk-ant-new' },
      },
    );
    await until(async () => {
      await messages(pod);
      return provider.received.at(-1)?.headers['x-api-key'] === 'sk-ant-new';
    }, 'the new key is used');
    await client.delete(secrets, { namespace, name: MODEL_SECRET });
    const refused = await until(async () => {
      const answer = await messages(pod);
      return answer.status === 403 ? answer : undefined;
    }, 'the key is gone');
    assert.match(
      errorOf(refused).message,
      /The key for anthropic cannot be used: there is no Secret model-keys/,
    );
    await change(namespace, { concurrency: { maxSessions: 7 } });
    await until(async () => {
      const { status } = await client.get(namespacePolicies, { namespace, name: POLICY_NAME });
      const valid = findCondition(status?.conditions, 'ConfigValid');
      return valid?.status === 'False' && valid.message.includes('spec.models.providers[0].keySecret');
    }, 'the policy says so');
  });

  it('spends no more once a session is told to stop: what streams is cut, what comes is refused', async () => {
    const pod = await aPod(await aTenant());
    // One that has not begun would be over at once, and be refused for that.
    await begins(pod);
    let cut: Promise<unknown> | undefined;
    provider.answer = (response: ServerResponse) => {
      cut = once(response, 'close');
      answers.say(response, answers.anthropicStream({ input: 10, output: 10 }), { count: 3 });
    };
    const response = await streaming(pod);
    await once(response, 'data');
    const broken = once(response, 'error');
    await stop(pod.session);
    await broken;
    assert.ok(cut !== undefined);
    await cut;
    const refused = await messages(pod);
    assert.equal(refused.status, 403);
    assert.match(errorOf(refused).message, /was told to stop/);
    assert.equal(refused.headers['x-should-retry'], 'false');
    assert.equal(provider.received.length, 1, 'nothing more has reached the provider');
  });

  it('charges once for a stream that the agent leaves', async () => {
    const pod = await aPod(await aTenant());
    let left: Promise<unknown> | undefined;
    provider.answer = (response: ServerResponse) => {
      left = once(response, 'close');
      answers.say(response, answers.anthropicStream({ input: 1000, output: 50 }, 'abc'), { count: 1 });
    };
    const leaving = new AbortController();
    const response = await streaming(pod, leaving.signal);
    await once(response, 'data');
    response.on('error', () => undefined);
    leaving.abort();
    assert.ok(left !== undefined);
    await left;
    // 1000 in, and the one token out that the provider had told of.
    await costs(pod, '0.003015');
    provider.answer = (response) =>
      answers.say(response, answers.anthropicStream({ input: 100, output: 10 }));
    assert.equal((await messages(pod)).status, 200);
    await costs(pod, '0.003465');
  });

  it('lets calls at the same time spend no more together than there is, and ends the session with its money', async () => {
    // A token out costs 0.10 USD here: each call may cost 0.40 and does cost 0.30.
    const namespace = await aTenant({
      budget: { monthly: '10.00', perSession: '1.00' },
      prices: [{ model: MODEL, input: '0', output: '100000' }],
    });
    const pod = await aPod(namespace);
    let underWay = 0;
    let most = 0;
    provider.answer = (response) => {
      most = Math.max(most, ++underWay);
      setTimeout(() => {
        underWay--;
        answers.say(response, answers.anthropicStream({ input: 100, output: 3 }));
      }, 50);
    };
    const all = await Promise.all(Array.from({ length: 12 }, () => messages(pod, { max_tokens: 4 })));
    const passed = all.filter(({ status }) => status === 200);
    assert.equal(most, 2, 'two are all that 1.00 USD can hold');
    assert.equal(passed.length, 3);
    assert.equal(provider.received.length, 3);
    for (const answer of all.filter(({ status }) => status !== 200)) assert.equal(answer.status, 403);
    assert.ok(
      all.some(
        (answer) =>
          answer.status === 403 &&
          /has spent 0\.90 USD of its budget of 1\.00 USD.* may cost up to 0\.40 USD/.test(
            errorOf(answer).message,
          ),
      ),
    );
    const ended = await finished(client, pod.session);
    assert.equal(endOf(ended), 'Failed/BudgetExceeded');
    assert.match(ended.status?.message ?? '', /^The session has spent 0\.90 USD of its budget of 1\.00 USD/);
    assert.deepEqual([ended.status?.cost?.total, ended.status?.stop?.requestedBy], ['0.90', OPERATOR_ACTOR]);
    const records = await recordedIn(operator.process.storeDir, namespace);
    assert.ok(records.some(({ details }) => details?.['reason'] === 'BudgetExceeded'));
    assert.match(await operator.process.metrics(), /ambient_budget_stops_total\{by="session"\} 1\n/);
    const late = await messages(pod);
    assert.ok([401, 403].includes(late.status), late.text);
    assert.equal(provider.received.length, 3);
  });

  it('pauses a session instead, when the policy says so, until its budget is raised', async () => {
    const namespace = await aTenant({
      budget: { monthly: '10.00', perSession: '0.50' },
      prices: [{ model: MODEL, input: '0', output: '100000' }],
      whenSpent: 'pause',
    });
    const pod = await aPod(namespace);
    provider.answer = (response) => answers.say(response, answers.anthropicStream({ input: 100, output: 3 }));
    assert.equal((await messages(pod, { max_tokens: 4 })).status, 200);
    await costs(pod, '0.30');
    const waiting = messages(pod, { max_tokens: 4 });
    const paused = await inPhase(
      client,
      pod.session,
      ({ status }) => findCondition(status?.conditions, 'BudgetPaused')?.status === 'True',
      'it is paused',
    );
    assert.match(
      findCondition(paused.status?.conditions, 'BudgetPaused')?.message ?? '',
      /^Paused: The session has spent 0\.30 USD of its budget of 0\.50 USD.*Raise its budget, or stop it\.$/,
    );
    assert.equal(paused.status?.stop, undefined);
    assert.equal(provider.received.length, 1);
    await change(namespace, { models: { budget: { monthly: '10.00', perSession: '2.00' } } });
    assert.equal((await waiting).status, 200);
    await inPhase(
      client,
      pod.session,
      ({ status }) => findCondition(status?.conditions, 'BudgetPaused')?.status === 'False',
      'it goes on',
    );
    await costs(pod, '0.60');
    assert.deepEqual(
      (await current(pod.session, client)).status?.history?.map(({ event }) => event),
      ['Created', 'BudgetPaused', 'BudgetResumed'],
    );
  });

  it('goes on when an approver raises the budget of a paused session, within what the namespace has free', async () => {
    const namespace = await aTenant({
      budget: { monthly: '10.00', perSession: '0.50' },
      prices: [{ model: MODEL, input: '0', output: '100000' }],
      whenSpent: 'pause',
    });
    const pod = await aPod(namespace, { policy: { modelConstraints: { budget: '0.30' } } });
    const waiting = messages(pod, { max_tokens: 4 });
    const paused = await inPhase(
      client,
      pod.session,
      ({ status }) => findCondition(status?.conditions, 'BudgetPaused')?.status === 'True',
      'it is paused',
    );
    const policy = await until(async () => {
      const found = await client.get(namespacePolicies, { namespace, name: POLICY_NAME });
      return found.status?.usage?.budget?.reserved === '0.30' ? found : undefined;
    }, 'its budget is held');
    // Without the operator's webhooks nobody knows who launched it.
    const approval = { allowSelfApproval: true };
    const audit = new CollectedAudit();
    const raises = new BudgetRaises({
      client,
      store: new DirectoryStore({ root: operator.process.storeDir }),
      policies: { of: () => effectivePolicy({ ...policy.spec, approval }), object: () => policy },
      audit,
      now: () => new Date(),
    });
    const raise = (limit: string, name = 'bob') =>
      raises.raise(paused, { name, groups: [] }, { limit }, { traceId: 't' });
    await assert.rejects(raise('1'), /limit/);
    await assert.rejects(raise('0.30'), /is 0\.30 USD already/);
    await assert.rejects(raise('10.01'), /has 9\.70 USD free this month, and that would take 9\.71 USD more/);
    assert.deepEqual(
      audit.lines.filter((line) => line.endsWith('allowed')),
      [],
    );
    assert.equal((await raise('1.00')).limit, '1.00');
    assert.deepEqual(audit.lines.at(-1), 'bob update sessions/budget allowed');
    provider.answer = (response) => answers.say(response, answers.anthropicStream({ input: 100, output: 3 }));
    assert.equal((await waiting).status, 200);
    await costs(pod, '0.30');
    await until(async () => {
      const { status } = await client.get(namespacePolicies, { namespace, name: POLICY_NAME });
      return status?.usage?.budget?.reserved === '0.70';
    }, 'what was raised is held too');
    const events = (await current(pod.session, client)).status?.history?.map(({ event }) => event);
    assert.deepEqual(events, ['Created', 'BudgetPaused', 'BudgetRaised', 'BudgetResumed']);
  });

  it('ends the waiting of a paused session that is stopped', async () => {
    const pod = await aPod(
      await aTenant({ budget: { monthly: '10.00', perSession: '0.00' }, whenSpent: 'pause' }),
    );
    const waiting = messages(pod);
    await inPhase(
      client,
      pod.session,
      ({ status }) => findCondition(status?.conditions, 'BudgetPaused')?.status === 'True',
      'it is paused',
    );
    await stop(pod.session);
    const answer = await waiting;
    assert.equal(answer.status, 403);
    assert.match(errorOf(answer).message, /told to stop|has ended/);
    assert.equal(endOf(await finished(client, pod.session)), 'Failed/Stopped');
  });

  it('says until when a paused session can wait, and when that is over what it waited for', async () => {
    const pod = await aPod(
      await aTenant({ budget: { monthly: '10.00', perSession: '0.00' }, whenSpent: 'pause' }),
    );
    await begins(pod, '2030-01-02T03:04:05Z');
    const waiting = messages(pod);
    const paused = await inPhase(
      client,
      pod.session,
      ({ status }) => status?.message?.startsWith('Paused') === true,
      'it is paused',
    );
    assert.match(paused.status?.message ?? '', /its time limit ends it on 2030-01-02 at 03:05 UTC\.$/);
    await tell(pod, { phase: 'Failed', reason: 'DeadlineExceeded', message: 'active on the node too long' });
    const ended = await finished(client, pod.session);
    assert.equal(endOf(ended), 'Failed/DeadlineExceeded');
    assert.match(ended.status?.message ?? '', /^Nobody raised the budget .* time limit of 1 min ended it\./);
    assert.ok([401, 403].includes((await waiting).status));
  });

  it('charges once for what streams while the operator is restarted, and at most when it is killed', async () => {
    const pod = await aPod(await aTenant());
    const said = answers.anthropicStream({ input: 1000, output: 50 }, 'abc');
    const cutBy = async (end: () => Promise<unknown>): Promise<void> => {
      provider.answer = (response: ServerResponse) => answers.say(response, said, { count: 1 });
      const response = await streaming(pod);
      response.on('error', () => undefined);
      await once(response, 'data');
      const closed = new Promise((resolve) => response.once('close', resolve));
      await end();
      await closed;
      await operator.startAgain();
    };
    await cutBy(() => operator.process.stop());
    await costs(pod, '0.003015');
    provider.answer = (response) =>
      answers.say(response, answers.anthropicStream({ input: 100, output: 10 }));
    await until(async () => (await messages(pod).catch(() => undefined))?.status === 200, 'it goes on');
    await costs(pod, '0.003465');
    await cutBy(() => operator.process.kill());
    // All bytes and what providers add at 3, and 100 tokens at 15 USD per million.
    const reserved = (Buffer.byteLength(JSON.stringify(question())) + 4096) * 3000 + 100 * 15_000;
    const total = (billionths: number): string => formatMoney(BigInt(billionths) as Money);
    await costs(pod, total(3_465_000 + reserved));
    const { status } = await current(pod.session, client);
    const told = status?.history?.filter(({ event }) => event === 'CallsChargedAtMost') ?? [];
    assert.deepEqual(
      told.map(({ actor, data }) => [actor, data?.['calls'], data?.['amount']]),
      [[OPERATOR_ACTOR, 1, usd(BigInt(reserved) as Money)]],
    );
    provider.answer = (response) =>
      answers.say(response, answers.anthropicStream({ input: 100, output: 10 }));
    await until(async () => (await messages(pod).catch(() => undefined))?.status === 200, 'it goes on');
    await costs(pod, total(3_915_000 + reserved));
  });
});
