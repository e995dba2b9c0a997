/** Step: somebody asked for the end. Before there is a Job that is all; afterwards observe gives the runner its time. */
import type { Session } from '../../../common/api/session.ts';
import { isTrue } from '../../../common/rules/conditions.ts';
import { stopped } from '../../../common/rules/outcome.ts';
import type { StopFacts } from '../../../common/rules/outcome.ts';
import type { Look, StepResult } from './step.ts';

/** Who asked for the end, or that money did; undefined when nobody has. */
export const stopOf = ({ status }: Session): StopFacts | undefined =>
  status?.stop === undefined
    ? undefined
    : { ...status.stop, isBudget: isTrue(status.conditions, 'BudgetExceeded') };

export const hasJob = ({ job, session, uid, controller }: Look): boolean =>
  job !== undefined ||
  session.status?.workload?.jobName !== undefined ||
  controller.memory.of(uid).jobVersion !== undefined;

export function stopBeforeStart(look: Look): StepResult {
  const { session, draft } = look;
  const stop = stopOf(session);
  if (stop === undefined || hasJob(look)) return 'continue';
  draft.finish(stopped(stop));
  return 'done';
}

/** Milliseconds the runner has left to obey; undefined when nobody asked it to stop. */
export function timeLeftToStop(look: Look): number | undefined {
  const stop = look.session.status?.stop;
  if (stop === undefined) return undefined;
  const { clock, settings } = look.controller;
  return Date.parse(stop.requestedAt) + stop.gracePeriodSeconds * 1000 + settings.stopSlackMs - clock.now();
}
