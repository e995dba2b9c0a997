/** A change of a namespace's policy that is made over whatever others change meanwhile, and over nothing of theirs. */
import type { NamespacePolicy } from '../../common/api/namespace-policy.ts';
import { POLICY_NAME } from '../../common/api/names.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../common/kube/errors.ts';
import { namespacePolicies } from '../../common/kube/resource.ts';
import { FIELD_MANAGER } from '../objects/apply-object.ts';

const ATTEMPTS = 5;

/** What the policy shall be; undefined: it is right already. */
export type PolicyChange = (policy: NamespacePolicy | undefined) => NamespacePolicy | undefined;

/** Throws KubeError. */
export async function changePolicy(
  client: KubeClient,
  namespace: string,
  change: PolicyChange,
  signal: AbortSignal,
): Promise<NamespacePolicy | undefined> {
  for (let attempt = 1; ; attempt++) {
    const found = await readPolicy(client, namespace, signal);
    const wanted = change(found);
    if (wanted === undefined) return found;
    // Its status is the operator's, and its field managers the API server's.
    const { apiVersion, kind, spec } = wanted;
    const { managedFields: _, ...metadata } = wanted.metadata;
    const object: NamespacePolicy = { apiVersion, kind, metadata, spec };
    const options = { signal, fieldManager: FIELD_MANAGER, fieldValidation: 'Strict' } as const;
    try {
      return found === undefined
        ? await client.create(namespacePolicies, object, options)
        : await client.replace(namespacePolicies, object, options);
    } catch (error) {
      const isRace =
        isConflict(error) || isAlreadyExists(error) || (found !== undefined && isNotFound(error));
      if (!isRace || attempt >= ATTEMPTS) throw error;
    }
  }
}

export async function readPolicy(
  client: KubeClient,
  namespace: string,
  signal: AbortSignal,
): Promise<NamespacePolicy | undefined> {
  try {
    return await client.get(namespacePolicies, { namespace, name: POLICY_NAME }, { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
