/**
 * A real node on this machine: containerd, kubelet, kube-proxy and DNS in namespaces of their own. The kernel takes
 * everything in them away (mounts, pods, interfaces) once two processes are dead, whoever kills them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Api } from './api.ts';
import type { Instance } from './control-plane.ts';
import { makeCgroups } from './cgroups.ts';
import { daemonsOf, logTail, namespaceOf, startDaemon, stopDaemons, waitUntil } from './daemons.ts';
import { kubeconfigPath } from './kubeconfigs.ts';
import {
  containerdConfig,
  cniConfig,
  cniPluginDirs,
  corefile,
  kubeletConfig,
  proxyConfig,
} from './node-config.ts';
import { run, succeeds } from './process.ts';
import { networkOf } from './state.ts';

export const nodeName = 'node-1';

/** The daemons that are the node; the network around them stays when they stop. */
export const nodeRoles = ['kubelet', 'kube-proxy', 'coredns', 'containerd', 'node'] as const;

export function nodeFiles(stateDir: string): { root: string; socket: string; volumes: string } {
  const root = path.join(stateDir, 'node');
  return { root, socket: path.join(root, 'containerd.sock'), volumes: path.join(root, 'volumes') };
}

const INOTIFY_INSTANCES = '/proc/sys/fs/inotify/max_user_instances';
/** A kubelet alone takes some dozens of the kernel's default 128, which all clusters and editors of the user share. */
const INOTIFY_WANTED = 1024;

/** Raised until the next boot, never lowered: without room a kubelet ends with "too many open files". */
async function raiseInotifyLimit(): Promise<void> {
  if (Number(await readFile(INOTIFY_INSTANCES, 'utf8')) >= INOTIFY_WANTED) return;
  // Where even root may not, the kubelet itself tells when it is too little.
  await writeFile(INOTIFY_INSTANCES, String(INOTIFY_WANTED)).catch(() => undefined);
}

/** The network namespace, the link to it and the routes to pods and Services. */
export async function startNetwork({ stateDir, state }: Instance): Promise<void> {
  const network = networkOf(state.slot);
  await raiseInotifyLimit();
  // Without it a pod cannot reach a Service whose pod is on the same bridge. It may be built in, or loaded already.
  if (!existsSync('/proc/sys/net/bridge')) await succeeds('modprobe', ['br_netfilter']);
  const holder = await startDaemon(stateDir, 'network', ['unshare', '--net', 'sleep', 'infinity']);
  const ours = namespaceOf('self', 'net');
  const apart = await waitUntil(
    () => {
      const theirs = namespaceOf(holder, 'net');
      return theirs === undefined || theirs !== ours;
    },
    5000,
    2,
  );
  if (!apart || namespaceOf(holder, 'net') === undefined) {
    throw new Error(`no network namespace:\n${await logTail(stateDir, 'network')}`);
  }
  const link = network.hostInterface;
  const commands = [
    `link add ${link} type veth peer name eth0 netns ${holder}`,
    `addr add ${network.host}/30 dev ${link}`,
    `link set ${link} up`,
  ];
  await run('ip', ['-batch', '-'], { input: commands.join('\n') });
  await run('nsenter', ['-t', String(holder), '-n', 'sh', '-ec', insideNetwork(network.node)]);
  const routes = [network.pods, network.services].map(
    (to) => `route add ${to} via ${network.node} dev ${link}`,
  );
  await run('ip', ['-batch', '-'], { input: routes.join('\n') });
}

function insideNetwork(address: string): string {
  return `
    ip link set lo up
    ip addr add ${address}/30 dev eth0
    ip link set eth0 up
    echo 1 > /proc/sys/net/ipv4/ip_forward
    echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet
    [ ! -e /proc/sys/net/bridge ] || echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables`;
}

