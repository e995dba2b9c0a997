/** What is wrong with a trigger before any event has come, as a table to read. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Framework } from '../../../../../common/api/framework.ts';
import type { SessionTriggerSpec, TriggerFilter } from '../../../../../common/api/session-trigger.ts';
import { WEBHOOK_SOURCES } from '../../../../../common/api/session.ts';
import {
  mistakesText,
  MISTAKES_MAX,
  triggerMistakes,
} from '../../../../../common/rules/triggers/mistakes.ts';

const framework = (name: string, command: string[], properties: Record<string, object>): Framework => ({
  apiVersion: 'ambient.ai/v1alpha1',
  kind: 'Framework',
  metadata: { name },
  spec: {
    versions: [{ name: '1', image: 'i' }],
    command,
    configSchema: { type: 'object', additionalProperties: false, properties },
  },
});
const text = { type: 'string' };
const list = { type: 'array', items: { type: 'string' } };

const FRAMEWORKS: Framework[] = [
  framework('generic', ['/bin/bash', '-c', '{{config.command}}', 'session', '{{config.args}}'], {
    command: { ...text, minLength: 1 },
    args: list,
  }),
  framework('agent', ['agent', '-p', '{{config.prompt}}', '--', '{{config.files}}'], {
    prompt: text,
    files: list,
    model: text,
    tools: list,
    effort: { enum: ['low', 'high'] },
    branch: { type: 'string', pattern: '^[a-z]+$' },
    turns: { type: 'integer' },
  }),
  framework('any', ['{{config.run}}'], { run: list }),
  framework('env', ['/usr/bin/env', 'bash', '-o', 'pipefail', '-c', '{{config.code}}'], { code: text }),
  framework('python', ['python3.12', '{{config.args}}'], { args: list }),
];

type Config = Record<string, unknown>;
const agent = (config: Config): SessionTriggerSpec['session'] => ({ framework: { type: 'agent', config } });
const generic = (config: Config): SessionTriggerSpec['session'] => ({
  framework: { type: 'generic', config },
});
const of = (type: string, config: Config): SessionTriggerSpec['session'] => ({ framework: { type, config } });

/** What it is about, the trigger, and `path: message` of each mistake as patterns; none: it is right. */
type Case = [about: string, trigger: Partial<SessionTriggerSpec>, ...mistakes: RegExp[]];

const when = (filter: TriggerFilter): Partial<SessionTriggerSpec> => ({
  when: { actions: ['opened'], ...filter },
});
const just = (filter: TriggerFilter): Partial<SessionTriggerSpec> => ({ when: filter });
const makes = (session: SessionTriggerSpec['session']): Partial<SessionTriggerSpec> => ({ session });
const CONFIG = 'spec\\.session\\.framework\\.config';

