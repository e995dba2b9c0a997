/** The status a trigger shall have: whether it can do what it says, and what it has made. */
import type { Condition } from '../../../common/api/kubernetes.ts';
import type { Framework } from '../../../common/api/framework.ts';
import { isTerminal } from '../../../common/api/session.ts';
import type { Session } from '../../../common/api/session.ts';
import type {
  SessionTrigger,
  SessionTriggerStatus,
  TRIGGER_CONDITIONS,
} from '../../../common/api/session-trigger.ts';
import { setCondition } from '../../../common/rules/conditions.ts';
import type { ConditionChange } from '../../../common/rules/conditions.ts';
import { mistakesText, triggerMistakes } from '../../../common/rules/triggers/mistakes.ts';
import { count } from '../../../common/rules/wording.ts';
import { timestamp } from '../clock.ts';

type TriggerCondition = (typeof TRIGGER_CONDITIONS)[number];

export interface TriggerFacts {
  frameworks: readonly Framework[];
  /** That it has made and that are there. */
  sessions: readonly Session[];
  now: number;
}

export function statusOf(
  trigger: SessionTrigger,
  { frameworks, sessions, now }: TriggerFacts,
): SessionTriggerStatus {
  const { generation } = trigger.metadata;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const before = trigger.status?.conditions as Condition<TriggerCondition>[] | undefined;
  const change = validCondition(trigger, frameworks);
  const lastMatched = newest(trigger.status?.lastMatched, sessions);
  return {
    ...observed,
    ...(lastMatched === undefined ? {} : { lastMatched }),
    sessions: {
      active: sessions.filter(({ status }) => !isTerminal(status?.phase)).length,
      total: sessions.length,
    },
    conditions: setCondition(before, change, { now: timestamp(now), ...observed }),
  };
}

type LastMatched = NonNullable<SessionTriggerStatus['lastMatched']>;

/** What retention took away is remembered. */
function newest(before: LastMatched | undefined, sessions: readonly Session[]): LastMatched | undefined {
  let found = before;
  for (const { metadata, spec } of sessions) {
    const { creationTimestamp: time, name } = metadata;
    if (time === undefined || (found !== undefined && (time < found.time || isSame(found, time, name))))
      continue;
    // Of those of one second, the last by name, so that it is the same for whoever looks.
    if (found?.time === time && name < found.session) continue;
    const delivery = spec.trigger?.delivery;
    found = { time, session: name, ...(delivery === undefined ? {} : { delivery }) };
  }
  return found;
}

const isSame = (found: LastMatched, time: string, name: string): boolean =>
  found.time === time && found.session === name;

function validCondition(
  { spec }: SessionTrigger,
  frameworks: readonly Framework[],
): ConditionChange<TriggerCondition> {
  const mistakes = triggerMistakes(spec, frameworks);
  const errors = mistakes.filter(({ severity }) => severity === 'error').length;
  if (errors > 0)
    return {
      type: 'Valid',
      status: 'False',
      reason: 'InvalidConfiguration',
      message: `${count(errors, 'mistake')}; it starts nothing. ${mistakesText(mistakes)}`,
    };
  if (mistakes.length > 0)
    return { type: 'Valid', status: 'True', reason: 'ValidWithWarnings', message: mistakesText(mistakes) };
  const message = spec.enabled === false ? 'The trigger is switched off.' : 'The trigger is in effect.';
  return { type: 'Valid', status: 'True', reason: 'Valid', message };
}
