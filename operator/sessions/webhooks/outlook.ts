/** Whether a session that is launched now would start at once, and if not, from when on it may. A guess, for senders to show. */
import type { Session } from '../../../common/api/session.ts';
import { DEFAULT_TIMEOUT_SECONDS, isTerminal } from '../../../common/api/session.ts';
import { isTrue } from '../../../common/rules/conditions.ts';

export interface Outlook {
  status: 'accepted' | 'queued';
  /** RFC 3339. Of one that waits for approval: not before. */
  estimatedStartTime: string;
}

/** @param others of the namespace, finished ones too */
export function outlookOf(
  session: Pick<Session, 'metadata' | 'status'>,
  others: readonly Session[],
  { maxSessions, needsApproval, now }: { maxSessions: number; needsApproval: boolean; now: number },
): Outlook {
  const at = (milliseconds: number): string => new Date(milliseconds).toISOString();
  const { status } = session;
  if (status?.workload?.startTime !== undefined)
    return { status: 'accepted', estimatedStartTime: status.workload.startTime };
  const open = others.filter(
    (other) => !isTerminal(other.status?.phase) && other.metadata.name !== session.metadata.name,
  );
  const running = open.filter(({ status: each }) => isTrue(each?.conditions, 'Admitted'));
  const ahead = status?.queue === undefined ? open.length - running.length : status.queue.position - 1;
  const free = maxSessions - running.length - ahead;
  if (free > 0) return { status: needsApproval ? 'queued' : 'accepted', estimatedStartTime: at(now) };
  // At the latest when their time is up, so many have ended.
  const ends = running
    .map(({ spec, status: each }) => {
      const start = Date.parse(each?.workload?.startTime ?? '');
      return (
        (Number.isNaN(start) ? now : start) + (spec.limits?.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS) * 1000
      );
    })
    .sort((a, b) => a - b);
  const end = ends[Math.min(-free, ends.length - 1)] ?? now;
  return { status: 'queued', estimatedStartTime: at(Math.max(now, end)) };
}
