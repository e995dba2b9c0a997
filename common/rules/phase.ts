/** Session phases: which may follow which. The API server enforces the same in CEL (common/api/session.ts). */
import { isTerminal } from '../api/session.ts';
import type { SessionPhase } from '../api/session.ts';

const NEXT: Record<SessionPhase, readonly SessionPhase[]> = {
  Pending: ['Running', 'Failed'],
  Running: ['Completed', 'Failed'],
  Completed: [],
  Failed: [],
};

/** Whether a session may go from one phase to another. Staying is always allowed; undefined is a session nobody has looked at. */
export function canMove(from: SessionPhase | undefined, to: SessionPhase): boolean {
  if (from === undefined) return to === 'Pending' || to === 'Failed';
  return from === to || NEXT[from].includes(to);
}

/**
 * The next phase to write on the way to `goal`, since some ways lead over another phase: a session that was over before
 * anybody saw it run still goes Pending, Running, Completed. Undefined when `goal` cannot be reached or is there already.
 */
export function nextPhase(from: SessionPhase | undefined, goal: SessionPhase): SessionPhase | undefined {
  if (from === goal || isTerminal(from)) return undefined;
  if (canMove(from, goal)) return goal;
  return from === undefined ? 'Pending' : 'Running';
}
