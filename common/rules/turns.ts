/**
 * Who of a namespace's waiting sessions starts next. The line is in order of creation, then name. Whoever is first and has
 * room starts; while the first has none, those behind wait too, however little they need: what running sessions give back
 * goes to the one who has waited longest.
 *
 * With one exception. A session for which the month has not enough left, whatever the others give back, can only wait for
 * the reset. It steps aside and keeps its place; meanwhile those behind pass, but only those that will be over before the
 * reset, so that the one that stepped aside finds the new month as full as if nobody had passed. Hence nobody starves: a
 * session starts at the latest at the second reset after it has become the first (backfilling after Lifka's EASY).
 */
import type { Money } from './money.ts';
import { budgetVerdict } from './budget.ts';
import type { BudgetState } from './budget.ts';

export interface Waiter {
  /** RFC 3339, as the API server writes it: text order is time order. */
  created: string;
  name: string;
  /** What it holds of the month's budget; undefined: nothing is counted. */
  need: Money | undefined;
  /** From its turn to its end, at most. */
  lastsMs: number;
}

export interface Room {
  /** Sessions that may start beside those that run; negative after a policy has been narrowed. */
  slots: number;
  /** Undefined without a monthly budget. */
  budget: BudgetState | undefined;
  untilResetMs: number;
}

/** Order of the line. Code units, not a language: every operator must come to the same. */
export function inLine(a: Waiter, b: Waiter): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** starts: now; holds: it waits for others to end, and so does everyone behind it; aside: it waits for the reset alone. */
export type Turn = 'starts' | 'holds' | 'aside';

/** @param passes somebody stands aside before it */
export function turnOf({ need, lastsMs }: Waiter, room: Room, passes: boolean): Turn {
  if (room.slots <= 0) return 'holds';
  if (room.budget === undefined || need === undefined) return 'starts';
  switch (budgetVerdict(need, room.budget)) {
    case 'fits':
      return passes && lastsMs >= room.untilResetMs ? 'aside' : 'starts';
    case 'after-others':
      return 'holds';
    case 'after-reset':
    case 'never':
      return 'aside';
  }
}

/** The room that is left when one more has started. */
export const roomWithout = (room: Room, { need }: Waiter): Room => ({
  ...room,
  slots: room.slots - 1,
  budget:
    room.budget === undefined || need === undefined
      ? room.budget
      : { ...room.budget, reserved: (room.budget.reserved + need) as Money },
});

/** @param line in order */
export function takeTurns<W extends Waiter>(
  line: readonly W[],
  room: Room,
): { starts: W[]; holder: W | undefined } {
  const starts: W[] = [];
  let left = room;
  let passes = false;
  for (const waiter of line) {
    const turn = turnOf(waiter, left, passes);
    if (turn === 'holds') return { starts, holder: waiter };
    if (turn === 'aside') passes = true;
    else {
      starts.push(waiter);
      left = roomWithout(left, waiter);
    }
  }
  return { starts, holder: undefined };
}

/** `1st`, `2nd`, `3rd`, `11th`. */
export function ordinal(position: number): string {
  const tens = position % 100;
  const ending = tens >= 11 && tens <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][position % 10] ?? 'th');
  return `${position}${ending}`;
}
