/** Gathers requests to redraw: at most one in so many ms, and none for a row below one that is redrawn anyway. */
import type { TreeNode } from './node.ts';

export const REFRESH_MS = 100;

export class Refresh {
  readonly #fire: (node: TreeNode | undefined) => void;
  readonly #delayMs: number;
  #waiting = new Set<TreeNode>();
  #all = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(fire: (node: TreeNode | undefined) => void, delayMs = REFRESH_MS) {
    this.#fire = fire;
    this.#delayMs = delayMs;
  }

  /** Without a node: everything. */
  request(node?: TreeNode): void {
    if (node === undefined || node.parent === undefined) this.#all = true;
    else this.#waiting.add(node);
    // Not restarted by later requests: steady change must not keep the tree from being drawn.
    this.#timer ??= setTimeout(() => this.flush(), this.#delayMs);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const nodes = this.#waiting;
    const all = this.#all;
    this.#waiting = new Set();
    this.#all = false;
    if (all) this.#fire(undefined);
    else for (const node of nodes) if (!hasAncestorIn(node, nodes)) this.#fire(node);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#waiting.clear();
    this.#all = false;
  }
}

function hasAncestorIn(node: TreeNode, nodes: ReadonlySet<TreeNode>): boolean {
  for (let above = node.parent; above !== undefined; above = above.parent) if (nodes.has(above)) return true;
  return false;
}