const TABLE: Record<string, Case[]> = {
  filters: [
    ['events of the source', when({ events: ['pull_request', 'issue_comment'] })],
    [
      'an unknown event',
      when({ events: ['pull_requests'] }),
      /^warning spec\.when\.events\[0\]: .*no event of github/,
    ],
    [
      'an event with its action',
      when({ events: ['pull_request.opened'] }),
      /^error .*spec\.when\.actions, "opened"/,
    ],
    ['a glob of events', when({ events: ['pull_*'] })],
    [
      'an event of Jira with its prefix',
      { source: 'jira', ...when({ events: ['jira:issue_updated'] }) },
      /^error .*"issue_updated"/,
    ],
    ['no filter at all', just({}), /^warning spec\.when: .*every event of github/],
    ['an empty list', when({ events: [] }), /^error spec\.when\.events: is empty/],
    ['nobody excluded', when({ events: ['push'], notAuthors: [] })],
    ['the same twice', when({ events: ['push', 'push'] }), /^warning spec\.when\.events\[1\]/],
    [
      'an invisible character',
      when({ events: ['push'], labels: ['a\u200b'] }),
      /^error spec\.when\.labels\[0\]/,
      /^error spec\.when\.labels: push has none/,
    ],
    [
      'an author wanted and excluded',
      when({ events: ['push'], authors: ['ann'], notAuthors: ['a*'] }),
      /^error spec\.when\.authors\[0\]: "ann" is excluded by "a\*"/,
    ],
    [
      'files of a pull request',
      when({ events: ['pull_request'], paths: ['src/*'] }),
      /^error spec\.when\.paths: pull_request has none/,
    ],
    ['files of a push among others', when({ events: ['pull_request', 'push'], paths: ['src/*'] })],
    [
      'the branch of an issue',
      when({ events: ['issues'], branches: ['main'] }),
      /^error spec\.when\.branches: issues has none/,
    ],
    [
      'branches in Jira',
      { source: 'jira', ...when({ events: ['issue_updated'], branches: ['a'] }) },
      /^error spec\.when\.branches: no event of jira/,
    ],
    [
      'labels in Slack',
      { source: 'slack', ...when({ events: ['app_mention'], labels: ['a'] }) },
      /^error spec\.when\.labels: no event of slack/,
    ],
    [
      'an event that comes again when something is edited',
      just({ events: ['issue_comment'] }),
      /^warning spec\.when\.events\[0\]: .*as created/,
    ],
    ['a message that comes again', { source: 'slack', ...just({ events: ['message'] }) }, /as posted/],
    ['a push, which does not come again', just({ events: ['push'] })],
    ['anything of anybody', { source: 'generic', ...when({}) }],
  ],
  placeholders: [
    [
      'an unknown field',
      makes(agent({ prompt: '{{event.titel}}' })),
      new RegExp(`^error ${CONFIG}\\.prompt: an event has no "titel"`),
    ],
    ['an unknown root', makes(agent({ prompt: 'a {{github.event}}' })), /no placeholder "github\.event"/],
    ['braces that do not close', makes(agent({ prompt: '{{event.title' })), /no placeholder/],
    ['braces that are meant', makes(agent({ prompt: 'a {{"{{"}} b' }))],
    [
      'inside other text of a list',
      makes(agent({ files: ['a/{{event.branch}}'] })),
      /^error .*files\[0\]: has a placeholder inside other text/,
    ],
    [
      'more placeholders than can be told of',
      makes(agent({ prompt: '{{event.title}}'.repeat(51) })),
      /51 placeholders; at most 50/,
    ],
    [
      'more strings than can be told of',
      makes(agent({ files: Array.from({ length: 101 }, () => '{{event.title}}') })),
      /101 strings with placeholders; at most 100/,
    ],
    ['whole in a list', makes(agent({ files: ['{{event.branch}}'] }))],
    ['the model', makes(agent({ model: '{{event.text}}' })), /^error .*model: is not filled in/],
    ['the tools', makes(agent({ tools: ['{{event.text}}'] })), /^error .*tools\[0\]: is not filled in/],
    [
      'the name of a field',
      makes(agent({ '{{event.text}}': 'x' })),
      /is not filled in/,
      /does not fit framework/,
    ],
    [
      'the branch of a result',
      makes({ ...agent({}), result: { branch: 'fix/{{event.number}}' } }),
      /^error .*result\.branch: is not filled in/,
    ],
    [
      'a version',
      makes({ framework: { type: 'agent', version: '{{event.text}}' } }),
      /^error .*version: is not filled in/,
      /has no version/,
    ],
    [
      'a repository and a commit',
      makes({
        ...agent({}),
        source: { type: 'git', git: { url: '{{payload.repository.clone_url}}', ref: '{{event.commit}}' } },
      }),
    ],
    [
      "a sender's credential",
      {
        source: 'slack',
        when: { events: ['app_mention'] },
        ...makes(agent({ prompt: '{{payload.response_url}}' })),
      },
      /^error .*credential of slack/,
    ],
    [
      "all of a payload with a sender's credential",
      { source: 'slack', when: { events: ['app_mention'] }, ...makes(agent({ prompt: '{{payload}}' })) },
      /^error .*credential of slack/,
    ],
  ],
  'values that would be code': [
    [
      'the program of a shell',
      makes(generic({ command: 'echo {{event.title}}' })),
      /^error .*config\.command: would be run by bash/,
    ],
    ['arguments behind it', makes(generic({ command: 'echo "$1"', args: ['{{event.title}}'] }))],
    ['a prompt of an agent', makes(agent({ prompt: 'x {{event.title}}' }))],
    [
      'the program itself',
      makes(of('any', { run: ['{{event.title}}'] })),
      /^error .*run\[0\]: names the program/,
    ],
    [
      'a shell in the list',
      makes(of('any', { run: ['sh', '-c', '{{event.title}}'] })),
      /^error .*run\[2\]: would be run by sh/,
    ],
    [
      'a shell in the list, behind its program',
      makes(of('any', { run: ['sh', '-c', 'echo "$1"', 'x', '{{event.title}}'] })),
    ],
    [
      'a shell behind another program',
      makes(of('any', { run: ['timeout', '5', '/bin/dash', '-ec', '{{event.title}}'] })),
      /^error .*run\[4\]: would be run by dash/,
    ],
    [
      'a shell behind another program and options',
      makes(of('env', { code: '{{event.title}}' })),
      /^error .*config\.code: would be run by bash/,
    ],
    [
      'an option of a shell',
      makes(of('any', { run: ['bash', '{{event.title}}', '-c', 'true'] })),
      /^error .*run\[1\]: would be run by bash/,
    ],
    [
      'a script of a shell',
      makes(of('any', { run: ['bash', '{{event.title}}'] })),
      /^error .*run\[1\]: would be run by bash/,
    ],
    ['an argument of a script', makes(of('any', { run: ['bash', 'script.sh', '{{event.title}}'] }))],
    [
      'code of an interpreter',
      makes(of('any', { run: ['node', '--eval', '{{event.title}}'] })),
      /^error .*would be run by node/,
    ],
    [
      'the first argument of an interpreter',
      makes(of('python', { args: ['{{event.title}}'] })),
      /^error .*would be run by python3\.12/,
    ],
    ['a later argument of an interpreter', makes(of('python', { args: ['main.py', '{{event.title}}'] }))],
    ['a program without a shell', makes(of('any', { run: ['git', 'log', '{{event.branch}}'] }))],
  ],
  frameworks: [
    [
      'one that is not there',
      makes(of('gone', {})),
      /^error spec\.session\.framework\.type: there is no framework "gone"\. This cluster has: agent, any/,
    ],
    [
      'a version that is not there',
      makes({ framework: { type: 'agent', version: '7' } }),
      /^error .*version: "agent" has no version "7"\. It has: 1/,
    ],
    [
      'a setting that it does not have',
      makes(agent({ promt: 'x' })),
      /^error .*config: does not fit framework "agent": .*promt/,
    ],
    ['a setting of another type', makes(agent({ turns: 'x' })), /^error .*config: does not fit/],
    ['a pattern that an event may fit', makes(agent({ branch: '{{event.branch}}' }))],
    ['a pattern that this does not fit', makes(agent({ branch: 'A B' })), /^error .*does not fit/],
    ['a value that an event may bring', makes(agent({ effort: '{{event.text}}' }))],
    [
      'an event in one, a mistake in another',
      makes(agent({ effort: '{{event.text}}', turns: 'x' })),
      /^error .*does not fit/,
    ],
  ],
};

