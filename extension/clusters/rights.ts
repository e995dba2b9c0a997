/** What the person may do in a namespace, as the API server says: asked once a while, and again after a refusal. */
import { GROUP, LIVE_GROUP } from '../../common/api/names.ts';
import type { ResourceAttributes, SubjectRules } from '../../common/kube/access.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { Emitter } from '../ide/event.ts';
import type { Listen } from '../ide/event.ts';

type Needed = Omit<ResourceAttributes, 'namespace' | 'name'>;

const live = (verb: string, subresource: string): Needed => ({
  verb,
  group: LIVE_GROUP,
  resource: 'sessions',
  subresource,
});

/** By what people call it; a live verb's HTTP method decides its RBAC verb. */
export const RIGHTS = {
  launch: { verb: 'create', group: GROUP, resource: 'sessions' },
  upload: live('update', 'source'),
  stop: live('create', 'stop'),
  message: live('create', 'message'),
  interrupt: live('create', 'interrupt'),
  resume: live('create', 'resume'),
  budget: live('create', 'budget'),
  delete: { verb: 'delete', group: GROUP, resource: 'sessions' },
  approve: live('create', 'approve'),
  reject: live('create', 'reject'),
  audit: live('get', 'audit'),
  viewPolicy: { verb: 'get', group: GROUP, resource: 'namespacepolicies' },
  createPolicy: { verb: 'create', group: GROUP, resource: 'namespacepolicies' },
  editPolicy: { verb: 'update', group: GROUP, resource: 'namespacepolicies' },
  viewTriggers: { verb: 'list', group: GROUP, resource: 'sessiontriggers' },
  createTrigger: { verb: 'create', group: GROUP, resource: 'sessiontriggers' },
  editTrigger: { verb: 'update', group: GROUP, resource: 'sessiontriggers' },
  deleteTrigger: { verb: 'delete', group: GROUP, resource: 'sessiontriggers' },
} as const satisfies Record<string, Needed>;
export type Right = keyof typeof RIGHTS;

const WORDS: Readonly<Record<Right, string>> = {
  launch: 'launch sessions',
  upload: 'send sources of sessions',
  stop: 'stop sessions',
  message: 'say something to sessions',
  interrupt: 'interrupt sessions',
  resume: 'resume sessions',
  budget: 'raise budgets of sessions',
  delete: 'delete sessions',
  approve: 'approve sessions',
  reject: 'reject sessions',
  audit: 'read the audit records of sessions',
  viewPolicy: 'see the policy',
  createPolicy: 'create the policy',
  editPolicy: 'change the policy',
  viewTriggers: 'see the triggers',
  createTrigger: 'create triggers',
  editTrigger: 'change triggers',
  deleteTrigger: 'delete triggers',
};

/** `create on sessions.ambient.ai`, as an administrator needs to hear it. */
export function neededFor(right: Right): string {
  const { verb, group, resource, subresource }: Needed = RIGHTS[right];
  return `${verb} on ${resource}${subresource === undefined ? '' : `/${subresource}`}.${group}`;
}

/** What the person is told who may not. */
export const refusalOf = (right: Right, namespace: string): string =>
  `You may not ${WORDS[right]} in ${namespace}: needs ${neededFor(right)}. Ask an administrator of the namespace.`;

export interface Me {
  user: string;
  groups: readonly string[];
}

export interface RightsOptions {
  clusters: { client(cluster: string): Promise<KubeClient>; onDidChange: Listen<void> };
  /** Epoch ms. */
  now: () => number;
  onError: (error: unknown) => void;
  ttlMs?: number;
}

const TTL_MS = 60_000;
const ASK_MS = 10_000;

interface Known {
  until: number;
  allowed: Promise<ReadonlySet<Right>>;
  /** Once `allowed` has settled. */
  settled?: ReadonlySet<Right>;
}

export class Rights {
  readonly #options: RightsOptions;
  readonly #known = new Map<string, Known>();
  readonly #me = new Map<string, Promise<Me | undefined>>();
  readonly #changed = new Emitter<{ cluster: string; namespace: string }>();

  constructor(options: RightsOptions) {
    this.#options = options;
    options.clusters.onDidChange(() => {
      this.#known.clear();
      this.#me.clear();
    });
  }

