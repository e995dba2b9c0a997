/** The record that all data of a session go. */
import type { AuditEvent } from '../../common/api/audit.ts';
import { OPERATOR_ACTOR } from '../../common/api/names.ts';
import type { SessionRef } from '../store/keys.ts';

export const removalOf = (
  { namespace, uid }: SessionRef,
  reason: 'SessionDeleted' | 'NoSession',
  name?: string,
): AuditEvent => ({
  namespace,
  ...(name === undefined ? {} : { sessionId: name }),
  sessionUid: uid,
  actor: OPERATOR_ACTOR,
  action: 'delete',
  resource: 'sessions/data',
  outcome: 'allowed',
  details: { reason },
});
