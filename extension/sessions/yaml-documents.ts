/** `ambient-yaml:` documents: a Session object as the cluster has it, read-only, following its changes while it is open. */
import { posix } from 'node:path';
import * as vscode from 'vscode';
import { messageOf } from '../../common/errors.ts';
import { isNotFound } from '../../common/kube/errors.ts';
import { sessions } from '../../common/kube/resource.ts';
import type { Clusters } from '../clusters/clusters.ts';
import type { SessionRef } from './session-ref.ts';
import type { SessionWatch, SessionWatches } from './session-watch.ts';

export const YAML_SCHEME = 'ambient-yaml';

/** The cluster's name goes into the query: it may hold anything, and the authority of a URI may not. */
export const yamlUri = ({ cluster, namespace, name }: SessionRef): vscode.Uri =>
  vscode.Uri.from({ scheme: YAML_SCHEME, path: posix.join('/', namespace, `${name}.yaml`), query: cluster });

function refOfUri(uri: vscode.Uri): SessionRef {
  const [, namespace = '', file = ''] = uri.path.split('/');
  return { cluster: uri.query, namespace, name: file.replace(/\.yaml$/, '') };
}

export interface YamlDocumentsOptions {
  clusters: Pick<Clusters, 'client'>;
  watches: Pick<SessionWatches, 'acquire'>;
}

export class YamlDocuments implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #options: YamlDocumentsOptions;
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly #watches = new Map<string, SessionWatch>();
  readonly #subscriptions: vscode.Disposable[];

  readonly onDidChange = this.#changed.event;

  constructor(options: YamlDocumentsOptions) {
    this.#options = options;
    this.#subscriptions = [
      this.#changed,
      vscode.workspace.registerTextDocumentContentProvider(YAML_SCHEME, this),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => this.#forget(uri)),
    ];
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const ref = refOfUri(uri);
    this.#follow(uri, ref);
    try {
      const client = await this.#options.clusters.client(ref.cluster);
      const [session, { toYaml }] = await Promise.all([
        client.get(sessions, ref),
        import('./session-yaml.ts'),
      ]);
      return toYaml(session, {
        header: 'Read-only: the spec of a session never changes. Follows the cluster.',
      });
    } catch (error) {
      const gone = isNotFound(error) ? 'This session does not exist (any more).' : messageOf(error);
      return gone.replace(/^/gm, '# ').concat('\n');
    }
  }

  dispose(): void {
    for (const watch of this.#watches.values()) watch.dispose();
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #follow(uri: vscode.Uri, ref: SessionRef): void {
    const key = uri.toString();
    if (this.#watches.has(key)) return;
    const watch = this.#options.watches.acquire(ref.cluster, ref.namespace, ref.name);
    this.#watches.set(key, watch);
    // The first list tells nothing new.
    watch.onChange(({ type }) => {
      if (type !== 'added') this.#changed.fire(uri);
    });
  }

  #forget(uri: vscode.Uri): void {
    this.#watches.get(uri.toString())?.dispose();
    this.#watches.delete(uri.toString());
  }
}
