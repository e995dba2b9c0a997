/** How a session stands, in the words and groups that the tree and the badge show. Pure: the time is an argument. */
import type { SessionViewState } from '../../common/api/panels.ts';
import type { Session } from '../../common/api/session.ts';

export const GROUPS = ['approval', 'input', 'attention', 'pending', 'running', 'recent', 'older'] as const;
export type Group = (typeof GROUPS)[number];

/** What a session is, finer than its phase: the same words in the tree and on its page. */
export type SessionState = SessionViewState;

const DAY_MS = 24 * 3600 * 1000;

/** Conditions that, while False for one of these reasons, wait for a person and not for the cluster. */
const WAITS_FOR_PERSON: Readonly<Record<string, readonly string[]>> = {
  WorkloadCreated: ['QuotaExceeded', 'OperatorForbidden'],
};

// Not isTerminal of common/api: that module brings the schemas, which the entry bundle leaves out.
export const isFinished = (session: Session): boolean =>
  session.status?.phase === 'Completed' || session.status?.phase === 'Failed';

/** Display name or else object name; as it came, so show it through `plain`. */
export const titleOf = (session: Session): string => session.spec.displayName ?? session.metadata.name;

/** By an event, not by a person. */
export const isTriggered = ({ spec }: Session): boolean => (spec.trigger?.source ?? 'manual') !== 'manual';

/** `github, pull_request, opened` */
export const triggerText = ({ spec: { trigger } }: Pick<Session, 'spec'>): string =>
  [trigger?.source ?? 'manual', trigger?.event, trigger?.action].filter(Boolean).join(', ');

export function stateOf(session: Session): SessionState {
  if (session.metadata.deletionTimestamp !== undefined) return 'deleting';
  const { phase, stop } = session.status ?? {};
  switch (phase) {
    case 'Completed':
      return 'completed';
    case 'Failed':
      return stop === undefined ? 'failed' : 'stopped';
    case 'Running':
      if (stop !== undefined) return 'stopping';
      if (needsInput(session) !== undefined) return 'input';
      return pausedFor(session) === undefined ? 'running' : 'attention';
    case 'Pending':
    case undefined:
      if (stop !== undefined) return 'stopping';
      if (isAwaiting(session)) return 'approval';
      return needsAttention(session) ? 'attention' : 'pending';
  }
}

/** What its agent asks and nobody has answered. */
export const needsInput = ({ status }: Session): string | undefined =>
  (status?.conditions ?? []).find(({ type, status: is }) => type === 'NeedsInput' && is === 'True')?.message;

/** Why its calls to models wait for a person: its budget is spent. */
export const pausedFor = ({ status }: Session): string | undefined =>
  (status?.conditions ?? []).find(({ type, status: is }) => type === 'BudgetPaused' && is === 'True')
    ?.message;

/** It waits for somebody to approve or reject it. */
export const waitsForApproval = (session: Session): boolean => stateOf(session) === 'approval';

const isAwaiting = ({ status }: Session): boolean =>
  status?.approval === undefined &&
  (status?.conditions ?? []).some(
    (each) => each.type === 'Approved' && each.status === 'False' && each.reason === 'AwaitingApproval',
  );

function needsAttention(session: Session): boolean {
  return (session.status?.conditions ?? []).some(
    ({ type, status, reason }) => status === 'False' && (WAITS_FOR_PERSON[type] ?? []).includes(reason),
  );
}

/** When it ended, else when it was created; epoch ms. */
export function lastMoment(session: Session): number {
  const { status, metadata } = session;
  const ended = isFinished(session)
    ? (status?.workload?.completionTime ??
      status?.conditions?.find(({ type }) => type === status.phase)?.lastTransitionTime)
    : undefined;
  const moment = Date.parse(ended ?? metadata.creationTimestamp ?? '');
  return Number.isNaN(moment) ? 0 : moment;
}

export function groupOf(session: Session, now: number): Group {
  if (isFinished(session)) return now - lastMoment(session) <= DAY_MS ? 'recent' : 'older';
  const state = stateOf(session);
  switch (state) {
    case 'approval':
    case 'input':
    case 'attention':
      return state;
    case 'running':
      return 'running';
    case 'stopping':
      return session.status?.phase === 'Running' ? 'running' : 'pending';
    default:
      return session.status?.phase === 'Running' ? 'running' : 'pending';
  }
}

export interface Grouped {
  groups: Map<Group, Session[]>;
  /** Finished so long ago that the settings leave them out. */
  hidden: number;
}

/** Newest first in each group; groups without a session are absent. `finishedDays` 0 keeps all. */
export function groupSessions(sessions: readonly Session[], now: number, finishedDays: number): Grouped {
  const found = new Map<Group, { session: Session; moment: number }[]>();
  let hidden = 0;
  for (const session of sessions) {
    const moment = lastMoment(session);
    const group = groupOf(session, now);
    if (group === 'older' && finishedDays > 0 && now - moment > finishedDays * DAY_MS) {
      hidden += 1;
      continue;
    }
    const list = found.get(group);
    if (list === undefined) found.set(group, [{ session, moment }]);
    else list.push({ session, moment });
  }
  const groups = new Map<Group, Session[]>();
  for (const group of GROUPS) {
    const list = found.get(group);
    if (list === undefined) continue;
    list.sort((a, b) => b.moment - a.moment || (a.session.metadata.name < b.session.metadata.name ? -1 : 1));
    groups.set(
      group,
      list.map(({ session }) => session),
    );
  }
  return { groups, hidden };
}

/** `now`, `5 min`, `3 h`, `2 d`: as coarse as a list wants it, so that it rarely changes. */
export function formatAge(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 1) return 'now';
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h` : `${Math.floor(hours / 24)} d`;
}

export const STATE_WORDS: Readonly<Record<SessionState, string>> = {
  deleting: 'being deleted',
  approval: 'needs approval',
  input: 'needs input',
  attention: 'needs attention',
  pending: 'pending',
  running: 'running',
  stopping: 'stopping',
  completed: 'completed',
  stopped: 'stopped',
  failed: 'failed',
};
