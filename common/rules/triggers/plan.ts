/**
 * What an event comes to in a namespace: for each of its triggers, whether it matches and why not, and the session that would
 * be made, held against framework and policy. The door that takes events acts by it, and `/validate` shows it.
 */
import { Errors } from 'typebox/schema';
import type { Framework } from '../../api/framework.ts';
import { SessionSpec } from '../../api/session.ts';
import type { SessionTrigger } from '../../api/session-trigger.ts';
import { admit } from '../admission.ts';
import { formatMoney } from '../money.ts';
import type { EffectivePolicy } from '../policy/effective.ts';
import { evaluate } from '../policy/evaluate.ts';
import { error } from '../policy/mistake.ts';
import { executes } from '../policy/restrictions.ts';
import type { Violation } from '../policy/violation.ts';
import { eventOf } from './event-of.ts';
import type { Delivery, TriggerEvent } from './event.ts';
import { fillSession } from './fill.ts';
import { matchTrigger } from './match.ts';
import type { Reason } from './match.ts';
import { hasErrors, triggerMistakes } from './mistakes.ts';
import type { TriggerMistake } from './mistakes.ts';

export interface PlanOptions {
  delivery: Delivery;
  /** The sender's id of the event. */
  deliveryId: string | undefined;
  /** Of the namespace that the credential resolved to. */
  triggers: readonly SessionTrigger[];
  /** All of the cluster. */
  frameworks: readonly Framework[];
  policy: EffectivePolicy;
  /** Of ./fill.ts, one for this event. */
  nonce: string;
}

export interface TriggerPlan {
  /** Of the SessionTrigger. */
  trigger: string;
  uid: string | undefined;
  matched: boolean;
  /** Why it does not match; empty exactly when it does. */
  reasons: Reason[];
  /** The session to make; undefined when it does not match, or has mistakes. */
  spec?: SessionSpec;
  /** Of the trigger, and of what the event makes of it. With an error nothing is made. */
  mistakes: TriggerMistake[];
  /** What the namespace's policy forbids: the API server would refuse the session. */
  violations: Violation[];
  /** USD that is reserved for it; undefined: no limit. */
  estimatedCost?: string;
  /** The policy, or the session itself, wants somebody to approve it first. */
  approvalRequired: boolean;
}

export interface DeliveryPlan {
  event: TriggerEvent;
  /** In the order of the triggers' names. */
  triggers: TriggerPlan[];
  /** Those of them that make a session. */
  starts: (TriggerPlan & { spec: SessionSpec })[];
}

/** Never throws for what a sender sends. */
export function planDelivery(options: PlanOptions): DeliveryPlan {
  const event = eventOf(options.delivery);
  const sorted = options.triggers.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const triggers = sorted.map((trigger) => planTrigger(trigger, event, options));
  return { event, triggers, starts: triggers.filter(isStart) };
}

const isStart = (plan: TriggerPlan): plan is TriggerPlan & { spec: SessionSpec } =>
  plan.spec !== undefined && plan.violations.length === 0 && !hasErrors(plan.mistakes);

function planTrigger(
  { metadata, spec }: SessionTrigger,
  event: TriggerEvent,
  { delivery, deliveryId, frameworks, policy, nonce }: PlanOptions,
): TriggerPlan {
  const { matched, reasons } = matchTrigger(spec, event);
  const base = { trigger: metadata.name, uid: metadata.uid, matched, reasons };
  const nothing = { violations: [], approvalRequired: false };
  if (!matched) return { ...base, ...nothing, mistakes: [] };
  const standing = triggerMistakes(spec, frameworks);
  if (hasErrors(standing)) return { ...base, ...nothing, mistakes: standing };
  const framework = frameworks.find(({ metadata: { name } }) => name === spec.session.framework.type);
  const { spec: session, mistakes: shown } = fillSession(spec, {
    name: metadata.name,
    event,
    payload: delivery.payload,
    delivery: deliveryId,
    nonce,
    command: framework?.spec.command,
  });
  const mistakes = [...standing, ...shown, ...sessionMistakes(session, frameworks)];
  const isExecuting = framework === undefined ? undefined : executes(framework.spec);
  const verdict = evaluate(session, policy, isExecuting);
  const { budget, approvalRequired } = verdict.session;
  return {
    ...base,
    mistakes,
    violations: verdict.violations,
    approvalRequired,
    ...(hasErrors(mistakes) ? {} : { spec: session }),
    ...(budget === undefined ? {} : { estimatedCost: formatMoney(budget) }),
  };
}

/** What schema and framework have against a session that is filled in. */
function sessionMistakes(spec: SessionSpec, frameworks: readonly Framework[]): TriggerMistake[] {
  const [isValid, errors] = Errors(SessionSpec, spec);
  if (!isValid)
    return errors.slice(0, 10).map(({ instancePath, message }) => {
      const path = `spec.session${instancePath.replaceAll('/', '.')}`;
      return error(path, `cannot be with this event: it ${message}.`);
    });
  const url = spec.source?.git?.url;
  if (url !== undefined && hasCredentials(url))
    return [error('spec.session.source.git.url', 'holds credentials in this event; leave them out.')];
  const admission = admit(spec, Buffer.byteLength(JSON.stringify(spec)), frameworks);
  return admission.accepted ? [] : [error('spec.session', `cannot be with this event: ${admission.message}`)];
}

function hasCredentials(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { username, password, protocol } = new URL(url);
  // ssh://git@host names the account that everybody has.
  return password !== '' || (username !== '' && protocol.startsWith('http'));
}