/** Mounts, processes and containerd of the node. */
export async function startContainerd({ stateDir, state }: Instance): Promise<void> {
  const { root, socket } = nodeFiles(stateDir);
  await Promise.all(
    ['cni', 'log', 'var-lib-cni', 'sysctl', 'volumes'].map((name) =>
      mkdir(path.join(root, name), { recursive: true }),
    ),
  );
  const cniBin = cniPluginDirs.find((folder) => existsSync(path.join(folder, 'bridge')));
  if (cniBin === undefined) throw new Error(`no CNI plugins in ${cniPluginDirs.join(' or ')}`);
  await Promise.all([
    writeFile(path.join(root, 'containerd.toml'), containerdConfig(root, socket, cniBin)),
    writeFile(path.join(root, 'cni', '10-bridge.conflist'), cniConfig(networkOf(state.slot).pods)),
    ...Object.entries(sysctls).map(([name, value]) =>
      writeFile(path.join(root, 'sysctl', name.replaceAll('/', '.')), `${value}\n`),
    ),
  ]);
  const network = daemonsOf(stateDir, 'network')[0];
  if (network === undefined) throw new Error('the node has no network: the cluster is being taken down');
  await startDaemon(stateDir, 'node', [
    ...(['nsenter', '-t', String(network.pid), '-n'] as const),
    ...['unshare', '--pid', '--fork', '--kill-child', '--mount', '--propagation', 'private'],
    ...['sh', '-ec', nodeInit(root)],
  ]);
  const ready = await waitUntil(() => nodeInitPid(stateDir) !== undefined, 10_000, 5);
  if (!ready) throw new Error(`the node's namespaces did not come up:\n${await logTail(stateDir, 'node')}`);
  await startInNode(stateDir, 'containerd', ['containerd', '-c', path.join(root, 'containerd.toml')]);
  let died = false;
  const serving = await waitUntil(
    async () => {
      died = daemonsOf(stateDir, 'containerd').length === 0;
      return (
        died ||
        (await ctr(stateDir, ['version']).then(
          () => true,
          () => false,
        ))
      );
    },
    30_000,
    50,
  );
  if (!serving || died)
    throw new Error(`containerd did not come up:\n${await logTail(stateDir, 'containerd')}`);
}

/** kubelet would set these for the whole machine; it finds them set, in files that only it sees. */
const sysctls: Readonly<Record<string, string>> = {
  'vm/overcommit_memory': '1',
  'vm/panic_on_oom': '0',
  'kernel/panic': '10',
  'kernel/panic_on_oops': '1',
  'kernel/keys/root_maxkeys': '1000000',
  'kernel/keys/root_maxbytes': '25000000',
};

/**
 * The first process of the node: private mounts over the places where containerd, CNI and kubelet write on their own,
 * then a shell that reaps orphans until it is killed.
 */
function nodeInit(root: string): string {
  const overlays = Object.keys(sysctls).map(
    (name) =>
      `[ ! -e /proc/sys/${name} ] || mount --bind ${root}/sysctl/${name.replaceAll('/', '.')} /proc/sys/${name}`,
  );
  return `
    mount -t proc proc /proc
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir /run/lock /run/netns
    mount --bind ${root}/log /var/log
    mkdir -p /var/lib/cni
    mount --bind ${root}/var-lib-cni /var/lib/cni
    ${overlays.join('\n    ')}
    mount --make-rshared /
    touch /run/ambient-node-ready
    sleep infinity &
    wait`;
}

/** The host's id of the node's first process, once its mounts are there. */
function nodeInitPid(stateDir: string): number | undefined {
  const ours = namespaceOf('self', 'pid');
  for (const { pid } of daemonsOf(stateDir, 'node')) {
    const theirs = namespaceOf(pid, 'pid');
    if (theirs === undefined || theirs === ours) continue;
    if (isFirst(pid) && existsSync(`/proc/${pid}/root/run/ambient-node-ready`)) return pid;
  }
  return undefined;
}

