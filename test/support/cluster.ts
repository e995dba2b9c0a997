/** The cluster that a test file runs against: the one test/run.ts started, or one of the file's own. */
import { randomBytes } from 'node:crypto';
import type { Context } from 'mocha';
import { KubeClient } from '../../common/kube/client.ts';
import { loadKubeconfig } from '../../common/kube/kubeconfig.ts';
import { namespaces } from '../../common/kube/resource.ts';
import { attachCluster, clusterCapability, clusterUp } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import { applyApi } from './deploy.ts';
import { skipBecause } from './skip.ts';

/** Set by test/run.ts, or by hand to the stateDir that `npm run cluster -- up --json` prints. */
const SHARED = 'AMBIENT_TEST_CLUSTER';

export interface TestCluster extends Cluster {
  readonly client: KubeClient;
  /** A fresh namespace, deleted when the process's tests are over. */
  namespace(prefix: string): Promise<string>;
  /** Likewise, where what the operator makes must pass the strictest standard of pods. */
  restrictedNamespace(prefix: string): Promise<string>;
  /**
   * Removes what the sessions of the namespaces made since `testCluster` run, and them as soon as an operator lets them go: a pod
   * that never ends takes room on the one node from the tests after it.
   */
  removeSessions(): Promise<void>;
}

let shared: Promise<TestCluster> | undefined;
const occupied = new Set<string>();

async function open(): Promise<TestCluster> {
  const stateDir = process.env[SHARED];
  const log = (line: string): void => console.log(`      [cluster] ${line}`);
  const cluster = stateDir
    ? await attachCluster(stateDir)
    : await clusterUp({ node: (await clusterCapability()).node === true, log });
  const kubeconfig = await loadKubeconfig({ env: {}, homeDir: '/nonexistent', path: cluster.kubeconfig });
  const connection = await kubeconfig.connect(kubeconfig.currentContext ?? '');
  const client = new KubeClient(connection);
  await applyApi(cluster);
  const made: string[] = [];
  after(async function () {
    this.timeout(120_000);
    // kubectl asks for no more than five a second after the first ten.
    await Promise.all(made.map((name) => client.delete(namespaces, { name })));
    await connection.close();
    if (!stateDir) await cluster.down();
  });
  const namespace = async (prefix: string): Promise<string> => {
    const name = `${prefix}-${randomBytes(4).toString('hex')}`;
    await cluster.kubectl(['create', 'namespace', name]);
    made.push(name);
    occupied.add(name);
    return name;
  };
  return Object.assign(Object.create(cluster) as Cluster, {
    client,
    namespace,
    restrictedNamespace: async (prefix: string) => {
      const name = await namespace(prefix);
      await cluster.kubectl(['label', 'namespace', name, 'pod-security.kubernetes.io/enforce=restricted']);
      return name;
    },
    removeSessions: async () => {
      const namespaces = [...occupied];
      occupied.clear();
      await Promise.all(
        namespaces.map((name) =>
          cluster.kubectl([
            '-n',
            name,
            'delete',
            'sessions,jobs',
            '--all',
            '--ignore-not-found',
            '--wait=false',
          ]),
        ),
      );
    },
  });
}

/**
 * Called in a before hook. Skips the suite with the reason where this machine can run no cluster, or, when `needs.node`
 * is set, no containers.
 */
export async function testCluster(context: Context, needs: { node?: boolean } = {}): Promise<TestCluster> {
  if (!process.env[SHARED]) {
    const { controlPlane, node } = await clusterCapability();
    if (controlPlane !== true) skipBecause(context, controlPlane);
    if (needs.node && node !== true) skipBecause(context, node);
  }
  shared ??= open();
  const cluster = await shared;
  occupied.clear();
  if (needs.node && !cluster.node) skipBecause(context, 'this cluster has no node that runs containers');
  return cluster;
}
