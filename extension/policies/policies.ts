/** The policies of namespaces as launch form and approvals need them: read on demand, believed for a short while. */
import type { NamespacePolicy } from '../../common/api/namespace-policy.ts';
import { POLICY_NAME } from '../../common/api/names.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { isForbidden, isNotFound } from '../../common/kube/errors.ts';
import { namespacePolicies } from '../../common/kube/resource.ts';
import type { Listen } from '../ide/event.ts';

/** `none`: the namespace has none, so the defaults hold. `unknown`: the person may not see it. */
export type PolicyKnowledge =
  { known: 'policy'; policy: NamespacePolicy } | { known: 'none' } | { known: 'unknown' };

export interface PoliciesOptions {
  clusters: { client(cluster: string): Promise<KubeClient>; onDidChange: Listen<void> };
  /** Epoch ms. */
  now: () => number;
  ttlMs?: number;
}

const TTL_MS = 15_000;
const ASK_MS = 10_000;

export class Policies {
  readonly #options: PoliciesOptions;
  readonly #known = new Map<string, { until: number; asked: Promise<PolicyKnowledge> }>();

  constructor(options: PoliciesOptions) {
    this.#options = options;
    options.clusters.onDidChange(() => this.#known.clear());
  }

  /** Throws the KubeError that kept it from finding out. */
  of(cluster: string, namespace: string): Promise<PolicyKnowledge> {
    const key = `${namespace}/${cluster}`;
    const known = this.#known.get(key);
    if (known !== undefined && known.until > this.#options.now()) return known.asked;
    const asked = this.#read(cluster, namespace);
    const next = { until: this.#options.now() + (this.#options.ttlMs ?? TTL_MS), asked };
    this.#known.set(key, next);
    asked.catch(() => {
      if (this.#known.get(key) === next) this.#known.delete(key);
    });
    return asked;
  }

  /** It was changed from here. */
  forget(cluster: string, namespace: string): void {
    this.#known.delete(`${namespace}/${cluster}`);
  }

  async #read(cluster: string, namespace: string): Promise<PolicyKnowledge> {
    const client = await this.#options.clusters.client(cluster);
    const at = { namespace, name: POLICY_NAME };
    try {
      const policy = await client.get(namespacePolicies, at, { signal: AbortSignal.timeout(ASK_MS) });
      return { known: 'policy', policy };
    } catch (error) {
      if (isNotFound(error)) return { known: 'none' };
      if (isForbidden(error)) return { known: 'unknown' };
      throw error;
    }
  }
}
