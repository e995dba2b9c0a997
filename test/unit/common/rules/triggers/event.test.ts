/** What the events of each sender come to, from payloads as they document them; and that no payload makes reading them throw. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { eventOf } from '../../../../../common/rules/triggers/event-of.ts';
import type { TriggerEvent } from '../../../../../common/rules/triggers/event.ts';
import { LABELS_MAX, PATHS_MAX, TEXT_MAX } from '../../../../../common/rules/triggers/read.ts';
import { WEBHOOK_SOURCES } from '../../../../../common/api/session.ts';
import { webhookPayload, WEBHOOK_PAYLOADS } from '../../../../support/webhook-payloads.ts';

const SHA = 'ec26c3e57ca3a959ca5aad62de7213c562f8c821';

const EXPECTED: Record<string, Partial<TriggerEvent>> = {
  'github-pull_request-opened': {
    event: 'pull_request',
    action: 'opened',
    repository: 'acme/shop',
    branch: 'round-prices',
    base: 'main',
    commit: SHA,
    labels: ['bug'],
    status: 'open',
    author: 'mallory',
    association: 'CONTRIBUTOR',
    url: 'https://github.com/acme/shop/pull/42',
    title: 'Round prices to whole cents',
    number: '42',
  },
  'github-issues-labeled': {
    event: 'issues',
    action: 'labeled',
    labels: ['bug', 'agent'],
    changedLabels: ['agent'],
    author: 'ann',
    association: 'NONE',
    number: '41',
  },
  'github-issue_comment-created': {
    event: 'issue_comment',
    action: 'created',
    author: 'ann',
    association: 'MEMBER',
    url: 'https://github.com/acme/shop/pull/42#issuecomment-492700400',
    text: '/review please look at rounding of negative prices',
    number: '42',
  },
  'github-push': {
    event: 'push',
    action: 'pushed',
    branch: 'main',
    commit: SHA,
    paths: ['docs/prices.md', 'src/price.ts', 'src/price.test.ts', 'src/old-price.ts'],
    title: 'Round prices to whole cents',
    author: 'ann',
  },
  'github-check_run-completed': {
    event: 'check_run',
    action: 'completed',
    status: 'failure',
    branch: 'round-prices',
    commit: SHA,
    title: 'unit tests',
    number: '42',
    isBot: true,
    text: 'price.test.ts: expected 12.35, got 12.345',
  },
  'github-ping': { event: 'ping', isPing: true },
  'jira-issue_updated-transition': {
    event: 'issue_updated',
    action: 'transitioned',
    repository: 'SHOP',
    status: 'Ready for Agent',
    labels: ['frontend', 'agent'],
    author: '5b10a2844c20165700ede21g',
    number: 'SHOP-41',
    url: 'https://acme.atlassian.net/browse/SHOP-41',
    text: 'On the cart page a price reads 12.345 €.',
  },
  'jira-issue_created': {
    event: 'issue_created',
    action: 'created',
    status: 'To Do',
    text: 'On the cart page a price reads 12.345 €.\n\nPut two of anything in the cart',
  },
  'jira-comment_created': {
    event: 'comment_created',
    action: 'created',
    author: '5b10a2844c20165700ede21g',
    text: '[~accountid:557058:agent] please fix this',
  },
  'slack-app_mention': {
    event: 'app_mention',
    repository: 'C0LAN2Q65',
    author: 'U061F7AUR',
    title: 'why is the price on the cart page wrong?',
    number: '1778851815.000016',
    text: 'why is the price on the cart page wrong?\nIt reads 12.345 €',
  },
  'slack-message': { event: 'message', action: 'posted', number: '1778851815.000016', text: 'Hello world' },
  'slack-slash_command': {
    event: 'slash_command',
    action: '/agent',
    repository: 'C0LAN2Q65',
    author: 'U061F7AUR',
    text: 'review 42',
  },
  'slack-url_verification': { event: 'url_verification', isPing: true },
  'generic-deploy-failed': {
    event: 'deployment',
    action: 'finished',
    status: 'failed',
    number: '1187',
    labels: ['production'],
    text: 'readiness probe failed',
  },
};

describe('an event', () => {
  for (const name of WEBHOOK_PAYLOADS)
    it(`of ${name} is what its sender says`, () => {
      const found = eventOf(webhookPayload(name));
      const expected = EXPECTED[name] ?? assert.fail(`no expectation for ${name}`);
      assert.deepEqual({ ...found, ...expected }, found);
    });

  it('of GitHub is told by its payload where the header is missing', () => {
    for (const name of WEBHOOK_PAYLOADS.filter((each) => each.startsWith('github-'))) {
      const delivery = webhookPayload(name);
      assert.equal(eventOf({ ...delivery, headers: {} }).event, eventOf(delivery).event, name);
    }
  });

  it('is caused by a program where its sender says so', () => {
    const delivery = webhookPayload('github-pull_request-opened');
    const sent = (sender: object) =>
      eventOf({ ...delivery, payload: { ...(delivery.payload as object), sender } }).isBot;
    assert.equal(sent({ login: 'ann', type: 'User' }), false);
    assert.equal(sent({ login: 'dependabot[bot]', type: 'Bot' }), true);
    assert.equal(sent({ login: 'renovate[bot]' }), true);
    const slack = (event: object) =>
      eventOf({ source: 'slack', headers: {}, payload: { type: 'event_callback', event } }).isBot;
    assert.equal(slack({ type: 'message', user: 'U1' }), false);
    assert.equal(slack({ type: 'message', subtype: 'bot_message', bot_id: 'B1' }), true);
  });

  it('of a tag that was pushed has no branch, of a deletion says so', () => {
    const push = (more: object) =>
      eventOf({ source: 'github', headers: { 'x-github-event': 'push' }, payload: { commits: [], ...more } });
    assert.equal(push({ ref: 'refs/tags/v1' }).branch, undefined);
    assert.equal(push({ ref: 'refs/heads/a', deleted: true }).action, 'deleted');
    assert.deepEqual(push({ ref: 'refs/heads/a' }).paths, []);
  });

  it('stays small whatever is sent', () => {
    const payload = {
      pull_request: {
        title: 'x'.repeat(100_000),
        body: 'y'.repeat(1_000_000),
        labels: Array.from({ length: 5000 }, (_, index) => ({ name: `l${index}` })),
        head: { ref: 'b'.repeat(10_000) },
      },
      commits: Array.from({ length: 1000 }, () => ({
        added: Array.from({ length: 50 }, () => Math.random().toString()),
      })),
    };
    const asked = eventOf({ source: 'github', headers: { 'x-github-event': 'push' }, payload });
    assert.equal(asked.labels.length, LABELS_MAX);
    assert.equal(asked.paths?.length, PATHS_MAX);
    assert.ok((asked.title?.length ?? 0) <= 500);
    assert.equal(asked.text?.length, TEXT_MAX);
    const pull = eventOf({ source: 'github', headers: { 'x-github-event': 'pull_request' }, payload });
    assert.equal(pull.branch, undefined, 'a cut branch would be another branch');
  });

  it('of a document nested without end is read in time', () => {
    let body: unknown = { type: 'text', text: 'deep' };
    for (let depth = 0; depth < 20_000; depth++) body = { type: 'paragraph', content: [body] };
    eventOf({ source: 'jira', headers: {}, payload: { webhookEvent: 'comment_created', comment: { body } } });
  });

  it('takes no property that an object merely inherits', () => {
    const found = eventOf({
      source: 'jira',
      headers: {},
      payload: { changelog: { items: [{ field: 'status' }] } },
    });
    assert.equal(found.status, undefined);
  });

  it('is read from anything without a throw', () => {
    // Names that the readers look for, so that what they find has every type.
    const names = fc.constantFrom(
      ...[
        'action',
        'pull_request',
        'issue',
        'comment',
        'labels',
        'label',
        'name',
        'sender',
        'login',
        'commits',
      ],
      ...['added', 'check_run', 'check_suite', 'pull_requests', 'head', 'ref', 'body', 'fields', 'changelog'],
      ...['items', 'field', 'toString', 'fromString', 'event', 'text', 'type', 'content', 'user', 'number'],
      ...['webhookEvent', 'self', 'key', '__proto__', 'constructor', 'repository', 'full_name', 'paths'],
    );
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 6, withCrossShrink: true },
        fc.constantFrom<unknown>(
          null,
          true,
          0,
          '',
          'x',
          'status',
          'labels',
          'https://a.example/b',
          undefined,
          Number.NaN,
        ),
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(names, tie('tree'), { maxKeys: 6 }),
      ),
    }));
    fc.assert(
      fc.property(
        fc.constantFrom(...WEBHOOK_SOURCES),
        fc.oneof(tree, fc.anything()),
        fc.option(fc.string(), { nil: undefined }),
        (source, payload, name) => {
          const found = eventOf({ source, headers: { 'x-github-event': name }, payload });
          assert.equal(found.source, source);
          assert.equal(typeof found.event, 'string');
          for (const value of Object.values(found)) assert.notEqual(value, undefined);
        },
      ),
      { numRuns: 5000 },
    );
  });
});
