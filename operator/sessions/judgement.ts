/** What a namespace's policy has against a session: asked, refused and recorded in the same way by everybody who launches one. */
import type { Framework } from '../../common/api/framework.ts';
import type { SessionSpec } from '../../common/api/session.ts';
import { AmbientError } from '../../common/errors.ts';
import type { EffectivePolicy } from '../../common/rules/policy/effective.ts';
import { evaluate } from '../../common/rules/policy/evaluate.ts';
import { executes } from '../../common/rules/policy/restrictions.ts';
import { violationsText } from '../../common/rules/policy/violation.ts';
import type { Violation } from '../../common/rules/policy/violation.ts';

/** @param framework undefined where there is none of this name: whether it executes commands is not known */
export const judge = (
  spec: SessionSpec,
  policy: EffectivePolicy,
  framework: Framework | undefined,
): ReturnType<typeof evaluate> =>
  evaluate(spec, policy, framework === undefined ? undefined : executes(framework.spec));

export const violated = (violations: readonly Violation[]): AmbientError =>
  new AmbientError('policy_violation', violationsText(violations), { details: { violations } });

/** For the audit record of a refusal: what is allowed stands in the policy. */
export const violationDetails = (violations: readonly Violation[]) => ({
  reason: 'PolicyViolation',
  violations: violations.map(({ rule, field, value }) => ({ rule, field, value })),
});
