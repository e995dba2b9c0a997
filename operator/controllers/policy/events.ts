/** Kubernetes Events about a namespace's budget: once for each month and amount, as their names say. */
import type { NamespacePolicy } from '../../../common/api/namespace-policy.ts';
import { OPERATOR_ACTOR } from '../../../common/api/names.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import type { Event } from '../../../common/kube/core-types.ts';
import { isAlreadyExists, isNotFound } from '../../../common/kube/errors.ts';
import { events } from '../../../common/kube/resource.ts';
import { findCondition } from '../../../common/rules/conditions.ts';

const TOLD = { BudgetWarning: 'budget-warning', BudgetExceeded: 'budget-exceeded' } as const;

/** Conditions that have become true between two states of a policy, as the events that tell so. */
export function eventsBetween(
  before: NamespacePolicy,
  after: NamespacePolicy['status'],
  now: number,
): Event[] {
  const { namespace = '', name, uid = '', resourceVersion = '' } = before.metadata;
  const made: Event[] = [];
  for (const [type, label] of Object.entries(TOLD)) {
    const condition = findCondition(after?.conditions, type);
    const stood = findCondition(before.status?.conditions, type)?.status;
    if (condition?.status !== 'True' || stood === 'True') continue;
    const month = after?.usage?.budget?.lastReset.slice(0, 10) ?? '';
    const monthly = before.spec.models?.budget?.monthly ?? '';
    made.push({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { namespace, name: `${name}.${label}.${month}.${monthly}` },
      eventTime: new Date(now).toISOString().replace('Z', '000Z'),
      reportingController: 'ambient.ai/operator',
      reportingInstance: OPERATOR_ACTOR,
      action: 'BudgetCheck',
      reason: condition.reason,
      note: condition.message,
      type: 'Warning',
      regarding: {
        apiVersion: before.apiVersion,
        kind: before.kind,
        namespace,
        name,
        uid,
        resourceVersion,
      },
    });
  }
  return made;
}

/** Told before, by an operator that died before it could write so, it is told once all the same. */
export async function tell(client: KubeClient, event: Event, signal: AbortSignal): Promise<void> {
  try {
    await client.create(events, event, { signal });
  } catch (error) {
    if (!isAlreadyExists(error) && !isNotFound(error)) throw error;
  }
}