  /** What one may do in a namespace is something else than `peek` said, or than everything where it said nothing. */
  readonly onDidChange: Listen<{ cluster: string; namespace: string }> = this.#changed.event;

  /** Undefined when the person may, else what to tell. Where it cannot be found out the person may try. */
  async refusal(cluster: string, namespace: string, right: Right): Promise<string | undefined> {
    const allowed = await this.#ask(cluster, namespace);
    return allowed.has(right) ? undefined : refusalOf(right, namespace);
  }

  /** What is known now, without waiting; asks behind the scenes where nothing is, or nothing fresh. */
  peek(cluster: string, namespace: string): ReadonlySet<Right> | undefined {
    const known = this.#known.get(keyOf(cluster, namespace));
    // Rows ask by the thousand: what is fresh costs a look.
    if (known === undefined || known.until <= this.#options.now())
      this.#ask(cluster, namespace).catch(this.#options.onError);
    return known?.settled;
  }

  /** After a refusal by the API server: what was known is not true any more. */
  forget(cluster: string, namespace: string): void {
    const known = this.#known.get(keyOf(cluster, namespace));
    if (known !== undefined) known.until = 0;
  }

  /** Undefined where the API server does not say. */
  me(cluster: string): Promise<Me | undefined> {
    const known = this.#me.get(cluster);
    if (known !== undefined) return known;
    const asked = this.#whoAmI(cluster).catch((error: unknown) => {
      this.#options.onError(error);
      this.#me.delete(cluster);
      return undefined;
    });
    this.#me.set(cluster, asked);
    return asked;
  }

  #ask(cluster: string, namespace: string): Promise<ReadonlySet<Right>> {
    const key = keyOf(cluster, namespace);
    const known = this.#known.get(key);
    if (known !== undefined && known.until > this.#options.now()) return known.allowed;
    const next: Known = {
      until: this.#options.now() + (this.#options.ttlMs ?? TTL_MS),
      allowed: this.#find(cluster, namespace).catch((error: unknown) => {
        this.#options.onError(error);
        next.until = 0;
        return ALL;
      }),
      ...(known?.settled === undefined ? {} : { settled: known.settled }),
    };
    this.#known.set(key, next);
    const settle = (allowed: ReadonlySet<Right>): void => {
      // Rows take for allowed what is not known: drawing them again for nothing would close menus that are open on them.
      const isNews = !sameRights(next.settled ?? ALL, allowed);
      next.settled = allowed;
      if (isNews && this.#known.get(key) === next) this.#changed.fire({ cluster, namespace });
    };
    next.allowed.then(settle, this.#options.onError);
    return next.allowed;
  }

  async #find(cluster: string, namespace: string): Promise<ReadonlySet<Right>> {
    const [client, { rulesAllow }] = await Promise.all([
      this.#options.clusters.client(cluster),
      import('../../common/kube/access.ts'),
    ]);
    const options = { signal: AbortSignal.timeout(ASK_MS) };
    const rules: SubjectRules = await client.selfSubjectRulesReview(namespace, options);
    const allowed = await Promise.all(
      [...ALL].map(async (right): Promise<Right[]> => {
        if (rulesAllow(rules, RIGHTS[right])) return [right];
        // An authorizer that cannot enumerate its rules may still know this one.
        if (!rules.incomplete) return [];
        const decision = await client.selfSubjectAccessReview({ ...RIGHTS[right], namespace }, options);
        return decision.allowed ? [right] : [];
      }),
    );
    return new Set(allowed.flat());
  }

  async #whoAmI(cluster: string): Promise<Me> {
    const [client, { selfSubjectReview }] = await Promise.all([
      this.#options.clusters.client(cluster),
      import('../../common/kube/access.ts'),
    ]);
    const { username, groups } = await selfSubjectReview(client.connection, {
      signal: AbortSignal.timeout(ASK_MS),
    });
    return { user: username, groups };
  }
}

const ALL: ReadonlySet<Right> = new Set(Object.keys(RIGHTS) as Right[]);
/** Neither holds a slash at the place that matters: namespaces hold none. */
const keyOf = (cluster: string, namespace: string): string => `${namespace}/${cluster}`;

const sameRights = (a: ReadonlySet<Right>, b: ReadonlySet<Right>): boolean =>
  a.size === b.size && [...a].every((right) => b.has(right));
