/** Who a bearer is: of the OpenID Connect provider where the token says so, else as the cluster knows them. */
import { bearerOf, unverifiedClaims } from './caller.ts';
import type { Caller } from './caller.ts';
import type { OidcTokens } from './oidc.ts';
import type { ReviewedTokens } from './token-review.ts';

export class Identities {
  readonly #reviewed: ReviewedTokens;
  readonly #oidc: OidcTokens | undefined;

  constructor(reviewed: ReviewedTokens, oidc: OidcTokens | undefined) {
    this.#reviewed = reviewed;
    this.#oidc = oidc;
  }

  /** Throws unauthenticated; unavailable or KubeError when that cannot be found out. */
  async callerOf(authorization: string | undefined): Promise<Caller> {
    const token = bearerOf(authorization);
    const isOidc = this.#oidc?.isOurs(unverifiedClaims(token)) === true;
    return isOidc && this.#oidc !== undefined
      ? await this.#oidc.callerOf(token)
      : await this.#reviewed.callerOf(token);
  }
}
