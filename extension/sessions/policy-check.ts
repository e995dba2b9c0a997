/**
 * What the namespace's policy says to a launch that is being written: what it forbids, and what it costs and waits for.
 * Brings schemas along: `await import` it. The API server has the last word.
 */
import type { SessionSpec } from '../../common/api/session.ts';
import { formatMoney, minus, parseMoney, plus, ZERO } from '../../common/rules/money.ts';
import type { Money } from '../../common/rules/money.ts';
import { effectivePolicy } from '../../common/rules/policy/effective.ts';
import type { EffectivePolicy } from '../../common/rules/policy/effective.ts';
import type { SessionPolicy } from '../../common/rules/policy/narrow.ts';
import type { PolicyKnowledge } from '../policies/policies.ts';
import { approversText } from './approval.ts';
import { evaluate } from './evaluate.ts';
import type { Violation } from './evaluate.ts';

const BUDGET_FIELD = 'spec.policy.modelConstraints.budget';

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

  violations(spec: SessionSpec): Violation[] {
    return evaluate(spec, this.#policy).violations;
  }

  /** Why a value of the framework's configuration cannot be; undefined when it can. */
  refuses(config: Record<string, unknown>): string | undefined {
    return this.violations({ framework: { type: 'any', config } })[0]?.message;
  }

  refusesBudget(text: string): string | undefined {
    const policy = { modelConstraints: { budget: text } };
    return this.violations({ framework: { type: 'any' }, policy }).find(({ field }) => field === BUDGET_FIELD)
      ?.message;
  }

  /** What is to be known before launching, one sentence each. */
  terms(spec: SessionSpec): string[] {
    if (this.#knowledge.known === 'unknown')
      return [
        'You may not see the policy of this namespace: what it forbids shows when the session is created.',
      ];
    const { session } = evaluate(spec, this.#policy);
    return [this.#approval(spec, session), this.#price(session.budget), this.#turn()].filter(
      (line) => line !== undefined,
    );
  }

  #approval(spec: SessionSpec, session: SessionPolicy): string | undefined {
    const { approval } = this.#policy;
    if (!session.approvalRequired || this.#approvesItself(spec, session.budget)) return undefined;
    const who = this.#knowledge.known === 'policy' ? approversText(this.#knowledge.policy.spec.approval) : '';
    const self = approval.allowSelfApproval ? '' : '; not by you';
    return `Waits for approval before it starts. By: ${who}${self}.`;
  }

  /** A session that asks for approval itself gets none by itself. */
  #approvesItself(spec: SessionSpec, limit: Money | undefined): boolean {
    const { triggers, budget: most } = this.#policy.approval.autoApprove;
    if (spec.policy?.approvalRequired === true || (triggers.length === 0 && most === undefined)) return false;
    const byTrigger = triggers.length === 0 || triggers.includes(spec.trigger?.source ?? 'manual');
    return byTrigger && (most === undefined || (limit !== undefined && limit <= most));
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
