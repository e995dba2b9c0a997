/**
 * The secrets with which sources sign, from the Secrets of tenants. A value may hold several, one a line, so that old and new are
 * both good while a secret is changed.
 */
import { SecretProblem } from '../../record/notifications/secrets.ts';
import type { SecretReference } from '../../record/notifications/placeholders.ts';
import { Briefly } from '../briefly.ts';
import type { Signer } from './keys.ts';

export interface SigningSecretsOptions {
  /** Throws SecretProblem, and what the API server's absence throws. */
  read: (namespace: string, reference: SecretReference, signal: AbortSignal) => Promise<Buffer>;
  /** A key that its Secret makes useless; undefined: it is well. Told at each read. */
  onState: (signer: Signer, problem: string | undefined) => void;
  /** Milliseconds of a clock that never goes back. */
  elapsed: () => number;
  /** Of one read, for which several senders may wait; default 5 s. */
  readMs?: number;
}

const KEPT_MS = 5000;
const READ_MS = 5000;
const ENTRIES_MAX = 1000;
const SECRETS_PER_KEY = 4;

export class SigningSecrets {
  readonly #options: SigningSecretsOptions;
  readonly #known: Briefly<Buffer[]>;

  constructor(options: SigningSecretsOptions) {
    this.#options = options;
    this.#known = new Briefly({ keptMs: KEPT_MS, max: ENTRIES_MAX, elapsed: options.elapsed });
  }

  /** Empty when the Secret cannot be used: that is the tenant's business, not the sender's. Throws when nobody answers. */
  async of(signer: Signer): Promise<Buffer[]> {
    const { namespace, signing } = signer;
    return await this.#known.of(`${namespace}/${signing.secretName}/${signing.key}`, () =>
      this.#read(signer),
    );
  }

  async #read(signer: Signer): Promise<Buffer[]> {
    const { read, onState, readMs = READ_MS } = this.#options;
    const { secretName, key } = signer.signing;
    try {
      const secrets = linesOf(
        await read(signer.namespace, { name: secretName, key }, AbortSignal.timeout(readMs)),
      );
      onState(
        signer,
        secrets.length === 0 ? `Secret ${secretName} has nothing in its key ${key}` : undefined,
      );
      return secrets;
    } catch (error) {
      if (!(error instanceof SecretProblem)) throw error;
      onState(signer, error.message);
      return [];
    }
  }
}

function linesOf(value: Buffer): Buffer[] {
  // As bytes: a secret need not be text.
  const lines: Buffer[] = [];
  let start = 0;
  for (let at = 0; at <= value.length; at++) {
    if (at < value.length && value[at] !== 0x0a) continue;
    const end = at > start && value[at - 1] === 0x0d ? at - 1 : at;
    if (end > start) lines.push(value.subarray(start, end));
    start = at + 1;
  }
  return lines.slice(0, SECRETS_PER_KEY);
}
