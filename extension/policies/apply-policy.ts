/** Brings an edited policy to the cluster, never over a change that the editor has not seen. */
import type { NamespacePolicy } from '../../common/api/namespace-policy.ts';
import { POLICY_NAME } from '../../common/api/names.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { isAlreadyExists, isConflict, isNotFound, KubeError } from '../../common/kube/errors.ts';
import { namespacePolicies } from '../../common/kube/resource.ts';
import { pathOfField, rangeOf } from '../ide/yaml-place.ts';
import type { PolicyProblem } from './policy-yaml.ts';

export const FIELD_MANAGER = 'ambient-vscode';

export type Applied =
  | { outcome: 'applied'; policy: NamespacePolicy }
  /** Somebody changed, made or deleted it since it was read. `current` is what is there now. */
  | { outcome: 'conflict'; current: NamespacePolicy | undefined }
  | { outcome: 'refused'; message: string; problems: PolicyProblem[] };

/** Throws KubeError for what is neither a conflict nor about the policy itself. */
export async function applyPolicy(
  client: KubeClient,
  policy: NamespacePolicy,
  text: string,
  signal: AbortSignal,
): Promise<Applied> {
  const options = { signal, fieldManager: FIELD_MANAGER, fieldValidation: 'Strict' } as const;
  const { resourceVersion } = policy.metadata;
  try {
    const applied =
      resourceVersion === undefined
        ? await client.create(namespacePolicies, policy, options)
        : await client.replace(namespacePolicies, policy, options);
    return { outcome: 'applied', policy: applied };
  } catch (error) {
    const isGone = resourceVersion !== undefined && isNotFound(error);
    if (isConflict(error) || isAlreadyExists(error) || isGone)
      return { outcome: 'conflict', current: await current(client, policy, signal) };
    if (!(error instanceof KubeError) || ![400, 403, 422].includes(error.status)) throw error;
    // A 403 of RBAC names no field and is no matter of what was written.
    const causes = error.kubeStatus?.details?.causes ?? [];
    if (error.status === 403 && causes.length === 0) throw error;
    return { outcome: 'refused', message: error.message, problems: problemsOf(error, text) };
  }
}

async function current(
  client: KubeClient,
  { metadata }: NamespacePolicy,
  signal: AbortSignal,
): Promise<NamespacePolicy | undefined> {
  try {
    const at = { namespace: metadata.namespace, name: POLICY_NAME };
    return await client.get(namespacePolicies, at, { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function problemsOf(error: KubeError, text: string): PolicyProblem[] {
  const causes = (error.kubeStatus?.details?.causes ?? []).filter(({ message }) => message !== undefined);
  if (causes.length === 0) return [{ message: error.message, severity: 'error', ...rangeOf(text, []) }];
  return causes.map(({ field = '', message = '' }) => ({
    message: `${field === '' ? '' : `${field}: `}${message}`,
    severity: 'error',
    ...rangeOf(text, pathOfField(field)),
  }));
}
