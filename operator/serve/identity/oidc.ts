/**
 * Tokens of an OpenID Connect provider that the operator was told to believe, read as kube-apiserver reads them by its --oidc-*
 * flags. https://kubernetes.io/docs/reference/access-authn-authz/authentication/#openid-connect-tokens
 */
import { createRemoteJWKSet, customFetch, errors, jwtVerify } from 'jose';
import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import { AmbientError } from '../../../common/errors.ts';
import { Agent } from '../../../common/kube/undici.ts';
import { AUTHENTICATED } from './caller.ts';
import type { Caller } from './caller.ts';

export interface OidcSettings {
  issuer: string;
  /** The token must be meant for one of them. */
  audiences: string[];
  usernameClaim: string;
  usernamePrefix: string;
  /** Undefined: no groups. */
  groupsClaim: string | undefined;
  groupsPrefix: string;
  /** PEM of whom to trust at the provider's address; undefined: whom everybody trusts. */
  ca: string | undefined;
  algorithms: string[];
}

export interface OidcOptions {
  settings: OidcSettings;
  now: () => Date;
  /** Between two looks for a key that is not known. */
  cooldownMs?: number;
  /** Until keys are read anew in any case: for so long is one that was taken back still believed. */
  keysMs?: number;
}

/** Of asymmetric keys only: with HS256 whoever knows a public key could sign. */
export const OIDC_ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512'],
  ...['PS256', 'PS384', 'PS512', 'EdDSA'],
];

const COOLDOWN_MS = 10_000;
const KEYS_MS = 300_000;
const DISCOVERY_MS = 3600_000;
const PATIENCE_MS = 5000;
const ANSWER_BYTES_MAX = 1024 * 1024;
/** Clocks that differ. */
const TOLERANCE_SECONDS = 5;
const GROUPS_MAX = 1000;
const NAME_MAX = 1024;
/** What Kubernetes keeps for itself: nobody outside may hand these out. */
const RESERVED = 'system:';

export class OidcTokens implements AsyncDisposable {
  readonly #options: OidcOptions;
  readonly #agent: Agent;
  #keys: { get: JWTVerifyGetKey; until: number } | undefined;
  #discovering: Promise<JWTVerifyGetKey> | undefined;

  constructor(options: OidcOptions) {
    this.#options = options;
    const { ca } = options.settings;
    this.#agent = new Agent({
      connect: { timeout: PATIENCE_MS, ...(ca === undefined ? {} : { ca }) },
      headersTimeout: PATIENCE_MS,
      bodyTimeout: PATIENCE_MS,
      maxResponseSize: ANSWER_BYTES_MAX,
    });
  }

  /** Whether a token says that it is of this provider. */
  isOurs({ iss }: Record<string, unknown>): boolean {
    return iss === this.#options.settings.issuer;
  }

  /** Throws unauthenticated; unavailable when the provider's keys cannot be read. */
  async callerOf(token: string): Promise<Caller> {
    const { settings, now } = this.#options;
    const keys = await this.#keysOf();
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, keys, {
        issuer: settings.issuer,
        audience: settings.audiences,
        algorithms: settings.algorithms,
        requiredClaims: ['exp', settings.usernameClaim],
        clockTolerance: TOLERANCE_SECONDS,
        currentDate: now(),
      }));
    } catch (error) {
      throw refusalOf(error);
    }
    return callerOf(payload, settings);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  async #keysOf(): Promise<JWTVerifyGetKey> {
    if (this.#keys !== undefined && this.#keys.until > this.#options.now().getTime()) return this.#keys.get;
    this.#discovering ??= this.#discover().finally(() => (this.#discovering = undefined));
    try {
      return await this.#discovering;
    } catch (error) {
      // What was discovered before is better than nobody coming in.
      if (this.#keys !== undefined) return this.#keys.get;
      throw error;
    }
  }

  async #discover(): Promise<JWTVerifyGetKey> {
    const { settings, now, cooldownMs = COOLDOWN_MS, keysMs = KEYS_MS } = this.#options;
    const { issuer } = settings;
    let document: { issuer?: unknown; jwks_uri?: unknown };
    try {
      const answer = await this.#fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
      if (answer.status !== 200) throw new Error(`status ${answer.status}`);
      document = (await answer.json()) as typeof document;
    } catch (cause) {
      throw new AmbientError('unavailable', 'the OpenID Connect provider does not answer', { cause });
    }
    const { jwks_uri: address } = document;
    if (document.issuer !== issuer || typeof address !== 'string' || !isSafe(address, issuer))
      throw new AmbientError('unavailable', 'the OpenID Connect provider is not the configured one');
    const get = createRemoteJWKSet(new URL(address), {
      cooldownDuration: cooldownMs,
      cacheMaxAge: keysMs,
      timeoutDuration: PATIENCE_MS,
      [customFetch]: (url) => this.#fetch(url),
    });
    this.#keys = { get, until: now().getTime() + DISCOVERY_MS };
    return get;
  }

  async #fetch(url: string): Promise<Response> {
    const { origin, pathname, search } = new URL(url);
    const { statusCode, body } = await this.#agent.request({
      origin,
      path: `${pathname}${search}`,
      method: 'GET',
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    return new Response(await body.text(), { status: statusCode });
  }
}

