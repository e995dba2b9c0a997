/** Events of Slack: the Events API, https://docs.slack.dev/apis/events-api, and slash commands, which are forms. */
import type { Delivery, TriggerEvent } from './event.ts';
import { at, bodyAt, firstLine, nameAt, present } from './read.ts';

export function slackEvent({ payload }: Delivery): TriggerEvent {
  const inner = at(payload, 'event');
  const command = nameAt(payload, 'command');
  const kind = nameAt(payload, 'type');
  const isPing = kind === 'url_verification' || at(payload, 'ssl_check') === '1';
  const event = nameAt(inner, 'type') ?? (command === undefined ? (kind ?? 'unknown') : 'slash_command');
  const text = bodyAt(inner, 'text') ?? bodyAt(payload, 'text');
  return present<TriggerEvent>({
    source: 'slack',
    event: isPing ? 'url_verification' : event,
    action: command ?? nameAt(inner, 'subtype') ?? (event === 'message' ? 'posted' : undefined),
    repository: nameAt(inner, 'channel') ?? nameAt(payload, 'channel_id') ?? nameAt(inner, 'item', 'channel'),
    branch: undefined,
    base: undefined,
    commit: undefined,
    labels: [],
    changedLabels: undefined,
    status: undefined,
    // Names of people change; ids do not.
    author: nameAt(inner, 'user') ?? nameAt(payload, 'user_id'),
    association: undefined,
    isBot: at(inner, 'bot_id') !== undefined || at(inner, 'subtype') === 'bot_message',
    paths: undefined,
    url: undefined,
    title: firstLine(withoutMention(text)),
    number: nameAt(inner, 'thread_ts') ?? nameAt(inner, 'ts'),
    text: withoutMention(text),
    isPing,
  });
}

/** `<@U0LAN0Z89> review this`: who was called is the app itself. */
const withoutMention = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : bodyAt([text.replace(/^\s*<@[A-Z0-9]{1,32}>[\s:,]*/, '')], 0);
