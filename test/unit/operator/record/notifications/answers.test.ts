/** Answers to stand-ins on the loopback address that take what the real APIs take, and say what they say. */
import assert from 'node:assert/strict';
import { Compile } from 'typebox/compile';
import Type from 'typebox';
import type { TSchema } from 'typebox';
import type {
  SessionTrigger,
  SessionTriggerSpec,
  TriggerAnswer,
} from '../../../../../common/api/session-trigger.ts';
import { API_VERSION } from '../../../../../common/api/names.ts';
import { answerMistakes } from '../../../../../common/rules/triggers/answer-mistakes.ts';
import { eventOf } from '../../../../../common/rules/triggers/event-of.ts';
import type { Delivery } from '../../../../../common/rules/triggers/event.ts';
import { matchTrigger } from '../../../../../common/rules/triggers/match.ts';
import { originOf } from '../../../../../common/rules/triggers/origin.ts';
import { listOf } from '../../../../../operator/record/notifications/addresses.ts';
import { AnswerSender } from '../../../../../operator/record/notifications/answer.ts';
import { answerTargetOf } from '../../../../../operator/record/notifications/answers.ts';
import type { Attempt } from '../../../../../operator/record/notifications/delivery.ts';
import type { Notification, NotificationEvent } from '../../../../../operator/record/notifications/events.ts';
import { SecretProblem } from '../../../../../operator/record/notifications/secrets.ts';
import { aSession } from '../../../../support/fixtures.ts';
import { webReceiver } from '../../../../support/web-receiver.ts';
import type { Received, WebReceiver } from '../../../../support/web-receiver.ts';
import { webhookPayload } from '../../../../support/webhook-payloads.ts';

const OPERATOR = 'system:serviceaccount:ambient-system:ambient-operator';
const TOKEN = 'tok-12345';
const closed = { additionalProperties: false } as const;

/** What each API takes, after its own reference. */
const APIS: Record<string, { path: RegExp; body: TSchema; headers: Record<string, RegExp>; said: object }> = {
  // https://docs.github.com/rest/issues/comments#create-an-issue-comment
  'github comment': {
    path: /^\/repos\/[^/]+\/[^/]+\/issues\/[0-9]+\/comments$/,
    body: Type.Object({ body: Type.String({ minLength: 1, maxLength: 65_536 }) }, closed),
    headers: {
      authorization: /^Bearer tok-12345$/,
      accept: /^application\/vnd\.github\+json$/,
      'user-agent': /./,
      'x-github-api-version': /^2022-11-28$/,
    },
    said: { id: 1, html_url: 'https://github.com/' },
  },
  // https://docs.github.com/rest/commits/statuses#create-a-commit-status
  'github status': {
    path: /^\/repos\/[^/]+\/[^/]+\/statuses\/[0-9a-f]{40}$/,
    body: Type.Object(
      {
        state: Type.Enum(['error', 'failure', 'pending', 'success']),
        context: Type.String({ minLength: 1, maxLength: 255 }),
        description: Type.String({ maxLength: 140 }),
      },
      closed,
    ),
    headers: { authorization: /^Bearer tok-12345$/ },
    said: { id: 1, state: 'success' },
  },
  // https://developer.atlassian.com/cloud/jira/platform/rest/v2/api-group-issue-comments/
  'jira comment': {
    path: /^\/rest\/api\/2\/issue\/[A-Z][A-Z0-9_]*-[0-9]+\/comment$/,
    body: Type.Object({ body: Type.String({ minLength: 1, maxLength: 32_767 }) }, closed),
    headers: {
      authorization: new RegExp(`^Basic ${Buffer.from(`bot@example.com:${TOKEN}`).toString('base64')}$`),
    },
    said: { id: '10000' },
  },
  // https://docs.slack.dev/reference/methods/chat.postMessage
  'slack comment': {
    path: /^\/chat\.postMessage$/,
    body: Type.Object(
      {
        channel: Type.String({ pattern: '^[CDG][A-Z0-9]+$' }),
        thread_ts: Type.Optional(Type.String({ pattern: '^[0-9]+\\.[0-9]+$' })),
        text: Type.String({ minLength: 1, maxLength: 40_000 }),
        unfurl_links: Type.Boolean(),
      },
      closed,
    ),
    headers: { authorization: /^Bearer tok-12345$/, 'content-type': /^application\/json; charset=utf-8$/ },
    said: { ok: true, ts: '1.2' },
  },
};

