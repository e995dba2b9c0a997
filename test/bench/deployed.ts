/** A cluster with a real node and the operator of this checkout deployed in it: where waiting for pods is measured. */
import { KubeClient } from '../../common/kube/client.ts';
import { loadKubeconfig } from '../../common/kube/kubeconfig.ts';
import { clusterCapability, clusterUp } from '../cluster/index.ts';
import { deployOperator } from '../support/deploy.ts';

export interface Deployed extends AsyncDisposable {
  client: KubeClient;
}

/** Or why this machine cannot have one. */
export async function openDeployed(log: (line: string) => void): Promise<Deployed | string> {
  const { node } = await clusterCapability();
  if (node !== true) return node;
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await clusterUp({ node: true, log }));
  await deployOperator(cluster, { log });
  const kubeconfig = await loadKubeconfig({ env: {}, homeDir: '/nonexistent', path: cluster.kubeconfig });
  const client = new KubeClient(stack.use(await kubeconfig.connect(kubeconfig.currentContext ?? '')));
  const kept = stack.move();
  return { client, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
