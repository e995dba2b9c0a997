/** What is wrong in a policy although each field is as the schema wants it. */
import type { NamespacePolicySpec } from '../../common/api/namespace-policy.ts';

export interface PolicyMistake {
  /** Below spec. */
  path: readonly (string | number)[];
  message: string;
}

/** The operator names more of them in the condition ConfigValid. */
export function policyMistakes({ models, tools }: NamespacePolicySpec): PolicyMistake[] {
  const mistakes: PolicyMistake[] = [];
  for (const [name, rules] of [
    ['models', models],
    ['tools', tools],
  ] as const)
    for (const [index, glob] of (rules?.allowed ?? []).entries())
      if (rules?.blocked?.includes(glob) === true)
        mistakes.push({
          path: [name, 'allowed', index],
          message: `${glob} is blocked too, and blocked wins: it is not allowed.`,
        });
  return mistakes;
}
