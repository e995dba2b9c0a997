/** The API keys of tenants' providers, from their Secrets: read anew every few seconds, so that a changed key needs no restart. */
import type { ModelProviderAccess } from '../../../common/api/namespace-policy.ts';
import { AmbientError } from '../../../common/errors.ts';
import type { SecretReference } from '../../record/notifications/placeholders.ts';
import { SecretProblem } from '../../record/notifications/secrets.ts';
import { Briefly } from '../briefly.ts';

export interface ProviderKeysOptions {
  /** Throws SecretProblem, and what the API server's absence throws. */
  read: (namespace: string, reference: SecretReference) => Promise<Buffer>;
  /** Milliseconds of a clock that never goes back. */
  elapsed: () => number;
}

const KEPT_MS = 5000;
const ENTRIES_MAX = 1000;

export class ProviderKeys {
  readonly #read: ProviderKeysOptions['read'];
  readonly #known: Briefly<string>;

  constructor({ read, elapsed }: ProviderKeysOptions) {
    this.#read = read;
    this.#known = new Briefly({ keptMs: KEPT_MS, max: ENTRIES_MAX, elapsed });
  }

  /** Throws forbidden when the Secret is of no use. */
  async of(namespace: string, { name, keySecret }: ModelProviderAccess): Promise<string> {
    const id = `${namespace}/${keySecret.name}/${keySecret.key}`;
    try {
      return await this.#known.of(id, () => this.#key(namespace, keySecret));
    } catch (error) {
      if (!(error instanceof SecretProblem)) throw error;
      throw new AmbientError(
        'forbidden',
        `The key for ${name} cannot be used: ${error.message}. An administrator of the namespace can mend that.`,
      );
    }
  }

  async #key(namespace: string, reference: SecretReference): Promise<string> {
    const key = (await this.#read(namespace, reference)).toString('utf8').trim();
    if (key === '' || !/^[\x21-\x7e]+$/.test(key))
      throw new SecretProblem(`Secret ${reference.name} has no API key in its key ${reference.key}`);
    return key;
  }
}
