/** Stopping, approving and rejecting a session, raising its budget, talking to it, and going on from it. */
import {
  approveSession,
  interruptSession,
  messageSession,
  raiseBudget,
  rejectSession,
  resumeSession,
  stopSession,
} from '../../../../common/api/rest/operations.ts';
import type { ApprovalDecision } from '../../../../common/api/live.ts';
import type { Accesses } from '../../../sessions/accesses.ts';
import type { Approvals } from '../../../sessions/approvals.ts';
import type { BudgetRaises } from '../../../sessions/budget-raises.ts';
import { findSession } from '../../../sessions/lookup.ts';
import type { SessionLookup } from '../../../sessions/lookup.ts';
import type { Messages } from '../../../sessions/messages.ts';
import type { Resumes } from '../../../sessions/resumes.ts';
import type { Stops } from '../../../sessions/stop.ts';
import type { Guard } from '../door.ts';
import { rights } from '../rights.ts';
import { addService, service } from '../routes.ts';
import type { Call } from '../routes.ts';
import type { RestScope } from '../scope.ts';

export interface VerbServicesOptions {
  sessions: SessionLookup;
  stops: Stops;
  approvals: Approvals;
  raises: Pick<BudgetRaises, 'raise'>;
  messages: Pick<Messages, 'send' | 'interrupt'>;
  resumes: Pick<Resumes, 'resume'>;
  accesses: Accesses;
}

export function addVerbServices(scope: RestScope, guard: Guard, options: VerbServicesOptions): void {
  const { sessions, stops, approvals, raises, messages, resumes, accesses } = options;

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

  const say = async (
    verb: 'message' | 'interrupt',
    { params, body, caller, exchange, reply }: Call<typeof messageSession> | Call<typeof interruptSession>,
  ): Promise<unknown> => {
    const { traceId, signal } = exchange;
    const session = await findSession(sessions, params.namespace, params.id, signal);
    const access = { session, actor: caller.name, action: 'update', traceId, signal } as const;
    const details = { door: 'rest' };
    return await accesses.of({ ...access, resource: `sessions/${verb}`, details }, async () => {
      const said = await messages[verb === 'message' ? 'send' : 'interrupt'](
        session,
        caller.name,
        body ?? {},
        signal,
      );
      reply.code(202);
      const { seq, id, by, at } = said;
      return { seq, id, by, at };
    });
  };
  addService(
    scope,
    guard,
    service({
      operation: messageSession,
      right: (params) => rights.live('create', 'message', params),
      handle: (call) => say('message', call),
    }),
  );
  addService(
    scope,
    guard,
    service({
      operation: interruptSession,
      right: (params) => rights.live('create', 'interrupt', params),
      handle: (call) => say('interrupt', call),
    }),
  );

  addService(
    scope,
    guard,
    service({
      operation: resumeSession,
      right: (params) => rights.live('create', 'resume', params),
      handle: async ({ params, body, caller, exchange, reply }) => {
        const { traceId, signal } = exchange;
        const session = await findSession(sessions, params.namespace, params.id, signal);
        const access = { session, actor: caller.name, action: 'update', traceId, signal } as const;
        const details = { door: 'rest' };
        return await accesses.of({ ...access, resource: 'sessions/resume', details }, async () => {
          const by = { name: caller.name, uid: caller.uid, groups: caller.groups };
          const { name } = await resumes.resume(session, body ?? {}, { by, door: 'rest', traceId, signal });
          reply.code(201);
          return { id: name, namespace: params.namespace };
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

  // As with decisions, who may is judged and recorded there.
  addService(
    scope,
    guard,
    service({
      operation: raiseBudget,
      right: (params) => rights.live('create', 'budget', params),
      handle: async ({ params, body, caller, exchange }) => {
        const { traceId, signal } = exchange;
        const session = await findSession(sessions, params.namespace, params.id, signal);
        const { limit, by, at } = await raises.raise(session, caller, body, { traceId, signal });
        return { limit, by, at };
      },
    }),
  );
}
