/** A tree over sessions given as data: what stands in for the cluster is only where the data comes from. */
import { messageOf } from '../../../../common/errors.ts';
import type { Artifact } from '../../../../common/api/live.ts';
import type { Session, SessionStatus } from '../../../../common/api/session.ts';
import { KubeError } from '../../../../common/kube/errors.ts';
import type { KubeClient } from '../../../../common/kube/client.ts';
import type { ContextInfo, Kubeconfig } from '../../../../common/kube/kubeconfig.ts';
import { Emitter } from '../../../../extension/ide/event.ts';
import type { Right } from '../../../../extension/clusters/rights.ts';
import type { ViewState } from '../../../../extension/ide/context-keys.ts';
import type { SessionRef } from '../../../../extension/sessions/session-ref.ts';
import type {
  SessionChange,
  SessionWatch,
  WatchState,
} from '../../../../extension/sessions/session-watch.ts';
import type { TreeContext, TreeNode, TreeSettings } from '../../../../extension/tree/node.ts';
import { RootNode } from '../../../../extension/tree/root-node.ts';

export const NOW = Date.parse('2030-06-01T12:00:00Z');
export const ago = (minutes: number): string => new Date(NOW - minutes * 60_000).toISOString();

/** A session of the namespace `demo`; times in minutes before now. */
export function aSession(
  name: string,
  { created = 10, status, spec = {}, deleting = false }: SessionFields = {},
): Session {
  return {
    apiVersion: 'ambient.ai/v1alpha1',
    kind: 'Session',
    metadata: {
      name,
      namespace: 'demo',
      uid: `uid-${name}`,
      resourceVersion: '1',
      creationTimestamp: ago(created),
      ...(deleting ? { deletionTimestamp: ago(0) } : {}),
    },
    spec: { framework: { type: 'generic' }, ...spec },
    ...(status === undefined ? {} : { status }),
  };
}

export interface SessionFields {
  created?: number;
  status?: SessionStatus;
  spec?: Partial<Session['spec']>;
  deleting?: boolean;
}

export const forbidden = (what: string): KubeError =>
  new KubeError(`${what} is forbidden: User "jo" cannot list resource`, { status: 403, reason: 'Forbidden' });

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

export class Watched {
  sessions: Session[] = [];
  state: WatchState = { phase: 'synced' };
  held = 0;
  acquired = 0;
  readonly #changed = new Emitter<SessionChange>();
  readonly #stateChanged = new Emitter<WatchState>();

  set(sessions: Session[]): void {
    this.sessions = sessions;
    const [object] = sessions;
    if (object !== undefined) this.#changed.fire({ type: 'updated', object });
  }

  /** Its first list takes for ever. */
  reads(): void {
    this.state = { phase: 'starting' };
  }

  setState(state: WatchState): void {
    this.state = state;
    this.#stateChanged.fire(state);
  }

  hold(): SessionWatch {
    this.held += 1;
    this.acquired += 1;
    const sessions = (): Session[] => this.sessions;
    const state = (): WatchState => this.state;
    return {
      store: {
        get: (name) => sessions().find(({ metadata }) => metadata.name === name),
        list: () => sessions(),
        get size() {
          return sessions().length;
        },
      },
      onChange: this.#changed.event,
      onState: this.#stateChanged.event,
      get state() {
        return state();
      },
      ready:
        this.state.phase === 'starting'
          ? new Promise<void>(() => undefined)
          : this.state.error === undefined
            ? Promise.resolve()
            : Promise.reject(asError(this.state.error)),
      dispose: () => void (this.held -= 1),
    };
  }
}

export interface World {
  root: RootNode;
  kubeconfig: Kubeconfig;
  settings: TreeSettings;
  /** By `context/namespace`. */
  watched(key: string): Watched;
  /** What the API servers answer, by context and path; an error is thrown. */
  answers: Map<string, unknown>;
  artifacts: Map<string, Artifact[] | Promise<Artifact[]> | Error>;
  artifactRequests: SessionRef[];
  /** Epoch ms. */
  now: number;
  refreshes: (TreeNode | undefined)[];
  /** Within how many ms each of them was asked for. */
  urgency: (number | undefined)[];
  /** `context/namespace` of those that were begun to be read before anybody had opened them. */
  expected: string[];
  viewState: ViewState | undefined;
  /** What the person may, by `context/namespace`; absent: not known. */
  rights: Map<string, ReadonlySet<Right>>;
  log: string[];
}

export const aContext = (name: string, fields: Partial<ContextInfo> = {}): ContextInfo => ({
  name,
  cluster: name,
  user: 'jo',
  isCurrent: false,
  source: '/home/jo/.kube/config',
  server: `https://${name}.example:6443`,
  ...fields,
});

