/** SessionTrigger: which events of a source start a session in its namespace, and what that session is. */
import Type from 'typebox';
import { Condition, RuntimeClassName, Timestamp } from './kubernetes.ts';
import type { KubeObject, ValidationRule } from './kubernetes.ts';
import {
  SESSION_LIMITS,
  SessionFramework,
  SessionPolicy,
  SessionResult,
  WEBHOOK_SOURCES,
} from './session.ts';

export const TRIGGER_CONDITIONS = ['Valid'] as const;
/** Entries of one filter. */
export const FILTER_MAX = 100;

const Globs = (description: string) =>
  Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 253 }), { maxItems: FILTER_MAX, description }),
  );

/** All that are given must hold. `*` in an entry is any run of characters. Case counts, but in notAuthors. */
export const TriggerFilter = Type.Object(
  {
    events: Globs('pull_request, issue_comment, push; issue_updated; app_mention, slash_command.'),
    actions: Globs('What happened: opened, labeled, transitioned.'),
    repositories: Globs('owner/name on GitHub, the project key in Jira, the channel id in Slack.'),
    branches: Globs('The branch that was pushed to, or that a pull request wants to change.'),
    labels: Globs('One of the labels; where a label was added or removed, that one.'),
    authors: Globs('Who caused the event.'),
    notAuthors: Globs('Who never starts a session.'),
    associations: Globs('What the author is to a repository on GitHub: OWNER, MEMBER, COLLABORATOR.'),
    paths: Globs('One of the changed files, where the event names them: push.'),
    statuses: Globs('The state that was reached: Done in Jira, failure of a check.'),
    texts: Globs('The text of the comment or message, as /review*.'),
    bots: Type.Optional(
      Type.Boolean({ default: false, description: 'Events that programs cause count too.' }),
    ),
  },
  { description: 'All that are given must hold; without any, every event of the source counts.' },
);
export type TriggerFilter = Type.Static<typeof TriggerFilter>;

/** A template: {{event.NAME}} and {{payload.PATH}} in displayName, framework.config, source.git.url and source.git.ref are filled in. */
export const TriggerSession = Type.Object(
  {
    displayName: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
    framework: SessionFramework,
    source: Type.Optional(
      Type.Object({
        type: Type.Enum(['none', 'git'], { default: 'none' }),
        git: Type.Optional(
          Type.Object({
            url: Type.String({ minLength: 1, maxLength: 2048 }),
            ref: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
          }),
        ),
      }),
    ),
    result: Type.Optional(SessionResult),
    policy: Type.Optional(SessionPolicy),
    limits: Type.Optional(Type.Partial(Type.Object(SESSION_LIMITS))),
    runtimeClassName: Type.Optional(
      RuntimeClassName(
        'RuntimeClass of the pod, one that the namespace allows; absent: the default of its policy.',
      ),
    ),
  },
  { description: 'The session to make. Strings of it may hold {{event.NAME}} and {{payload.PATH}}.' },
);
export type TriggerSession = Type.Static<typeof TriggerSession>;

export const ANSWER_EVENTS = ['session.started', 'session.completed', 'session.failed'] as const;
/** APIs of sources that are in one place for most people. */
export const ANSWER_URLS = { github: 'https://api.github.com', slack: 'https://slack.com/api' } as const;

export const TriggerAnswer = Type.Object(
  {
    as: Type.Optional(
      Type.Enum(['comment', 'status'], {
        default: 'comment',
        description:
          'comment: on the issue or pull request, the Jira issue, or in the Slack thread. status: of the commit, on GitHub.',
      }),
    ),
    events: Type.Optional(
      Type.Array(Type.Enum([...ANSWER_EVENTS]), {
        maxItems: ANSWER_EVENTS.length,
        description: 'Of the session; absent: its end, and of a status its start too.',
      }),
    ),
    credential: Type.Object(
      {
        secretName: Type.String({ minLength: 1, maxLength: 253 }),
        key: Type.String({ minLength: 1, maxLength: 253, description: 'In the Secret: the token.' }),
      },
      { description: "The Secret of this namespace with the tenant's own token; the operator's to read." },
    ),
    user: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 320,
        description:
          'Jira Cloud: whose API token it is, an email address. Absent: the token is a bearer token.',
      }),
    ),
    url: Type.Optional(
      Type.String({
        maxLength: 2048,
        pattern: '^https?://[^\\s?#]+$',
        description: 'The Jira site, or the API of a GitHub Enterprise server or of GovSlack.',
      }),
    ),
  },
  { description: 'What a session of this trigger tells where its event came from; absent: nothing.' },
);
export type TriggerAnswer = Type.Static<typeof TriggerAnswer>;

export const SessionTriggerSpec = Type.Object({
  description: Type.Optional(Type.String({ maxLength: 1024, description: 'What it is for, to people.' })),
  source: Type.Enum([...WEBHOOK_SOURCES], { description: 'Who sends the event.' }),
  enabled: Type.Optional(Type.Boolean({ default: true, description: 'false: it starts nothing.' })),
  when: Type.Optional(TriggerFilter),
  session: TriggerSession,
  answer: Type.Optional(TriggerAnswer),
});
export type SessionTriggerSpec = Type.Static<typeof SessionTriggerSpec>;

export const SessionTriggerStatus = Type.Object({
  observedGeneration: Type.Optional(Type.Integer({ minimum: 0 })),
  lastMatched: Type.Optional(
    Type.Object(
      {
        time: Timestamp(),
        session: Type.String({ maxLength: 253 }),
        delivery: Type.Optional(Type.String({ maxLength: 253 })),
      },
      { description: 'The newest session that it made.' },
    ),
  ),
  sessions: Type.Optional(
    Type.Object({
      active: Type.Integer({ minimum: 0, description: 'Not finished.' }),
      total: Type.Integer({ minimum: 0, description: 'That are there.' }),
    }),
  ),
  conditions: Type.Optional(
    Type.Array(Condition(TRIGGER_CONDITIONS), {
      maxItems: 8,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
    }),
  ),
});
export type SessionTriggerStatus = Type.Static<typeof SessionTriggerStatus>;

export const SESSION_TRIGGER_RULES: ValidationRule[] = [
  // Session names, labels and messages hold it.
  { rule: 'size(self.metadata.name) <= 63', message: 'a SessionTrigger name has at most 63 characters' },
  {
    rule: "!has(self.spec.session.source) || (self.spec.session.source.type == 'git') == has(self.spec.session.source.git)",
    message: 'type git and the field git go together',
    fieldPath: '.spec.session.source',
  },
  {
    rule: "!has(self.spec.session.result) || has(self.spec.session.source) && self.spec.session.source.type == 'git'",
    message: 'a result is pushed to where the source was cloned from: it needs a source of type git',
    fieldPath: '.spec.session.result',
  },
];

export interface SessionTrigger extends KubeObject {
  kind: 'SessionTrigger';
  spec: SessionTriggerSpec;
  status?: SessionTriggerStatus;
}
