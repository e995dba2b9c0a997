/** Which event a trigger takes, as a table to read; and that it takes one exactly when it has nothing against it. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { TriggerFilter } from '../../../../../common/api/session-trigger.ts';
import { WEBHOOK_SOURCES } from '../../../../../common/api/session.ts';
import { eventOf } from '../../../../../common/rules/triggers/event-of.ts';
import type { TriggerEvent } from '../../../../../common/rules/triggers/event.ts';
import { GLOB_FILTERS, matchTrigger } from '../../../../../common/rules/triggers/match.ts';
import { webhookPayload } from '../../../../support/webhook-payloads.ts';

/** What it is about, the payload, the filter, and the field of each reason against it; none: it matches. */
type Case = [about: string, payload: string, when: TriggerFilter | undefined, ...against: string[]];

const PULL = 'github-pull_request-opened';
const LABELED = 'github-issues-labeled';
const COMMENT = 'github-issue_comment-created';
const PUSH = 'github-push';
const CHECK = 'github-check_run-completed';
const MOVED = 'jira-issue_updated-transition';
const CREATED = 'jira-issue_created';
const MENTION = 'slack-app_mention';
const COMMAND = 'slack-slash_command';
const DEPLOY = 'generic-deploy-failed';

const TABLE: Record<string, Case[]> = {
  'a trigger without filters': [
    ['a pull request', PULL, undefined],
    ['an issue', LABELED, {}],
    ['a message', MENTION, {}],
    ['anything of anybody', DEPLOY, {}],
    ['a program', CHECK, {}, 'bots'],
    ['a ping of GitHub', 'github-ping', {}, '-'],
    ['the verification of Slack', 'slack-url_verification', {}, '-'],
  ],
  'events and actions': [
    ['that event', PULL, { events: ['pull_request'] }],
    ['another event', PULL, { events: ['issues'] }, 'events'],
    ['one of two', PULL, { events: ['issues', 'pull_request'] }],
    ['a glob', PULL, { events: ['pull_*'] }],
    ['a longer name', PULL, { events: ['pull_request_review'] }, 'events'],
    ['another case of letters', PULL, { events: ['Pull_Request'] }, 'events'],
    ['that action', PULL, { actions: ['opened'] }],
    ['another action', PULL, { actions: ['closed'] }, 'actions'],
    ['event right, action wrong', PULL, { events: ['pull_request'], actions: ['closed'] }, 'actions'],
    ['both wrong', PULL, { events: ['push'], actions: ['closed'] }, 'events', 'actions'],
    ['an event without an action', 'slack-app_mention', { actions: ['*'] }, 'actions'],
    ['no events at all', PULL, { events: [] }, 'events'],
    ['a ping that is asked for', 'github-ping', { events: ['ping'] }, '-'],
  ],
  repositories: [
    ['that one', PULL, { repositories: ['acme/shop'] }],
    ['all of an owner', PULL, { repositories: ['acme/*'] }],
    ['all of another owner', PULL, { repositories: ['other/*'] }, 'repositories'],
    ['an owner whose name only begins so', PULL, { repositories: ['acm/*'] }, 'repositories'],
    ['the fork is not it', PULL, { repositories: ['mallory/shop'] }, 'repositories'],
    ['a project of Jira', MOVED, { repositories: ['SHOP'] }],
    ['another project of Jira', MOVED, { repositories: ['SHOPS'] }, 'repositories'],
    ['a channel of Slack', MENTION, { repositories: ['C0LAN2Q65'] }],
    ['another channel of Slack', COMMAND, { repositories: ['C1'] }, 'repositories'],
  ],
  branches: [
    ['the branch a pull request wants to change', PULL, { branches: ['main'] }],
    ['not the branch it comes from', PULL, { branches: ['round-*'] }, 'branches'],
    ['the branch that was pushed to', PUSH, { branches: ['main'] }],
    ['another branch', PUSH, { branches: ['release/*'] }, 'branches'],
    ['the branch of a check', CHECK, { branches: ['round-*'], bots: true }],
    ['an issue has none', LABELED, { branches: ['*'] }, 'branches'],
  ],
  labels: [
    ['the one that was added', LABELED, { labels: ['agent'] }],
    ['one that stood already', LABELED, { labels: ['bug'] }, 'labels'],
    ['one of a pull request', PULL, { labels: ['bug'] }],
    ['a glob of one', PULL, { labels: ['b*'] }],
    ['none of it', PULL, { labels: ['agent'] }, 'labels'],
    ['one of an issue of Jira', MOVED, { labels: ['agent'] }],
    ['a push has none', PUSH, { labels: ['*'] }, 'labels'],
  ],
  authors: [
    ['that one', PULL, { authors: ['mallory'] }],
    ['another one', PULL, { authors: ['ann'] }, 'authors'],
    ['any but one', PULL, { notAuthors: ['ann'] }],
    ['not this one', PULL, { notAuthors: ['mal*'] }, 'notAuthors'],
    ['not this one, whatever the case', PULL, { notAuthors: ['Mallory'] }, 'notAuthors'],
    ['both wanted and excluded', PULL, { authors: ['*'], notAuthors: ['mallory'] }, 'notAuthors'],
    ['nobody is excluded', PULL, { notAuthors: [] }],
    ['who labels, not who wrote it', LABELED, { authors: ['ann'] }],
    ['members', COMMENT, { associations: ['OWNER', 'MEMBER', 'COLLABORATOR'] }],
    ['no stranger', PULL, { associations: ['OWNER', 'MEMBER', 'COLLABORATOR'] }, 'associations'],
    ['Jira has no associations', MOVED, { associations: ['*'] }, 'associations'],
    ['by the id, not the name', MOVED, { authors: ['5b10a2844c20165700ede21g'] }],
    ['by the name', MOVED, { authors: ['Ann Example'] }, 'authors'],
    ['programs as well', CHECK, { bots: true }],
    ['programs, and another author', CHECK, { bots: true, authors: ['ann'] }, 'authors'],
    ['people only', PULL, { bots: false }],
  ],
  paths: [
    ['a file that was changed', PUSH, { paths: ['src/price.ts'] }],
    ['a file below a folder', PUSH, { paths: ['src/*'] }],
    ['a file that was removed', PUSH, { paths: ['src/old-*'] }],
    ['no such file', PUSH, { paths: ['manifests/*'] }, 'paths'],
    ['a pull request does not name its files', PULL, { paths: ['*'] }, 'paths'],
  ],
  'status and text': [
    ['a check that failed', CHECK, { statuses: ['failure', 'timed_out'], bots: true }],
    ['a check that succeeded', CHECK, { statuses: ['success'], bots: true }, 'statuses'],
    ['the state an issue moved to', MOVED, { statuses: ['Ready for Agent'], actions: ['transitioned'] }],
    ['the state an issue has', CREATED, { statuses: ['To Do'] }],
    ['another state', MOVED, { statuses: ['Done'] }, 'statuses'],
    ['a comment that begins so', COMMENT, { texts: ['/review*'] }],
    ['a comment that holds it elsewhere', COMMENT, { texts: ['please*'] }, 'texts'],
    ['the text behind the mention', MENTION, { texts: ['why is *'] }],
    [
      'the text of a command',
      COMMAND,
      { events: ['slash_command'], actions: ['/agent'], texts: ['review *'] },
    ],
    ['a push has the message of its last commit', PUSH, { texts: ['*#41*'] }],
  ],
};

