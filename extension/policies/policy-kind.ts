/** Policies as objects that people edit as YAML. Thin: YAML and schemas come on first use. */
import * as vscode from 'vscode';
import type { NamespacePolicy } from '../../common/api/namespace-policy.ts';
import { POLICY_NAME } from '../../common/api/names.ts';
import { namespacePolicies } from '../../common/kube/resource.ts';
import type { ObjectKind } from '../objects/object-kind.ts';
import type { Policies } from './policies.ts';
import { POLICY_SCHEME, policyPlace, policyUri } from './policy-ref.ts';

/** Above a policy that is not there yet: makes the document one that can be saved. */
export const PROPOSAL = '# The namespace has no policy yet: this is a proposal, to be changed and saved.\n';

export const policyKind = (policies: Pick<Policies, 'of' | 'forget'>): ObjectKind<NamespacePolicy> => ({
  scheme: POLICY_SCHEME,
  resource: namespacePolicies,
  proposal: PROPOSAL,
  called: ({ namespace }) => `the policy of ${namespace}`,
  uri: policyUri,
  place: (uri) => {
    const ref = policyPlace(uri);
    return ref === undefined ? undefined : { ...ref, name: POLICY_NAME };
  },
  find: async ({ cluster, namespace }) => {
    policies.forget(cluster, namespace);
    const knowledge = await policies.of(cluster, namespace);
    if (knowledge.known === 'unknown')
      throw vscode.FileSystemError.NoPermissions(`You may not see the policy of ${namespace}.`);
    return knowledge.known === 'policy' ? knowledge.policy : undefined;
  },
  parse: async (text, { namespace }) => (await import('./policy-yaml.ts')).parsePolicy(text, namespace),
  text: async (policy) => (await import('./policy-yaml.ts')).policyText(policy),
  fresh: async ({ namespace }) => (await import('./policy-yaml.ts')).newPolicyText(namespace),
  schema: async () => (await import('./policy-schema.ts')).POLICY_DOCUMENT,
  applied: ({ cluster, namespace }) => policies.forget(cluster, namespace),
});
