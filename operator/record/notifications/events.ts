/**
 * Which notifications a session or a policy has given cause for, read from its state: what happened while nobody watched is
 * found later all the same. The id is derived from what happened, so that it is the same however often it is found.
 */
import { createHash } from 'node:crypto';
import type { NamespacePolicy, NOTIFICATION_EVENTS } from '../../../common/api/namespace-policy.ts';
import { displayNameOf, isTerminal } from '../../../common/api/session.ts';
import type { Session } from '../../../common/api/session.ts';
import { findCondition } from '../../../common/rules/conditions.ts';

export type NotificationEvent = (typeof NOTIFICATION_EVENTS)[number];

/** The body of a webhook, as it is documented in the README. */
export interface Notification {
  id: string;
  event: NotificationEvent;
  /** When it happened, RFC 3339. */
  timestamp: string;
  namespace: string;
  /** What happened, in one line. */
  message: string;
  session?: {
    name: string;
    uid: string;
    displayName: string;
    phase: string;
    reason?: string;
    createdBy?: string;
    cost?: string;
  };
  budget?: { currentMonth?: string; percentUsed?: number };
}

/** The same for every target, whatever happens to the operator in between. */
export const notificationId = (uid: string, event: NotificationEvent, timestamp: string): string =>
  createHash('sha256').update(`${uid}\n${event}\n${timestamp}`).digest('hex').slice(0, 32);

/** In the order in which they happened. */
export function sessionNotifications(session: Session): Notification[] {
  const { metadata, status } = session;
  const { namespace = '', name, uid = '', creationTimestamp = '' } = metadata;
  const found: Notification[] = [];
  const add = (
    event: NotificationEvent,
    timestamp: string | undefined,
    message: string,
    reason?: string,
    /** Which one, of those of which there are several in the life of a session; its time may be told in two ways. */
    which = '',
  ): void => {
    const id = notificationId(uid, event, which);
    found.push({
      id,
      event,
      timestamp: timestamp ?? creationTimestamp,
      namespace,
      message,
      session: { ...aboutSession(session), ...(reason === undefined ? {} : { reason }) },
    });
  };

  if (status?.phase === undefined) return found;
  const title = displayNameOf(session);
  add('session.created', creationTimestamp, `Session ${title} was launched.`);
  const { approval, workload } = status;
  if (approval?.decision === 'Approved')
    add('session.approved', approval.at, `Session ${title} was approved by ${approval.by}.`, approval.reason);
  if (approval?.decision === 'Rejected')
    add('session.rejected', approval.at, `Session ${title} was rejected by ${approval.by}.`, approval.reason);
  if (status.phase !== 'Pending' && workload?.startTime !== undefined)
    add(
      'session.started',
      workload.startTime,
      `Session ${title} has started in namespace ${name === title ? namespace : `${namespace} (${name})`}.`,
    );
  const [asks, paused] = isTerminal(status.phase)
    ? []
    : (['NeedsInput', 'BudgetPaused'] as const).map((type) => findCondition(status.conditions, type));
  if (asks?.status === 'True') {
    // A question may come while another one stands.
    const which = `question ${status.input?.asked ?? 0}`;
    add(
      'session.needs_input',
      asks.lastTransitionTime,
      `Session ${title} asks: ${asks.message}`,
      asks.reason,
      which,
    );
  }
  if (paused?.status === 'True') {
    const { lastTransitionTime: since, reason } = paused;
    const message = `Session ${title} is paused: ${paused.message.replace(/^Paused: /, '')}`;
    add('session.needs_input', since, message, reason, `paused ${since}`);
  }
  if (status.phase === 'Completed' || status.phase === 'Failed') {
    const end = findCondition(status.conditions, status.phase);
    const event = status.phase === 'Completed' ? 'session.completed' : 'session.failed';
    const how = status.phase === 'Completed' ? 'is completed' : 'has failed';
    const why = end === undefined || end.message === '' ? '.' : `: ${end.message}`;
    add(event, end?.lastTransitionTime, `Session ${title} ${how}${why}`, end?.reason);
  }
  return found;
}

function aboutSession(session: Session): NonNullable<Notification['session']> {
  const { metadata, spec, status } = session;
  return {
    name: metadata.name,
    uid: metadata.uid ?? '',
    displayName: displayNameOf(session),
    phase: status?.phase ?? 'Pending',
    ...(spec.createdBy === undefined ? {} : { createdBy: spec.createdBy.user }),
    ...(status?.cost === undefined ? {} : { cost: status.cost.total }),
  };
}

/** Each time a condition of the budget becomes true is an event of its own. */
export function policyNotifications({ metadata, status }: NamespacePolicy): Notification[] {
  const { namespace = '', uid = '' } = metadata;
  const pairs = [
    ['BudgetWarning', 'budget.warning'],
    ['BudgetExceeded', 'budget.exceeded'],
  ] as const;
  return pairs.flatMap(([type, event]) => {
    const condition = findCondition(status?.conditions, type);
    if (condition?.status !== 'True') return [];
    const { lastTransitionTime: timestamp, message } = condition;
    const { currentMonth, percentUsed } = status?.usage?.budget ?? {};
    return [
      {
        id: notificationId(uid, event, timestamp),
        event,
        timestamp,
        namespace,
        message: message === '' ? `The budget of namespace ${namespace}: ${condition.reason}.` : message,
        budget: {
          ...(currentMonth === undefined ? {} : { currentMonth }),
          ...(percentUsed === undefined ? {} : { percentUsed }),
        },
      },
    ];
  });
}
