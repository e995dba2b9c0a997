/**
 * Answers: what a session tells where its event came from. Where that is stands in the session, which the operator made; how it
 * is told, and with whose token, in its SessionTrigger as it is now, which only an administrator of the namespace can set.
 */
import { createHash } from 'node:crypto';
import { ANSWER_URLS } from '../../../common/api/session-trigger.ts';
import type { SessionTrigger, TriggerAnswer } from '../../../common/api/session-trigger.ts';
import type { Session, SessionSpec } from '../../../common/api/session.ts';
import { answerMistakes } from '../../../common/rules/triggers/answer-mistakes.ts';
import type { Notification, NotificationEvent } from './events.ts';

export type Origin = NonNullable<NonNullable<SessionSpec['trigger']>['origin']>;

/** One request that is an answer, but for its body. */
export interface AnswerTarget {
  kind: 'answer';
  id: string;
  label: string;
  events: readonly NotificationEvent[];
  source: 'github' | 'jira' | 'slack';
  as: NonNullable<TriggerAnswer['as']>;
  answer: TriggerAnswer;
  /** Of the SessionTrigger. */
  trigger: string;
  origin: Origin;
  url: string;
}

const LABEL_MAX = 512;
const ENDS: readonly NotificationEvent[] = ['session.completed', 'session.failed'];

/** @param operator user name of the operator: what somebody else wrote into a session sends nothing anywhere */
export function answerTargetOf(
  session: Session,
  trigger: SessionTrigger | undefined,
  operator: string,
): AnswerTarget | undefined {
  const { createdBy, trigger: cause } = session.spec;
  const { source } = cause ?? {};
  if (trigger === undefined || cause?.origin === undefined || createdBy?.user !== operator) return undefined;
  const { answer } = trigger.spec;
  if (answer === undefined || source !== trigger.spec.source || cause.name !== trigger.metadata.name)
    return undefined;
  if (source !== 'github' && source !== 'jira' && source !== 'slack') return undefined;
  if (answerMistakes(trigger.spec).some(({ severity }) => severity === 'error')) return undefined;
  const { as = 'comment' } = answer;
  const url = addressOf(source, as, answer.url, cause.origin);
  if (url === undefined) return undefined;
  const events = answer.events ?? (as === 'status' ? ['session.started', ...ENDS] : ENDS);
  return {
    kind: 'answer',
    id: createHash('sha256').update(`answer\n${trigger.metadata.name}`).digest('hex').slice(0, 16),
    label: [as, 'on', source, cause.origin.repository, cause.origin.number]
      .filter((word) => word !== undefined)
      .join(' ')
      .slice(0, LABEL_MAX),
    events,
    source,
    as,
    answer,
    trigger: trigger.metadata.name,
    origin: cause.origin,
    url,
  };
}

/** Undefined where the event was about nothing that can be answered in this way. */
function addressOf(
  source: AnswerTarget['source'],
  as: AnswerTarget['as'],
  url: string | undefined,
  { repository, number, commit }: Origin,
): string | undefined {
  const base = (url ?? (source === 'jira' ? '' : ANSWER_URLS[source])).replace(/\/+$/, '');
  switch (source) {
    case 'github':
      if (repository === undefined) return undefined;
      if (as === 'status') return commit && `${base}/repos/${repository}/statuses/${commit}`;
      return number && `${base}/repos/${repository}/issues/${number}/comments`;
    case 'jira':
      return number && `${base}/rest/api/2/issue/${number}/comment`;
    case 'slack':
      return repository && `${base}/chat.postMessage`;
  }
}

const STATES: Partial<Record<NotificationEvent, string>> = {
  'session.started': 'pending',
  'session.completed': 'success',
  'session.failed': 'failure',
};
const VERBS: Partial<Record<NotificationEvent, string>> = {
  'session.started': 'has started',
  'session.completed': 'is completed',
  'session.failed': 'has failed',
};
/** Of a commit status: https://docs.github.com/rest/commits/statuses */
const DESCRIPTION_MAX = 140;

/**
 * What is said: facts of ours alone. Nothing that an agent or a stranger wrote goes out with the tenant's token.
 */
export function answerBodyOf(
  { source, as, trigger, origin }: AnswerTarget,
  notification: Notification,
): object {
  const { event, session, id } = notification;
  const { name = '', reason, cost } = session ?? {};
  const verb = VERBS[event] ?? event;
  const why = reason === undefined || event !== 'session.failed' ? '' : ` (${reason})`;
  const spent = cost === undefined ? '' : ` It cost ${cost} USD.`;
  if (source === 'github' && as === 'status')
    return {
      state: STATES[event] ?? 'pending',
      context: `ambient/${trigger}`,
      description: `Session ${name} ${verb}${why}.`.slice(0, DESCRIPTION_MAX),
    };
  const said = (code: (text: string) => string): string =>
    `Session ${code(name)} of trigger ${code(trigger)} ${verb}${why}.${spent}`;
  switch (source) {
    case 'github':
      // The same comment a second time, after a crash, can be told by it.
      return { body: `${said((text) => `\`${text}\``)}\n\n<!-- ambient:${id} -->` };
    case 'jira':
      return { body: said((text) => `{{${text}}}`) };
    case 'slack':
      return {
        channel: origin.repository,
        ...(origin.number === undefined ? {} : { thread_ts: origin.number }),
        text: said((text) => `\`${text}\``),
        unfurl_links: false,
      };
  }
}

export function answerHeadersOf({ source, answer }: AnswerTarget, token: string): Record<string, string> {
  const { user } = answer;
  const authorization =
    user === undefined ? `Bearer ${token}` : `Basic ${Buffer.from(`${user}:${token}`).toString('base64')}`;
  const common = {
    authorization,
    'content-type': 'application/json; charset=utf-8',
    'user-agent': 'ambient-operator',
  };
  return source === 'github'
    ? { ...common, accept: 'application/vnd.github+json', 'x-github-api-version': '2022-11-28' }
    : { ...common, accept: 'application/json' };
}
