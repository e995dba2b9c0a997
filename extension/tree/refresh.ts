/** Gathers requests to redraw: at most one in so many ms (unless somebody waits for it), and none for a row below one that is redrawn anyway. */
import type { TreeNode } from './node.ts';

export const REFRESH_MS = 100;

export class Refresh {
  readonly #fire: (node: TreeNode | undefined) => void;
  readonly #delayMs: number;
  #waiting = new Set<TreeNode>();
  #all = false;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer ends, by performance.now(). */
  #due = Infinity;

  constructor(fire: (node: TreeNode | undefined) => void, delayMs = REFRESH_MS) {
    this.#fire = fire;
    this.#delayMs = delayMs;
  }

  /** Without a node: everything. All that waits is drawn as soon as one of it has to be. */
  request(node?: TreeNode, withinMs = this.#delayMs): void {
    if (node === undefined || node.parent === undefined) this.#all = true;
    else this.#waiting.add(node);
    const due = performance.now() + withinMs;
    // Later requests put nothing off: steady change must not keep the tree from being drawn.
    if (due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => this.flush(), withinMs);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#due = Infinity;
    const nodes = this.#waiting;
    const all = this.#all;
    this.#waiting = new Set();
    this.#all = false;
    if (all) this.#fire(undefined);
    else for (const node of nodes) if (!hasAncestorIn(node, nodes)) this.#fire(node);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#due = Infinity;
    this.#waiting.clear();
    this.#all = false;
  }
}

function hasAncestorIn(node: TreeNode, nodes: ReadonlySet<TreeNode>): boolean {
  for (let above = node.parent; above !== undefined; above = above.parent) if (nodes.has(above)) return true;
  return false;
}
