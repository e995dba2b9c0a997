/** One namespace: watches its sessions while it is open and shows them in groups. */
import type { Session } from '../../common/api/session.ts';
import { count } from '../../common/rules/wording.ts';
import type { NamespaceEntry } from '../clusters/namespaces.ts';
import { problemOf } from '../clusters/problem.ts';
import { refusalOf } from '../clusters/rights.ts';
import { plain } from '../ide/plain-text.ts';
import { groupSessions, isFinished, stateOf, waitsForApproval } from '../sessions/state.ts';
import type { Group } from '../sessions/state.ts';
import type { SessionWatch } from '../sessions/session-watch.ts';
import { GroupNode } from './group-node.ts';
import { isQuick, loadingNode, PATIENCE_MS } from './loading.ts';
import { MessageNode } from './message-node.ts';
import type { NodeView, TreeContext, TreeNode } from './node.ts';
import { ProblemNode } from './problem-node.ts';
import { SessionNode } from './session-node.ts';

/** While a long list is read, its pages would have the rows drawn again and again. */
const WHILE_READING_MS = 500;

export class NamespaceNode implements TreeNode {
  readonly id: string;
  readonly parent: TreeNode;
  readonly cluster: string;
  readonly namespace: string;
  readonly #context: TreeContext;
  readonly #groups = new Map<Group, GroupNode>();
  readonly #sessions = new Map<string, SessionNode>();
  #entry: NamespaceEntry;
  #watch: SessionWatch | undefined;
  #open: boolean;
  /** Since when sessions are waited for, in epoch ms. */
  #since: number | undefined;
  /** Nothing but that sessions are being read is shown. */
  #isWaiting = false;

  /** `open`: shown expanded at first. */
  constructor(
    context: TreeContext,
    parent: TreeNode,
    cluster: string,
    entry: NamespaceEntry,
    { open }: { open: boolean },
  ) {
    this.#context = context;
    this.parent = parent;
    this.cluster = cluster;
    this.namespace = entry.name;
    this.id = `${parent.id}/n:${entry.name}`;
    this.#entry = entry;
    this.#open = open;
    if (open) this.#since = context.now();
  }

  update(entry: NamespaceEntry): this {
    this.#entry = entry;
    return this;
  }

  /** Sessions that have not ended, as far as they are watched. */
  get active(): number {
    return this.#watch?.store.list().filter((session) => !isFinished(session)).length ?? 0;
  }

  /** How many wait for an answer, as far as they are watched. */
  get asking(): number {
    return this.#watch?.store.list().filter((session) => stateOf(session) === 'input').length ?? 0;
  }

  /** Sessions that wait for an approver, as far as they are watched. */
  get awaiting(): readonly Session[] {
    return this.#watch?.store.list().filter(waitsForApproval) ?? [];
  }

  get released(): boolean {
    return this.#watch === undefined;
  }

  view(): NodeView {
    const { pinned, isDefault } = this.#entry;
    const active = this.active;
    const isLive = this.#watch === undefined || ['starting', 'synced'].includes(this.#watch.state.phase);
    const awaiting = this.awaiting.length;
    const description = [
      awaiting > 0 ? `${awaiting} ${awaiting === 1 ? 'needs' : 'need'} approval` : '',
      active > 0 ? `${active} active` : '',
      isLive ? '' : 'not live',
      isDefault ? 'current' : '',
    ]
      .filter(Boolean)
      .join(' · ');
    return {
      id: this.id,
      label: this.namespace,
      description,
      icon: { id: pinned ? 'pinned' : 'symbol-namespace' },
      collapsible: this.#open ? 'expanded' : 'collapsed',
      context: `namespace ${pinned ? 'pinned' : 'unpinned'}${this.#mayLaunch() ? '' : ' noLaunch'}`,
      spoken: [`namespace ${this.namespace}`, pinned ? 'pinned' : '', description].filter(Boolean).join(', '),
    };
  }

