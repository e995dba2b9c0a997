/**
 * Before a session's object goes, what it has spent this month goes into its policy: deleting sessions gives no money back.
 * The session's UID is written together with the amount, so that neither a crash nor a repetition counts it twice.
 */
import type { NamespacePolicy } from '../../../common/api/namespace-policy.ts';
import { POLICY_NAME } from '../../../common/api/names.ts';
import type { Session } from '../../../common/api/session.ts';
import { AmbientError } from '../../../common/errors.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import { isConflict, isNotFound } from '../../../common/kube/errors.ts';
import { namespacePolicies } from '../../../common/kube/resource.ts';
import { spentSince } from '../../../common/rules/budget.ts';
import { budgetMonth } from '../../../common/rules/budget-month.ts';
import { formatMoney, parseMoney, plus, ZERO } from '../../../common/rules/money.ts';
import { effectivePolicy } from '../../../common/rules/policy/effective.ts';
import type { Costs } from '../../sessions/costs.ts';
import type { Policies } from '../../sessions/policies.ts';
import type { Clock } from '../clock.ts';
import { CARRIED_MAX } from './status.ts';

export interface SettlementsOptions {
  client: KubeClient;
  policies: Pick<Policies, 'object'>;
  costs: Pick<Costs, 'atMost'>;
  clock: Pick<Clock, 'now'>;
}

const ATTEMPTS = 5;

export class Settlements {
  readonly #options: SettlementsOptions;

  constructor(options: SettlementsOptions) {
    this.#options = options;
  }

  /**
   * Call when nothing of the session runs any more and before its finalizer is removed; repeating it does no harm. Throws
   * unavailable when it cannot be settled yet, and what store and API server throw: then the finalizer must stay.
   */
  async settleDeleted(session: Session, signal?: AbortSignal): Promise<void> {
    const { client, policies, costs, clock } = this.#options;
    const { namespace = '', uid = '' } = session.metadata;
    const cost = (await costs.atMost(session)) ?? session.status?.cost;
    if (cost === undefined) return;
    let policy = policies.object(namespace);
    for (let attempt = 1; ; attempt++) {
      if (policy?.spec.models?.budget === undefined) return;
      const usage = policy.status?.usage?.budget;
      if (usage?.carriedSessions?.includes(uid) === true) return;
      const month = budgetMonth(
        clock.now(),
        effectivePolicy(policy.spec).budget?.resetDay ?? 1,
        usage?.lastReset,
      );
      const amount = spentSince(cost, month.start);
      if (amount === ZERO) return;
      if (month.isNew) throw new AmbientError('unavailable', `the budget of ${namespace} is being reset`);
      const settled = usage?.carriedSessions ?? [];
      if (settled.length >= CARRIED_MAX)
        throw new AmbientError(
          'unavailable',
          `${CARRIED_MAX} sessions of ${namespace} are being deleted already`,
        );
      const carried = plus(parseMoney(usage?.carried ?? '') ?? ZERO, amount);
      const budget = { carried: formatMoney(carried), carriedSessions: [...settled, uid] };
      try {
        await this.#write(policy, { usage: { budget } }, signal);
        return;
      } catch (error) {
        if (isNotFound(error)) return;
        if (!isConflict(error) || attempt >= ATTEMPTS) throw error;
      }
      policy = await client.get(namespacePolicies, { namespace, name: POLICY_NAME }, { signal });
    }
  }

  async #write(
    { metadata }: NamespacePolicy,
    status: object,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { namespace, name, uid, resourceVersion } = metadata;
    await this.#options.client.mergePatch(
      namespacePolicies,
      { namespace, name, subresource: 'status' },
      { metadata: { uid, resourceVersion }, status },
      { signal, answer: 'metadata' },
    );
  }
}
