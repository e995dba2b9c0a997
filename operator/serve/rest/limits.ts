/** How much one address may ask for: a bucket of tokens each, looked at before anything else is done. */
import { BoundedMap } from '../../../common/bounded-map.ts';
import { AmbientError } from '../../../common/errors.ts';

export interface AddressLimitsOptions {
  perSecond: number;
  /** At once, after a pause. */
  burst: number;
  /** Milliseconds of a clock that never goes back. */
  elapsed: () => number;
  /** Addresses that are told apart; the one not heard of for longest is forgotten. */
  most?: number;
}

const ADDRESSES_MAX = 10_000;
/** As many requests as one whose token, key or signature is no good counts for: to find that out costs more than to answer. */
const STRANGER_COST = 20;

interface Bucket {
  tokens: number;
  at: number;
}

export class AddressLimits {
  readonly #options: AddressLimitsOptions;
  /** Least recently used first. */
  readonly #buckets: BoundedMap<string, Bucket>;

  constructor(options: AddressLimitsOptions) {
    this.#options = options;
    this.#buckets = new BoundedMap(options.most ?? ADDRESSES_MAX);
  }

  /** Throws rate_limit_exceeded with when to come again. */
  take(address: string, cost = 1): void {
    const bucket = this.#of(address);
    if (bucket.tokens >= cost) {
      bucket.tokens -= cost;
      return;
    }
    const retryAfterSeconds = Math.max(1, Math.ceil((cost - bucket.tokens) / this.#options.perSecond));
    throw new AmbientError('rate_limit_exceeded', 'there were too many requests from this address', {
      details: { retryAfterSeconds },
    });
  }

  /** Takes what a request turned out to cost whose sender nobody knows, also into debt. */
  chargeStranger(address: string): void {
    const bucket = this.#of(address);
    bucket.tokens = Math.max(bucket.tokens - STRANGER_COST, -this.#options.burst);
  }

  #of(address: string): Bucket {
    const { perSecond, burst, elapsed } = this.#options;
    const key = networkOf(address);
    const now = elapsed();
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now };
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond);
    bucket.at = now;
    this.#buckets.set(key, bucket);
    return bucket;
  }
}

/** Of IPv6 the /64, as one host has all of it. */
function networkOf(address: string): string {
  if (address.startsWith('::ffff:') && address.includes('.')) return address.slice('::ffff:'.length);
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const middle =
    tail === undefined ? [] : Array<string>(Math.max(0, 8 - first.length - last.length)).fill('0');
  return [...first, ...middle, ...last].slice(0, 4).join(':');
}
