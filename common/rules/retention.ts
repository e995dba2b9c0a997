/**
 * How long what a session left is kept. Periods are of the calendar, in UTC: a month after January 31st is the last day of
 * February. Only finished sessions have an end of their time; what cannot be understood is kept.
 */
import { FINALIZER_DATA } from '../api/names.ts';
import { isTerminal } from '../api/session.ts';
import type { Session } from '../api/session.ts';
import { findCondition } from './conditions.ts';

export interface Period {
  count: number;
  unit: 'd' | 'w' | 'm' | 'y';
}

/** Periods as the policy has them (effective.ts). */
export interface RetentionPeriods {
  sessions: string;
  artifacts: string;
}

/** Reason of the condition ArtifactsGenerated once the data were removed. */
export const REASON_EXPIRED = 'Expired';

const PERIOD = /^([0-9]{1,15})([dwmy])$/;
const DAY_MS = 86_400_000;
/** The last moment that a Date can name. */
const TIME_MAX = 8.64e15;

/** `30d`, `2w`, `6m`, `7y`; undefined for everything else. */
export function parsePeriod(text: string): Period | undefined {
  const match = PERIOD.exec(text);
  const unit = match?.[2];
  if (unit !== 'd' && unit !== 'w' && unit !== 'm' && unit !== 'y') return undefined;
  return { count: Number(match?.[1]), unit };
}

/** Milliseconds since the epoch at which a period that began then is over. Infinity when no calendar reaches so far. */
export function endOf({ count, unit }: Period, from: number): number {
  switch (unit) {
    case 'd':
      return reachable(from + count * DAY_MS);
    case 'w':
      return reachable(from + count * 7 * DAY_MS);
    case 'm':
      return addMonths(from, count);
    case 'y':
      return addMonths(from, count * 12);
  }
}

/** When a period began that is over then; what began before is over too. -Infinity when no calendar reaches so far back. */
export function beginOf({ count, unit }: Period, until: number): number {
  const begin = endOf({ count: -count, unit }, until);
  return begin === Infinity || begin < -TIME_MAX ? -Infinity : begin;
}

const reachable = (time: number): number => (time <= TIME_MAX ? time : Infinity);

function addMonths(from: number, count: number): number {
  const date = new Date(from);
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  // Day 0 of the month after is the last one of the month.
  const lastDay = new Date(from).setUTCFullYear(year, month + count + 1, 0);
  if (!Number.isFinite(lastDay)) return Infinity;
  return Math.min(
    lastDay,
    date.setUTCFullYear(year, month + count, Math.min(day, new Date(lastDay).getUTCDate())),
  );
}

/**
 * When a session was finished: by the operator's clock as it wrote the end, since what a runner says of its own times is not
 * to be relied on. Never before the API server created the object. Undefined while it is not finished.
 */
export function finishedAt({ metadata, status }: Session): number | undefined {
  if (!isTerminal(status?.phase)) return undefined;
  const text =
    findCondition(status?.conditions, status.phase)?.lastTransitionTime ?? status?.history?.at(-1)?.timestamp;
  const time = Date.parse(text ?? '');
  const created = Date.parse(metadata.creationTimestamp ?? '');
  if (!Number.isFinite(time)) return undefined;
  return Number.isFinite(created) ? Math.max(time, created) : time;
}

/** Logs and artifacts were removed by retention. */
export const isExpired = ({ status }: Session): boolean =>
  findCondition(status?.conditions, 'ArtifactsGenerated')?.reason === REASON_EXPIRED;

export interface Expiry {
  /** Milliseconds since the epoch; Infinity: never. */
  artifacts: number;
  /** The object itself and all that belongs to it. Never before it, nothing is left for artifacts after it. */
  session: number;
}

/** When what goes; undefined for a session that is not finished. A period that cannot be read keeps for ever. */
export function expiryOf(session: Session, periods: RetentionPeriods): Expiry | undefined {
  const from = finishedAt(session);
  if (from === undefined) return undefined;
  const end = (text: string): number => {
    const period = parsePeriod(text);
    return period === undefined ? Infinity : endOf(period, from);
  };
  const whole = end(periods.sessions);
  return { artifacts: Math.min(end(periods.artifacts), whole), session: whole };
}

export type Due =
  | { what: 'session' }
  | { what: 'artifacts' }
  /** Milliseconds since the epoch of the next thing that goes; Infinity: nothing ever. */
  | { what: 'nothing'; next: number };

/** What is to go now. */
export function dueOf(session: Session, periods: RetentionPeriods, now: number): Due {
  const expiry = expiryOf(session, periods);
  if (expiry === undefined || session.metadata.deletionTimestamp !== undefined)
    return { what: 'nothing', next: Infinity };
  if (expiry.session <= now) return { what: 'session' };
  if (isExpired(session)) return { what: 'nothing', next: expiry.session };
  return expiry.artifacts <= now ? { what: 'artifacts' } : { what: 'nothing', next: expiry.artifacts };
}

export const holdsData = ({ metadata }: Session): boolean =>
  metadata.finalizers?.includes(FINALIZER_DATA) ?? false;

/** The finalizers of a session whose object shall stay until its data are gone. */
export const withDataHeld = (finalizers: readonly string[] = []): string[] =>
  finalizers.includes(FINALIZER_DATA) ? [...finalizers] : [...finalizers, FINALIZER_DATA];
