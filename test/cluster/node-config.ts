/** The configuration files of the node's daemons, as text. */
import path from 'node:path';
import { pauseImage } from './versions.ts';

/** Debian's place for the CNI plugins, and the upstream default. */
export const cniPluginDirs = ['/usr/lib/cni', '/opt/cni/bin'];

export function containerdConfig(root: string, socket: string, cniBin: string): string {
  // startup_delay: the first collection would race with the layers that are linked into the store just then.
  // restrict_oom_score_adj: containers and small virtual machines may lack the right to lower the score.
  return `
version = 2
root = "${root}/containerd"
state = "/run/ambient-containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[plugins."io.containerd.gc.v1.scheduler"]
  startup_delay = "24h"
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${cniBin}"
    conf_dir = "${root}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
`;
}

/** No masquerading: pods reach each other, the host and nothing beyond. */
export function cniConfig(pods: string): string {
  return JSON.stringify({
    cniVersion: '1.0.0',
    name: 'ambient',
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          ranges: [[{ subnet: pods }]],
          routes: [{ dst: '0.0.0.0/0' }],
          // Emptied with the node's processes, as the addresses are free then.
          dataDir: '/run/cni-ipam',
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  });
}

interface KubeletInput {
  readonly stateDir: string;
  readonly root: string;
  readonly cgroup: string;
  readonly socket: string;
  readonly dns: string;
}

export function kubeletConfig({ stateDir, root, cgroup, socket, dns }: KubeletInput): string {
  const pki = (name: string): string => path.join(stateDir, 'pki', name);
  return JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      x509: { clientCAFile: pki('ca.crt') },
      webhook: { enabled: true },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: pki('kubelet.crt'),
    tlsPrivateKeyFile: pki('kubelet.key'),
    containerRuntimeEndpoint: `unix://${socket}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroup}`,
    // From 1.35 on kubelet refuses the first version of cgroups unless told otherwise.
    failCgroupV1: false,
    failSwapOn: false,
    // Lowering it takes a right that containers and small virtual machines lack.
    oomScoreAdj: 0,
    maxPods: 250,
    // What a pod may bring to pass: without them an agent that forks or writes without end takes the machine.
    podPidsLimit: 512,
    localStorageCapacityIsolation: true,
    // How soon a full volume is seen.
    volumeStatsAggPeriod: '5s',
    clusterDNS: [dns],
    clusterDomain: 'cluster.local',
    resolvConf: path.join(root, 'resolv.conf'),
    volumePluginDir: path.join(root, 'volume-plugins'),
    // The machine's disk is not the cluster's to judge, and its images cannot be pulled again.
    evictionHard: { 'memory.available': '100Mi' },
    imageGCHighThresholdPercent: 100,
    kubeAPIQPS: 200,
    kubeAPIBurst: 400,
    eventRecordQPS: 0,
    logging: { verbosity: 1 },
  });
}

export function proxyConfig(input: { kubeconfig: string; pods: string; nodeName: string }): string {
  return JSON.stringify({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'iptables',
    clusterCIDR: input.pods,
    hostnameOverride: input.nodeName,
    clientConnection: { kubeconfig: input.kubeconfig },
    // The maximum is one for the whole machine: leave it.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
    iptables: { minSyncPeriod: '100ms' },
  });
}

export function corefile(address: string, kubeconfig: string): string {
  return `.:53 {
  bind ${address}
  errors
  ready ${address}:8181
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${kubeconfig}
    ttl 1
  }
}
`;
}
