/** Why something cannot be shown, with one row for each thing that can be done about it. */
import type { Problem } from '../clusters/problem.ts';
import { markdownText, plain } from '../ide/plain-text.ts';
import { MessageNode } from './message-node.ts';
import type { NodeView, TreeNode } from './node.ts';

export class ProblemNode implements TreeNode {
  readonly id: string;
  readonly parent: TreeNode;
  readonly problem: Problem;

  constructor(parent: TreeNode, problem: Problem) {
    this.parent = parent;
    this.problem = problem;
    this.id = `${parent.id}/problem`;
  }

  view(): NodeView {
    const { title, message, remedy } = this.problem;
    return {
      id: this.id,
      label: title,
      description: plain(message),
      tooltip: `**${markdownText(title)}**\n\n${markdownText(message)}\n\n${markdownText(remedy)}`,
      icon: { id: 'error', color: 'problemsErrorIcon.foreground' },
      collapsible: this.problem.actions.length === 0 ? 'none' : 'expanded',
      context: 'problem',
      command: { command: 'ambient.showProblem', title: 'Show Details', arguments: [this.problem] },
      spoken: `${title}. ${plain(message)}. ${plain(remedy)}`,
    };
  }

  async children(): Promise<readonly TreeNode[]> {
    return this.problem.actions.map(
      ({ title, command, arguments: args }) =>
        new MessageNode(this, title, {
          label: title,
          icon: { id: 'arrow-right' },
          command: { command, title, ...(args === undefined ? {} : { arguments: args }) },
        }),
    );
  }
}
