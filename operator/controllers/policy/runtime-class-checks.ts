/** RuntimeClasses that a policy names and the cluster does not have: sessions would wait for them in vain, so the policy says it. */
import type { NamespacePolicy } from '../../../common/api/namespace-policy.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import { isForbidden, isNotFound } from '../../../common/kube/errors.ts';
import { runtimeClasses } from '../../../common/kube/resource.ts';
import { error } from '../../../common/rules/policy/mistake.ts';
import type { PolicyMistake } from '../../../common/rules/policy/mistake.ts';
import type { Clock } from '../clock.ts';

export interface RuntimeClassChecksOptions {
  /** Undefined where the operator may not know. Throws what the API server's absence throws. */
  exists: (name: string, signal: AbortSignal) => Promise<boolean | undefined>;
  clock: Pick<Clock, 'elapsed'>;
}

/** Nobody tells when one is installed or removed: while one is missing, people wait to see it there. */
const AGAIN_MS = 300_000;
const AGAIN_MISSING_MS = 15_000;

export class RuntimeClassChecks {
  readonly #options: RuntimeClassChecksOptions;
  /** By name, for all namespaces. */
  readonly #known = new Map<string, { isMissing: boolean; at: number }>();

  constructor(options: RuntimeClassChecksOptions) {
    this.#options = options;
  }

  /** Throws when the API server does not answer. */
  async of({ spec }: NamespacePolicy, signal: AbortSignal): Promise<PolicyMistake[]> {
    const mistakes: PolicyMistake[] = [];
    for (const [path, name] of namesOf(spec))
      if (await this.#isMissing(name, signal))
        mistakes.push(error(path, `this cluster has no RuntimeClass "${name}". Name one that it has.`));
    return mistakes;
  }

  /** When to look again; undefined where nothing can change by itself. */
  againMs({ spec }: NamespacePolicy): number | undefined {
    const names = namesOf(spec);
    if (names.length === 0) return undefined;
    return names.some(([, name]) => this.#known.get(name)?.isMissing === true) ? AGAIN_MISSING_MS : AGAIN_MS;
  }

  async #isMissing(name: string, signal: AbortSignal): Promise<boolean> {
    const { exists, clock } = this.#options;
    const known = this.#known.get(name);
    const now = clock.elapsed();
    if (known !== undefined && now - known.at < (known.isMissing ? AGAIN_MISSING_MS : AGAIN_MS))
      return known.isMissing;
    const isMissing = (await exists(name, signal)) === false;
    // Whoever edits policies can name ever new ones; those still named are asked for again before they are forgotten.
    for (const [other, { at }] of this.#known) if (now - at >= AGAIN_MS) this.#known.delete(other);
    this.#known.set(name, { isMissing, at: now });
    return isMissing;
  }
}

/** With their paths; a glob names none. */
function namesOf({ isolation }: NamespacePolicy['spec']): [path: string, name: string][] {
  const { default: standard, allowed = [] } = isolation?.runtimeClasses ?? {};
  const path = 'spec.isolation.runtimeClasses';
  return [
    ...(standard === undefined ? [] : [[`${path}.default`, standard] as [string, string]]),
    ...allowed.flatMap((name, index): [string, string][] =>
      name.includes('*') ? [] : [[`${path}.allowed[${index}]`, name]],
    ),
  ];
}

/** Undefined where the operator may not know: an older ClusterRole lacks the right. */
export async function runtimeClassExists(
  client: KubeClient,
  name: string,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  try {
    await client.get(runtimeClasses, { name }, { signal });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    if (isForbidden(error)) return undefined;
    throw error;
  }
}
