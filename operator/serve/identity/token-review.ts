/** Tokens that the cluster itself gave or knows: the API server says whose they are. */
import { createHash } from 'node:crypto';
import { AmbientError } from '../../../common/errors.ts';
import type { TokenOwner } from '../../../common/kube/access.ts';
import { Answers } from './answers.ts';
import { unverifiedClaims } from './caller.ts';
import type { Caller } from './caller.ts';

/** KubeClient is one. */
export interface TokenReviewer {
  tokenReview(
    token: string,
    audiences: readonly string[],
    options?: { signal?: AbortSignal },
  ): Promise<TokenOwner>;
}

/** Nobody's token. `isReviewed`: the API server was asked for this answer, which cost it something. */
export class UnknownToken extends AmbientError {
  readonly isReviewed: boolean;

  constructor(message: string, isReviewed: boolean) {
    super('unauthenticated', message);
    this.isReviewed = isReviewed;
  }
}

export interface ReviewedTokensOptions {
  reviewer: TokenReviewer;
  now: () => Date;
  elapsed: () => number;
}

/** A token that was taken back is good for so long at most. */
const KNOWN_MS = 10_000;
/** One that is not good yet may be in a moment: a ServiceAccount was just created. */
const REFUSED_MS = 2_000;
const REMEMBERED = 5000;
const PATIENCE_MS = 10_000;

export class ReviewedTokens {
  readonly #options: ReviewedTokensOptions;
  /** By hash: a token is nowhere but in the request. */
  readonly #answers: Answers<Caller | string>;

  constructor(options: ReviewedTokensOptions) {
    this.#options = options;
    this.#answers = new Answers({ most: REMEMBERED, elapsed: options.elapsed });
  }

  /** Throws unauthenticated; KubeError when the API server does not say. */
  async callerOf(token: string): Promise<Caller> {
    const hash = createHash('sha256').update(token).digest('base64');
    let isReviewed = false;
    const answer = await this.#answers.of(hash, () => {
      isReviewed = true;
      return this.#review(token);
    });
    if (typeof answer === 'string') throw new UnknownToken(answer, isReviewed);
    return answer;
  }

  async #review(token: string): Promise<{ value: Caller | string; forMs: number }> {
    const { reviewer, now } = this.#options;
    const { exp } = unverifiedClaims(token);
    const leftMs = typeof exp === 'number' ? exp * 1000 - now().getTime() : Infinity;
    if (leftMs <= 0) return { value: 'the token has expired', forMs: REFUSED_MS };
    // Without an audience the token must be for the API server: a runner's, for one, is not.
    const { authenticated, user } = await reviewer.tokenReview(token, [], {
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (!authenticated || user?.username === undefined || user.username === '')
      return { value: 'the cluster does not know the token', forMs: REFUSED_MS };
    const { username, uid, groups = [], extra = {} } = user;
    const caller = { name: username, ...(uid === undefined || uid === '' ? {} : { uid }), groups, extra };
    return { value: caller, forMs: Math.min(KNOWN_MS, leftMs) };
  }
}
