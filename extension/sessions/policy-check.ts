/**
 * What the namespace's policy says to a launch that is being written: what it forbids, and what it costs and waits for.
 * Brings schemas along: `await import` it. The API server has the last word.
 */
import type { SessionResult, SessionSpec } from '../../common/api/session.ts';
import { approvalNeed } from '../../common/rules/approval.ts';
import { formatMoney, minus, parseMoney, plus, ZERO } from '../../common/rules/money.ts';
import type { Money } from '../../common/rules/money.ts';
import { effectivePolicy } from '../../common/rules/policy/effective.ts';
import type { EffectivePolicy } from '../../common/rules/policy/effective.ts';
import { evaluate } from '../../common/rules/policy/evaluate.ts';
import type { Violation } from '../../common/rules/policy/violation.ts';
import type { PolicyKnowledge } from '../policies/policies.ts';
import { approversText } from './approval.ts';

const FRAMEWORK_FIELD = 'spec.framework.type';
const BUDGET_FIELD = 'spec.policy.modelConstraints.budget';
const RUNTIME_FIELD = 'spec.runtimeClassName';

type GitSource = NonNullable<NonNullable<SessionSpec['source']>['git']>;

/** What a launch is told by the policy of its namespace, as of when it was read. */
export class LaunchPolicy {
  readonly #knowledge: PolicyKnowledge;
  readonly #policy: EffectivePolicy;

  constructor(knowledge: PolicyKnowledge) {
    this.#knowledge = knowledge;
    this.#policy = effectivePolicy(knowledge.known === 'policy' ? knowledge.policy.spec : undefined);
  }

  /** What a session may spend that names no budget itself; undefined: as much as it likes. */
  get sessionBudget(): string | undefined {
    const { budget: rules } = this.#policy;
    return rules === undefined ? undefined : formatMoney(rules.perSession);
  }

  /** The RuntimeClass of sessions that name none (undefined: the nodes' own), and names or globs of others; undefined: not known. */
  get runtimes(): { standard: string | undefined; others: readonly string[] } | undefined {
    if (this.#knowledge.known === 'unknown') return undefined;
    const { default: standard, allowed } = this.#policy.runtimeClasses;
    return { standard, others: allowed.filter((name) => name !== standard) };
  }

  /** Globs of branches that changes may be pushed to, and whether pull requests may be opened; undefined: not known. */
  get results(): { branches: readonly string[]; pullRequests: boolean } | undefined {
    if (this.#knowledge.known === 'unknown') return undefined;
    const { branches, pullRequests } = this.#policy.results;
    return { branches, pullRequests: pullRequests !== undefined };
  }

  violations(spec: SessionSpec): Violation[] {
    return evaluate(spec, this.#policy).violations;
  }

  /** Why a value of the framework's configuration cannot be; undefined when it can. */
  refuses(config: Record<string, unknown>): string | undefined {
    return this.violations({ framework: { type: 'any', config } }).find(({ field }) =>
      field.startsWith('spec.framework.config'),
    )?.message;
  }

  /** Why a framework cannot be; undefined when it can. */
  refusesFramework(type: string): string | undefined {
    return this.violations({ framework: { type } }).find(({ field }) => field === FRAMEWORK_FIELD)?.message;
  }

  refusesBudget(text: string): string | undefined {
    const policy = { modelConstraints: { budget: text } };
    return this.violations({ framework: { type: 'any' }, policy }).find(({ field }) => field === BUDGET_FIELD)
      ?.message;
  }

  refusesRuntime(runtimeClassName: string): string | undefined {
    return this.violations({ framework: { type: 'any' }, runtimeClassName }).find(
      ({ field }) => field === RUNTIME_FIELD,
    )?.message;
  }

  /** Why changes cannot go where they are wanted; `about` is the beginning of the fields or rules that count. */
  refusesResult(git: GitSource, result: SessionResult, about: string): string | undefined {
    const spec: SessionSpec = { framework: { type: 'any' }, source: { type: 'git', git }, result };
    return this.violations(spec).find(({ field, rule }) => field.startsWith(about) || rule.startsWith(about))
      ?.message;
  }

  /** What is to be known before launching, one sentence each. */
  terms(spec: SessionSpec): string[] {
    if (this.#knowledge.known === 'unknown')
      return [
        'You may not see the policy of this namespace: what it forbids shows when the session is created.',
      ];
    const { session } = evaluate(spec, this.#policy);
    return [this.#approval(spec), this.#price(session.budget), this.#turn()].filter(
      (line) => line !== undefined,
    );
  }

  #approval(spec: SessionSpec): string | undefined {
    const { approval } = this.#policy;
    // Nobody who launches from here is the operator.
    if (approvalNeed(spec, this.#policy, '').kind !== 'approver') return undefined;
    const who = this.#knowledge.known === 'policy' ? approversText(this.#knowledge.policy.spec.approval) : '';
    const self = approval.allowSelfApproval ? '' : '; not by you';
    return `Waits for approval before it starts. By: ${who}${self}.`;
  }

  #price(limit: Money | undefined): string | undefined {
    const { budget: rules } = this.#policy;
    if (rules === undefined) return limit === undefined ? undefined : `May spend $${formatMoney(limit)}.`;
    const usage =
      this.#knowledge.known === 'policy' ? this.#knowledge.policy.status?.usage?.budget : undefined;
    const used = plus(
      parseMoney(usage?.currentMonth ?? '') ?? ZERO,
      parseMoney(usage?.reserved ?? '') ?? ZERO,
    );
    const free = minus(rules.monthly, used);
    const reserve = limit ?? rules.perSession;
    const wait = reserve > free ? ' It will wait for budget.' : '';
    return `Reserves $${formatMoney(reserve)}; $${formatMoney(free)} of $${formatMoney(rules.monthly)} free this month.${wait}`;
  }

  #turn(): string | undefined {
    const status = this.#knowledge.known === 'policy' ? this.#knowledge.policy.status : undefined;
    const { active = 0, waiting = 0 } = status?.usage?.sessions ?? {};
    const { maxSessions } = this.#policy;
    if (active < maxSessions && waiting === 0) return undefined;
    const line = waiting === 0 ? '' : ` behind ${waiting} others`;
    return `${active} of ${maxSessions} run: it will wait for its turn${line}.`;
  }
}
