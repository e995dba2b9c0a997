/**
 * What is wrong with the keys of a policy that only the cluster can tell: Secrets that cannot be read, and keys that another
 * namespace has too. Whoever needs them is told little of it, so the policy says it.
 */
import type { NamespacePolicy, NamespacePolicySpec } from '../../../common/api/namespace-policy.ts';
import { error } from '../../../common/rules/policy/mistake.ts';
import type { PolicyMistake } from '../../../common/rules/policy/mistake.ts';
import type { SecretReference } from '../../record/notifications/placeholders.ts';
import { SecretProblem } from '../../record/notifications/secrets.ts';
import type { Clock } from '../clock.ts';

export interface KeyChecksOptions {
  /** Throws SecretProblem, and what the API server's absence throws. */
  read: (namespace: string, reference: SecretReference, signal: AbortSignal) => Promise<unknown>;
  /** Namespaces whose policies have a key with this hash. */
  holders: (hash: string) => number;
  clock: Pick<Clock, 'now' | 'elapsed'>;
}

/** Nobody tells when a Secret changes, or the right to read it: while something is wrong, people wait to see it put right. */
const AGAIN_MS = 300_000;
const AGAIN_WRONG_MS = 15_000;

interface Checked {
  version: string;
  at: number;
  mistakes: PolicyMistake[];
}

export class KeyChecks {
  readonly #options: KeyChecksOptions;
  readonly #checked = new Map<string, Checked>();

  constructor(options: KeyChecksOptions) {
    this.#options = options;
  }

  forget(namespace: string): void {
    this.#checked.delete(namespace);
  }

  /** Throws when the API server does not answer. */
  async of(policy: NamespacePolicy, signal: AbortSignal): Promise<PolicyMistake[]> {
    return [...(await this.#secretMistakes(policy, signal)), ...this.#hashMistakes(policy)];
  }

  /** When to look again; undefined where nothing can change by itself. */
  againMs({ metadata, spec }: NamespacePolicy): number | undefined {
    const { keys = [], apiKeys = {} } = spec.webhookAuth ?? {};
    if (keys.length === 0 && Object.keys(apiKeys).length === 0 && referencesOf(spec).length === 0)
      return undefined;
    const now = this.#options.clock.now();
    const isWrong = (this.#checked.get(metadata.namespace ?? '')?.mistakes.length ?? 0) > 0;
    const ends = keys.map(({ expiresAt }) => Date.parse(expiresAt ?? '') - now).filter((left) => left > 0);
    return Math.min(isWrong ? AGAIN_WRONG_MS : AGAIN_MS, ...ends);
  }

  #hashMistakes({ spec }: NamespacePolicy): PolicyMistake[] {
    const { keys = [], apiKeys = {} } = spec.webhookAuth ?? {};
    const hashes: [path: string, hash: string][] = [
      ...Object.entries(apiKeys).map(([source, hash]): [string, string] => [
        `apiKeys[${JSON.stringify(source)}]`,
        hash,
      ]),
      ...keys.flatMap(({ hash }, index): [string, string][] =>
        hash === undefined ? [] : [[`keys[${index}].hash`, hash]],
      ),
    ];
    return hashes.flatMap(([path, hash]) =>
      this.#options.holders(hash) > 1
        ? [
            error(
              `spec.webhookAuth.${path}`,
              'another namespace has the same key, so it lets nobody in. Make a new one.',
            ),
          ]
        : [],
    );
  }

  async #secretMistakes({ metadata, spec }: NamespacePolicy, signal: AbortSignal): Promise<PolicyMistake[]> {
    const { namespace = '', uid = '', generation = 0 } = metadata;
    const version = `${uid} ${generation}`;
    const known = this.#checked.get(namespace);
    const now = this.#options.clock.elapsed();
    const fresh = known?.mistakes.length === 0 ? AGAIN_MS : AGAIN_WRONG_MS;
    if (known?.version === version && now - known.at < fresh) return known.mistakes;
    const mistakes: PolicyMistake[] = [];
    for (const [path, reference] of referencesOf(spec))
      try {
        await this.#options.read(namespace, reference, signal);
      } catch (problem) {
        if (!(problem instanceof SecretProblem)) throw problem;
        mistakes.push(error(path, `is of no use: ${problem.message}.`));
      }
    this.#checked.set(namespace, { version, at: now, mistakes });
    return mistakes;
  }
}

/** The Secrets that a policy names for the operator to read, and where it does. */
function referencesOf({ webhookAuth, models }: NamespacePolicySpec): [path: string, SecretReference][] {
  const found: [string, SecretReference][] = [];
  for (const [index, { signing }] of (webhookAuth?.keys ?? []).entries())
    if (signing !== undefined)
      found.push([`spec.webhookAuth.keys[${index}].signing`, { name: signing.secretName, key: signing.key }]);
  for (const [index, { keySecret }] of (models?.providers ?? []).entries())
    found.push([`spec.models.providers[${index}].keySecret`, keySecret]);
  return found;
}
