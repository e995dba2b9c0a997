/** One cluster, by its kubeconfig context; below it, its namespaces. */
import { count } from '../../common/rules/wording.ts';
import type { ContextInfo } from '../../common/kube/kubeconfig.ts';
import { listNamespaces } from '../clusters/namespaces.ts';
import type { NamespaceEntry, NamespaceListing } from '../clusters/namespaces.ts';
import { problemOf } from '../clusters/problem.ts';
import type { Problem } from '../clusters/problem.ts';
import { pinnedIn } from '../clusters/pinned.ts';
import { markdownText, plain } from '../ide/plain-text.ts';
import { isQuick, loadingNode } from './loading.ts';
import { MessageNode } from './message-node.ts';
import { Pages } from './more-node.ts';
import { NamespaceNode } from './namespace-node.ts';
import type { NodeView, TreeContext, TreeNode } from './node.ts';
import { ProblemNode } from './problem-node.ts';

/** More pinned namespaces than this are not all opened, as that would start many watches. */
const PINNED_OPEN_MAX = 5;

export class ClusterNode implements TreeNode {
  readonly id: string;
  readonly parent: TreeNode;
  readonly cluster: string;
  readonly #context: TreeContext;
  readonly #pages: Pages;
  readonly #namespaces = new Map<string, NamespaceNode>();
  #info: ContextInfo;
  #listing: Promise<NamespaceListing> | undefined;
  #problem: Problem | undefined;
  /** The last answer was a failure. */
  #failed = false;
  #showsEmpty = false;

  constructor(context: TreeContext, parent: TreeNode, info: ContextInfo) {
    this.#context = context;
    this.parent = parent;
    this.cluster = info.name;
    this.id = `c:${info.name}`;
    this.#info = info;
    this.#pages = new Pages(context, this);
  }

  update(info: ContextInfo): this {
    this.#info = info;
    return this;
  }

  /** Why its namespaces cannot be shown. */
  get problem(): Problem | undefined {
    return this.#problem;
  }

  get namespaces(): Iterable<NamespaceNode> {
    return this.#namespaces.values();
  }

  get released(): boolean {
    return [...this.#namespaces.values()].some(({ released }) => released);
  }

  view(): NodeView {
    const { name, server, isCurrent } = this.#info;
    const active = [...this.#namespaces.values()].reduce((sum, namespace) => sum + namespace.active, 0);
    return {
      id: this.id,
      label: plain(name),
      description: [active > 0 ? `${active} active` : '', isCurrent ? 'current' : '']
        .filter(Boolean)
        .join(' · '),
      tooltip: `**${markdownText(name)}**\n\n${markdownText(server ?? '')}`,
      icon: { id: 'server-environment' },
      collapsible: 'expanded',
      context: 'cluster',
      spoken: [
        `cluster ${plain(name)}`,
        active > 0 ? count(active, 'active session') : '',
        isCurrent ? 'current' : '',
      ]
        .filter(Boolean)
        .join(', '),
    };
  }

  async children(): Promise<readonly TreeNode[]> {
    const asked = (this.#listing ??= this.#ask());
    if (!(await isQuick(asked))) return [loadingNode(this, 'Connecting…')];
    try {
      const listing = await asked;
      this.#problem = undefined;
      this.#failed = false;
      return this.#build(listing);
    } catch (error) {
      if (this.#listing !== asked) return await this.children();
      this.#failed = true;
      if (this.#problem === undefined) this.#context.log(`namespaces of ${this.cluster}`, error);
      const isNews = this.#problem === undefined;
      this.#problem = problemOf(error, this.cluster);
      // The root may show this cluster's problem as a welcome view in place of an almost empty tree.
      if (isNews) this.#context.refresh();
      return [new ProblemNode(this, this.#problem)];
    }
  }

  release(): void {
    for (const namespace of this.#namespaces.values()) namespace.release();
  }

  /** Asks the cluster again for everything below. */
  invalidate(): void {
    this.#listing = undefined;
    this.#problem = undefined;
    for (const namespace of this.#namespaces.values()) {
      namespace.release();
      namespace.forgetArtifacts();
    }
  }

  showEmpty(): void {
    this.#showsEmpty = true;
    this.#context.refresh(this);
  }

  #ask(): Promise<NamespaceListing> {
    const asked = this.#list();
    // Who was told to wait is told when it is over.
    const again = (): void => this.#context.refresh(this, 0);
    isQuick(asked).then((quick) => (quick ? undefined : asked.then(again, again)), again);
    return asked;
  }

  async #list(): Promise<NamespaceListing> {
    const { pinned: allPinned, emptyNamespaces } = this.#context.settings();
    const pinned = pinnedIn(allPinned, this.cluster);
    const client = await this.#context.clusters.client(this.cluster);
    const listing = listNamespaces(client, {
      pinned,
      contextNamespace: this.#info.namespace,
      empty: emptyNamespaces,
    });
    if (!this.#failed) this.#expect(pinned);
    return await listing;
  }

  /** Begins to read what will most likely be open in a moment, while the namespaces are still being listed. */
  #expect(pinned: readonly string[]): void {
    const own = this.#info.namespace ?? 'default';
    for (const namespace of new Set([own, ...(pinned.length <= PINNED_OPEN_MAX ? pinned : [])]))
      if (!this.#namespaces.has(namespace)) this.#context.watches.expect(this.cluster, namespace);
  }

  #build({ shown, hidden, incomplete }: NamespaceListing): TreeNode[] {
    const entries = this.#showsEmpty ? [...shown, ...hidden] : shown;
    const names = new Set(entries.map(({ name }) => name));
    for (const [name, node] of this.#namespaces)
      if (!names.has(name)) {
        node.release();
        this.#namespaces.delete(name);
      }
    const nodes = this.#pages.of(entries, (entry) => this.#namespace(entry, entries));
    if (hidden.length > 0 && !this.#showsEmpty)
      nodes.push(
        new MessageNode(this, 'empty', {
          label: count(hidden.length, 'empty namespace'),
          description: 'show',
          icon: { id: 'eye-closed' },
          command: {
            command: 'ambient.showMore',
            title: 'Show Namespaces Without Sessions',
            arguments: [{ showMore: () => this.showEmpty() }],
          },
        }),
      );
    if (incomplete)
      nodes.push(
        new MessageNode(this, 'pin', {
          label: 'Pin a namespace…',
          description: 'you may not list them all',
          icon: { id: 'pin' },
          command: {
            command: 'ambient.pinNamespace',
            title: 'Pin a Namespace',
            arguments: [{ cluster: this.cluster }],
          },
        }),
      );
    return nodes;
  }

  #namespace(entry: NamespaceEntry, all: readonly NamespaceEntry[]): NamespaceNode {
    const known = this.#namespaces.get(entry.name);
    if (known !== undefined) return known.update(entry);
    // What one is likely to look for is open at once, unless that would start many watches.
    const open =
      all.length === 1 ||
      entry.isDefault ||
      (entry.pinned && all.filter((e) => e.pinned).length <= PINNED_OPEN_MAX);
    const node = new NamespaceNode(this.#context, this, this.cluster, entry, { open });
    this.#namespaces.set(entry.name, node);
    return node;
  }
}