function isFirst(pid: number): boolean {
  try {
    return /^NSpid:.*\t1$/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

function enter(stateDir: string): ['nsenter', ...string[]] {
  const pid = nodeInitPid(stateDir);
  if (pid === undefined) throw new Error('the node is not running');
  return ['nsenter', '-t', String(pid), '-n', '-m', '-p'];
}

async function startInNode(stateDir: string, role: string, command: readonly string[]): Promise<void> {
  await startDaemon(stateDir, role, [...enter(stateDir), ...command]);
}

/** Runs a command in the node's namespaces and returns its output. */
export function runInNode(stateDir: string, command: readonly string[]): Promise<string> {
  const [file, ...args] = enter(stateDir);
  return run(file, [...args, ...command]);
}

/** containerd's own client, for the images and containers that kubelet sees. */
export function ctrCommand(stateDir: string): ['ctr', ...string[]] {
  return ['ctr', '-a', nodeFiles(stateDir).socket, '-n', 'k8s.io'];
}

export function ctr(stateDir: string, args: readonly string[], timeoutMs = 120_000): Promise<string> {
  const [file, ...rest] = ctrCommand(stateDir);
  return run(file, [...rest, ...args], { timeoutMs });
}

/** kubelet, kube-proxy and DNS; returns when the node is Ready. The API server must be up. */
export async function startKubelet({ stateDir, state, binaries }: Instance, api: Api): Promise<void> {
  const { root } = nodeFiles(stateDir);
  const network = networkOf(state.slot);
  const file = (name: string): string => path.join(root, name);
  const cgroup = cgroupName(state.slot);
  await makeCgroups(cgroup);
  await writeFile(file('resolv.conf'), '# Pods with the default DNS policy find no name server here.\n');
  await writeFile(
    file('kubelet.yaml'),
    kubeletConfig({ stateDir, root, cgroup, socket: nodeFiles(stateDir).socket, dns: network.dnsService }),
  );
  await writeFile(
    file('kube-proxy.yaml'),
    proxyConfig({ kubeconfig: kubeconfigPath(stateDir, 'proxy'), pods: network.pods, nodeName }),
  );
  await writeFile(file('Corefile'), corefile(network.node, kubeconfigPath(stateDir, 'coredns')));
  await startInNode(stateDir, 'kubelet', [
    binaries.path('kubelet'),
    ...['--config', file('kubelet.yaml'), '--kubeconfig', kubeconfigPath(stateDir, 'kubelet')],
    ...['--hostname-override', nodeName, '--node-ip', network.node, '--root-dir', file('kubelet')],
  ]);
  await startInNode(stateDir, 'kube-proxy', [
    binaries.path('kube-proxy'),
    '--config',
    file('kube-proxy.yaml'),
  ]);
  await startInNode(stateDir, 'coredns', [binaries.path('coredns'), '-conf', file('Corefile')]);
  await applyDns(api, network.dnsService, network.node);
  let died: string | undefined;
  const ready = await waitUntil(
    async () => {
      died = ['kubelet', 'kube-proxy', 'coredns'].find((role) => daemonsOf(stateDir, role).length === 0);
      if (died !== undefined) return true;
      // Not before Services and names work, or the first pods would see them fail.
      const urls = [`http://${network.node}:10256/healthz`, `http://${network.node}:8181/ready`];
      return (await nodeIsReady(api)) && (await Promise.all(urls.map(answersOk))).every(Boolean);
    },
    60_000,
    50,
  );
  if (ready && died === undefined) return;
  const log = await logTail(stateDir, died ?? 'kubelet');
  throw new Error(`the node did not become Ready${died === undefined ? '' : `: ${died} ended`}\n${log}`);
}

async function answersOk(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(1000) })).ok;
  } catch {
    return false;
  }
}

async function nodeIsReady(api: Api): Promise<boolean> {
  const answer = await api.send('GET', `/api/v1/nodes/${nodeName}`);
  if (answer.status !== 200) return false;
  const node = JSON.parse(answer.body) as {
    status?: { conditions?: { type: string; status: string }[] };
    spec?: { taints?: unknown[] };
  };
  return (
    node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true &&
    (node.spec?.taints ?? []).length === 0
  );
}

/** The Service every pod's resolv.conf points at; its endpoint is the server on the node's own address. */
async function applyDns(api: Api, service: string, address: string): Promise<void> {
  const ports = [
    { name: 'dns', protocol: 'UDP', port: 53 },
    { name: 'dns-tcp', protocol: 'TCP', port: 53 },
  ];
  const metadata = { name: 'kube-dns', namespace: 'kube-system' };
  await Promise.all([
    api.apply('/api/v1/namespaces/kube-system/services/kube-dns', {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { clusterIP: service, ports },
    }),
    api.apply('/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns', {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'kube-dns' } },
      addressType: 'IPv4',
      ports,
      endpoints: [{ addresses: [address], conditions: { ready: true } }],
    }),
    api.apply('/apis/rbac.authorization.k8s.io/v1/clusterroles/system:coredns', {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'system:coredns' },
      rules: [
        { apiGroups: [''], resources: ['services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
      ],
    }),
    api.apply('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/system:coredns', {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'system:coredns' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:coredns' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'system:coredns' }],
    }),
  ]);
}

/** Ends the node as a power cut would: every pod on it dies with it. Its network link stays. */
export async function stopNode(stateDir: string): Promise<void> {
  for (const role of nodeRoles) await stopDaemons(stateDir, role);
}

/** The cgroup under which kubelet puts the pods of this cluster alone. */
export function cgroupName(slot: number): string {
  return `ambient-${slot}`;
}
