/** What the session page shows of a session. Pure; text stays as it came, the page makes it harmless. */
import type {
  ArtifactRow,
  ArtifactsView,
  ConditionRow,
  CostView,
  Fact,
  HistoryRow,
  SessionView,
} from '../../common/api/panels.ts';
import type { Artifact } from '../../common/api/live.ts';
import { OPERATOR_ACTOR, OPERATOR_ARTIFACTS } from '../../common/api/names.ts';
import type { GeneratedArtifact, Session } from '../../common/api/session.ts';
import { findCondition, shorten } from '../../common/rules/conditions.ts';
import { parseMoney, percentOf, ZERO } from '../../common/rules/money.ts';
import { formatBytes, formatDuration } from '../../common/rules/wording.ts';
import type { Cause } from '../sessions/cause.ts';
import {
  isFinished,
  isTriggered,
  needsInput,
  pausedFor,
  STATE_WORDS,
  stateOf,
  titleOf,
  triggerText,
} from '../sessions/state.ts';
import { placeInLine } from '../sessions/waiting.ts';
import { approvalView, launcherOf, sourceText } from './approval-view.ts';
import type { PageFacts } from './page-facts.ts';
import { timelineOf } from './timeline.ts';

/** What the live API said about artifacts: undefined while it was not asked or has not answered. */
export interface LiveArtifacts {
  items?: readonly Artifact[];
  /** Why it did not answer. */
  problem?: string;
}

export interface ViewOptions {
  /** The session was seen, and now is gone. */
  deleted?: boolean;
  artifacts?: LiveArtifacts;
  /** Undefined while they are not known. */
  facts?: PageFacts;
}

const DATA_MAX = 2000;

export function sessionView(session: Session, options: ViewOptions = {}): SessionView {
  const { metadata, status } = session;
  const deleted = options.deleted === true;
  const state = deleted ? 'deleting' : stateOf(session);
  const going = !deleted && metadata.deletionTimestamp === undefined;
  const history = status?.history ?? [];
  return {
    title: titleOf(session),
    state,
    stateWord: deleted ? 'deleted' : STATE_WORDS[state],
    ...optional('message', status?.message),
    ...optional('createdAt', metadata.creationTimestamp),
    ...optional('startedAt', status?.workload?.startTime),
    ...optional('endedAt', endedAt(session)),
    deleted,
    canStop: going && !isFinished(session) && status?.stop === undefined,
    canDelete: going,
    canResume: going && isFinished(session),
    ...(status?.result?.branch === undefined || deleted ? {} : { pushed: true as const }),
    ...(isTriggered(session) && !deleted ? { triggered: true as const } : {}),
    ...(status?.stop === undefined ? {} : { stop: status.stop }),
    ...optional('talk', talkOf(session, deleted)),
    ...optional('queue', deleted ? undefined : placeInLine(session, options.facts?.turns)),
    ...optional('approval', deleted ? undefined : approvalView(session, options.facts)),
    timeline: timelineOf(session),
    details: detailsOf(session, options.facts?.cause),
    workload: workloadOf(session),
    conditions: (status?.conditions ?? []).map(conditionRow),
    // The newest are what people look for.
    history: history.map(historyRow).reverse(),
    historyArchived: (history[0]?.seq ?? 1) - 1,
    artifacts: artifactsView(session, options.artifacts),
    ...optional('cost', costOf(session, options.facts?.budget)),
  };
}

const optional = <K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> =>
  value === undefined ? {} : ({ [key]: value } as Record<K, V>);

/** Undefined where nobody listens, nor ever did. */
function talkOf(session: Session, deleted: boolean): SessionView['talk'] {
  const { status, metadata } = session;
  if (status?.input?.open !== true) return undefined;
  return {
    ...optional('closed', closedFor(session, deleted || metadata.deletionTimestamp !== undefined)),
    said: status.input.messages?.at(-1)?.seq ?? 0,
    ...optional('question', needsInput(session)),
  };
}

function closedFor(session: Session, isGoing: boolean): string | undefined {
  const { phase, stop } = session.status ?? {};
  if (isGoing) return 'The session is deleted.';
  if (isFinished(session)) return 'The session has ended.';
  if (stop !== undefined) return 'The session is being stopped.';
  return phase === 'Running' ? undefined : 'The session does not run yet.';
}

function endedAt({ status }: Session): string | undefined {
  if (status?.phase !== 'Completed' && status?.phase !== 'Failed') return undefined;
  return (
    status.workload?.completionTime ?? findCondition(status.conditions, status.phase)?.lastTransitionTime
  );
}

const facts = (rows: readonly [string, string | undefined, Fact['kind']?][]): Fact[] =>
  rows.flatMap(([label, value, kind]) =>
    value === undefined || value === '' ? [] : [{ label, value, ...(kind === undefined ? {} : { kind }) }],
  );