describe('an answer', () => {
  let api: WebReceiver;
  let name: string;

  beforeEach(async () => {
    api = await webReceiver();
    api.answer = (response, request) => {
      const problem = problemOf(request);
      response.writeHead(problem === undefined ? 201 : 422, { 'content-type': 'application/json' });
      response.end(JSON.stringify(problem === undefined ? APIS[name]?.said : { message: problem }));
    };
  });
  afterEach(() => api[Symbol.asyncDispose]());

  function problemOf({ path, headers, body }: Received): string | undefined {
    const wanted = APIS[name];
    if (wanted?.path.test(path) !== true) return `path ${path}`;
    for (const [header, pattern] of Object.entries(wanted.headers))
      if (!pattern.test(String(headers[header]))) return `header ${header}: ${String(headers[header])}`;
    const validator = Compile(wanted.body);
    const value: unknown = JSON.parse(body);
    return validator.Check(value) ? undefined : JSON.stringify([...validator.Errors(value)]);
  }

  const answerOf = (more: Partial<TriggerAnswer> = {}): TriggerAnswer => ({
    credential: { secretName: 'bot', key: 'token' },
    url: `http://127.0.0.1:${api.port}`,
    ...more,
  });
  const triggerOf = (source: SessionTriggerSpec['source'], answer: TriggerAnswer): SessionTrigger => ({
    apiVersion: API_VERSION,
    kind: 'SessionTrigger',
    metadata: { namespace: 'team-a', name: 'review' },
    spec: { source, session: { framework: { type: 'generic' } }, answer },
  });
  /** Of a session that the payload has started. */
  const targetOf = (payload: string, more: Partial<TriggerAnswer> = {}, user = OPERATOR) => {
    const delivery = webhookPayload(payload);
    const origin = originOf(eventOf(delivery));
    const session = aSession('0b2f0000-0000-8000-8000-000000000000')
      .in('team-a')
      .spec({
        createdBy: { user },
        trigger: { source: delivery.source, name: 'review', ...(origin === undefined ? {} : { origin }) },
      })
      .build();
    return answerTargetOf(session, triggerOf(delivery.source, answerOf(more)), OPERATOR);
  };
  const send = async (
    payload: string,
    more: Partial<TriggerAnswer> = {},
    event: NotificationEvent = 'session.completed',
  ): Promise<Attempt> => {
    const target = targetOf(payload, more);
    assert.ok(target, `${payload} can be answered`);
    name = `${target.source} ${target.as}`;
    const notification: Notification = {
      id: 'a'.repeat(32),
      event,
      timestamp: '2030-01-01T00:00:00Z',
      namespace: 'team-a',
      message: 'Something that a stranger wrote: @everyone <script>',
      session: {
        name: '0b2f0000-0000-8000-8000-000000000000',
        uid: 'u',
        displayName: '@everyone <script>',
        phase: 'Completed',
        reason: 'BudgetExceeded',
        cost: '0.25',
      },
    };
    return await new AnswerSender({
      rules: { allowed: listOf(['127.0.0.1/32']), plainHttp: true },
      now: () => 0,
      timeoutMs: 500,
    }).send({
      target,
      notification,
      secret: async ({ name: secret, key }) => {
        if (`${secret}/${key}` !== 'bot/token') throw new SecretProblem(`there is no Secret ${secret}`);
        return Buffer.from(`${TOKEN}\n`);
      },
      signal: new AbortController().signal,
    });
  };

  for (const [payload, more] of [
    ['github-pull_request-opened', {}],
    ['github-issues-labeled', {}],
    ['github-issue_comment-created', {}],
    ['github-pull_request-opened', { as: 'status' }],
    ['github-push', { as: 'status' }],
    ['github-check_run-completed', { as: 'status' }],
    ['jira-issue_updated-transition', { user: 'bot@example.com' }],
    ['jira-comment_created', { user: 'bot@example.com' }],
    ['slack-app_mention', {}],
    ['slack-message', {}],
    ['slack-slash_command', {}],
  ] as [string, Partial<TriggerAnswer>][])
    it(`to ${payload} as ${more.as ?? 'comment'} is what its API takes`, async () => {
      for (const event of ['session.started', 'session.completed', 'session.failed'] as const) {
        const attempt = await send(payload, more, event);
        assert.deepEqual(attempt, { outcome: 'delivered' }, JSON.stringify(api.received.at(-1)));
      }
      for (const { body } of api.received) {
        assert.ok(!/@everyone|<script/.test(body), body);
        assert.match(body, /0b2f0000/);
      }
    });

  it('says how it ended', async () => {
    await send('github-pull_request-opened', { as: 'status' }, 'session.failed');
    assert.deepEqual(JSON.parse(api.received[0]?.body ?? ''), {
      state: 'failure',
      context: 'ambient/review',
      description: 'Session 0b2f0000-0000-8000-8000-000000000000 has failed (BudgetExceeded).',
    });
    await send('slack-app_mention');
    assert.match(api.received[1]?.body ?? '', /is completed\. It cost 0\.25 USD\./);
    assert.equal(targetOf('jira-comment_created')?.label, 'comment on jira SHOP-41');
  });

  it('starts nothing when it is heard again, whose token ever it was sent with', async () => {
    await send('github-issues-labeled');
    await send('github-pull_request-opened', { as: 'status' }, 'session.started');
    await send('jira-comment_created', { user: 'bot@example.com' });
    await send('slack-message');
    const said = api.received.map(({ body }) => JSON.parse(body) as Record<string, string>);
    const { headers } = webhookPayload('github-issue_comment-created');
    const heard: Delivery[] = [
      { source: 'github', headers, payload: { action: 'created', issue: {}, comment: said[0] } },
      { source: 'github', headers: { ...headers, 'x-github-event': 'status' }, payload: said[1] },
      { source: 'jira', headers: {}, payload: { webhookEvent: 'comment_created', comment: said[2] } },
      {
        source: 'slack',
        headers: {},
        payload: { type: 'event_callback', event: { ...said[3], type: 'message', user: 'U1' } },
      },
    ];
    for (const delivery of heard) {
      const spec = triggerOf(delivery.source, answerOf()).spec;
      const { reasons } = matchTrigger({ ...spec, when: { bots: true } }, eventOf(delivery));
      assert.deepEqual(
        reasons.map(({ message }) => message),
        ['spec.when waits for what others do, and this is the answer of a session.'],
      );
    }
  });

  it('is tried again when Slack is busy, and not when there is no such channel', async () => {
    const said = async (answer: object): Promise<Attempt> => {
      api.answer = (response) => void response.writeHead(200).end(JSON.stringify(answer));
      return await send('slack-app_mention');
    };
    assert.deepEqual(await said({ ok: false, error: 'ratelimited' }), {
      outcome: 'failed',
      reason: 'Slack says ratelimited',
    });
    assert.equal((await said({ ok: false, error: 'channel_not_found' })).outcome, 'refused');
    assert.equal((await said({ ok: false, error: '<b>' })).outcome, 'failed');
    assert.equal((await said([])).outcome, 'failed');
  });

  it('is given up when GitHub has no such issue, and waits as long as it is asked to', async () => {
    api.answer = (response) => void response.writeHead(404).end('{}');
    assert.equal((await send('github-issues-labeled')).outcome, 'refused');
    api.answer = (response) => void response.writeHead(429, { 'retry-after': '60' }).end('{}');
    assert.deepEqual(await send('github-issues-labeled'), {
      outcome: 'failed',
      reason: 'it answered 429',
      afterMs: 60_000,
    });
  });

  it('goes nowhere inside, and takes no token that is none', async () => {
    const inside = targetOf('github-issues-labeled', { url: 'https://169.254.169.254' });
    assert.ok(inside);
    const attempt = await send('github-issues-labeled', { url: 'http://169.254.169.254' });
    assert.equal(attempt.outcome, 'refused');
    const credential = { secretName: 'other', key: 'token' };
    assert.deepEqual(await send('github-issues-labeled', { credential }), {
      outcome: 'failed',
      reason: 'there is no Secret other',
    });
    assert.equal(api.received.length, 0);
  });

  it('is nobody’s but the operator’s, and of the trigger that made the session', () => {
    assert.equal(targetOf('github-issues-labeled', {}, 'eve'), undefined);
    const session = aSession()
      .spec({ createdBy: { user: OPERATOR }, trigger: { source: 'github' } })
      .build();
    assert.equal(answerTargetOf(session, triggerOf('github', answerOf()), OPERATOR), undefined);
    assert.equal(targetOf('github-push'), undefined, 'a push has no issue');
    assert.equal(targetOf('generic-deploy-failed'), undefined);
  });

  it('never leads out of where it belongs, whatever the event says', () => {
    for (const full_name of [
      '../admin',
      'a/..',
      'a/b/c',
      'a/b?x',
      'a/b#',
      'a b/c',
      'a/%2e%2e',
      '.git/a',
      'a',
    ])
      for (const number of [1, -1, '1/../2'])
        assert.equal(
          originOf(
            eventOf({
              source: 'github',
              headers: { 'x-github-event': 'issues' },
              payload: { repository: { full_name }, issue: { number } },
            }),
          )?.repository,
          undefined,
          full_name,
        );
  });

  it('has its mistakes named', () => {
    const paths = (source: SessionTriggerSpec['source'], answer: TriggerAnswer): string[] =>
      answerMistakes(triggerOf(source, answer).spec).map(({ severity, path }) => `${severity} ${path}`);
    const credential = { secretName: 'bot', key: 'token' };
    assert.deepEqual(paths('github', { as: 'comment', credential }), []);
    assert.deepEqual(paths('generic', { as: 'comment', credential }), ['error spec.answer']);
    assert.deepEqual(paths('jira', { as: 'status', credential }), [
      'error spec.answer.as',
      'error spec.answer.url',
    ]);
    assert.deepEqual(
      paths('slack', {
        as: 'comment',
        credential: { secretName: '../x', key: 'a b' },
        user: 'x',
        events: [],
      }),
      [
        'warning spec.answer.events',
        'error spec.answer.credential.secretName',
        'error spec.answer.credential.key',
        'warning spec.answer.user',
      ],
    );
    assert.deepEqual(paths('jira', { as: 'comment', credential, url: 'http://a:b@jira.example' }), [
      'error spec.answer.url',
    ]);
  });
});