export const named = (kind: string, names: string[]): object => ({
  apiVersion: 'v1',
  kind,
  metadata: {},
  items: names.map((name) => ({ metadata: { name } })),
});

export function aWorld(contexts: ContextInfo[] = [aContext('dev', { isCurrent: true })]): World {
  const watched = new Map<string, Watched>();
  const current = contexts.find(({ isCurrent }) => isCurrent)?.name;
  const world: World = {
    kubeconfig: {
      contexts,
      ...(current === undefined ? {} : { currentContext: current }),
      problems: [],
      files: ['/home/jo/.kube/config'],
      texts: [],
      connect: () => Promise.reject(new Error('not here')),
    },
    settings: { contexts: [], pinned: [], emptyNamespaces: 'auto', finishedDays: 7 },
    watched(key) {
      let found = watched.get(key);
      if (found === undefined) watched.set(key, (found = new Watched()));
      return found;
    },
    answers: new Map(),
    artifacts: new Map(),
    artifactRequests: [],
    now: NOW,
    refreshes: [],
    urgency: [],
    expected: [],
    viewState: undefined,
    rights: new Map(),
    log: [],
    root: undefined as unknown as RootNode,
  };
  for (const { name } of contexts)
    world.answers.set(`${name} /api/v1/namespaces`, named('NamespaceList', ['demo']));
  const context: TreeContext = {
    clusters: {
      kubeconfig: () => Promise.resolve(world.kubeconfig),
      client: (name) => Promise.resolve(clientOf(world, name)),
    },
    watches: {
      acquire: (cluster, namespace) => world.watched(`${cluster}/${namespace}`).hold(),
      expect: (cluster, namespace) => void world.expected.push(`${cluster}/${namespace}`),
    },
    rights: { peek: (cluster, namespace) => world.rights.get(`${cluster}/${namespace}`) },
    settings: () => world.settings,
    now: () => world.now,
    refresh: (node, withinMs) => {
      world.refreshes.push(node);
      world.urgency.push(withinMs);
    },
    onKubeconfig: () => undefined,
    listArtifacts: async (ref) => {
      world.artifactRequests.push(ref);
      const found = world.artifacts.get(ref.name) ?? [];
      if (found instanceof Error) throw found;
      return await found;
    },
    setViewState: (state) => (world.viewState = state),
    log: (message, error) =>
      void world.log.push(error === undefined ? message : `${message}: ${messageOf(error)}`),
  };
  world.root = new RootNode(context);
  return world;
}

/** Only what listNamespaces asks of a client. */
function clientOf(world: World, cluster: string): KubeClient {
  const answer = (path: string, fallback: unknown): unknown => {
    const found = world.answers.has(`${cluster} ${path}`)
      ? world.answers.get(`${cluster} ${path}`)
      : fallback;
    if (found instanceof Error) throw found;
    return found;
  };
  return {
    connection: { json: async (path: string) => answer(path.replace(/\?.*$/, ''), named('List', [])) },
    discovers: async () => answer('discovers', true),
    selfSubjectRulesReview: async () =>
      answer('rules', { resourceRules: [], nonResourceRules: [], incomplete: false }),
    selfSubjectAccessReview: async () => answer('access', { allowed: false }),
  } as unknown as KubeClient;
}

/** The tree as a person reads it: label, description, and what is open below it. */
export async function asText(world: World, { spoken = false } = {}): Promise<string> {
  const lines: string[] = [];
  const visit = async (node: TreeNode, depth: number): Promise<void> => {
    for (const child of await node.children()) {
      const { label, description, icon, collapsible, context, command, spoken: said } = child.view();
      const sign = collapsible === 'none' ? ' ' : collapsible === 'expanded' ? '▾' : '▸';
      const name = icon === undefined ? '' : 'id' in icon ? `(${icon.id}) ` : '(file) ';
      const text = spoken
        ? said
        : `${name}${label}${description ? `  ${description}` : ''}  [${context ?? ''}]${command === undefined ? '' : ` → ${command.command}`}`;
      lines.push(`${'  '.repeat(depth)}${sign} ${text}`);
      if (collapsible === 'expanded') await visit(child, depth + 1);
    }
  };
  await visit(world.root, 0);
  return lines.join('\n');
}

/** The first node for which `found` holds, anywhere below; opens what it has to. */
export async function find(world: World, label: string): Promise<TreeNode> {
  const visit = async (node: TreeNode): Promise<TreeNode | undefined> => {
    for (const child of await node.children()) {
      if (child.view().label === label) return child;
      const below = await visit(child);
      if (below !== undefined) return below;
    }
    return undefined;
  };
  const node = await visit(world.root);
  if (node === undefined) throw new Error(`no row ${label}`);
  return node;
}