function detailsOf({ spec, status, metadata }: Session, cause: Cause | undefined): Fact[] {
  const { type, version } = spec.framework;
  const { trigger, source, limits, resume } = spec;
  const { branch, pullRequest } = status?.result ?? {};
  const created = (status?.history ?? []).find(({ event }) => event === 'Created')?.actor;
  return facts([
    ['Framework', version === undefined ? type : `${type} ${version}`],
    ['Launched by', launcherOf({ spec }) ?? (created === OPERATOR_ACTOR ? undefined : created)],
    ['Trigger', triggerText({ spec })],
    ['Caused by', cause?.who],
    ['About', cause?.what],
    ['Session trigger', trigger?.name, 'code'],
    ['Delivery', trigger?.delivery, 'code'],
    ['Goes on from', resume?.session, 'code'],
    ['Source', sourceText(source)],
    ['Result branch', branch, 'code'],
    ['Pull request', pullRequest, 'code'],
    ['Time limit', limits === undefined ? undefined : formatDuration(limits.timeoutSeconds * 1000)],
    ['Idle limit', limits?.idleSeconds === undefined ? undefined : formatDuration(limits.idleSeconds * 1000)],
    ['Created', metadata.creationTimestamp, 'time'],
  ]);
}

function workloadOf({ status }: Session): Fact[] {
  const { workload } = status ?? {};
  const resources = Object.entries(workload?.resources ?? {});
  return facts([
    ['Job', workload?.jobName, 'code'],
    ['Pod', workload?.podName, 'code'],
    ['Node', workload?.nodeName, 'code'],
    ['Cluster', workload?.cluster],
    ['Image', workload?.image, 'code'],
    ['Limits', resources.map(([name, quantity]) => `${name} ${quantity}`).join(', ')],
    ['Started', workload?.startTime, 'time'],
    ['Ended', workload?.completionTime, 'time'],
    ['Exit code', workload?.exitCode === undefined ? undefined : String(workload.exitCode)],
  ]);
}

type Conditions = NonNullable<NonNullable<Session['status']>['conditions']>;

function conditionRow({
  type,
  status,
  reason,
  message,
  lastTransitionTime,
}: Conditions[number]): ConditionRow {
  return {
    type,
    status,
    good: (status === 'True') !== (type === 'Failed'),
    reason,
    message,
    at: lastTransitionTime,
  };
}

type History = NonNullable<NonNullable<Session['status']>['history']>;

function historyRow({ seq, timestamp, event, actor, data }: History[number]): HistoryRow {
  const summary = Object.entries(data ?? {})
    .map(([key, value]) => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' · ');
  return { seq, at: timestamp, event, actor, data: shorten(summary, DATA_MAX) };
}

function artifactsView(session: Session, live: LiveArtifacts | undefined): ArtifactsView {
  const { generated = [], count = 0, totalBytes = 0 } = session.status?.artifacts ?? {};
  if (live?.items !== undefined) {
    const made = live.items.filter(({ path }) => !path.startsWith(OPERATOR_ARTIFACTS));
    const records = live.items.filter(({ path }) => path.startsWith(OPERATOR_ARTIFACTS));
    const sum = made.reduce((bytes, { size }) => bytes + size, 0);
    return {
      rows: [...made, ...records].map((item) => artifactRow(item.path, item)),
      total: made.length,
      records: records.length,
      totalSize: formatBytes(sum),
      ...optional('note', live.problem),
    };
  }
  const missing = count - generated.length;
  const note =
    live?.problem ?? (missing > 0 ? `${missing} more are not listed in the Session object.` : undefined);
  return {
    rows: generated.map((item) => artifactRow(item.location, item)),
    total: Math.max(count, generated.length),
    records: 0,
    totalSize: formatBytes(totalBytes),
    ...optional('note', note),
  };
}

const artifactRow = (
  path: string,
  { type, contentType, size, createdAt }: Artifact | GeneratedArtifact,
): ArtifactRow => ({ path, type, contentType, size: formatBytes(size), createdAt });

/** The artifact behind a row, as commands take it. */
export function artifactAt(
  session: Session,
  live: LiveArtifacts | undefined,
  path: string,
): Artifact | undefined {
  if (live?.items !== undefined) return live.items.find((item) => item.path === path);
  const found = session.status?.artifacts?.generated?.find(({ location }) => location === path);
  if (found === undefined) return undefined;
  const { type, size, contentType, createdAt, metadata } = found;
  return { path, type, size, contentType, createdAt, digest: metadata?.['digest'] ?? '' };
}

function costOf(session: Session, budget: string | undefined): CostView | undefined {
  const { status } = session;
  // With a budget, that nothing was spent yet is worth saying.
  if (status?.cost === undefined && budget === undefined) return undefined;
  const { total, breakdown = {} } = status?.cost ?? { total: '0.00' };
  const limit = budget === undefined ? undefined : parseMoney(budget);
  return {
    total: `$${total}`,
    ...(budget === undefined || limit === undefined
      ? {}
      : { budget: { limit: `$${budget}`, percent: percentOf(parseMoney(total) ?? ZERO, limit) } }),
    canRaise: budget !== undefined && status?.phase === 'Running' && status.stop === undefined,
    ...optional('paused', isFinished(session) ? undefined : pausedFor(session)),
    breakdown: Object.entries(breakdown).map(([name, amount]) => ({ name, amount: `$${amount}` })),
  };
}
