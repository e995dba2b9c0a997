/** The status a policy shall have, from what is known of its namespace. */
import type { NamespacePolicy, NamespacePolicyStatus } from '../../../common/api/namespace-policy.ts';
import type { POLICY_CONDITIONS } from '../../../common/api/namespace-policy.ts';
import type { Condition } from '../../../common/api/kubernetes.ts';
import { usd, WARNING_PERCENT } from '../../../common/rules/budget.ts';
import type { BudgetLevel } from '../../../common/rules/budget.ts';
import { setCondition } from '../../../common/rules/conditions.ts';
import type { ConditionChange } from '../../../common/rules/conditions.ts';
import { formatMoney, parseMoney, percentOf, plus, sum, ZERO } from '../../../common/rules/money.ts';
import { policyMistakes } from '../../../common/rules/policy/config.ts';
import type { PolicyMistake } from '../../../common/rules/policy/config.ts';
import { count, formatList } from '../../../common/rules/wording.ts';
import { timestamp } from '../clock.ts';
import type { Account, Entry } from '../session/account.ts';

type PolicyCondition = (typeof POLICY_CONDITIONS)[number];
type BudgetUsage = NonNullable<NonNullable<NamespacePolicyStatus['usage']>['budget']>;

/** What the schema of status allows. */
export const CARRIED_MAX = 1000;

export interface PolicyFacts {
  account: Account;
  /** Session objects in the namespace. */
  total: number;
  /** The session with this UID is still there. */
  isThere: (uid: string) => boolean;
  now: number;
  /** Mistakes that only the cluster can tell. */
  mistakes: readonly PolicyMistake[];
  /** What of the wished is kept ready; undefined where nothing is wished. */
  warmPods?: NamespacePolicyStatus['warmPods'];
}

export function statusOf(policy: NamespacePolicy, facts: PolicyFacts): NamespacePolicyStatus {
  const { account, total, now } = facts;
  const { generation } = policy.metadata;
  const at = {
    now: timestamp(now),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
  let conditions = policy.status?.conditions as Condition<PolicyCondition>[] | undefined;
  for (const change of conditionsOf(policy, facts)) conditions = setCondition(conditions, change, at);
  const budget = budgetUsage(policy.status?.usage?.budget, facts);
  const { warmPods: _before, ...standing } = policy.status ?? {};
  return {
    ...standing,
    ...(facts.warmPods === undefined ? {} : { warmPods: facts.warmPods }),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    usage: {
      ...(budget === undefined ? {} : { budget }),
      sessions: { active: account.running, waiting: account.waiting, total },
    },
    ...(conditions === undefined ? {} : { conditions }),
  };
}

function budgetUsage(
  before: BudgetUsage | undefined,
  { account, isThere }: PolicyFacts,
): BudgetUsage | undefined {
  const { budget, month } = account;
  if (budget === undefined) return undefined;
  const kept = (before?.carriedSessions ?? []).filter(isThere);
  // Sessions that went without anybody settling them: as many as there is room for, the others with the next write.
  const fresh: Entry[] = [...account.inState('gone')].slice(0, CARRIED_MAX - kept.length);
  const carried = plus(
    month.isNew ? ZERO : (parseMoney(before?.carried ?? '') ?? ZERO),
    sum(fresh.map(({ spent }) => spent)),
  );
  return {
    currentMonth: formatMoney(budget.spent),
    lastReset: timestamp(month.start),
    percentUsed: percentOf(budget.spent, budget.monthly),
    reserved: formatMoney(budget.reserved),
    carried: formatMoney(carried),
    carriedSessions: [...kept, ...fresh.map(({ uid }) => uid)],
  };
}

function conditionsOf(
  policy: NamespacePolicy,
  { account, now, mistakes }: PolicyFacts,
): ConditionChange<PolicyCondition>[] {
  const { level, policy: effective, running } = account;
  const monthly = effective.budget === undefined ? '' : usd(effective.budget.monthly);
  const isCrowded = running > effective.maxSessions;
  return [
    configCondition([...policyMistakes(policy.spec, now), ...mistakes]),
    budgetCondition('BudgetWarning', level, level === 'warning' || level === 'exceeded', {
      isSo: `At least ${WARNING_PERCENT} % of the month's budget of ${monthly} is spent.`,
      isNot: `Less than ${WARNING_PERCENT} % of the month's budget of ${monthly} is spent.`,
    }),
    budgetCondition('BudgetExceeded', level, level === 'exceeded', {
      isSo: `The month's budget of ${monthly} is spent: sessions are stopped, and none starts before the reset.`,
      isNot: `The month's budget of ${monthly} is not spent.`,
    }),
    {
      type: 'PolicyViolation',
      status: isCrowded ? 'True' : 'False',
      reason: isCrowded ? 'TooManySessions' : 'NoViolation',
      message: isCrowded
        ? `More sessions run than the ${effective.maxSessions} that the policy allows by now; none starts until enough have ended.`
        : 'What runs is within the policy.',
    },
  ];
}

function budgetCondition(
  type: 'BudgetWarning' | 'BudgetExceeded',
  level: BudgetLevel | undefined,
  isSo: boolean,
  message: { isSo: string; isNot: string },
): ConditionChange<PolicyCondition> {
  if (level === undefined)
    return { type, status: 'False', reason: 'NoBudget', message: 'The policy sets no monthly budget.' };
  return {
    type,
    status: isSo ? 'True' : 'False',
    reason: isSo ? type : 'WithinBudget',
    message: isSo ? message.isSo : message.isNot,
  };
}

function configCondition(mistakes: readonly PolicyMistake[]): ConditionChange<PolicyCondition> {
  const errors = mistakes.filter(({ severity }) => severity === 'error');
  const said = formatList(
    mistakes.map(({ path, message }) => `${path}: ${message}`),
    20,
  );
  if (errors.length > 0)
    return {
      type: 'ConfigValid',
      status: 'False',
      reason: 'InvalidConfiguration',
      message: `${count(errors.length, 'mistake')}. ${said}`,
    };
  return {
    type: 'ConfigValid',
    status: 'True',
    reason: mistakes.length === 0 ? 'Valid' : 'ValidWithWarnings',
    message: mistakes.length === 0 ? 'The policy is in effect.' : said,
  };
}
