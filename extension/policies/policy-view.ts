/** What the policy page shows of a namespace's policy, or of the defaults where there is none. Pure: the time is an argument. */
import type { NamespacePolicy, NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import type {
  ConditionRow,
  DeadLetterRow,
  Fact,
  MeterView,
  PolicyView,
  RestrictionRow,
} from '../../common/api/panels.ts';
import { budgetMonth } from '../../common/rules/budget-month.ts';
import { findCondition } from '../../common/rules/conditions.ts';
import { formatMoney, minus, parseMoney, percentOf, plus, ZERO } from '../../common/rules/money.ts';
import type { Money } from '../../common/rules/money.ts';
import { effectivePolicy } from '../../common/rules/policy/effective.ts';
import type { EffectivePolicy } from '../../common/rules/policy/effective.ts';
import { count } from '../../common/rules/wording.ts';
import { approversText } from '../sessions/approval.ts';
import { keyRows } from './webhook-keys.ts';
import type { KeyRow } from './webhook-keys.ts';

const WARNING_PERCENT = 80;

export function policyView(namespace: string, policy: NamespacePolicy | undefined, now: number): PolicyView {
  const effective = effectivePolicy(policy?.spec);
  const budget = budgetView(policy, effective, now);
  const valid = findCondition(policy?.status?.conditions, 'ConfigValid');
  return {
    namespace,
    exists: policy !== undefined,
    mistakes: valid?.status === 'False' ? linesOf(valid.message) : [],
    ...(budget === undefined ? {} : { budget }),
    concurrency: concurrencyView(policy, effective),
    frameworks: namesView(effective.frameworks),
    models: namesView(effective.models),
    tools: namesView(effective.tools),
    restrictions: restrictionRows(effective),
    approval: approvalFacts(policy?.spec, effective),
    retention: retentionFacts(effective),
    notifications: notificationFacts(policy),
    deadLetters: deadLetters(policy),
    webhooks: webhookFacts(policy, now),
    conditions: conditionRows(policy),
  };
}

const linesOf = (message: string): string[] =>
  message
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

const money = (amount: Money): string => `$${formatMoney(amount)}`;
const amountOf = (text: string | undefined): Money => parseMoney(text ?? '') ?? ZERO;

function budgetView(
  policy: NamespacePolicy | undefined,
  { budget }: EffectivePolicy,
  now: number,
): PolicyView['budget'] {
  if (budget === undefined) return undefined;
  const usage = policy?.status?.usage?.budget;
  const { end } = budgetMonth(now, budget.resetDay, usage?.lastReset);
  const spent = amountOf(usage?.currentMonth);
  const reserved = amountOf(usage?.reserved);
  const percent = percentOf(spent, budget.monthly);
  const isOver = spent >= budget.monthly;
  const isNear = percent >= WARNING_PERCENT;
  return {
    meter: {
      label: 'Budget of this month',
      percent,
      heldPercent: percentOf(reserved, budget.monthly),
      text: `${money(spent)} of ${money(budget.monthly)} spent (${percent} %)`,
      tone: isOver ? 'bad' : isNear ? 'warning' : 'good',
    },
    ...(isOver
      ? { notice: 'The budget is spent: no session starts until the next month or until it is raised.' }
      : isNear
        ? { notice: `More than ${WARNING_PERCENT} % of the budget is spent.` }
        : {}),
    facts: facts([
      ['Spent', money(spent)],
      ['Reserved for sessions that run', money(reserved)],
      ['Free', money(minus(budget.monthly, plus(spent, reserved)))],
      ['A session may spend', money(budget.perSession)],
      ['Since', usage?.lastReset, 'time'],
      ['Next reset', new Date(end).toISOString(), 'time'],
    ]),
  };
}

function concurrencyView(
  policy: NamespacePolicy | undefined,
  { maxSessions }: EffectivePolicy,
): PolicyView['concurrency'] {
  const { active, waiting = 0, total } = policy?.status?.usage?.sessions ?? {};
  const meter: MeterView | undefined =
    active === undefined
      ? undefined
      : {
          label: 'Sessions that run at once',
          percent: maxSessions === 0 ? 100 : Math.floor((active * 100) / maxSessions),
          text: `${active} of ${maxSessions} run, ${waiting} wait`,
          tone: active < maxSessions ? 'good' : 'warning',
        };
  return {
    ...(meter === undefined ? {} : { meter }),
    facts: facts([
      ['At most', maxSessions === 0 ? 'none: no session may run' : `${maxSessions} at once`],
      ['Sessions in all', total === undefined ? undefined : String(total)],
      ['Pods kept ready', keptText(policy?.status?.warmPods)],
    ]),
  };
}

const keptText = (kept: NonNullable<NamespacePolicy['status']>['warmPods']): string | undefined =>
  kept
    ?.map(({ framework, version, wanted, ready, message }) => {
      const what = version === undefined ? framework : `${framework} ${version}`;
      return `${ready} of ${wanted} of ${what}${message === undefined ? '' : ` (${message})`}`;
    })
    .join('; ');

const namesView = ({ allowed, blocked }: EffectivePolicy['models']): PolicyView['models'] => ({
  ...(allowed === undefined ? {} : { allowed: [...allowed] }),
  blocked: [...blocked],
});

const restrictionRows = ({ restrictions, egress, runtimeClasses }: EffectivePolicy): RestrictionRow[] => [
  {
    label: 'Network',
    isRestricted: restrictions.network || egress !== undefined,
    text: networkText(restrictions.network ? [] : egress),
  },
  {
    label: 'Files',
    isRestricted: restrictions.fileSystem,
    text: restrictions.fileSystem ? 'writes only below the workspace' : 'the whole container',
  },
  {
    label: 'Execution',
    isRestricted: restrictions.execution,
    text: restrictions.execution ? 'the agent runs no commands' : 'the agent may run commands',
  },
  {
    label: 'Runtime',
    isRestricted: runtimeClasses.default !== undefined,
    text: runtimeText(runtimeClasses),
  },
];

function networkText(egress: EffectivePolicy['egress']): string {
  if (egress === undefined) return 'as the cluster allows';
  return egress.length === 0
    ? 'nothing but what the operator provides'
    : `what the operator provides, and ${egress.map(({ cidr }) => cidr).join(', ')}`;
}

function runtimeText({ default: standard, allowed }: EffectivePolicy['runtimeClasses']): string {
  const others = allowed.filter((name) => name !== standard);
  const may = others.length === 0 ? '' : `; sessions may name ${others.join(', ')}`;
  return `${standard ?? "the nodes' own"}${may}`;
}

function approvalFacts(spec: NamespacePolicySpec | undefined, { approval }: EffectivePolicy): Fact[] {
  const { triggers, budget } = approval.autoApprove;
  const auto = [
    triggers.length === 0 ? '' : `launched by ${triggers.join(', ')}`,
    budget === undefined ? '' : `up to ${money(budget)}`,
  ].filter(Boolean);
  return facts([
    ['Needed', approval.required ? 'for every session' : 'only for sessions that ask for it themselves'],
    ['Approved by', approversText(spec?.approval)],
    ['By itself', auto.length === 0 ? undefined : auto.join(', ')],
  ]);
}

const UNITS: Readonly<Record<string, string>> = { d: 'day', w: 'week', m: 'month', y: 'year' };

/** `90 days`; as it stands where it is no period. */
function periodText(period: string): string {
  const [, number = '', unit = ''] = /^(\d+)([dwmy])$/.exec(period) ?? [];
  const word = UNITS[unit];
  return word === undefined ? period : `${number} ${word}${number === '1' ? '' : 's'}`;
}

const retentionFacts = ({ retention }: EffectivePolicy): Fact[] =>
  facts([
    ['Finished sessions', periodText(retention.sessions)],
    ['Logs and artifacts', periodText(retention.artifacts)],
    ['Audit records', periodText(retention.auditLogs)],
  ]);

function notificationFacts(policy: NamespacePolicy | undefined): Fact[] {
  const { webhooks = [], email } = policy?.spec.notifications ?? {};
  const status = policy?.status?.notifications;
  return facts([
    ...webhooks.map(({ url, events }): Row => ['Webhook', `${hostOf(url)}: ${events.join(', ')}`]),
    [
      'Email',
      email?.enabled === true
        ? `${(email.recipients ?? []).join(', ')}: ${(email.events ?? []).join(', ')}`
        : undefined,
    ],
    ['On their way', status === undefined ? undefined : String(status.pending)],
    ['Given up', status === undefined ? undefined : String(status.failed)],
  ]);
}

/** A path or query may hold a secret. */
const hostOf = (url: string): string => URL.parse(url)?.origin ?? 'not a URL';

const deadLetters = (policy: NamespacePolicy | undefined): DeadLetterRow[] =>
  (policy?.status?.notifications?.deadLetters ?? []).map(({ event, target, session, at, reason }) => ({
    event,
    target,
    session: session ?? '',
    at,
    reason,
  }));

function webhookFacts(policy: NamespacePolicy | undefined, now: number): Fact[] {
  const { rateLimit } = policy?.spec.webhookAuth ?? {};
  const bySource = Object.entries(Object.groupBy(keyRows(policy, now), ({ source }) => source));
  return facts([
    ['Keys for', bySource.map(([source, rows = []]) => `${source} (${keysText(rows)})`).join(', ')],
    [
      'At most',
      rateLimit === undefined
        ? undefined
        : `${rateLimit.requestsPerMinute ?? 10} requests a minute, ${rateLimit.burstSize ?? 20} at once`,
    ],
  ]);
}

/** An expired key lets nothing in, though it stands in the policy. */
function keysText(rows: readonly KeyRow[]): string {
  const expired = rows.filter(({ isExpired }) => isExpired).length;
  const all = count(rows.length, 'key');
  if (expired === 0) return all;
  if (expired < rows.length) return `${all}, ${expired} expired`;
  return `${all}, ${expired === 1 ? 'expired' : 'all expired'}`;
}

/** True is bad for all of them but ConfigValid. */
const conditionRows = (policy: NamespacePolicy | undefined): ConditionRow[] =>
  (policy?.status?.conditions ?? []).map(({ type, status, reason, message, lastTransitionTime }) => ({
    type,
    status,
    good: (status === 'True') === (type === 'ConfigValid'),
    reason,
    message,
    at: lastTransitionTime,
  }));

type Row = [label: string, value: string | undefined, kind?: Fact['kind']];

const facts = (rows: readonly Row[]): Fact[] =>
  rows.flatMap(([label, value, kind]) =>
    value === undefined || value === '' ? [] : [{ label, value, ...(kind === undefined ? {} : { kind }) }],
  );
