/** Step: somebody asked for the end. Before there is a Job that is all; afterwards observe gives the runner its time. */
import { stopped } from '../../../common/rules/outcome.ts';
import type { Look, StepResult } from './step.ts';

export function stopBeforeStart(look: Look): StepResult {
  const { session, uid, draft, controller } = look;
  const stop = session.status?.stop;
  const hasJob =
    look.job !== undefined ||
    session.status?.workload?.jobName !== undefined ||
    controller.memory.of(uid).jobVersion !== undefined;
  if (stop === undefined || hasJob) return 'continue';
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
