/** What every row of the tree is, without VS Code: sessions-tree.ts turns views into TreeItems, tests into text. */
import type { Artifact } from '../../common/api/live.ts';
import type { Clusters } from '../clusters/clusters.ts';
import type { Rights } from '../clusters/rights.ts';
import type { EmptyNamespaces } from '../clusters/namespaces.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import type { SessionWatches } from '../sessions/session-watch.ts';
import type { ViewState } from '../ide/context-keys.ts';

export interface NodeView {
  /** Stable and unique in the tree: keeps selection and expansion over refreshes. */
  id: string;
  label: string;
  description?: string;
  /** Markdown in which everything from outside is escaped. */
  tooltip?: string;
  /** A codicon with a theme colour, or the icon of the file theme for this path. */
  icon?: { id: string; color?: string } | { filePath: string };
  collapsible: 'none' | 'collapsed' | 'expanded';
  /** `viewItem` in the when clauses of package.json: words separated by blanks. */
  context?: string;
  command?: { command: string; title: string; arguments?: unknown[] };
  /** What a screen reader says for the row. */
  spoken: string;
}

export interface TreeNode {
  readonly id: string;
  readonly parent: TreeNode | undefined;
  view(): NodeView;
  /** Asked for when the node is open in a visible view: the time to begin watching. Does not throw. */
  children(): Promise<readonly TreeNode[]>;
  /** Nobody sees the children any more: the time to stop watching. */
  release?(): void;
  /** Whether release has stopped something that must begin again when the node is opened again. */
  readonly released?: boolean;
}

export interface TreeSettings {
  /** Names of contexts to show; empty: the kubeconfig's current one. */
  contexts: readonly string[];
  /** `namespace`, or `context/namespace`. */
  pinned: readonly string[];
  emptyNamespaces: EmptyNamespaces;
  /** Finished sessions older than so many days are left out; 0 keeps all. */
  finishedDays: number;
}

export interface TreeContext {
  clusters: Pick<Clusters, 'kubeconfig' | 'client'>;
  watches: Pick<SessionWatches, 'acquire' | 'expect'>;
  /** Asked without waiting: rows are drawn again when the answer is there. */
  rights: Pick<Rights, 'peek'>;
  settings(): TreeSettings;
  /** Epoch ms. */
  now(): number;
  /**
   * The node's view and children may have changed; without a node, all. Gathered and passed on within 100 ms, or as many
   * as are given: 0 where somebody waits for it.
   */
  refresh(node?: TreeNode, withinMs?: number): void;
  listArtifacts(ref: SessionRef, signal?: AbortSignal): Promise<Artifact[]>;
  /** The files that the kubeconfig was read from, to be watched. */
  onKubeconfig(files: readonly string[]): void;
  /** What stands in place of an empty tree. */
  setViewState(state: ViewState): void;
  log(message: string, error?: unknown): void;
}
