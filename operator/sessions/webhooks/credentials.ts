/**
 * Whose delivery it is: decided by what the sender can prove, never by what the payload says. An id that nobody has costs the
 * same work and gets the same answer as a signature that is wrong.
 */
import { randomBytes } from 'node:crypto';
import type { Hmac } from 'node:crypto';
import { AmbientError } from '../../../common/errors.ts';
import type { WebhookSource } from '../../../common/api/session.ts';
import type { Headers } from '../../../common/rules/webhooks/delivery.ts';
import type { Signer, Tenant, WebhookKeys } from './keys.ts';
import { badSignature, claimOf, isSigned, signing } from './signatures.ts';
import type { Claim } from './signatures.ts';
import type { SigningSecrets } from './signing-secrets.ts';

export interface WebhookCredentialsOptions {
  keys: WebhookKeys;
  secrets: SigningSecrets;
  /** Whether all policies are known: before, every key would seem to be unknown. */
  ready: () => boolean;
  now: () => number;
}

/** Of a body that is still coming in. */
export interface SignatureCheck {
  update(chunk: Uint8Array): void;
  /** Call once, after the last byte. Throws invalid_signature. */
  tenant(): Tenant;
}

const KEY_MAX = 1024;
/** Signs nothing that anybody sends. */
const DECOY = randomBytes(32);

export class WebhookCredentials {
  readonly #options: WebhookCredentialsOptions;

  constructor(options: WebhookCredentialsOptions) {
    this.#options = options;
  }

  /** Throws invalid_api_key, unavailable. */
  ofApiKey(source: WebhookSource, presented: string): Tenant {
    this.#assertReady();
    const tenant =
      presented.length > KEY_MAX ? undefined : this.#options.keys.ofApiKey(source, presented.trim());
    if (tenant === undefined) throw new AmbientError('invalid_api_key', 'API key is invalid or expired');
    return tenant;
  }

  /** Throws invalid_signature, unavailable, and KubeError when secrets cannot be read now. */
  async ofSignature(source: WebhookSource, id: string, headers: Headers): Promise<SignatureCheck> {
    this.#assertReady();
    const { keys, secrets, now } = this.#options;
    const claim = claimOf(source, headers, now());
    const signers = keys.signers(source, id);
    const candidates = await Promise.all(
      signers.map(async (signer) => ({ signer, secrets: await secrets.of(signer) })),
    );
    return checkOf(claim, candidates);
  }

  #assertReady(): void {
    if (!this.#options.ready())
      throw new AmbientError(
        'unavailable',
        'the operator has just started and does not know the policies yet',
      );
  }
}

function checkOf(
  claim: Claim,
  candidates: readonly { signer: Signer; secrets: readonly Buffer[] }[],
): SignatureCheck {
  const runs: { signer: Signer | undefined; hmac: Hmac }[] = candidates.flatMap(({ signer, secrets }) =>
    secrets.map((secret) => ({ signer, hmac: signing(secret, claim) })),
  );
  if (runs.length === 0) runs.push({ signer: undefined, hmac: signing(DECOY, claim) });
  return {
    update(chunk) {
      for (const { hmac } of runs) hmac.update(chunk);
    },
    tenant() {
      const found = new Map<string, Signer>();
      for (const { signer, hmac } of runs)
        if (isSigned(hmac, claim) && signer !== undefined) found.set(signer.namespace, signer);
      const [tenant] = found.values();
      // Two namespaces with one id and one secret: nobody may be let into one of them by chance.
      if (tenant === undefined || found.size > 1) throw badSignature();
      const { namespace, source, keyId } = tenant;
      return { namespace, source, keyId };
    },
  };
}
