/** What is wrong in a policy although each field is as the schema wants it. The one place that asks for it. */
import type { NamespacePolicySpec } from '../../common/api/namespace-policy.ts';

export interface PolicyMistake {
  /** In the NamespacePolicy, as `spec.models.allowed[1]`. */
  path: string;
  message: string;
  severity: 'error' | 'warning';
}

export function policyMistakes({ models, tools }: NamespacePolicySpec): PolicyMistake[] {
  const mistakes: PolicyMistake[] = [];
  for (const [name, rules] of [
    ['models', models],
    ['tools', tools],
  ] as const)
    for (const [index, glob] of (rules?.allowed ?? []).entries())
      if (rules?.blocked?.includes(glob) === true)
        mistakes.push({
          path: `spec.${name}.allowed[${index}]`,
          message: `"${glob}" is allowed and blocked; blocked wins. Remove one of the two.`,
          severity: 'error',
        });
  return mistakes;
}
