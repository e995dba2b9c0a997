/** The view `ambient.sessions`: shows nodes to VS Code, and lets them watch only while somebody can see them. */
import * as vscode from 'vscode';
import { count } from '../../common/rules/wording.ts';
import type { Approvals } from '../sessions/approvals.ts';
import type { LaunchedSessions } from '../sessions/launched.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import type { NodeView, TreeContext, TreeNode } from './node.ts';
import { Refresh } from './refresh.ts';
import { RootNode } from './root-node.ts';
import { treeItem } from './tree-item.ts';

export const VIEW_ID = 'ambient.sessions';
/** Ages in descriptions are in minutes; an unreachable cluster may be back. */
const TICK_MS = 30_000;
/** How long a new session may take to appear before nobody waits for its row any more. */
const REVEAL_MS = 10_000;
const RETRIED = ['unreachable', 'other', 'operatorAway'];

export class SessionsTree implements vscode.TreeDataProvider<TreeNode>, vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<TreeNode | undefined>();
  readonly #refresh: Refresh;
  readonly #root: RootNode;
  readonly #view: vscode.TreeView<TreeNode>;
  readonly #launched: LaunchedSessions;
  readonly #approvals: Approvals;
  readonly #subscriptions: { dispose(): unknown }[];
  #tick: NodeJS.Timeout | undefined;
  #wasHidden = false;

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(context: Omit<TreeContext, 'refresh'> & { launched: LaunchedSessions; approvals: Approvals }) {
    this.#launched = context.launched;
    this.#approvals = context.approvals;
    this.#refresh = new Refresh((node) => {
      this.#changed.fire(node);
      this.#showBadge();
    });
    this.#root = new RootNode({
      ...context,
      refresh: (node, withinMs) => this.#refresh.request(node, withinMs),
    });
    this.#view = vscode.window.createTreeView(VIEW_ID, {
      treeDataProvider: this,
      showCollapseAll: true,
      canSelectMany: true,
    });
    this.#subscriptions = [
      this.#changed,
      this.#view,
      context.launched.onDidChange(() => this.#showBadge()),
      context.approvals.onDidChange(() => this.#showBadge()),
      this.#view.onDidChangeVisibility(({ visible }) => this.#onVisible(visible)),
      // Closing a row releases it; opening it again begins anew where something was released.
      this.#view.onDidCollapseElement(({ element }) => element.release?.()),
      this.#view.onDidExpandElement(({ element }) => {
        if (element.released === true) this.refresh(element);
      }),
    ];
    if (this.#view.visible) this.#startTick();
  }

  getTreeItem(node: TreeNode): vscode.TreeItem {
    return treeItem(node.view());
  }

  async getChildren(node?: TreeNode): Promise<TreeNode[]> {
    const children = await (node ?? this.#root).children();
    this.#showBadge();
    return [...children];
  }

  getParent(node: TreeNode): TreeNode | undefined {
    return node.parent === this.#root ? undefined : node.parent;
  }

  /** Draws again with what is known. */
  refresh(node?: TreeNode): void {
    this.#refresh.request(node);
  }

  /** Asks the clusters again for everything. */
  reload(): void {
    this.#root.invalidate();
    this.refresh();
  }

  /** What the welcome view stands for, with the details it has no room for. */
  get problem(): RootNode['problem'] {
    return this.#root.problem;
  }

  /**
   * Selects a session's row, opening what it lies in, as soon as the watch has told of it. Does nothing while the view
   * is hidden, or when cluster or namespace are not shown.
   */
  async revealWhenThere(ref: SessionRef): Promise<void> {
    const deadline = performance.now() + REVEAL_MS;
    while (this.#view.visible && performance.now() < deadline) {
      if (await this.#reveal(ref)) return;
      await new Promise<void>((resolve) => {
        const subscription = this.#changed.event(() => {
          subscription.dispose();
          resolve();
        });
        setTimeout(resolve, 500);
      });
    }
  }

  async #reveal(ref: SessionRef): Promise<boolean> {
    const cluster = [...this.#root.clusters].find((each) => each.cluster === ref.cluster);
    const namespace = [...(cluster?.namespaces ?? [])].find((each) => each.namespace === ref.namespace);
    if (namespace === undefined) return false;
    for (const group of await namespace.children()) await group.children();
    const node = namespace.node(ref.name);
    if (node === undefined) return false;
    await this.#view.reveal(node, { select: true, focus: false });
    return true;
  }

  /** All rows as VS Code would be given them, down to `depth`: for tests and for reports of problems. */
  async snapshot(depth = 4): Promise<{ view: NodeView; depth: number }[]> {
    const rows: { view: NodeView; depth: number }[] = [];
    const visit = async (node: TreeNode, level: number): Promise<void> => {
      for (const child of await node.children()) {
        rows.push({ view: child.view(), depth: level });
        if (level < depth && child.view().collapsible === 'expanded') await visit(child, level + 1);
      }
    };
    await visit(this.#root, 0);
    return rows;
  }

  dispose(): void {
    clearInterval(this.#tick);
    this.#refresh.dispose();
    this.#root.release();
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #onVisible(visible: boolean): void {
    if (visible) {
      this.#startTick();
      this.#retry();
      // The first time VS Code asks by itself, and would have to begin again.
      if (this.#wasHidden) this.refresh();
    } else {
      this.#wasHidden = true;
      clearInterval(this.#tick);
      this.#tick = undefined;
      this.#root.release();
      this.#showBadge();
    }
  }

  #startTick(): void {
    this.#tick ??= setInterval(() => {
      this.#retry();
      this.refresh();
    }, TICK_MS);
  }

  #retry(): void {
    for (const cluster of this.#root.clusters)
      if (cluster.problem !== undefined && RETRIED.includes(cluster.problem.kind)) cluster.invalidate();
  }

  /**
   * What waits for this person comes first. Otherwise, while the view is shown, what has not ended in it; while it is
   * hidden, of those launched from here.
   */
  #showBadge(): void {
    let active = 0;
    let asking = 0;
    if (this.#view.visible)
      for (const cluster of this.#root.clusters)
        for (const namespace of cluster.namespaces) {
          active += namespace.active;
          asking += namespace.asking;
        }
    const badge = badgeOf(
      Math.max(active, this.#launched.active),
      this.#approvals.waiting.length,
      Math.max(asking, this.#launched.asking),
    );
    const shown = this.#view.badge;
    if (shown?.value !== badge?.value || shown?.tooltip !== badge?.tooltip) this.#view.badge = badge;
  }
}

function badgeOf(active: number, awaiting: number, asking: number): vscode.ViewBadge | undefined {
  const going = count(active, 'active session');
  if (awaiting + asking === 0) return active === 0 ? undefined : { value: active, tooltip: going };
  const waits = (sessions: number): string =>
    sessions === 1 ? '1 session waits' : `${sessions} sessions wait`;
  return {
    value: awaiting + asking,
    tooltip: [
      ...(awaiting === 0 ? [] : [`${waits(awaiting)} for your approval`]),
      ...(asking === 0 ? [] : [`${waits(asking)} for an answer`]),
      going,
    ].join(', '),
  };
}
