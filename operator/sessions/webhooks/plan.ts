/**
 * Which sessions a delivery asks for. The SessionTriggers of the namespace decide it; a sender with a key of its own may also say
 * it itself, by a `framework` in the body.
 */
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { isSeen, SEEN_MESSAGE } from '../../../common/api/display-name.ts';
import type { Framework } from '../../../common/api/framework.ts';
import {
  DEFAULT_GRACE_SECONDS,
  DEFAULT_TIMEOUT_SECONDS,
  SESSION_LIMITS,
  SessionSpec,
} from '../../../common/api/session.ts';
import type { SessionTrigger } from '../../../common/api/session-trigger.ts';
import { AmbientError } from '../../../common/errors.ts';
import type { ObjectStore } from '../../../common/kube/object-store.ts';
import { originOf } from '../../../common/rules/triggers/origin.ts';
import type { Origin } from '../../../common/rules/triggers/origin.ts';
import type { TriggerMistake } from '../../../common/rules/triggers/mistakes.ts';
import { planDelivery } from '../../../common/rules/triggers/plan.ts';
import { at } from '../../../common/rules/triggers/read.ts';
import type { WebhookSource } from '../../../common/api/session.ts';
import type { Headers } from '../../../common/rules/webhooks/delivery.ts';
import type { Policies } from '../policies.ts';
import { problemsOf } from '../validate.ts';

export interface PlanInput {
  namespace: string;
  source: WebhookSource;
  headers: Headers;
  /** Hostile, whoever signed it. */
  payload: unknown;
  /** By which the source names it. */
  deliveryId: string | undefined;
  /** The sender could have said itself what to start. */
  mayAsk: boolean;
}

export interface PlannedSession {
  /** Name of the SessionTrigger; '' for what the sender itself asks for. Part of what makes the session's name. */
  trigger: string;
  /** Without what the operator says of the delivery. */
  spec: SessionSpec;
}

export interface Plan {
  sessions: PlannedSession[];
  /** Why which trigger starts nothing, in sentences. */
  reasons: string[];
  /** What a trigger's author should know. */
  warnings: string[];
}

export type Planner = (input: PlanInput) => Plan;

export interface TriggerPlannerOptions {
  triggers: Pick<ObjectStore<SessionTrigger>, 'list'>;
  frameworks: Pick<ObjectStore<Framework>, 'list'>;
  policies: Pick<Policies, 'of'>;
  /** Names the tags around what comes from outside: what nobody can know before. */
  nonce: () => string;
}

export const triggerPlanner =
  ({ triggers, frameworks, policies, nonce }: TriggerPlannerOptions): Planner =>
  ({ namespace, source, headers, payload, deliveryId, mayAsk }) => {
    const { triggers: plans, event } = planDelivery({
      delivery: { source, headers, payload },
      deliveryId,
      // Those of other sources have nothing to say about it.
      triggers: triggers.list(namespace).filter(({ spec }) => spec.source === source),
      frameworks: frameworks.list(),
      policy: policies.of(namespace),
      nonce: nonce(),
    });
    const sessions: PlannedSession[] = [];
    const reasons: string[] = [];
    const warnings: string[] = [];
    for (const { trigger, matched, reasons: against, mistakes, spec } of plans) {
      const said = (lines: readonly TriggerMistake[]): string[] =>
        lines.map(({ path, message }) => `${trigger}: ${path} ${message}`);
      if (!matched) reasons.push(...against.map(({ message }) => `${trigger}: ${message}`));
      else if (spec === undefined)
        reasons.push(...said(mistakes.filter(({ severity }) => severity === 'error')));
      else {
        sessions.push({ trigger, spec: withOrigin(spec, originOf(event)) });
        warnings.push(...said(mistakes));
      }
    }
    if (plans.length === 0)
      reasons.push(
        `The namespace has no SessionTrigger of source ${source}, so none of its events starts a session.`,
        ...(mayAsk ? ['With this key the body may say itself what to start, in its field framework.'] : []),
      );
    return { sessions, reasons: reasons.slice(0, REASONS_MAX), warnings: warnings.slice(0, REASONS_MAX) };
  };

const withOrigin = (spec: SessionSpec, origin: Origin | undefined): SessionSpec =>
  origin === undefined || spec.trigger === undefined
    ? spec
    : { ...spec, trigger: { ...spec.trigger, origin } };

/** Of hundreds of triggers nobody reads more. */
const REASONS_MAX = 50;

const { framework, displayName, source, policy } = SessionSpec.properties;
const limits = Type.Optional(Type.Partial(Type.Object(SESSION_LIMITS)));
const Direct = Compile(Type.Object({ framework, displayName, source, policy, limits }));
const LIMITS = { timeoutSeconds: DEFAULT_TIMEOUT_SECONDS, gracePeriodSeconds: DEFAULT_GRACE_SECONDS };

/** Undefined for a body that names no framework. Throws invalid_payload for one that does and is wrong otherwise. */
export function directPlan(payload: unknown): PlannedSession | undefined {
  if ((at(payload, 'framework') ?? null) === null) return undefined;
  const fields = ['framework', 'displayName', 'source', 'policy', 'limits'];
  // The name may stand where the REST API's own request for a session has it.
  const name = at(payload, 'displayName') ?? at(payload, 'metadata', 'displayName');
  const asked = Object.fromEntries(
    fields.flatMap((field): [string, unknown][] => {
      const value = field === 'displayName' ? name : at(payload, field);
      return value === undefined ? [] : [[field, value]];
    }),
  );
  if (!Direct.Check(asked))
    throw new AmbientError('invalid_payload', `the body ${problemsOf(Direct, asked)}`);
  if (asked.displayName !== undefined && !isSeen(asked.displayName))
    throw new AmbientError('invalid_payload', `displayName ${SEEN_MESSAGE}`);
  if (asked.source?.type === 'upload')
    throw new AmbientError('invalid_payload', 'source.type is upload, which nobody can send here: use git');
  const { limits: own, ...spec } = asked;
  return { trigger: '', spec: { ...spec, ...(own === undefined ? {} : { limits: { ...LIMITS, ...own } }) } };
}
