/** What a policy wants kept ready, each with the pod that serves it or why there is none. Pure. */
import type { Framework } from '../../../common/api/framework.ts';
import { API_VERSION } from '../../../common/api/names.ts';
import type { NamespacePolicy } from '../../../common/api/namespace-policy.ts';
import type { EffectivePolicy } from '../../../common/rules/policy/effective.ts';
import { narrowedPolicy } from '../../../common/rules/policy/narrow.ts';
import { warmPlan } from '../../../common/rules/warm-pods.ts';
import type { WarmWish } from '../../../common/rules/warm-pods.ts';
import { templateOf } from './template.ts';
import type { Endpoint, Template } from './template.ts';

export interface Wish extends WarmWish {
  template: Template | undefined;
  message: string | undefined;
}

export function wishesOf(
  { metadata, spec }: NamespacePolicy,
  frameworks: readonly Framework[],
  policy: EffectivePolicy,
  endpoint: Endpoint,
): Wish[] {
  const seen = new Set<string>();
  return (spec.warmPods ?? []).map((wish): Wish => {
    const planned = warmPlan(wish, frameworks, policy);
    if ('message' in planned) return { ...wish, template: undefined, message: planned.message };
    const session = {
      apiVersion: API_VERSION,
      kind: 'Session' as const,
      metadata: { name: '', namespace: metadata.namespace ?? '' },
      spec: { framework: { type: wish.framework } },
    };
    const template = templateOf(session, planned.plan, narrowedPolicy(session.spec, policy), endpoint);
    if (template !== undefined && seen.has(template.digest))
      return { ...wish, template: undefined, message: 'An entry before this one keeps the same pods ready.' };
    if (template !== undefined) seen.add(template.digest);
    return { ...wish, template, message: undefined };
  });
}
