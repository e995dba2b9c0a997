/** What an event comes to, whoever sent it: the few facts that triggers ask about and that templates can name. */
import type { WebhookSource } from '../../api/session.ts';

/** What a sender sent, as the door has verified and parsed it. */
export interface Delivery {
  source: WebhookSource;
  /** Names in lower case. */
  headers: Readonly<Record<string, string | undefined>>;
  /** Parsed JSON; of a form, an object of its fields. */
  payload: unknown;
}

export interface TriggerEvent {
  source: WebhookSource;
  /** As pull_request, issue_updated, app_mention, slash_command. */
  event: string;
  /** As opened, transitioned; of a slash command, the command. */
  action?: string;
  /** owner/name; in Jira the project's key, in Slack the channel's id. */
  repository?: string;
  /** That was pushed to, or that a pull request comes from. */
  branch?: string;
  /** That a pull request wants to change. */
  base?: string;
  commit?: string;
  labels: readonly string[];
  /** Those that the event is about, where it is about labels. */
  changedLabels?: readonly string[];
  /** The state that was reached: of an issue or pull request, of a check, of a review. */
  status?: string;
  /** Who caused the event, by the name that nobody else can take. */
  author?: string;
  /** What the author of the text is to the repository: GitHub's author_association. */
  association?: string;
  /** A program caused it. */
  isBot: boolean;
  /** Changed files; undefined where the event does not name them. */
  paths?: readonly string[];
  url?: string;
  title?: string;
  /** Of the issue or pull request; in Jira the key, in Slack the thread. */
  number?: string;
  /** Of the comment or message, or what the issue or pull request says. */
  text?: string;
  /** A sender's test of the connection: it starts nothing. */
  isPing: boolean;
}

/** What `{{event.NAME}}` can name. */
export const EVENT_FIELDS = [
  'source',
  'event',
  'action',
  'repository',
  'branch',
  'base',
  'commit',
  'labels',
  'status',
  'author',
  'association',
  'paths',
  'url',
  'title',
  'number',
  'text',
] as const satisfies readonly (keyof TriggerEvent)[];
export type EventField = (typeof EVENT_FIELDS)[number];
