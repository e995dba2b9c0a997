import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { NamespacePolicySpec } from '../../../../../common/api/namespace-policy.ts';
import type { SessionSpec } from '../../../../../common/api/session.ts';
import { effectivePolicy } from '../../../../../common/rules/policy/effective.ts';
import { allowsName, narrowedPolicy } from '../../../../../common/rules/policy/narrow.ts';

const globs = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '*'), minLength: 1, maxLength: 4 }), {
  maxLength: 3,
});
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const usd = fc
  .integer({ min: 0, max: 9999 })
  .map((cents) => `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`);

const policies = fc
  .record({
    allowed: optional(globs),
    blocked: optional(globs),
    monthly: optional(usd),
    required: fc.boolean(),
  })
  .map(({ allowed, blocked, monthly, required }) => ({
    models: {
      ...(allowed && { allowed }),
      ...(blocked && { blocked }),
      ...(monthly && { budget: { monthly } }),
    },
    tools: { ...(allowed && { allowed }), ...(blocked && { blocked }) },
    approval: { required },
  })) as fc.Arbitrary<NamespacePolicySpec>;

const specs = fc
  .record({
    allowed: optional(globs),
    blocked: optional(globs),
    budget: optional(usd),
    approvalRequired: optional(fc.boolean()),
  })
  .map(({ allowed, blocked, budget, approvalRequired }) => ({
    framework: { type: 'generic' },
    policy: {
      modelConstraints: { ...(allowed && { allowed }), ...(budget && { budget }) },
      toolConstraints: { ...(allowed && { allowed }), ...(blocked && { blocked }) },
      ...(approvalRequired !== undefined && { approvalRequired }),
    },
  })) as fc.Arbitrary<SessionSpec>;

describe('the policy of a session', () => {
  it("only ever narrows its namespace's", () => {
    const nothing: SessionSpec = { framework: { type: 'generic' } };
    fc.assert(
      fc.property(
        policies,
        specs,
        fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 5 }),
        (policy, spec, name) => {
          const outer = effectivePolicy(policy);
          const wide = narrowedPolicy(nothing, outer);
          const own = narrowedPolicy(spec, outer);
          for (const kind of ['models', 'tools'] as const)
            if (allowsName(own[kind], name)) assert.ok(allowsName(wide[kind], name), `${kind} ${name}`);
          if (wide.approvalRequired) assert.ok(own.approvalRequired);
          if (outer.budget !== undefined)
            assert.ok(own.budget !== undefined && own.budget <= outer.budget.monthly);
        },
      ),
      { numRuns: 3000 },
    );
  });
});
