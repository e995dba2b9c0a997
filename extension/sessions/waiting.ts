/** How a session's wait for its turn reads: its place in line, or what it waits for. Pure. */
import type { Session } from '../../common/api/session.ts';

/** `1st`, `2nd`, `3rd`, `11th`. */
export function ordinal(number: number): string {
  const tens = number % 100;
  if (tens >= 11 && tens <= 13) return `${number}th`;
  switch (number % 10) {
    case 1:
      return `${number}st`;
    case 2:
      return `${number}nd`;
    case 3:
      return `${number}rd`;
    default:
      return `${number}th`;
  }
}

/** Of a namespace's sessions: how many run, and how many may. */
export interface Turns {
  active: number;
  max: number;
}

/** `3rd in line: 50 of 50 run`, `3rd in line: waits for budget`; undefined when it does not wait for its turn. */
export function placeInLine({ status }: Session, turns?: Turns): string | undefined {
  const queue = status?.queue;
  if (queue === undefined || (status?.phase ?? 'Pending') !== 'Pending') return undefined;
  const place = `${ordinal(queue.position)} in line`;
  switch (queue.reason) {
    case 'Budget':
      return `${place}: waits for budget`;
    case 'Concurrency':
      return turns === undefined ? place : `${place}: ${turns.active} of ${turns.max} run`;
  }
}

/** The session has spent what it may. */
export const hasSpentItsBudget = ({ status }: Session): boolean =>
  (status?.conditions ?? []).some((each) => each.type === 'BudgetExceeded' && each.status === 'True');
