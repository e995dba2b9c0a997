/** A cluster whose nodes are only objects, with the operator of this checkout: where throughput is measured. */
import { KubeClient } from '../../common/kube/client.ts';
import { loadKubeconfig } from '../../common/kube/kubeconfig.ts';
import { frameworks } from '../../common/kube/resource.ts';
import { clusterCapability, clusterUp } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import { applyApi } from '../support/deploy.ts';
import { runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess, OperatorProcessOptions } from '../support/operator-process.ts';
import { until } from '../support/until.ts';

export const FRAMEWORK = 'bench';

export interface Plant extends AsyncDisposable {
  cluster: Cluster;
  client: KubeClient;
  startOperator(flags?: OperatorProcessOptions['flags']): Promise<OperatorProcess>;
}

/** Or why this machine cannot have one. */
export async function openPlant(log: (line: string) => void): Promise<Plant | string> {
  const { controlPlane } = await clusterCapability();
  if (controlPlane !== true) return controlPlane;
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await clusterUp({ fakeNodes: 20, log }));
  const kubeconfig = await loadKubeconfig({ env: {}, homeDir: '/nonexistent', path: cluster.kubeconfig });
  const client = new KubeClient(stack.use(await kubeconfig.connect(kubeconfig.currentContext ?? '')));
  await applyApi(cluster);
  await client.create(frameworks, {
    apiVersion: 'ambient.ai/v1alpha1',
    kind: 'Framework',
    metadata: { name: FRAMEWORK },
    spec: {
      versions: [{ name: '1', image: 'example/none:1' }],
      command: ['/bin/sh', '-c', '{{config.command}}'],
    },
  });
  await collectorKnows(cluster, log);
  const kept = stack.move();
  return {
    cluster,
    client,
    startOperator: (flags) => runOperatorProcess(cluster, { flags: { 'lease-seconds': 15, ...flags } }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/**
 * The garbage collector looks for new kinds every half minute, and until then asks for the owner of each Job anew. No
 * cluster does so for longer than its first minute with us, so no figure shall contain it.
 */
async function collectorKnows(cluster: Cluster, log: (line: string) => void): Promise<void> {
  log('waiting until the garbage collector watches sessions');
  await until(
    async () => WATCHED.test(await cluster.kubectl(['get', '--raw', '/metrics'])),
    'the garbage collector watches sessions',
    60_000,
    500,
  );
}

const WATCHED = /^apiserver_longrunning_requests\{[^}]*resource="sessions"[^}]*verb="WATCH"[^}]*\} [1-9]/m;
