/** Which pod a token was made for: asked of the API server once, remembered until the token expires. */
import { createHash } from 'node:crypto';
import { AmbientError } from '../../../common/errors.ts';
import type { TokenOwner } from '../../../common/kube/access.ts';
import { LocalBuckets } from '../../sessions/webhooks/rate-limits.ts';

export interface TokenPod {
  namespace: string;
  name: string;
  uid: string;
}

/** Whom a token that was refused speaks of. */
export interface Bearer {
  pod: TokenPod;
  serviceAccount: string;
  /** The API server knows the token, whomever it was meant for; without that anybody may have written it. */
  isProven: boolean;
}

/** KubeClient is one. */
export interface TokenReviewer {
  tokenReview(token: string, audiences: readonly string[]): Promise<TokenOwner>;
}

export interface TokensOptions {
  reviewer: TokenReviewer;
  /** Whom a token must be meant for: a pod has several, and none opens what another does. */
  audience: string;
  now: () => Date;
  /** Asked before the API server is, so that made-up tokens cost it nothing. */
  mayExist: (pod: TokenPod) => Promise<boolean>;
  remembered?: number;
}

interface Remembered {
  pod: TokenPod;
  expiresAt: number;
}

interface Claims {
  pod: TokenPod;
  serviceAccount: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
  audiences: string[];
}

const TOKEN_BYTES_MAX = 16 * 1024;
const REMEMBERED = 5000;
/** Who was refused is asked of the API server so often; what is more stays a claim. */
const PROOFS = { perMinute: 120, burst: 20 };
const AUDIENCES_MAX = 5;
const POD_NAME = 'authentication.kubernetes.io/pod-name';
const POD_UID = 'authentication.kubernetes.io/pod-uid';
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):[^:]+$/;

export class Tokens {
  readonly #options: TokensOptions;
  /** By hash of the token; the least recently used first. */
  readonly #known = new Map<string, Remembered>();
  /** Tokens that were refused, by hash: whether the API server knows them. */
  readonly #refused = new Map<string, boolean>();
  readonly #proofs: LocalBuckets;
  readonly #asking = new Map<string, Promise<TokenPod>>();

  constructor(options: TokensOptions) {
    this.#options = options;
    this.#proofs = new LocalBuckets(() => options.now().getTime());
  }

  /** For the record, not to let anybody in. Undefined for what is no token of a pod. Throws what the API server's absence throws. */
  async bearerOf(authorization: string | undefined): Promise<Bearer | undefined> {
    const token = tokenIn(authorization);
    const claims = token === undefined ? undefined : claimsOf(token);
    if (token === undefined || claims === undefined) return undefined;
    const { pod, serviceAccount } = claims;
    const hash = hashOf(token);
    let isProven = this.#known.has(hash) || this.#refused.get(hash);
    if (isProven === undefined && this.#proofs.takeNow('', PROOFS) === 0) {
      isProven = await this.#isProven(token, claims);
      this.#setRefused(hash, isProven);
    }
    return { pod, serviceAccount, isProven: isProven ?? false };
  }

  #setRefused(hash: string, isProven: boolean): void {
    this.#refused.set(hash, isProven);
    forgetOldest(this.#refused, REMEMBERED);
  }

  async #isProven(token: string, { pod, audiences }: Claims): Promise<boolean> {
    const { reviewer, mayExist } = this.#options;
    if (!(await mayExist(pod))) return false;
    const asked = audiences.slice(0, AUDIENCES_MAX);
    const owner = await reviewer.tokenReview(token, asked);
    return asked.some((audience) => podOf(owner, audience)?.uid === pod.uid);
  }

  /** The pod of the bearer. Throws unauthenticated, unavailable when the API server does not answer. */
  async podOf(authorization: string | undefined): Promise<TokenPod> {
    const token = tokenIn(authorization);
    if (token === undefined) throw refused('there is no bearer token');
    const hash = hashOf(token);
    const known = this.#known.get(hash);
    if (known !== undefined) {
      this.#known.delete(hash);
      if (known.expiresAt > this.#options.now().getTime()) {
        this.#known.set(hash, known);
        return known.pod;
      }
    }
    let asking = this.#asking.get(hash);
    if (asking === undefined) {
      asking = this.#ask(token, hash).finally(() => this.#asking.delete(hash));
      this.#asking.set(hash, asking);
    }
    return await asking;
  }

  async #ask(token: string, hash: string): Promise<TokenPod> {
    const { reviewer, audience, now, mayExist, remembered = REMEMBERED } = this.#options;
    const claims = claimsOf(token);
    // Nothing here is believed yet; it only spares the API server tokens that it would refuse.
    if (claims === undefined) throw refused('the token is not a pod’s');
    if (claims.expiresAt <= now().getTime()) throw refused('the token has expired');
    if (!claims.audiences.includes(audience)) throw refused('the token is meant for somebody else');
    if (!(await mayExist(claims.pod))) throw refused('the token’s pod is not a session’s');
    const owner = await reviewer.tokenReview(token, [audience]);
    const pod = podOf(owner, audience);
    if (pod === undefined) {
      this.#setRefused(hash, false);
      throw refused(owner.error ?? 'the API server does not know the token');
    }
    this.#known.set(hash, { pod, expiresAt: claims.expiresAt });
    forgetOldest(this.#known, remembered);
    return pod;
  }
}

function tokenIn(authorization: string | undefined): string | undefined {
  const token = /^Bearer ([\w.~+/=-]+)$/i.exec(authorization ?? '')?.[1];
  return token === undefined || token.length > TOKEN_BYTES_MAX ? undefined : token;
}

const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64');

function forgetOldest(known: Map<string, unknown>, most: number): void {
  for (const oldest of known.keys()) {
    if (known.size <= most) break;
    known.delete(oldest);
  }
}

function podOf({ authenticated, audiences, user }: TokenOwner, audience: string): TokenPod | undefined {
  if (!authenticated || audiences?.includes(audience) !== true) return undefined;
  const namespace = SERVICE_ACCOUNT.exec(user?.username ?? '')?.[1];
  const name = user?.extra?.[POD_NAME]?.[0];
  const uid = user?.extra?.[POD_UID]?.[0];
  return namespace === undefined || name === undefined || uid === undefined
    ? undefined
    : { namespace, name, uid };
}

/** https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens */
function claimsOf(token: string): Claims | undefined {
  try {
    const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8');
    const {
      aud,
      exp,
      'kubernetes.io': bound,
    } = JSON.parse(payload) as {
      aud?: string | string[];
      exp?: number;
      'kubernetes.io'?: {
        namespace?: string;
        pod?: { name?: string; uid?: string };
        serviceaccount?: { name?: string };
      };
    };
    const { namespace, pod, serviceaccount } = bound ?? {};
    if (
      typeof exp !== 'number' ||
      namespace === undefined ||
      pod?.name === undefined ||
      pod.uid === undefined
    ) {
      return undefined;
    }
    return {
      pod: { namespace, name: pod.name, uid: pod.uid },
      serviceAccount: serviceaccount?.name ?? '',
      expiresAt: exp * 1000,
      audiences: Array.isArray(aud) ? aud : [aud ?? ''],
    };
  } catch {
    return undefined;
  }
}

const refused = (why: string): AmbientError => new AmbientError('unauthenticated', why);