/** Keys are never read in the clear from a provider that is reached by TLS. */
const isSafe = (address: string, issuer: string): boolean =>
  URL.canParse(address) && (new URL(issuer).protocol === 'http:' || new URL(address).protocol === 'https:');

/** Refusals of the token are for whoever sent it; everything else is that the keys cannot be read. */
function refusalOf(error: unknown): AmbientError {
  if (error instanceof errors.JWTExpired)
    return new AmbientError('unauthenticated', 'the token has expired', { cause: error });
  if (error instanceof errors.JWTClaimValidationFailed)
    return new AmbientError('unauthenticated', `the token's claim ${error.claim} is not as required`, {
      cause: error,
    });
  const isOfToken =
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JOSENotSupported ||
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys;
  return isOfToken
    ? new AmbientError('unauthenticated', "the token's signature is not the provider's", { cause: error })
    : new AmbientError('unavailable', "the OpenID Connect provider's keys cannot be read", { cause: error });
}

/** Claims of a token whose signature, issuer, audience and time are right. Throws unauthenticated. */
export function callerOf(payload: JWTPayload, settings: OidcSettings): Caller {
  const { usernameClaim, usernamePrefix, groupsClaim, groupsPrefix } = settings;
  const refuse = (why: string): never => {
    throw new AmbientError('unauthenticated', why);
  };
  const name = payload[usernameClaim];
  if (typeof name !== 'string' || name === '' || name.length > NAME_MAX)
    return refuse(`the token's claim ${usernameClaim} is no user name`);
  if (usernameClaim === 'email' && (payload['email_verified'] ?? true) !== true)
    refuse('the email address of the token was not verified');
  const user = `${usernamePrefix}${name}`;
  if (user.startsWith(RESERVED)) refuse(`a user name that begins with ${RESERVED} is the cluster's own`);
  const groups = groupsClaim === undefined ? [] : groupsOf(payload[groupsClaim]);
  if (groups === undefined) return refuse(`the token's claim ${groupsClaim} is no list of groups`);
  const named = groups
    .map((group) => `${groupsPrefix}${group}`)
    .filter((group) => !group.startsWith(RESERVED));
  return { name: user, groups: [...named, AUTHENTICATED], extra: {} };
}

function groupsOf(claim: unknown): string[] | undefined {
  if (claim === undefined) return [];
  const list: unknown[] = Array.isArray(claim) ? claim : [claim];
  const isNamed = (each: unknown): each is string => typeof each === 'string' && each.length <= NAME_MAX;
  return list.length <= GROUPS_MAX && list.every(isNamed) ? list.filter((each) => each !== '') : undefined;
}
