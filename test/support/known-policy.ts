/** What a policy says holds once the operator has heard of it, by a watch of its own: sessions may come there before. */
import { POLICY_NAME } from '../../common/api/names.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { namespacePolicies } from '../../common/kube/resource.ts';
import { until } from './until.ts';

/** Waits until the operator that leads knows the namespace's policy as it stands now. */
export const policyIsKnown = (client: KubeClient, namespace: string): Promise<unknown> =>
  until(async () => {
    const { metadata, status } = await client.get(namespacePolicies, { namespace, name: POLICY_NAME });
    return status?.observedGeneration === metadata.generation;
  }, `the operator knows the policy of ${namespace}`);
