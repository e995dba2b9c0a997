/**
 * Which sessions a delivery asks for. Rules of a namespace decide it; a sender with a key of its own may also say it itself, by a
 * `framework` in the body.
 */
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { SessionSpec } from '../../../common/api/session.ts';
import { AmbientError } from '../../../common/errors.ts';
import { fieldAt } from '../../../common/rules/webhooks/delivery.ts';
import type { WebhookSource } from '../../../common/api/session.ts';
import type { Headers } from '../../../common/rules/webhooks/delivery.ts';
import { problemsOf } from '../validate.ts';

export interface PlanInput {
  namespace: string;
  source: WebhookSource;
  event: string | undefined;
  headers: Headers;
  /** Hostile, whoever signed it. */
  payload: unknown;
}

export interface PlannedSession {
  /** Name of the rule; '' for what the sender itself asks for. Part of what makes the session's name. */
  trigger: string;
  /** Without what the operator says of the delivery. */
  spec: SessionSpec;
}

export interface Plan {
  sessions: PlannedSession[];
  /** Why which rule starts nothing, in sentences. */
  reasons: string[];
  /** What a rule's author should know. */
  warnings: string[];
}

export type Planner = (input: PlanInput) => Plan;

/** No rules: nothing but what senders ask for themselves. */
export const withoutRules: Planner = () => ({
  sessions: [],
  reasons: ['The namespace has no rule that starts a session.'],
  warnings: [],
});

const { framework, displayName, source, policy, limits } = SessionSpec.properties;
const Direct = Compile(Type.Object({ framework, displayName, source, policy, limits }));

/** Undefined for a body that names no framework. Throws invalid_payload for one that does and is wrong otherwise. */
export function directPlan(payload: unknown): PlannedSession | undefined {
  if (typeof fieldAt(fieldAt(payload, 'framework'), 'type') !== 'string') return undefined;
  const fields = ['framework', 'displayName', 'source', 'policy', 'limits'];
  const asked = Object.fromEntries(
    fields.flatMap((name) => {
      const value = fieldAt(payload, name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  if (!Direct.Check(asked))
    throw new AmbientError('invalid_payload', `the body ${problemsOf(Direct, asked)}`);
  if (asked.source?.type === 'upload')
    throw new AmbientError('invalid_payload', 'source.type is upload, which nobody can send here: use git');
  return { trigger: '', spec: asked };
}
