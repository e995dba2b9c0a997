/** Whether an event is one that a trigger waits for; if not, every reason why, so that nobody has to guess. */
import type { SessionTriggerSpec, TriggerFilter } from '../../api/session-trigger.ts';
import { shorten } from '../conditions.ts';
import { matchesAny } from '../policy/glob.ts';
import { formatList, oneLine } from '../wording.ts';
import type { TriggerEvent } from './event.ts';
import { isOwnAnswer, isOwnPullRequest } from './own-answer.ts';

/** One thing about an event that a trigger does not want. */
export interface Reason {
  /** Path in the SessionTrigger. */
  field: string;
  /** What the event has there, as text. */
  value: string;
  /** Globs, or a few words. */
  wanted: string[];
  /** All of it in one sentence. */
  message: string;
}

export interface Match {
  /** Exactly when there is no reason against it. */
  matched: boolean;
  reasons: Reason[];
}

type GlobFilter = Exclude<keyof TriggerFilter, 'bots' | 'notAuthors'>;

/** What each filter is held against; undefined: the event does not name such a thing. */
const ASKED: Record<
  GlobFilter,
  { noun: string; of: (event: TriggerEvent) => readonly string[] | undefined }
> = {
  events: { noun: 'an event', of: ({ event }) => [event] },
  actions: { noun: 'an action', of: ({ action }) => only(action) },
  repositories: { noun: 'a repository', of: ({ repository }) => only(repository) },
  branches: { noun: 'a branch', of: ({ base, branch }) => only(base ?? branch) },
  labels: { noun: 'a label', of: ({ changedLabels, labels }) => changedLabels ?? labels },
  authors: { noun: 'an author', of: ({ author }) => only(author) },
  associations: { noun: 'an association', of: ({ association }) => only(association) },
  paths: { noun: 'a changed file', of: ({ paths }) => paths },
  statuses: { noun: 'a status', of: ({ status }) => only(status) },
  texts: { noun: 'a text', of: ({ text }) => only(text) },
};
export const GLOB_FILTERS = Object.keys(ASKED) as GlobFilter[];

const only = (value: string | undefined): readonly string[] | undefined =>
  value === undefined ? undefined : [value];

/** Of the session only what becomes of its changes. */
export type Matched = Omit<SessionTriggerSpec, 'session'> & {
  session?: Pick<SessionTriggerSpec['session'], 'result'>;
};

export function matchTrigger(spec: Matched, event: TriggerEvent): Match {
  const { source, enabled = true, when = {}, session } = spec;
  const reasons: Reason[] = [];
  if (!enabled)
    reasons.push(reason('spec.enabled', 'false', ['true'], 'is false: the trigger is switched off.'));
  if (source !== event.source)
    reasons.push(
      reason('spec.source', event.source, [source], `is ${source}, and the event is of ${event.source}.`),
    );
  if (event.isPing) {
    const message = `waits for events, and "${show(event.event)}" only tests the connection.`;
    reasons.push(reason('spec.when', event.event, ['an event'], message));
  }
  if (isOwnAnswer(event.text)) {
    const message = 'waits for what others do, and this is the answer of a session.';
    reasons.push(reason('spec.when', 'an answer', ['an event'], message));
  }
  if (session?.result?.pullRequest !== undefined && isOwnPullRequest(event.text)) {
    const message = 'opens a pull request, and this is one of a session: it would go on without end.';
    reasons.push(reason('spec.session.result.pullRequest', 'of a session', ['of others'], message));
  }
  for (const name of GLOB_FILTERS) {
    const against = byGlobs(name, when[name], event);
    if (against !== undefined) reasons.push(against);
  }
  reasons.push(...byAuthor(when, event));
  return { matched: reasons.length === 0, reasons };
}

function byGlobs(
  name: GlobFilter,
  globs: readonly string[] | undefined,
  event: TriggerEvent,
): Reason | undefined {
  if (globs === undefined) return undefined;
  const { noun, of } = ASKED[name];
  const values = of(event);
  const field = `spec.when.${name}`;
  if (values === undefined || values.length === 0)
    return reason(field, '', globs, `wants ${noun} like ${listed(globs)}, and the event has none.`);
  if (values.some((value) => matchesAny(globs, value))) return undefined;
  const value = formatList(values.map(show), SHOWN);
  return reason(field, value, globs, `wants ${noun} like ${listed(globs)}, and the event has ${value}.`);
}

function byAuthor({ notAuthors, bots = false }: TriggerFilter, { author, isBot }: TriggerEvent): Reason[] {
  const found: Reason[] = [];
  if (notAuthors !== undefined) {
    const field = 'spec.when.notAuthors';
    // Who cannot be told from those that are excluded is taken for one of them.
    if (author === undefined)
      found.push(reason(field, '', ['another author'], 'excludes authors, and the event names none.'));
    // GitHub does not tell Ann from ann; who is excluded shall not come in by a capital.
    else if (matchesAny(notAuthors.map(folded), folded(author)))
      found.push(reason(field, show(author), ['another author'], `excludes the author ${show(author)}.`));
  }
  if (isBot && !bots) {
    const who = author === undefined ? 'a program' : `the program ${show(author)}`;
    found.push(reason('spec.when.bots', 'true', ['false'], `is not true, and ${who} caused the event.`));
  }
  return found;
}

const folded = (text: string): string => text.toLowerCase();

/** Values and globs that a message names. */
const SHOWN = 5;
const show = (text: string): string => JSON.stringify(shorten(oneLine(text.slice(0, 500)), 80));
const listed = (globs: readonly string[]): string =>
  globs.length === 0 ? 'nothing at all' : formatList(globs.map(show), SHOWN);

const reason = (field: string, value: string, wanted: readonly string[], rest: string): Reason => ({
  field,
  value,
  wanted: [...wanted],
  message: `${field} ${rest}`,
});
