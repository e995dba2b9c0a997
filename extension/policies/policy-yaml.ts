/** Policies as YAML and back, with mistakes named where they stand. Heavy to load (YAML and schemas): `await import` it. */
import { DEFAULT_SESSION_BUDGET, NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import type { NamespacePolicy } from '../../common/api/namespace-policy.ts';
import { API_VERSION, POLICY_NAME } from '../../common/api/names.ts';
import { policyMistakes } from '../../common/rules/policy/config.ts';
import { effectivePolicy } from '../../common/rules/policy/effective.ts';
import type { ParsedObject } from '../objects/object-kind.ts';
import { objectText, parseObject } from '../objects/object-yaml.ts';
import { POLICY_DOCUMENT } from './policy-schema.ts';

export const policyText = (policy: NamespacePolicy): string => objectText(policy);

/** To begin with, for a namespace that has none: what holds without a policy, as a start. */
export function newPolicyText(namespace: string): string {
  const { maxSessions, retention, approval } = effectivePolicy(undefined);
  return policyText({
    apiVersion: API_VERSION,
    kind: 'NamespacePolicy',
    metadata: { name: POLICY_NAME, namespace },
    spec: {
      models: { budget: { monthly: '100.00', perSession: DEFAULT_SESSION_BUDGET, resetDay: 1 } },
      approval: { required: approval.required },
      retention: { ...retention },
      concurrency: { maxSessions },
    },
  });
}

/** One NamespacePolicy for this namespace. */
export const parsePolicy = (text: string, namespace: string): ParsedObject<NamespacePolicy> =>
  parseObject<NamespacePolicy>(text, {
    kind: 'NamespacePolicy',
    namespace,
    name: POLICY_NAME,
    spec: NamespacePolicySpec,
    document: POLICY_DOCUMENT,
    mistakes: ({ spec }) => policyMistakes(spec),
  });
