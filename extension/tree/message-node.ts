/** A row that says something, with what to do about it when clicked. */
import { markdownText, plain } from '../ide/plain-text.ts';
import type { NodeView, TreeNode } from './node.ts';

export interface Message {
  label: string;
  description?: string;
  /** Text from outside; shown escaped. */
  tooltip?: string;
  icon: { id: string; color?: string };
  command?: NonNullable<NodeView['command']>;
}

export class MessageNode implements TreeNode {
  readonly id: string;
  readonly parent: TreeNode;
  readonly #message: Message;

  constructor(parent: TreeNode, name: string, message: Message) {
    this.parent = parent;
    this.id = `${parent.id}/m:${name}`;
    this.#message = message;
  }

  view(): NodeView {
    const { label, description, tooltip, icon, command } = this.#message;
    return {
      id: this.id,
      label: plain(label),
      ...(description === undefined ? {} : { description: plain(description) }),
      ...(tooltip === undefined ? {} : { tooltip: markdownText(tooltip) }),
      icon,
      collapsible: 'none',
      context: 'message',
      ...(command === undefined ? {} : { command }),
      spoken: plain(description === undefined ? label : `${label}, ${description}`),
    };
  }

  async children(): Promise<readonly TreeNode[]> {
    return [];
  }
}