const said = (trigger: Partial<SessionTriggerSpec>): string[] =>
  triggerMistakes(
    {
      source: 'github',
      when: { events: ['pull_request'], actions: ['opened'] },
      session: agent({}),
      ...trigger,
    },
    FRAMEWORKS,
  ).map(({ severity, path, message }) => `${severity} ${path}: ${message}`);

describe('a trigger is told about', () => {
  for (const [group, cases] of Object.entries(TABLE))
    describe(group, () => {
      for (const [about, trigger, ...expected] of cases)
        it(`${about} → ${expected.length === 0 ? 'right' : `${expected.length} mistake${expected.length > 1 ? 's' : ''}`}`, () => {
          const found = said(trigger);
          assert.equal(found.length, expected.length, found.join('\n'));
          for (const each of expected)
            assert.ok(
              found.some((line) => each.test(line)),
              `${each}\n${found.join('\n')}`,
            );
        });
    });

  it('nothing of frameworks where they are not known', () => {
    assert.deepEqual(triggerMistakes({ source: 'generic', session: of('gone', {}) }, undefined), []);
  });

  it('errors first, in a text that ends', () => {
    const mistakes = triggerMistakes(
      { source: 'github', session: agent({ files: Array.from({ length: 100 }, () => 'a{{event.title}}') }) },
      FRAMEWORKS,
    );
    assert.equal(mistakes.length, MISTAKES_MAX);
    assert.match(mistakesText(mistakes), /^spec\.session\.framework\.config\.files\[0\]: /);
  });

  it('whatever its schema lets through, without a throw', () => {
    const words = fc.oneof(fc.constantFrom('{{event.title}}', '{{', '*', 'push', 'jira:x', ''), fc.string());
    fc.assert(
      fc.property(
        fc.constantFrom(...WEBHOOK_SOURCES),
        fc.dictionary(
          fc.constantFrom('events', 'actions', 'labels', 'paths', 'authors', 'notAuthors'),
          fc.array(words),
        ),
        fc.constantFrom('generic', 'agent', 'any', 'env', 'python', 'gone'),
        fc.dictionary(
          fc.constantFrom('command', 'args', 'run', 'prompt', 'x'),
          fc.oneof(words, fc.array(words), fc.anything()),
        ),
        (source, filter, type, config) => {
          const found = triggerMistakes({ source, when: filter, session: of(type, config) }, FRAMEWORKS);
          assert.ok(found.length <= MISTAKES_MAX);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
