/**
 * What is wrong with the keys of a policy that only the cluster can tell: Secrets that cannot be read, and keys that another
 * namespace has too. Senders are told nothing of it, so the policy says it.
 */
import type { NamespacePolicy } from '../../../common/api/namespace-policy.ts';
import { error } from '../../../common/rules/policy/mistake.ts';
import type { PolicyMistake } from '../../../common/rules/policy/mistake.ts';
import type { SecretReference } from '../../record/notifications/placeholders.ts';
import { SecretProblem } from '../../record/notifications/secrets.ts';
import type { Clock } from '../clock.ts';

export interface WebhookChecksOptions {
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

export class WebhookChecks {
  readonly #options: WebhookChecksOptions;
  readonly #checked = new Map<string, Checked>();

  constructor(options: WebhookChecksOptions) {
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
    if (keys.length === 0 && Object.keys(apiKeys).length === 0) return undefined;
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
    const keys = spec.webhookAuth?.keys ?? [];
    const version = `${uid} ${generation}`;
    const known = this.#checked.get(namespace);
    const now = this.#options.clock.elapsed();
    const fresh = known?.mistakes.length === 0 ? AGAIN_MS : AGAIN_WRONG_MS;
    if (known?.version === version && now - known.at < fresh) return known.mistakes;
    const mistakes: PolicyMistake[] = [];
    for (const [index, { signing }] of keys.entries()) {
      if (signing === undefined) continue;
      try {
        await this.#options.read(namespace, { name: signing.secretName, key: signing.key }, signal);
      } catch (problem) {
        if (!(problem instanceof SecretProblem)) throw problem;
        mistakes.push(error(`spec.webhookAuth.keys[${index}].signing`, `is of no use: ${problem.message}.`));
      }
    }
    this.#checked.set(namespace, { version, at: now, mistakes });
    return mistakes;
  }
}
