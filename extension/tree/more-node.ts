/** Long lists page by page: the first rows, then a row that shows more of them. */
import { MessageNode } from './message-node.ts';
import type { TreeContext, TreeNode } from './node.ts';

export const PAGE_SIZE = 500;

/** How much of one node's list is shown. */
export class Pages {
  readonly #context: Pick<TreeContext, 'refresh'>;
  readonly #owner: TreeNode;
  #shown = PAGE_SIZE;

  constructor(context: Pick<TreeContext, 'refresh'>, owner: TreeNode) {
    this.#context = context;
    this.#owner = owner;
  }

  showMore(): void {
    this.#shown += PAGE_SIZE;
    this.#context.refresh(this.#owner);
  }

  /** The nodes of what is shown, and the row for the rest. `make` is called only for what is shown. */
  of<T>(items: readonly T[], make: (item: T) => TreeNode): TreeNode[] {
    const nodes: TreeNode[] = items.slice(0, this.#shown).map(make);
    const rest = items.length - nodes.length;
    if (rest > 0) nodes.push(new MoreNode(this.#owner, this, rest));
    return nodes;
  }
}

export class MoreNode extends MessageNode {
  constructor(parent: TreeNode, pages: Pages, rest: number) {
    super(parent, 'more', {
      label: 'Show more…',
      description: `${rest} more`,
      icon: { id: 'ellipsis' },
      command: {
        command: 'ambient.showMore',
        title: 'Show More',
        arguments: [{ showMore: () => pages.showMore() }],
      },
    });
  }
}
