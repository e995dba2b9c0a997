/** Which servers make up the built-in cluster, at which versions, and where their Go modules are. */

/** Kubernetes proper. The go.mod replaces every `k8s.io/*` staging module by its published twin, v0.x. */
export const kubernetesVersion = '1.34.4';

/** registry.k8s.io/pause is built from source here, so its tag only has to be the same in two places. */
export const pauseImage = 'registry.k8s.io/pause:3.9';

/** The tag that the product's Dockerfiles build upon. */
export const baseImage = 'docker.io/library/node:24-bookworm-slim';

/** `versitygw` is no part of a cluster: the S3 server that storage is tested against. */
export type Component = 'kubernetes' | 'etcd' | 'kwok' | 'coredns' | 'pause' | 'versitygw';

interface Build {
  /** Binary name → main package. */
  readonly binaries: Readonly<Record<string, string>>;
  readonly ldflags: string;
  /** Files of a module that belong to the program: target folder → module and folders in it. */
  readonly data?: { readonly module: string; readonly folders: readonly string[] };
}

const [major = '', minor = ''] = kubernetesVersion.split('.');
const stamp = 'k8s.io/component-base/version';

export const builds: Readonly<Record<Component, Build>> = {
  kubernetes: {
    binaries: {
      'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
      'kube-controller-manager': 'k8s.io/kubernetes/cmd/kube-controller-manager',
      'kube-scheduler': 'k8s.io/kubernetes/cmd/kube-scheduler',
      kubectl: 'k8s.io/kubernetes/cmd/kubectl',
      kubelet: 'k8s.io/kubernetes/cmd/kubelet',
      'kube-proxy': 'k8s.io/kubernetes/cmd/kube-proxy',
    },
    // Without the stamp the API server says v0.0.0 and clients refuse it.
    ldflags: `-s -w -X ${stamp}.gitVersion=v${kubernetesVersion} -X ${stamp}.gitMajor=${major} -X ${stamp}.gitMinor=${minor}`,
  },
  etcd: { binaries: { etcd: 'go.etcd.io/etcd/server/v3' }, ldflags: '-s -w' },
  pause: { binaries: { pause: '.' }, ldflags: '-s -w' },
  coredns: { binaries: { coredns: 'github.com/coredns/coredns' }, ldflags: '-s -w' },
  versitygw: { binaries: { versitygw: 'github.com/versity/versitygw/cmd/versitygw' }, ldflags: '-s -w' },
  kwok: {
    binaries: { kwok: 'sigs.k8s.io/kwok/cmd/kwok' },
    ldflags: '-s -w',
    data: {
      module: 'sigs.k8s.io/kwok',
      folders: [
        'kustomize/stage/node/fast',
        'kustomize/stage/node/heartbeat-with-lease',
        'kustomize/stage/pod/fast',
      ],
    },
  },
};
