/** How many deliveries a tenant takes of a source, from its policy. What is used up is kept where all replicas see it. */
import type { NamespacePolicySpec } from '../../../common/api/namespace-policy.ts';
import { BoundedMap } from '../../../common/bounded-map.ts';
import { AmbientError } from '../../../common/errors.ts';
import { take } from '../../../common/rules/gcra.ts';
import type { Rate } from '../../../common/rules/gcra.ts';
import type { Tenant } from './keys.ts';

/** Takes one from a bucket. How long to wait until there is one; 0: it was taken. */
export interface Buckets {
  take(name: string, rate: Rate, signal: AbortSignal): Promise<number>;
}

export const DEFAULT_RATE: Rate = { perMinute: 10, burst: 20 };

export interface RateLimitsOptions {
  rateLimitOf: (namespace: string) => NonNullable<NamespacePolicySpec['webhookAuth']>['rateLimit'];
  buckets: Buckets;
  /** Of this replica alone: for what starts nothing. */
  dryRuns: Buckets;
}

export class RateLimits {
  readonly #options: RateLimitsOptions;

  constructor(options: RateLimitsOptions) {
    this.#options = options;
  }

  /** Throws rate_limit_exceeded with details.retryAfterSeconds, and what keeps the buckets from being reached. */
  async take({ namespace, source }: Tenant, isDryRun: boolean, signal: AbortSignal): Promise<void> {
    const { rateLimitOf, buckets, dryRuns } = this.#options;
    const { requestsPerMinute, burstSize } = rateLimitOf(namespace) ?? {};
    const rate = {
      perMinute: requestsPerMinute ?? DEFAULT_RATE.perMinute,
      burst: burstSize ?? DEFAULT_RATE.burst,
    };
    const waitMs = await (isDryRun ? dryRuns : buckets).take(`${namespace}.${source}`, rate, signal);
    if (waitMs === 0) return;
    throw tooMany(
      `${rate.perMinute} deliveries a minute are taken of ${source}, ${rate.burst} at once`,
      waitMs,
    );
  }
}

export const tooMany = (message: string, waitMs: number): AmbientError =>
  new AmbientError('rate_limit_exceeded', message, {
    details: { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) },
  });

/** Of one process, for names of which there may be any number: those that nobody uses are forgotten, the oldest first. */
export class LocalBuckets implements Buckets {
  readonly #now: () => number;
  readonly #full: BoundedMap<string, number>;

  constructor(now: () => number, max = 10_000) {
    this.#now = now;
    this.#full = new BoundedMap(max);
  }

  /** Milliseconds to wait; 0: it was taken. */
  takeNow(name: string, rate: Rate): number {
    const { fullAt, waitMs } = take(this.#full.get(name), this.#now(), rate);
    this.#full.set(name, fullAt);
    return waitMs;
  }

  take(name: string, rate: Rate): Promise<number> {
    return Promise.resolve(this.takeNow(name, rate));
  }
}
