/** Reads and changes the policy of a namespace, and tells in the status bar that it is waited for. */
import type { NamespacePolicy } from '../../common/api/namespace-policy.ts';
import type { PolicyRef } from '../../common/api/panels.ts';
import type { Clusters } from '../clusters/clusters.ts';
import { inStatusBar } from '../commands/progress.ts';
import { plain } from '../ide/plain-text.ts';
import type { Policies } from '../policies/policies.ts';
import { changePolicy, readPolicy } from './change-policy.ts';
import type { PolicyChange } from './change-policy.ts';

const READ_MS = 15_000;
const CHANGE_MS = 30_000;

interface Deps {
  clusters: Pick<Clusters, 'client'>;
  policies: Pick<Policies, 'forget'>;
}

/** Undefined: there is none. Throws KubeError. */
export const policyOf = (
  { clusters }: Deps,
  { cluster, namespace }: PolicyRef,
): Promise<NamespacePolicy | undefined> =>
  inStatusBar(`Reading the policy of ${plain(namespace, 63)}…`, async () =>
    readPolicy(await clusters.client(cluster), namespace, AbortSignal.timeout(READ_MS)),
  );

/** Throws KubeError. */
export const setPolicy = (
  { clusters, policies }: Deps,
  { cluster, namespace }: PolicyRef,
  change: PolicyChange,
): Promise<void> =>
  inStatusBar(`Changing the policy of ${plain(namespace, 63)}…`, async () => {
    await changePolicy(await clusters.client(cluster), namespace, change, AbortSignal.timeout(CHANGE_MS));
    policies.forget(cluster, namespace);
  });
