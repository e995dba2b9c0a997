/** Step: wait until the namespace has room for one more session, in number and in money; end one that has spent its own. */
import { DEFAULT_GRACE_SECONDS } from '../../../common/api/session.ts';
import { OPERATOR_ACTOR } from '../../../common/api/names.ts';
import { dayOf } from '../../../common/rules/budget-month.ts';
import { free, usd } from '../../../common/rules/budget.ts';
import { ZERO } from '../../../common/rules/money.ts';
import { ordinal } from '../../../common/rules/turns.ts';
import { timestamp } from '../clock.ts';
import { hasJob } from './stop.ts';
import type { Look, StepResult } from './step.ts';
import type { Overspent, Place } from './turns.ts';

export async function turn(look: Look): Promise<StepResult> {
  const { session, draft, controller } = look;
  look.asksForTurn = true;
  let place = controller.turns.ask(session);
  const overspent = place === undefined ? controller.turns.overspent(session) : undefined;
  if (overspent !== undefined && !hasJob(look)) {
    // The money went between its turn and its Job.
    controller.turns.withdraw(session);
    place = controller.turns.ask(session);
  }
  if (place !== undefined) return wait(look, place);
  draft.queue(undefined);
  draft.condition({ type: 'Admitted', status: 'True', reason: 'Admitted', message: 'It has its turn.' });
  if (overspent !== undefined && session.status?.stop === undefined) await stop(look, overspent);
  return 'continue';
}

function wait({ session, draft, controller }: Look, place: Place): StepResult {
  const { clock } = controller;
  const reason = place.reason === 'Concurrency' ? 'Concurrency' : 'Budget';
  const standing = session.status?.queue;
  if (standing?.reason === reason && place.tellAgainMs > 0) return { lookAgainMs: place.tellAgainMs };
  place.told();
  const message = messageOf(session.metadata.namespace ?? '', place);
  if (draft.phase === undefined) draft.moveTo('Pending');
  draft.queue({
    reason,
    position: place.position,
    since: standing?.since ?? timestamp(clock.now()),
  });
  draft.condition({
    type: 'Admitted',
    status: 'False',
    reason: reason === 'Concurrency' ? 'AwaitingTurn' : 'AwaitingBudget',
    message,
  });
  draft.message(message);
  return { lookAgainMs: place.intervalMs };
}

function messageOf(namespace: string, place: Place): string {
  const { position, running, maxSessions, budget, need = ZERO, resetAt } = place;
  const inLine = `${ordinal(position)} in line`;
  if (place.reason === 'Concurrency' || budget === undefined)
    return `Waiting: ${inLine}; ${running} of ${maxSessions} sessions of namespace ${namespace} run.`;
  if (place.reason === 'Reset')
    return `Waiting for the budget of namespace ${namespace}: ${usd(budget.spent)} of ${usd(budget.monthly)} are spent, and this session may spend ${usd(need)}. The budget is reset on ${dayOf(resetAt)}.`;
  return `Waiting: ${inLine}; of the ${usd(budget.monthly)} of namespace ${namespace} ${usd(budget.spent)} are spent and ${usd(budget.reserved)} held for sessions that run. ${usd(free(budget))} are free, and this session may spend ${usd(need)}.`;
}

/** The wish to stop that a person could have, by the operator: the runner obeys it, and observe sees to it. */
async function stop(
  { session, draft, controller, uid }: Look,
  { by, spent, limit }: Overspent,
): Promise<void> {
  const { namespace = '', name } = session.metadata;
  const reason =
    by === 'session'
      ? `The session has spent ${usd(spent)}, and its budget is ${usd(limit)}.`
      : `Namespace ${namespace} has spent ${usd(spent)} this month, and its budget is ${usd(limit)}.`;
  await controller.audit.record({
    namespace,
    sessionId: name,
    sessionUid: uid,
    actor: OPERATOR_ACTOR,
    action: 'update',
    resource: 'sessions/stop',
    outcome: 'allowed',
    details: { reason: 'BudgetExceeded', budget: by, spent: usd(spent), limit: usd(limit) },
  });
  draft.stop({
    requestedAt: timestamp(controller.clock.now()),
    requestedBy: OPERATOR_ACTOR,
    reason,
    gracePeriodSeconds: session.spec.limits?.gracePeriodSeconds ?? DEFAULT_GRACE_SECONDS,
  });
  draft.condition({ type: 'BudgetExceeded', status: 'True', reason: 'BudgetExceeded', message: reason });
  draft.record('BudgetExceeded', { budget: by, spent: usd(spent), limit: usd(limit) });
  controller.budgetStopped(by);
}
