/** Which session was told of which Job: others are told of another, as long as it may still come to claim it. */
import type { Clock } from '../clock.ts';

const STANDS_MS = 10_000;

export class Promises {
  readonly #clock: Pick<Clock, 'elapsed'>;
  readonly #made = new Map<string, { sessionUid: string; until: number }>();

  constructor(clock: Pick<Clock, 'elapsed'>) {
    this.#clock = clock;
  }

  /** Whether the session may claim it. */
  make(jobUid: string, sessionUid: string): boolean {
    const now = this.#clock.elapsed();
    const standing = this.#made.get(jobUid);
    if (standing !== undefined && standing.sessionUid !== sessionUid && standing.until > now) return false;
    this.#made.set(jobUid, { sessionUid, until: now + STANDS_MS });
    return true;
  }

  tidy(): void {
    const now = this.#clock.elapsed();
    for (const [jobUid, { until }] of this.#made) if (until <= now) this.#made.delete(jobUid);
  }
}
