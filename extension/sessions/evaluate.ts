/** What a namespace's policy forbids of that for which the launch form asks: model, tools and budget. Pure. */
import type { SessionSpec } from '../../common/api/session.ts';
import { formatMoney, parseMoney } from '../../common/rules/money.ts';
import type { EffectivePolicy } from '../../common/rules/policy/effective.ts';
import { allowsName, narrowedPolicy } from '../../common/rules/policy/narrow.ts';
import type { SessionPolicy } from '../../common/rules/policy/narrow.ts';
import { formatList } from '../../common/rules/wording.ts';

export interface Violation {
  /** Path in the NamespacePolicy. */
  rule: string;
  /** Path in the Session. */
  field: string;
  value: string;
  allowed: string[];
  /** All of it in one sentence. */
  message: string;
}

export interface Verdict {
  violations: Violation[];
  session: SessionPolicy;
}

export function evaluate(spec: SessionSpec, policy: EffectivePolicy): Verdict {
  const session = narrowedPolicy(spec, policy);
  const { model, tools } = spec.framework.config ?? {};
  return {
    violations: [
      ...name('models', 'spec.framework.config.model', model, session, policy),
      ...(Array.isArray(tools) ? tools : []).flatMap((tool, index) =>
        name('tools', `spec.framework.config.tools[${index}]`, tool, session, policy),
      ),
      ...budget(spec.policy?.modelConstraints?.budget, policy),
    ],
    session,
  };
}

function name(
  kind: 'models' | 'tools',
  field: string,
  value: unknown,
  session: SessionPolicy,
  policy: EffectivePolicy,
): Violation[] {
  if (typeof value !== 'string' || allowsName(session[kind], value)) return [];
  const { allowed, blocked } = policy[kind];
  const open = [...(allowed ?? ['*'])];
  const but = blocked.length === 0 ? '' : `, but not ${formatList(blocked, 5)}`;
  return [
    {
      rule: `spec.${kind}`,
      field,
      value,
      allowed: open,
      message: `The policy of the namespace does not allow ${value} (spec.${kind}). Allowed: ${formatList(open, 5)}${but}.`,
    },
  ];
}

function budget(text: string | undefined, { budget: rules }: EffectivePolicy): Violation[] {
  const amount = text === undefined ? undefined : parseMoney(text);
  if (text === undefined || amount === undefined || rules === undefined || amount <= rules.monthly) return [];
  const most = formatMoney(rules.monthly);
  return [
    {
      rule: 'spec.models.budget.monthly',
      field: 'spec.policy.modelConstraints.budget',
      value: text,
      allowed: [`at most ${most}`],
      message: `$${text} is more than the namespace may spend in a month (spec.models.budget.monthly). Allowed: at most $${most}.`,
    },
  ];
}
