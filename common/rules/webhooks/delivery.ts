/**
 * What a delivery says of itself: which event it is, and by which id its source would send it again. Headers are those of
 * node, in lower case; the payload is whatever the sender wrote.
 */
import type { WebhookSource } from '../../api/session.ts';
import { at, textAt } from '../triggers/read.ts';

export type Headers = Readonly<Record<string, string | undefined>>;

export const DELIVERY_ID_MAX = 253;
const EVENT_MAX = 253;
const ID_HEADERS: Record<WebhookSource, string | undefined> = {
  github: 'x-github-delivery',
  jira: 'x-atlassian-webhook-identifier',
  slack: undefined,
  generic: 'x-ambient-delivery',
};

/** Undefined: it says none, and each time it is sent is a delivery of its own. */
export function deliveryIdOf(source: WebhookSource, headers: Headers, payload: unknown): string | undefined {
  const header = ID_HEADERS[source];
  const own =
    source === 'slack'
      ? // A command and a click have no event, but something that is theirs alone.
        (textAt(payload, 'event_id') ?? textAt(payload, 'trigger_id'))
      : header === undefined
        ? undefined
        : headers[header];
  return filled(own) ?? filled(headers['idempotency-key']);
}

/** A sender that means to be recognised and cannot be: too long, or of characters that do not show. */
export const isDeliveryId = (id: string): boolean =>
  id.length <= DELIVERY_ID_MAX && /^[\x21-\x7e]+$/.test(id);

export function eventOf(source: WebhookSource, headers: Headers, payload: unknown): string | undefined {
  const event = eventText(source, headers, payload);
  return event?.slice(0, EVENT_MAX);
}

function eventText(source: WebhookSource, headers: Headers, payload: unknown): string | undefined {
  switch (source) {
    case 'github':
      return filled(headers['x-github-event']);
    case 'jira':
      return textAt(payload, 'webhookEvent');
    case 'slack': {
      const type = textAt(payload, 'type');
      if (type === 'event_callback') return textAt(payload, 'event', 'type') ?? type;
      return type ?? (textAt(payload, 'command') === undefined ? undefined : 'slash_command');
    }
    case 'generic':
      return (
        filled(headers['x-ambient-event']) ?? textAt(payload, 'event') ?? textAt(payload, 'trigger', 'event')
      );
  }
}

/** What sources send to see whether somebody is there, and what they expect to hear. */
export type Greeting = { kind: 'ping' } | { kind: 'challenge'; challenge: string };

/** Undefined for a delivery that is about something. */
export function greetingOf(source: WebhookSource, headers: Headers, payload: unknown): Greeting | undefined {
  if (source === 'github') return headers['x-github-event'] === 'ping' ? { kind: 'ping' } : undefined;
  if (source !== 'slack') return undefined;
  if (at(payload, 'ssl_check') === '1') return { kind: 'ping' };
  const challenge = at(payload, 'challenge');
  return textAt(payload, 'type') === 'url_verification' && typeof challenge === 'string'
    ? { kind: 'challenge', challenge }
    : undefined;
}

const filled = (text: string | undefined): string | undefined => (text === '' ? undefined : text);
