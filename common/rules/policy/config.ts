/** Mistakes in a policy that the schema cannot see: what contradicts itself, and what can never have an effect. */
import type { NamespacePolicySpec } from '../../api/namespace-policy.ts';
import { parseMoney } from '../money.ts';

export interface PolicyMistake {
  /** In the NamespacePolicy, as `spec.models.budget.perSession`. */
  path: string;
  message: string;
  severity: 'error' | 'warning';
}

export function policyMistakes(spec: NamespacePolicySpec): PolicyMistake[] {
  const { models, tools } = spec;
  return [
    ...budgetMistakes(models?.budget),
    ...bothMistakes('spec.models', models?.allowed, models?.blocked),
    ...bothMistakes('spec.tools', tools?.allowed, tools?.blocked),
  ];
}

type BudgetSpec = NonNullable<NamespacePolicySpec['models']>['budget'];

function budgetMistakes(budget: BudgetSpec): PolicyMistake[] {
  if (budget?.perSession === undefined) return [];
  const monthly = parseMoney(budget.monthly);
  const perSession = parseMoney(budget.perSession);
  if (monthly === undefined || perSession === undefined || perSession <= monthly) return [];
  return [
    {
      path: 'spec.models.budget.perSession',
      message: `A session may spend ${budget.perSession}, which is more than the ${budget.monthly} of a whole month.`,
      severity: 'error',
    },
  ];
}

function bothMistakes(
  path: string,
  allowed: readonly string[] | undefined,
  blocked: readonly string[] | undefined,
): PolicyMistake[] {
  const both = (allowed ?? []).filter((name) => blocked?.includes(name));
  return both.map((name) => ({
    path: `${path}.allowed`,
    message: `${JSON.stringify(name)} is both allowed and blocked; it is blocked.`,
    severity: 'error',
  }));
}
