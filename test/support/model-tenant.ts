/** A namespace whose agents reach a stand-in for the providers, with keys in a Secret that the operator is granted. */
import { API_VERSION, OPERATOR_NAME, OPERATOR_NAMESPACE, POLICY_NAME } from '../../common/api/names.ts';
import type { NamespacePolicy, NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { namespacePolicies, namespaces } from '../../common/kube/resource.ts';
import type { Cluster } from '../cluster/index.ts';

export const MODEL_KEYS = { anthropic: 'sk-ant-tenant', openai: 'sk-tenant', gemini: 'AIza-tenant' } as const;
export const MODEL_SECRET = 'model-keys';
/** For an operator that may reach the stand-in. */
export const MODEL_FLAGS = { 'models-allow': '127.0.0.0/8', 'models-http': true };

/** @param port of the stand-in on the loopback address; each provider has a folder there */
export async function createModelTenant(
  { cluster, client }: { cluster: Cluster; client: KubeClient },
  namespace: string,
  port: number,
  { models, ...spec }: NamespacePolicySpec = {},
): Promise<void> {
  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const at = ['-n', namespace];
  const literals = Object.entries(MODEL_KEYS).map(([name, key]) => `--from-literal=${name}=${key}`);
  await cluster.kubectl(['create', 'secret', 'generic', MODEL_SECRET, ...at, ...literals]);
  await cluster.kubectl([
    ...['create', 'role', MODEL_SECRET, ...at],
    ...['--verb=get', '--resource=secrets', `--resource-name=${MODEL_SECRET}`],
  ]);
  await cluster.kubectl([
    ...['create', 'rolebinding', MODEL_SECRET, ...at, `--role=${MODEL_SECRET}`],
    `--serviceaccount=${OPERATOR_NAMESPACE}:${OPERATOR_NAME}`,
  ]);
  await client.create<NamespacePolicy>(namespacePolicies, {
    apiVersion: API_VERSION,
    kind: 'NamespacePolicy',
    metadata: { name: POLICY_NAME, namespace },
    spec: {
      ...spec,
      models: {
        providers: (['anthropic', 'openai', 'gemini'] as const).map((name) => ({
          name,
          baseUrl: `http://127.0.0.1:${port}/${name}`,
          keySecret: { name: MODEL_SECRET, key: name },
        })),
        ...models,
      },
    },
  });
}
