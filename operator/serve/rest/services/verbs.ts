/** Stopping, approving and rejecting a session. */
import { approveSession, rejectSession, stopSession } from '../../../../common/api/rest/operations.ts';
import type { ApprovalDecision } from '../../../../common/api/live.ts';
import type { Accesses } from '../../../sessions/accesses.ts';
import type { Approvals } from '../../../sessions/approvals.ts';
import { findSession } from '../../../sessions/lookup.ts';
import type { SessionLookup } from '../../../sessions/lookup.ts';
import type { Stops } from '../../../sessions/stop.ts';
import type { Guard } from '../door.ts';
import { rights } from '../rights.ts';
import { addService, service } from '../routes.ts';
import type { Call } from '../routes.ts';
import type { RestScope } from '../server.ts';

export interface VerbServicesOptions {
  sessions: SessionLookup;
  stops: Stops;
  approvals: Approvals;
  accesses: Accesses;
}

export function addVerbServices(scope: RestScope, guard: Guard, options: VerbServicesOptions): void {
  const { sessions, stops, approvals, accesses } = options;

  addService(
    scope,
    guard,
    service({
      operation: stopSession,
      right: (params) => rights.live('create', 'stop', params),
      handle: async ({ params, body, caller, exchange, reply }) => {
        const { traceId, signal } = exchange;
        const session = await findSession(sessions, params.namespace, params.id, signal);
        const access = { session, actor: caller.name, action: 'update', traceId, signal } as const;
        const details = { door: 'rest' };
        return await accesses.of({ ...access, resource: 'sessions/stop', details }, async () => {
          const wish = await stops.stop(session, caller.name, body, signal);
          const { requestedAt, requestedBy, gracePeriodSeconds } = wish;
          reply.code(202);
          return { requestedAt, requestedBy, gracePeriodSeconds };
        });
      },
    }),
  );

  // The decision is recorded by whoever judges it.
  const decide = async (
    decision: ApprovalDecision['decision'],
    { params, body, caller, exchange }: Call<typeof approveSession> | Call<typeof rejectSession>,
  ): Promise<unknown> => {
    const { traceId, signal } = exchange;
    const session = await findSession(sessions, params.namespace, params.id, signal);
    const standing = await approvals.decide(session, decision, caller, body, { traceId, signal });
    const { by, at, reason } = standing;
    return { decision: standing.decision, by, at, ...(reason === undefined ? {} : { reason }) };
  };

  addService(
    scope,
    guard,
    service({
      operation: approveSession,
      right: (params) => rights.live('create', 'approve', params),
      handle: (call) => decide('Approved', call),
    }),
  );
  addService(
    scope,
    guard,
    service({
      operation: rejectSession,
      right: (params) => rights.live('create', 'reject', params),
      handle: (call) => decide('Rejected', call),
    }),
  );
}
