/** What a cluster is to its users: tests, demo and bench. */

export interface ClusterOptions {
  /** A node that runs containers (needs root on Linux, or Docker with kind). */
  readonly node?: boolean;
  /** How many nodes that exist as objects only, by kwok, which says that their pods run. */
  readonly fakeNodes?: number;
  /** Lower case letters, digits and dashes; made up when not given. */
  readonly name?: string;
  /** Use this context of the user's kubeconfig instead of bringing anything up. */
  readonly context?: string;
  /** docker-archive files to load into the node. */
  readonly images?: readonly string[];
  /** Leave it running when this process ends. */
  readonly keep?: boolean;
  /** Progress, a line at a time. */
  readonly log?: (line: string) => void;
}

export interface Cluster extends AsyncDisposable {
  readonly provider: 'built' | 'kind' | 'context';
  readonly name: string;
  /** Path of a file with one context, whose user may do everything. */
  readonly kubeconfig: string;
  /** Path of a kubectl of the cluster's version. */
  readonly kubectlPath: string;
  readonly server: string;
  readonly stateDir: string;
  /** Whether pods really run. */
  readonly node: boolean;
  /** The address by which pods, and the API server, reach servers on this machine. */
  readonly nodeHostAddress: string;
  /** Milliseconds by step; `start` is all of them but packages and binaries. */
  readonly timings: Readonly<Record<string, number>>;
  /** Runs kubectl as administrator and returns its output. Throws CommandError; 60 s unless told otherwise. */
  kubectl(
    args: readonly string[],
    options?: { readonly input?: string; readonly timeoutMs?: number },
  ): Promise<string>;
  /** Loads a docker-archive or OCI archive into the node. */
  loadImage(archive: string): Promise<void>;
  /** A StorageClass `name` with one volume that holds `mebibytes` and no more. */
  addSmallVolume(name: string, mebibytes: number): Promise<void>;
  /** Kills the API server; etcd keeps its data. */
  stopApiServer(): Promise<void>;
  startApiServer(): Promise<void>;
  restartApiServer(): Promise<void>;
  /** Kills the node with every pod on it, as a power cut would. The Node object stays, and is NotReady after a minute. */
  stopNode(): Promise<void>;
  startNode(): Promise<void>;
  /** Removes every trace. Of a cluster that was there before, nothing is removed. */
  down(): Promise<void>;
}
