/** Sessions of one namespace in the same state. */
import type { Session } from '../../common/api/session.ts';
import { count } from '../../common/rules/wording.ts';
import type { Group } from '../sessions/state.ts';
import { Pages } from './more-node.ts';
import type { NodeView, TreeContext, TreeNode } from './node.ts';

const GROUP_VIEWS: Readonly<Record<Group, { label: string; icon: string; open: boolean }>> = {
  approval: { label: 'Needs approval', icon: 'question', open: true },
  input: { label: 'Needs input', icon: 'comment-discussion', open: true },
  attention: { label: 'Needs attention', icon: 'bell', open: true },
  pending: { label: 'Pending', icon: 'clock', open: true },
  running: { label: 'Running', icon: 'play', open: true },
  recent: { label: 'Finished within a day', icon: 'check', open: true },
  older: { label: 'Finished earlier', icon: 'history', open: false },
};

export class GroupNode implements TreeNode {
  readonly id: string;
  readonly parent: TreeNode;
  readonly group: Group;
  readonly #pages: Pages;
  readonly #nodeOf: (session: Session, parent: TreeNode) => TreeNode;
  #sessions: readonly Session[] = [];

  constructor(
    context: Pick<TreeContext, 'refresh'>,
    parent: TreeNode,
    group: Group,
    nodeOf: (session: Session, parent: TreeNode) => TreeNode,
  ) {
    this.parent = parent;
    this.group = group;
    this.id = `${parent.id}/g:${group}`;
    this.#pages = new Pages(context, this);
    this.#nodeOf = nodeOf;
  }

  update(sessions: readonly Session[]): this {
    this.#sessions = sessions;
    return this;
  }

  get sessions(): readonly Session[] {
    return this.#sessions;
  }

  view(): NodeView {
    const { label, icon, open } = GROUP_VIEWS[this.group];
    return {
      id: this.id,
      label,
      description: String(this.#sessions.length),
      icon: { id: icon },
      collapsible: open ? 'expanded' : 'collapsed',
      context: `group ${this.group}`,
      spoken: `${label}, ${count(this.#sessions.length, 'session')}`,
    };
  }

  async children(): Promise<readonly TreeNode[]> {
    return this.#pages.of(this.#sessions, (session) => this.#nodeOf(session, this));
  }
}
