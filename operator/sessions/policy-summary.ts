/** What holds in a namespace, in short, for lists. */
import type { NamespaceEntry } from '../../common/api/rest/session.ts';
import { formatMoney } from '../../common/rules/money.ts';
import type { Policies } from './policies.ts';

export function policySummaryOf(policies: Policies, namespace: string): NamespaceEntry['policy'] {
  const object = policies.object(namespace);
  const { models, tools, budget, approval, maxSessions } = policies.of(namespace);
  const { currentMonth, percentUsed } = object?.status?.usage?.budget ?? {};
  return {
    ...(object === undefined ? {} : { name: object.metadata.name }),
    models: rulesOf(models),
    tools: rulesOf(tools),
    ...(budget === undefined
      ? {}
      : {
          budget: {
            monthly: formatMoney(budget.monthly),
            ...(currentMonth === undefined ? {} : { currentMonth }),
            ...(percentUsed === undefined ? {} : { percentUsed }),
          },
        }),
    approvalRequired: approval.required,
    maxSessions,
  };
}

const rulesOf = ({
  allowed,
  blocked,
}: {
  allowed: readonly string[] | undefined;
  blocked: readonly string[];
}) => ({
  ...(allowed === undefined ? {} : { allowed: [...allowed] }),
  blocked: [...blocked],
});
