/** What one session may do: its namespace's policy, narrowed by its own. Nothing a session says can widen it. */
import type { SessionSpec } from '../../api/session.ts';
import { parseMoney, smaller } from '../money.ts';
import type { Money } from '../money.ts';
import type { EffectivePolicy, NameRules, Restrictions } from './effective.ts';
import { matchesAny } from './glob.ts';

/** A name is allowed when every list has a glob for it and none is blocked. */
export interface NarrowedNames {
  allowed: readonly (readonly string[])[];
  blocked: readonly string[];
}

export interface SessionPolicy {
  models: NarrowedNames;
  tools: NarrowedNames;
  restrictions: Restrictions;
  /** Undefined: the nodes' own runtime. */
  runtimeClass: string | undefined;
  /** What the session may spend in all; undefined: no limit. */
  budget: Money | undefined;
  approvalRequired: boolean;
}

export function narrowedPolicy(spec: SessionSpec, policy: EffectivePolicy): SessionPolicy {
  const { modelConstraints, toolConstraints, approvalRequired } = spec.policy ?? {};
  return {
    models: narrow(policy.models, modelConstraints?.allowed, undefined),
    tools: narrow(policy.tools, toolConstraints?.allowed, toolConstraints?.blocked),
    restrictions: policy.restrictions,
    runtimeClass: spec.runtimeClassName ?? policy.runtimeClasses.default,
    budget: budgetOf(modelConstraints?.budget, policy),
    approvalRequired: policy.approval.required || approvalRequired === true,
  };
}

export const allowsName = ({ allowed, blocked }: NarrowedNames, name: string): boolean =>
  allowed.every((globs) => matchesAny(globs, name)) && !matchesAny(blocked, name);

const narrow = (
  outer: NameRules,
  allowed: readonly string[] | undefined,
  blocked: readonly string[] | undefined,
): NarrowedNames => ({
  allowed: [outer.allowed, allowed].filter((list) => list !== undefined),
  blocked: [...outer.blocked, ...(blocked ?? [])],
});

function budgetOf(text: string | undefined, { budget }: EffectivePolicy): Money | undefined {
  const own = text === undefined ? undefined : parseMoney(text);
  if (budget === undefined) return own;
  // More than the namespace has in a month is refused by the evaluator; here it can at least do no harm.
  return own === undefined ? budget.perSession : smaller(own, budget.monthly);
}
