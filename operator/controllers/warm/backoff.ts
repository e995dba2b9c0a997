/** Pods that end by themselves, or that the cluster refuses, are made again ever later. */
import type { Clock } from '../clock.ts';

const BASE_MS = 5000;
const MAX_MS = 300_000;

export class Backoff {
  readonly #clock: Pick<Clock, 'elapsed'>;
  readonly #failures = new Map<string, { count: number; until: number; why: string | undefined }>();

  constructor(clock: Pick<Clock, 'elapsed'>) {
    this.#clock = clock;
  }

  failed(key: string, why: string | undefined): void {
    const now = this.#clock.elapsed();
    // Several that end together are one failure.
    const standing = this.#failures.get(key);
    if (standing !== undefined && standing.until > now) return;
    const count = (standing?.count ?? 0) + 1;
    this.#failures.set(key, { count, until: now + Math.min(MAX_MS, BASE_MS * 2 ** (count - 1)), why });
  }

  of(key: string): { leftMs: number; why: string | undefined } {
    const { until = 0, why } = this.#failures.get(key) ?? {};
    return { leftMs: Math.max(0, until - this.#clock.elapsed()), why };
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }
}