const eventOfPayload = (name: string): TriggerEvent => eventOf(webhookPayload(name));
const sourceOf = (name: string) => webhookPayload(name).source;

describe('a trigger, by', () => {
  assert.ok(Object.values(TABLE).flat().length >= 60);
  for (const [group, cases] of Object.entries(TABLE))
    describe(group, () => {
      for (const [about, payload, when, ...against] of cases)
        it(`${about} (${payload}) → ${against.length === 0 ? 'matches' : `not for ${against.join(', ')}`}`, () => {
          const spec = { source: sourceOf(payload), ...(when && { when }) };
          const { matched, reasons } = matchTrigger(spec, eventOfPayload(payload));
          const fields = against.map((each) => (each === '-' ? 'spec.when' : `spec.when.${each}`));
          assert.deepEqual(
            reasons.map(({ field }) => field),
            fields,
          );
          assert.equal(matched, against.length === 0);
        });
    });

  it('says the field, the value and what is wanted in one sentence', () => {
    const { reasons } = matchTrigger(
      { source: 'github', when: { branches: ['release/*', 'stable'], authors: ['ann'] } },
      eventOfPayload(PULL),
    );
    assert.deepEqual(
      reasons.map(({ message }) => message),
      [
        'spec.when.branches wants a branch like "release/*", "stable", and the event has "main".',
        'spec.when.authors wants an author like "ann", and the event has "mallory".',
      ],
    );
    assert.deepEqual(reasons[0]?.wanted, ['release/*', 'stable']);
    assert.equal(reasons[0].value, '"main"');
  });

  it('is not asked where it is switched off, nor about another source', () => {
    const event = eventOfPayload(PULL);
    const fieldsOf = (spec: Parameters<typeof matchTrigger>[0]) =>
      matchTrigger(spec, event).reasons.map(({ field }) => field);
    assert.deepEqual(fieldsOf({ source: 'github', enabled: false }), ['spec.enabled']);
    assert.deepEqual(fieldsOf({ source: 'slack' }), ['spec.source']);
  });

  it('takes nobody whose name is missing where authors are excluded', () => {
    const { author: _, ...event } = eventOfPayload(PULL);
    assert.equal(matchTrigger({ source: 'github', when: { notAuthors: ['ann'] } }, event).matched, false);
  });

  it('says why in one short line whatever was sent', () => {
    const event = { ...eventOfPayload(PULL), text: `evil\u001b[31m\n${'x'.repeat(60_000)}` };
    const { reasons } = matchTrigger({ source: 'github', when: { texts: ['/review'] } }, event);
    const message = reasons[0]?.message ?? assert.fail();
    assert.ok(message.length < 300, message);
    assert.doesNotMatch(message, /[\u0000-\u001f]/);
  });

  it('takes an event exactly when it has no reason against it, and every further filter only takes less', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', '*'), minLength: 1, maxLength: 3 });
    const globs = fc.array(word, { minLength: 1, maxLength: 2 });
    const names = [...GLOB_FILTERS, 'notAuthors'] as const;
    const filters = fc
      .tuple(fc.subarray([...names], { maxLength: 3 }), fc.array(globs, { minLength: 3 }), fc.boolean())
      .map(([chosen, lists, bots]): TriggerFilter => ({
        ...Object.fromEntries(chosen.map((name, index) => [name, lists[index]])),
        bots,
      }));
    const value = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 2 });
    const events = fc.record(
      {
        source: fc.constantFrom(...WEBHOOK_SOURCES),
        event: value,
        labels: fc.array(value, { maxLength: 2 }),
        isBot: fc.boolean(),
        isPing: fc.boolean(),
        action: value,
        repository: value,
        branch: value,
        base: value,
        author: value,
        paths: fc.array(value, { maxLength: 2 }),
        status: value,
        text: value,
      },
      { requiredKeys: ['source', 'event', 'labels', 'isBot', 'isPing'] },
    );
    let taken = 0;
    fc.assert(
      fc.property(filters, events, fc.constantFrom(...WEBHOOK_SOURCES), (when, event, source) => {
        const { matched, reasons } = matchTrigger({ source, when }, event);
        assert.equal(matched, reasons.length === 0);
        if (!matched) return;
        taken++;
        assert.equal(source, event.source);
        assert.equal(event.isPing, false);
        for (const name of Object.keys(when) as (keyof TriggerFilter)[]) {
          // Leaving programs out is the default that a filter lifts.
          if (name === 'bots') continue;
          const { [name]: _, ...fewer } = when;
          assert.ok(matchTrigger({ source, when: fewer }, event).matched, name);
        }
      }),
      { numRuns: 20_000 },
    );
    assert.ok(taken > 100, `only ${taken} were taken`);
  });
});
