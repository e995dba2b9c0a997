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

interface Followed {
  watch: SessionWatch;
  /** The version that was read last, and the one that the watch has told of; undefined before. */
  shown: string | undefined;
  told: string | undefined;
}

/** Instead of a version. */
const GONE = 'gone';

export class YamlDocuments implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #options: YamlDocumentsOptions;
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly #followed = new Map<string, Followed>();
  readonly #subscriptions: vscode.Disposable[];

  readonly onDidChange = this.#changed.event;

  constructor(options: YamlDocumentsOptions) {
    this.#options = options;
    this.#subscriptions = [
      this.#changed,
      vscode.workspace.registerTextDocumentContentProvider(YAML_SCHEME, this),
      // What changed while it was opened VS Code did not ask for again.
      vscode.workspace.onDidOpenTextDocument(({ uri }) => this.#catchUp(uri)),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => this.#forget(uri)),
    ];
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const ref = refOfUri(uri);
    const followed = this.#follow(uri, ref);
    followed.shown = undefined;
    try {
      const client = await this.#options.clusters.client(ref.cluster);
      const [session, { toYaml }] = await Promise.all([
        client.get(sessions, ref),
        import('./session-yaml.ts'),
      ]);
      followed.shown = session.metadata.resourceVersion;
      return toYaml(session, {
        header: 'Read-only: the spec of a session never changes. Follows the cluster.',
      });
    } catch (error) {
      if (isNotFound(error)) followed.shown = GONE;
      const gone = isNotFound(error) ? 'This session does not exist (any more).' : messageOf(error);
      return gone.replace(/^/gm, '# ').concat('\n');
    }
  }

  dispose(): void {
    for (const { watch } of this.#followed.values()) watch.dispose();
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #follow(uri: vscode.Uri, ref: SessionRef): Followed {
    const key = uri.toString();
    const known = this.#followed.get(key);
    if (known !== undefined) return known;
    const watch = this.#options.watches.acquire(ref.cluster, ref.namespace, ref.name);
    const followed: Followed = { watch, shown: undefined, told: undefined };
    this.#followed.set(key, followed);
    watch.onChange(({ type, object }) => {
      followed.told = type === 'deleted' ? GONE : object.metadata.resourceVersion;
      this.#catchUp(uri);
    });
    return followed;
  }

  /** The first list may tell of what was read already, or of what has become of it since. */
  #catchUp(uri: vscode.Uri): void {
    const { told, shown } = this.#followed.get(uri.toString()) ?? {};
    if (told !== undefined && told !== shown) this.#changed.fire(uri);
  }

  #forget(uri: vscode.Uri): void {
    this.#followed.get(uri.toString())?.watch.dispose();
    this.#followed.delete(uri.toString());
  }
}
