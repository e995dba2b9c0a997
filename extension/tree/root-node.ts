/** The invisible top: which clusters are shown, or what stands in place of an empty tree. */
import type { ContextInfo, Kubeconfig } from '../../common/kube/kubeconfig.ts';
import { chosenContexts, noContextsProblem } from '../clusters/chosen-contexts.ts';
import { problemOf } from '../clusters/problem.ts';
import type { Problem } from '../clusters/problem.ts';
import { ClusterNode } from './cluster-node.ts';
import { MessageNode } from './message-node.ts';
import type { NodeView, TreeContext, TreeNode } from './node.ts';

export class RootNode implements TreeNode {
  readonly id = '';
  readonly parent = undefined;
  readonly #context: TreeContext;
  readonly #clusters = new Map<string, ClusterNode>();
  #problem: Problem | undefined;
  /** The last one that was told to the log. */
  #shown: Problem | undefined;

  constructor(context: TreeContext) {
    this.#context = context;
  }

  get clusters(): Iterable<ClusterNode> {
    return this.#clusters.values();
  }

  /** The problem that a welcome view stands for. */
  get problem(): Problem | undefined {
    return this.#problem;
  }

  view(): NodeView {
    return { id: this.id, label: 'Sessions', collapsible: 'expanded', spoken: 'Sessions' };
  }

  async children(): Promise<readonly TreeNode[]> {
    this.#problem = undefined;
    let kubeconfig: Kubeconfig;
    try {
      kubeconfig = await this.#context.clusters.kubeconfig();
    } catch (error) {
      this.#context.log('reading the kubeconfig', error);
      return this.#nothing(problemOf(error, ''));
    }
    this.#context.onKubeconfig(kubeconfig.files);
    const { contexts } = this.#context.settings();
    const missing = contexts.filter((name) => !kubeconfig.contexts.some((context) => context.name === name));
    const infos = chosenContexts(kubeconfig, contexts);
    if (infos.length === 0 && missing.length === 0)
      return this.#nothing(noContextsProblem(kubeconfig, contexts));
    const clusters = this.#keep(infos);
    const [only] = clusters;
    if (clusters.length === 1 && missing.length === 0 && only?.problem !== undefined)
      return this.#nothing(only.problem);
    this.#context.setViewState('tree');
    return [...clusters, ...missing.map((name) => this.#missing(name)), ...this.#fileProblems(kubeconfig)];
  }

  /** Asks all clusters again for everything. */
  invalidate(): void {
    for (const cluster of this.#clusters.values()) cluster.invalidate();
  }

  release(): void {
    for (const cluster of this.#clusters.values()) cluster.release();
  }

  #nothing(problem: Problem): TreeNode[] {
    if (this.#shown?.message !== problem.message)
      this.#context.log(`nothing to show: ${problem.title}: ${problem.message}`);
    this.#shown = problem;
    this.#problem = problem;
    this.#context.setViewState(problem.kind);
    return [];
  }

  #keep(infos: readonly ContextInfo[]): ClusterNode[] {
    for (const [name, node] of this.#clusters)
      if (!infos.some((info) => info.name === name)) {
        node.release();
        this.#clusters.delete(name);
      }
    return infos.map((info) => {
      const node = this.#clusters.get(info.name)?.update(info) ?? new ClusterNode(this.#context, this, info);
      this.#clusters.set(info.name, node);
      return node;
    });
  }

  #missing(name: string): TreeNode {
    return new MessageNode(this, `missing:${name}`, {
      label: name,
      description: 'not in the kubeconfig',
      icon: { id: 'warning', color: 'problemsWarningIcon.foreground' },
      command: { command: 'ambient.selectContexts', title: 'Select Contexts' },
    });
  }

  /** Broken files and entries do not keep the others from working, but are not passed over in silence either. */
  #fileProblems(kubeconfig: Kubeconfig): TreeNode[] {
    const shown = new Set([...this.#clusters.values()].map(({ cluster }) => cluster));
    return kubeconfig.problems
      .filter(({ details }) => details['context'] === undefined || shown.has(details['context'] as string))
      .map(
        (problem, index) =>
          new MessageNode(this, `file:${index}`, {
            label: 'Problem in the kubeconfig',
            description: problem.message,
            tooltip: `${problem.message} ${problem.remedy}`,
            icon: { id: 'warning', color: 'problemsWarningIcon.foreground' },
            command: {
              command: 'ambient.showProblem',
              title: 'Show Details',
              arguments: [problemOf(problem, '')],
            },
          }),
      );
  }
}
