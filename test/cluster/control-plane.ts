/** etcd, API server, controller manager and scheduler as ordinary processes, and kwok for nodes that are only objects. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Api } from './api.ts';
import type { Binaries } from './binaries.ts';
import { daemonsOf, logTail, startDaemon, waitUntil } from './daemons.ts';
import { kubeconfigPath } from './kubeconfigs.ts';
import { networkOf } from './state.ts';
import type { ClusterState } from './state.ts';

export interface Instance {
  readonly stateDir: string;
  readonly state: ClusterState;
  readonly binaries: Binaries;
}

/** Where the API server listens: the host's end of the node's link, which pods reach too, or this machine alone. */
export function apiAddress(state: ClusterState): string {
  return state.node ? networkOf(state.slot).host : '127.0.0.1';
}

export function serverUrl(state: ClusterState): string {
  return `https://${apiAddress(state)}:${state.ports.api}`;
}

export async function startEtcd({ stateDir, state, binaries }: Instance): Promise<void> {
  const client = `http://127.0.0.1:${state.ports.etcd}`;
  const peer = `http://127.0.0.1:${state.ports.etcdPeer}`;
  await startDaemon(stateDir, 'etcd', [
    binaries.path('etcd'),
    ...['--data-dir', path.join(stateDir, 'etcd')],
    ...['--listen-client-urls', client, '--advertise-client-urls', client],
    ...[
      '--listen-peer-urls',
      peer,
      '--initial-advertise-peer-urls',
      peer,
      '--initial-cluster',
      `default=${peer}`,
    ],
    // The data never outlives the machine's next start, and a synced write costs milliseconds.
    ...['--unsafe-no-fsync', '--log-level', 'warn'],
  ]);
}

export async function startApiServer({ stateDir, state, binaries }: Instance): Promise<void> {
  const pki = (name: string): string => path.join(stateDir, 'pki', name);
  const address = apiAddress(state);
  await startDaemon(stateDir, 'kube-apiserver', [
    binaries.path('kube-apiserver'),
    ...['--etcd-servers', `http://127.0.0.1:${state.ports.etcd}`],
    ...['--bind-address', address, '--secure-port', String(state.ports.api)],
    // The default `kubernetes` Service may not point at a loopback address, so without a node it points nowhere.
    ...(state.node ? ['--advertise-address', address] : ['--endpoint-reconciler-type', 'none']),
    ...['--tls-cert-file', pki('apiserver.crt'), '--tls-private-key-file', pki('apiserver.key')],
    ...['--client-ca-file', pki('ca.crt')],
    ...['--authorization-mode', 'Node,RBAC', '--enable-admission-plugins', 'NodeRestriction'],
    '--allow-privileged=true',
    ...['--service-cluster-ip-range', networkOf(state.slot).services],
    ...['--service-account-issuer', 'https://kubernetes.default.svc'],
    ...['--service-account-key-file', pki('sa.pub'), '--service-account-signing-key-file', pki('sa.key')],
    ...['--kubelet-client-certificate', pki('apiserver-kubelet-client.crt')],
    ...['--kubelet-client-key', pki('apiserver-kubelet-client.key')],
    ...['--kubelet-certificate-authority', pki('ca.crt')],
    // Otherwise logs and exec would resolve the node's name on this machine.
    ...['--kubelet-preferred-address-types', 'InternalIP'],
    // Without the front proxy's certificates no aggregated API works.
    ...['--requestheader-client-ca-file', pki('ca.crt')],
    ...['--requestheader-allowed-names', 'front-proxy-client'],
    ...[
      '--requestheader-username-headers',
      'X-Remote-User',
      '--requestheader-group-headers',
      'X-Remote-Group',
    ],
    ...['--requestheader-extra-headers-prefix', 'X-Remote-Extra-'],
    ...[
      '--proxy-client-cert-file',
      pki('front-proxy.crt'),
      '--proxy-client-key-file',
      pki('front-proxy.key'),
    ],
    // The API server is not in the cluster's network; it goes to the endpoints, for which this machine has a route.
    '--enable-aggregator-routing=true',
    ...['--max-requests-inflight', '1500', '--max-mutating-requests-inflight', '1000'],
  ]);
}

