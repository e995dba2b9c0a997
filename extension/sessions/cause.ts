/** Who caused a session from outside, and by what, as the stored payload says. Pure; what others wrote is as it came. */
import type { Session } from '../../common/api/session.ts';
import { shorten } from '../../common/rules/conditions.ts';
import { eventOf } from '../../common/rules/triggers/event-of.ts';

const WHAT_MAX = 200;

export interface Cause {
  /** By the name that nobody else can take. */
  who?: string;
  /** `acme/shop #42, Prices have three decimals` */
  what?: string;
  url?: string;
}

/** Empty for a session that a person launched. */
export function causeOf({ spec: { trigger } }: Pick<Session, 'spec'>): Cause {
  if (trigger === undefined || trigger.source === 'manual') return {};
  const { source, payload, event } = trigger;
  const headers = source === 'github' ? { 'x-github-event': event } : {};
  const { author, repository, number, title, url } = eventOf({ source, headers, payload });
  const isIssue = source === 'github' && number !== undefined;
  const place = [repository, isIssue ? `#${number}` : source === 'jira' ? number : undefined];
  const what = [place.filter(Boolean).join(' '), title].filter(Boolean).join(', ');
  return {
    ...(author === undefined ? {} : { who: author }),
    ...(what === '' ? {} : { what: shorten(what, WHAT_MAX) }),
    ...(url === undefined ? {} : { url }),
  };
}
