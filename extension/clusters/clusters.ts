/** The clusters of the user's kubeconfig: contexts, and one connection each, opened on first use. Never switches the current context. */
import type { KubeClient } from '../../common/kube/client.ts';
import type { Connection } from '../../common/kube/connection.ts';
import type { ContextInfo, Kubeconfig } from '../../common/kube/kubeconfig.ts';
import { Emitter } from '../ide/event.ts';
import type { Listen } from '../ide/event.ts';

export interface ClustersOptions {
  /** From the settings; '' or undefined: KUBECONFIG, else ~/.kube/config. Asked each time it is read. */
  kubeconfigPath(): string | undefined;
  /** How long a credential helper may take, in ms. */
  execTimeoutMs(): number;
  env: Readonly<Record<string, string | undefined>>;
  homeDir: string;
  userAgent: string;
}

interface Open {
  connection: Connection;
  client: KubeClient;
}

export class Clusters {
  readonly #options: ClustersOptions;
  readonly #changed = new Emitter<void>();
  readonly #open = new Map<string, Promise<Open>>();
  #kubeconfig: Promise<Kubeconfig> | undefined;
  #content: string | undefined;

  constructor(options: ClustersOptions) {
    this.#options = options;
  }

  /** The kubeconfig or a setting that picks it changed, or a connection was given up: ask again for everything. */
  readonly onDidChange: Listen<void> = this.#changed.event;

  /** What the kubeconfig files hold, read once until `reload`. Broken files are in its `problems`. */
  kubeconfig(): Promise<Kubeconfig> {
    this.#kubeconfig ??= this.#load();
    return this.#kubeconfig;
  }

  async contexts(): Promise<ContextInfo[]> {
    return (await this.kubeconfig()).contexts;
  }

  /** Shared; closed by this class. Throws AmbientError when the context is missing or its credentials cannot be had. */
  async connection(contextName: string): Promise<Connection> {
    return (await this.#connect(contextName)).connection;
  }

  async client(contextName: string): Promise<KubeClient> {
    return (await this.#connect(contextName)).client;
  }

  /** Closes the connection of one context, so that the next use asks for credentials again. */
  async reconnect(contextName: string): Promise<void> {
    const opening = this.#open.get(contextName);
    this.#open.delete(contextName);
    await closeQuietly(opening);
    this.#changed.fire();
  }

  /**
   * Reads the kubeconfig again. When nothing but the current context changed, as `kubectl config use-context` does,
   * connections stay open and with them the logs that are being followed.
   */
  async reload(): Promise<void> {
    const before = this.#content;
    this.#kubeconfig = undefined;
    await this.kubeconfig().catch(() => undefined);
    const after = this.#content;
    if (before === undefined || before !== after) {
      const opening = [...this.#open.values()];
      this.#open.clear();
      await Promise.all(opening.map(closeQuietly));
    }
    this.#changed.fire();
  }

  async close(): Promise<void> {
    const opening = [...this.#open.values()];
    this.#open.clear();
    this.#changed.dispose();
    await Promise.all(opening.map(closeQuietly));
  }

  async #load(): Promise<Kubeconfig> {
    const { env, homeDir } = this.#options;
    const path = this.#options.kubeconfigPath();
    const { loadKubeconfig } = await import('./kube.ts');
    const kubeconfig = await loadKubeconfig({ env, homeDir, ...(path ? { path } : {}) });
    this.#content = contentOf(kubeconfig);
    return kubeconfig;
  }

  #connect(contextName: string): Promise<Open> {
    const known = this.#open.get(contextName);
    if (known !== undefined) return known;
    const opening = this.#connectNow(contextName);
    this.#open.set(contextName, opening);
    // What failed is tried anew by whoever asks next.
    opening.catch(() => {
      if (this.#open.get(contextName) === opening) this.#open.delete(contextName);
    });
    return opening;
  }

  async #connectNow(contextName: string): Promise<Open> {
    const kubeconfig = await this.kubeconfig();
    const { KubeClient } = await import('./kube.ts');
    const connection = await kubeconfig.connect(contextName, {
      execTimeoutMs: this.#options.execTimeoutMs(),
      userAgent: this.#options.userAgent,
    });
    return { connection, client: new KubeClient(connection) };
  }
}

/** All files without the line that names the current context. */
const contentOf = ({ files, texts }: Kubeconfig): string =>
  [...files, ...texts].join('\0').replace(/^current-context:.*$/gm, '');

async function closeQuietly(opening: Promise<Open> | undefined): Promise<void> {
  const open = await opening?.catch(() => undefined);
  await open?.connection.close();
}
