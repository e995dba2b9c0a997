/** The policy page as a panel of the editor. `await import` it: brings schemas and Kubernetes code along. */
import * as vscode from 'vscode';
import { POLICY_PAGE_REQUESTS } from '../../common/api/panels.ts';
import type { Handlers, PolicyPageRequests, PolicyPageUpdates, PolicyRef } from '../../common/api/panels.ts';
import type { Clusters } from '../clusters/clusters.ts';
import type { Rights } from '../clusters/rights.ts';
import type { Notify } from '../ide/notify.ts';
import { showDocument } from '../panels/page-document.ts';
import { dispatch } from '../panels/requests.ts';
import { PolicyFeed, RETRY_POLICY } from './policy-feed.ts';

export interface PolicyPanelDeps {
  clusters: Pick<Clusters, 'client'>;
  rights: Pick<Rights, 'refusal'>;
  notify: Pick<Notify, 'log' | 'failed' | 'background'>;
}

export interface PolicyPanelOptions {
  panel: vscode.WebviewPanel;
  ref: PolicyRef;
  extensionUri: vscode.Uri;
  deps: PolicyPanelDeps;
}

export class PolicyPanel {
  readonly #options: PolicyPanelOptions;
  readonly #feed: PolicyFeed;
  readonly #subscriptions: vscode.Disposable[];
  /** The page listens: it asked for its state and was not made anew since. */
  #listens = false;
  #closed = false;

  constructor(options: PolicyPanelOptions) {
    this.#options = options;
    const { panel, ref, deps } = options;
    this.#feed = new PolicyFeed(ref, {
      client: (cluster) => deps.clusters.client(cluster),
      rights: deps.rights,
      now: Date.now,
      onChange: () => this.#tell(),
      onError: (doing, error) => deps.notify.log(doing, error),
    });
    panel.iconPath = vscode.Uri.joinPath(options.extensionUri, 'media/icon.png');
    showDocument(panel, options.extensionUri, { name: 'policy', title: 'Policy' });
    this.#subscriptions = [
      panel.webview.onDidReceiveMessage((message: unknown) => this.#receive(message)),
      panel.onDidChangeViewState(() => this.#onVisible(panel.visible)),
      panel.onDidDispose(() => this.#onDispose()),
    ];
    this.#onVisible(panel.visible);
  }

  show(): void {
    this.#options.panel.reveal(undefined, false);
  }

  /** The connections may be others now. */
  watchAgain(): void {
    if (this.#closed || !this.#options.panel.visible) return;
    this.#feed.retry();
  }

  /** Stops watching; the page stays as it is. */
  rest(): void {
    this.#feed.stop();
  }

  #onDispose(): void {
    this.#closed = true;
    this.rest();
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  /** Watches only while somebody can see it. A hidden page is unloaded, and asks for its state when it is made anew. */
  #onVisible(visible: boolean): void {
    if (this.#closed) return;
    if (visible) this.#feed.start();
    else {
      this.#listens = false;
      this.rest();
    }
  }

  #receive(message: unknown): void {
    this.#options.deps.notify.background(
      'a request of the policy page',
      dispatch<typeof POLICY_PAGE_REQUESTS, PolicyPageRequests>(
        POLICY_PAGE_REQUESTS,
        this.#handlers,
        message,
      ),
    );
  }

  readonly #handlers: Handlers<PolicyPageRequests> = {
    ready: () => {
      this.#listens = true;
      this.#tell();
    },
    retry: () => this.#feed.retry(),
    edit: () => this.#run('ambient.editPolicy', this.#feed.ref),
    act: async ({ action: id }) => {
      if (id === RETRY_POLICY) return this.#feed.retry();
      const action = this.#feed.action(id);
      if (action !== undefined) await this.#run(action.command, ...(action.arguments ?? []));
    },
  };

  async #run(command: string, ...args: unknown[]): Promise<void> {
    try {
      await vscode.commands.executeCommand(command, ...args);
    } catch (error) {
      this.#options.deps.notify.failed(`run ${command}`, error, this.#feed.ref.cluster);
    }
  }

  #tell(): void {
    this.#post('state', this.#feed.state());
  }

  #post<K extends keyof PolicyPageUpdates>(type: K, payload: PolicyPageUpdates[K]): void {
    if (!this.#listens || this.#closed) return;
    this.#options.deps.notify.background(
      'telling the policy page',
      this.#options.panel.webview.postMessage({ type, payload }),
    );
  }
}