  async children(): Promise<readonly TreeNode[]> {
    const watch = this.#hold();
    const isReading = (): boolean => watch.state.phase === 'starting';
    // The state tells what went wrong; here it only matters that there is something to show.
    if (isReading() && watch.store.size === 0) await isQuick(somethingOf(watch), this.#patienceMs());
    this.#isWaiting = isReading() && watch.store.size === 0;
    if (!isReading()) return this.#build(watch);
    // A long list comes in pages.
    return [loadingNode(this, 'Reading sessions…'), ...(this.#isWaiting ? [] : this.#build(watch))];
  }

  /** VS Code asks for the rows of one namespace after those of another: the second must not wait anew. */
  #patienceMs(): number {
    const now = this.#context.now();
    return PATIENCE_MS - (now - (this.#since ??= now));
  }

  release(): void {
    this.#watch?.dispose();
    this.#watch = undefined;
    this.#since = undefined;
  }

  /** The row of a session that is shown. */
  node(name: string): SessionNode | undefined {
    for (const node of this.#sessions.values()) if (node.name === name) return node;
    return undefined;
  }

  forgetArtifacts(): void {
    for (const node of this.#sessions.values()) node.forgetArtifacts();
  }

  #hold(): SessionWatch {
    if (this.#watch !== undefined) return this.#watch;
    const watch = this.#context.watches.acquire(this.cluster, this.namespace);
    watch.onChange(() => {
      if (watch.state.phase !== 'starting') this.#context.refresh(this);
      else this.#context.refresh(this, this.#isWaiting ? 0 : WHILE_READING_MS);
    });
    watch.onState((state) => {
      if (state.error !== undefined) this.#context.log(`watching sessions of ${this.namespace}`, state.error);
      this.#context.refresh(this);
    });
    this.#watch = watch;
    return watch;
  }

  #build(watch: SessionWatch): TreeNode[] {
    const { phase, error } = watch.state;
    if (watch.store.size === 0 && error !== undefined)
      return [new ProblemNode(this, problemOf(error, this.cluster))];
    const { groups, hidden } = groupSessions(
      watch.store.list(),
      this.#context.now(),
      this.#context.settings().finishedDays,
    );
    this.#forgetGone(watch);
    const nodes: TreeNode[] = [];
    if (error !== undefined && phase !== 'synced')
      nodes.push(
        new MessageNode(this, 'stale', {
          label: 'Not live: what you see may be out of date',
          description: plain(problemOf(error, this.cluster).message),
          icon: { id: 'warning', color: 'problemsWarningIcon.foreground' },
          command: {
            command: 'ambient.showProblem',
            title: 'Show Details',
            arguments: [problemOf(error, this.cluster)],
          },
        }),
      );
    for (const [group, sessions] of groups) nodes.push(this.#group(group).update(sessions));
    if (groups.size === 0 && phase !== 'starting') nodes.push(this.#empty());
    if (hidden > 0) nodes.push(this.#hidden(hidden));
    return nodes;
  }

  /** Where it is not known yet one may try: the launch form asks again. */
  #mayLaunch(): boolean {
    if (this.#watch === undefined) return true;
    return this.#context.rights.peek(this.cluster, this.namespace)?.has('launch') !== false;
  }

  #empty(): TreeNode {
    if (!this.#mayLaunch())
      return new MessageNode(this, 'none', {
        label: 'No sessions yet',
        description: 'you may view them here, but not launch',
        tooltip: refusalOf('launch', this.namespace),
        icon: { id: 'dash' },
      });
    return new MessageNode(this, 'none', {
      label: 'No sessions yet',
      description: 'launch one',
      icon: { id: 'rocket' },
      command: {
        command: 'ambient.launch',
        title: 'Launch Session',
        arguments: [{ cluster: this.cluster, namespace: this.namespace }],
      },
    });
  }

  #hidden(hidden: number): TreeNode {
    return new MessageNode(this, 'hidden', {
      label: `${count(hidden, 'older session')} not shown`,
      description: `finished over ${count(this.#context.settings().finishedDays, 'day')} ago`,
      icon: { id: 'eye-closed' },
      command: {
        command: 'workbench.action.openSettings',
        title: 'Open Setting',
        arguments: ['ambient.finishedDays'],
      },
    });
  }

  #group(group: Group): GroupNode {
    let node = this.#groups.get(group);
    if (node === undefined) {
      node = new GroupNode(this.#context, this, group, (session, parent) => this.#session(session, parent));
      this.#groups.set(group, node);
    }
    return node;
  }

  #session(session: Session, parent: TreeNode): SessionNode {
    const key = session.metadata.uid ?? session.metadata.name;
    const known = this.#sessions.get(key);
    if (known !== undefined) return known.update(session, parent);
    const node = new SessionNode(this.#context, parent, this.id, this.cluster, session);
    this.#sessions.set(key, node);
    return node;
  }

  #forgetGone(watch: SessionWatch): void {
    for (const [key, node] of this.#sessions)
      if (watch.store.get(node.name)?.metadata.uid !== node.session.metadata.uid) this.#sessions.delete(key);
  }
}

/** Settles when the first sessions are there, or it is known that there are none. */
async function somethingOf(watch: SessionWatch): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const subscription = watch.onChange(() => resolve());
  try {
    await Promise.race([watch.ready, promise]);
  } finally {
    subscription.dispose();
  }
}
