/** What the controller does to a session, as the audit trail has it: phases, conditions and events, no text of agents. */
import type { AuditEvent } from '../../../common/api/audit.ts';
import { OPERATOR_ACTOR } from '../../../common/api/names.ts';
import type { Session, SessionStatus } from '../../../common/api/session.ts';
import type { DraftEntry } from './draft.ts';

const about = ({ metadata: { namespace = '', name, uid } }: Session) => ({
  namespace,
  sessionId: name,
  ...(uid === undefined ? {} : { sessionUid: uid }),
  actor: OPERATOR_ACTOR,
  outcome: 'allowed' as const,
});

/** Undefined for what decides nothing, such as another wording of the same trouble. */
export function changeRecord(
  session: Session,
  status: SessionStatus,
  entries: readonly DraftEntry[],
): AuditEvent | undefined {
  const before = session.status ?? {};
  const conditions = (status.conditions ?? []).filter(({ type, status: value, reason }) => {
    const old = before.conditions?.find((condition) => condition.type === type);
    return old?.status !== value || old.reason !== reason;
  });
  const isMoved = status.phase !== before.phase;
  if (!isMoved && conditions.length === 0 && entries.length === 0) return undefined;
  const { phase, workload } = status;
  const details = {
    ...(isMoved ? { phase, ...(before.phase === undefined ? {} : { from: before.phase }) } : {}),
    ...(conditions.length === 0
      ? {}
      : { conditions: conditions.map(({ type, status: value, reason }) => `${type}=${value} ${reason}`) }),
    ...(entries.length === 0 ? {} : { events: entries.map(withoutText) }),
    ...(workload?.exitCode === undefined ? {} : { exitCode: workload.exitCode }),
  };
  return { ...about(session), action: 'update', resource: 'sessions/status', details };
}

/** Messages may quote what a command or an agent said; a reason is one word of ours. */
const withoutText = ({ event, actor, data }: DraftEntry): DraftEntry => {
  const { message: _, ...facts } = data ?? {};
  return { event, actor, ...(Object.keys(facts).length === 0 ? {} : { data: facts }) };
};

/** Jobs are made, claimed and taken away for a session. */
export const jobRecord = (
  action: 'create' | 'update' | 'delete',
  session: Session,
  job: string,
): AuditEvent => ({
  ...about(session),
  action,
  resource: 'jobs',
  details: { job },
});