/** Waits for /readyz. Throws, with the end of the log, when the process ends or 60 s are over. */
export async function waitForApiServer({ stateDir }: Instance, api: Api): Promise<void> {
  let died = false;
  const ready = await waitUntil(async () => {
    if (await api.ready()) return true;
    died = ['kube-apiserver', 'etcd'].some((role) => daemonsOf(stateDir, role).length === 0);
    return died;
  }, 60_000);
  if (ready && !died) return;
  const logs = await Promise.all(
    ['etcd', 'kube-apiserver'].map(async (role) => `${role}:\n${await logTail(stateDir, role)}`),
  );
  throw new Error(`the API server ${died ? 'ended' : 'was not ready in 60 s'}\n${logs.join('\n')}`);
}

/** Without them (see ensureBinaries) objects are kept and watched, but nothing acts on them. */
export async function startControllers({ stateDir, binaries }: Instance): Promise<void> {
  if (!binaries.has('kube-controller-manager')) return;
  const pki = (name: string): string => path.join(stateDir, 'pki', name);
  // The defaults are for clusters shared by many: about 20 requests a second.
  const rates = ['--kube-api-qps', '2000', '--kube-api-burst', '4000', '--leader-elect=false'];
  await startDaemon(stateDir, 'kube-controller-manager', [
    binaries.path('kube-controller-manager'),
    ...['--kubeconfig', kubeconfigPath(stateDir, 'controller-manager')],
    ...['--service-account-private-key-file', pki('sa.key'), '--root-ca-file', pki('ca.crt')],
    ...['--cluster-signing-cert-file', pki('ca.crt'), '--cluster-signing-key-file', pki('ca.key')],
    ...['--use-service-account-credentials', '--secure-port', '0'],
    ...['--concurrent-job-syncs', '50', '--concurrent-gc-syncs', '50', '--concurrent-namespace-syncs', '20'],
    ...['--concurrent-serviceaccount-token-syncs', '20', '--concurrent-ttl-after-finished-syncs', '20'],
    ...rates,
  ]);
  await startDaemon(stateDir, 'kube-scheduler', [
    binaries.path('kube-scheduler'),
    ...['--kubeconfig', kubeconfigPath(stateDir, 'scheduler'), '--secure-port', '0'],
    ...rates,
  ]);
}

/**
 * Starts kwok and makes the nodes `fake-0` and so on. Beside a real node they carry the taint
 * `kwok.x-k8s.io/node=fake:NoSchedule`, so that a pod must ask for them.
 */
export async function startFakeNodes({ stateDir, state, binaries }: Instance, api: Api): Promise<void> {
  const stages = binaries.data('kwok');
  const configs = (await readdir(stages)).flatMap((name) => ['--config', path.join(stages, name)]);
  await startDaemon(stateDir, 'kwok', [
    binaries.path('kwok'),
    ...['--kubeconfig', kubeconfigPath(stateDir, 'admin'), ...configs],
    ...['--manage-nodes-with-annotation-selector', 'kwok.x-k8s.io/node=fake'],
    ...['--node-lease-duration-seconds', '40'],
  ]);
  const resources = { cpu: '1000', memory: '4000Gi', pods: '100000' };
  await Promise.all(
    Array.from({ length: state.fakeNodes }, (_, index) => `fake-${index}`).map((name) =>
      api.apply(`/api/v1/nodes/${name}`, {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: {
          name,
          annotations: { 'kwok.x-k8s.io/node': 'fake' },
          labels: { type: 'kwok', 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' },
        },
        spec: state.node
          ? { taints: [{ key: 'kwok.x-k8s.io/node', value: 'fake', effect: 'NoSchedule' }] }
          : {},
        status: { allocatable: resources, capacity: resources },
      }),
    ),
  );
  if (!(await waitUntil(() => fakeNodesAreReady(api), 30_000, 50))) {
    throw new Error(`the nodes of kwok did not become Ready:\n${await logTail(stateDir, 'kwok')}`);
  }
}

async function fakeNodesAreReady(api: Api): Promise<boolean> {
  const answer = await api.send('GET', '/api/v1/nodes?labelSelector=type%3Dkwok');
  const { items } = JSON.parse(answer.body) as {
    items: { status?: { conditions?: { type: string; status: string }[] } }[];
  };
  return items.every(({ status }) =>
    status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True'),
  );
}
