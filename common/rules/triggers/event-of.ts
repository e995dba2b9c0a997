/**
 * Reads an event from what its sender sent: one reader a source. Payloads are hostile input: whatever their shape, reading
 * them never throws, and nothing of them is believed to be short.
 */
import type { WebhookSource } from '../../api/session.ts';
import type { Delivery, TriggerEvent } from './event.ts';
import { genericEvent } from './generic.ts';
import { githubEvent } from './github.ts';
import { jiraEvent } from './jira.ts';
import { slackEvent } from './slack.ts';

const READERS: Record<WebhookSource, (delivery: Delivery) => TriggerEvent> = {
  github: githubEvent,
  jira: jiraEvent,
  slack: slackEvent,
  generic: genericEvent,
};

export const eventOf = (delivery: Delivery): TriggerEvent => READERS[delivery.source](delivery);
