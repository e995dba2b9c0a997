/** Which pod a token was made for: asked of the API server once, remembered until the token expires. */
import { createHash } from 'node:crypto';
import { AmbientError } from '../../../common/errors.ts';
import type { TokenOwner } from '../../../common/kube/access.ts';

export interface TokenPod {
  namespace: string;
  name: string;
  uid: string;
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
  /** Milliseconds since the epoch. */
  expiresAt: number;
  audiences: string[];
}

const TOKEN_BYTES_MAX = 16 * 1024;
const REMEMBERED = 5000;
const POD_NAME = 'authentication.kubernetes.io/pod-name';
const POD_UID = 'authentication.kubernetes.io/pod-uid';
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):[^:]+$/;

export class Tokens {
  readonly #options: TokensOptions;
  /** By hash of the token; the least recently used first. */
  readonly #known = new Map<string, Remembered>();
  readonly #asking = new Map<string, Promise<TokenPod>>();

  constructor(options: TokensOptions) {
    this.#options = options;
  }

  /** The pod of the bearer. Throws unauthenticated, unavailable when the API server does not answer. */
  async podOf(authorization: string | undefined): Promise<TokenPod> {
    const token = /^Bearer ([\w.~+/=-]+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined || token.length > TOKEN_BYTES_MAX) throw refused('there is no bearer token');
    const hash = createHash('sha256').update(token).digest('base64');
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
    if (pod === undefined) throw refused(owner.error ?? 'the API server does not know the token');
    this.#known.set(hash, { pod, expiresAt: claims.expiresAt });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= remembered) break;
      this.#known.delete(oldest);
    }
    return pod;
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
      'kubernetes.io'?: { namespace?: string; pod?: { name?: string; uid?: string } };
    };
    const { namespace, pod } = bound ?? {};
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
      expiresAt: exp * 1000,
      audiences: Array.isArray(aud) ? aud : [aud ?? ''],
    };
  } catch {
    return undefined;
  }
}

const refused = (why: string): AmbientError => new AmbientError('unauthenticated', why);
