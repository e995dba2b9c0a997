/**
 * How much of a rate is left, by the generic cell rate algorithm: a bucket that fills evenly, kept as one time. It says when
 * the bucket will be full again, so that what stands for a bucket that nobody uses is nothing.
 */

export interface Rate {
  perMinute: number;
  /** At once, from a full bucket. */
  burst: number;
}

export interface Taken {
  /** How many of those asked for there were. */
  count: number;
  /** The new state; the old one where there were none. Milliseconds since the epoch. */
  fullAt: number;
  /** Until there is one more; 0 where there were as many as asked for. */
  waitMs: number;
}

/** Of milliseconds since the epoch, a number keeps no more than this. */
const ROUNDING_MS = 1e-3;
/** By so much may the clocks of replicas differ. */
const SKEW_MS = 10_000;

/** @param fullAt the state; undefined or past for a full bucket */
export function take(fullAt: number | undefined, now: number, { perMinute, burst }: Rate, asked = 1): Taken {
  const interval = 60_000 / perMinute;
  const full = now + burst * interval;
  // No bucket is emptier than empty: a clock was wrong, or the rate was another, and the bucket begins anew.
  const isPossible = fullAt !== undefined && fullAt <= full + SKEW_MS;
  const from = isPossible ? Math.min(Math.max(fullAt, now), full) : now;
  const room = Math.floor((full - from + ROUNDING_MS) / interval);
  const count = Math.max(0, Math.min(asked, room));
  return {
    count,
    fullAt: count === 0 ? (fullAt ?? now) : from + count * interval,
    waitMs: count === asked ? 0 : Math.max(1, Math.ceil(from + (count + 1) * interval - full)),
  };
}
