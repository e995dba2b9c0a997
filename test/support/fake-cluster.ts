/** A cluster whose nodes are only objects, where pods end at once and many cost nothing: the shared one if it is so. */
import type { Context } from 'mocha';
import { KubeClient } from '../../common/kube/client.ts';
import { loadKubeconfig } from '../../common/kube/kubeconfig.ts';
import { frameworks, nodes } from '../../common/kube/resource.ts';
import { isAlreadyExists } from '../../common/kube/errors.ts';
import { attachCluster, clusterCapability, clusterUp } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import { applyApi } from './deploy.ts';
import { aFramework } from './fixtures.ts';
import { skipBecause } from './skip.ts';

export interface FakeCluster extends AsyncDisposable {
  cluster: Cluster;
  client: KubeClient;
  /** So that sessions go on for as long as the test wants. */
  holdPods(): Promise<AsyncDisposable>;
}

/** All of its nodes are kwok's, and there are some. */
async function isFake(cluster: Cluster): Promise<boolean> {
  const names = await cluster.kubectl(['get', 'nodes', '-l', 'type=kwok', '-o', 'name']);
  return !cluster.node && names.trim() !== '';
}

/** With a framework `generic` whose image is nowhere: the fake nodes need none. */
export async function fakeCluster(context: Context): Promise<FakeCluster> {
  const stateDir = process.env['AMBIENT_TEST_CLUSTER'];
  const shared = stateDir === undefined ? undefined : await attachCluster(stateDir);
  if (shared === undefined) {
    const { controlPlane } = await clusterCapability();
    if (controlPlane !== true) skipBecause(context, controlPlane);
  }
  const isShared = shared !== undefined && (await isFake(shared));
  const cluster = isShared ? shared : await clusterUp({ fakeNodes: 2 });
  const kubeconfig = await loadKubeconfig({ env: {}, homeDir: '/nonexistent', path: cluster.kubeconfig });
  const client = new KubeClient(await kubeconfig.connect(kubeconfig.currentContext ?? ''));
  await applyApi(cluster);
  await client.create(frameworks, aFramework()).catch((error: unknown) => {
    if (!isAlreadyExists(error)) throw error;
  });
  return {
    cluster,
    client,
    holdPods: () => holdPods(client),
    async [Symbol.asyncDispose]() {
      await client.connection.close();
      if (!isShared) await cluster.down();
    },
  };
}

/** Until it is disposed pods wait for a node. */
export async function holdPods(client: KubeClient): Promise<AsyncDisposable> {
  const cordon = async (unschedulable: boolean): Promise<void> => {
    for (const { metadata } of (await client.list(nodes)).items)
      await client.mergePatch(nodes, { name: metadata.name }, { spec: { unschedulable } });
  };
  await cordon(true);
  return { [Symbol.asyncDispose]: () => cordon(false) };
}
