/** Pods kept ready on a test cluster, as the policy's status tells of them. */
import { API_VERSION, LABEL_SESSION_UID, LABEL_WARM, POLICY_NAME } from '../../common/api/names.ts';
import type { NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import type { Pod } from '../../common/kube/core-types.ts';
import { namespacePolicies, pods } from '../../common/kube/resource.ts';
import { until } from './until.ts';

export async function keepReady(
  client: KubeClient,
  namespace: string,
  spec: NamespacePolicySpec & Required<Pick<NamespacePolicySpec, 'warmPods'>>,
): Promise<void> {
  await client.create(namespacePolicies, {
    apiVersion: API_VERSION,
    kind: 'NamespacePolicy',
    metadata: { name: POLICY_NAME, namespace },
    spec,
  });
  await allReady(client, namespace);
}

export const allReady = (client: KubeClient, namespace: string): Promise<unknown> =>
  until(
    async () => {
      const { spec, status } = await client.get(namespacePolicies, { namespace, name: POLICY_NAME });
      const wanted = spec.warmPods?.reduce((sum, { count }) => sum + count, 0) ?? 0;
      return (
        (await keptPods(client, namespace)).filter(isRunning).length === wanted &&
        status?.warmPods?.every((each) => each.ready === each.wanted) === true
      );
    },
    'the pods are ready',
    60_000,
    200,
  );

const isRunning = ({ status }: Pod): boolean => status?.phase === 'Running';

/** No session has them. */
export async function keptPods(client: KubeClient, namespace: string): Promise<Pod[]> {
  const labelSelector = `${LABEL_WARM},${LABEL_SESSION_UID}=`;
  const { items } = await client.list(pods, { namespace }, { labelSelector });
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}
