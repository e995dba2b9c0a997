/**
 * The work queue of a controller: a key waits in it at most once, is worked on by at most one worker at a time, and comes
 * back later when its work asks for it or fails. First in, first out, in two lanes: under load, keys that are ahead come
 * first, and the others wait, yet not for as long as the load lasts.
 */
import type { Clock } from './clock.ts';

/** What working on a key comes to: nothing more to do until something changes, or again after a while. */
export type Result = { requeueAfterMs: number } | undefined;

export interface QueueMetrics {
  depth(length: number): void;
  /** Seconds a key waited until a worker took it. */
  waited(seconds: number): void;
  worked(seconds: number, outcome: 'done' | 'requeued' | 'failed'): void;
  retried(): void;
}

export interface QueueOptions<K extends string> {
  /** Works on a key. A throw brings the key back after a growing delay; the signal aborts when draining takes too long. */
  work: (key: K, signal: AbortSignal) => Promise<Result>;
  /** Told of every throw; `attempt` counts from 1. */
  onError: (key: K, error: unknown, retry: { attempt: number; delayMs: number }) => void;
  concurrency: number;
  clock: Clock;
  /** 0 ≤ n < 1. */
  random: () => number;
  /** First delay after a failure; doubles up to the maximum, each shortened at random by up to half. */
  backoff?: { baseMs: number; maxMs: number };
  metrics?: QueueMetrics;
}

/**
 * How long keys that are ahead may hold up the others. Every write of the others costs the API server, and whoever acts on
 * it, time that those ahead are waiting for. After that both lanes move.
 */
const PATIENCE_MS = 5000;
/** When patience is over, so many are taken from the lane that is ahead before one is taken from the other. */
const AHEAD_IN_A_ROW = 3;
/**
 * Keys of a burst come one by one and a worker is often faster than the next: for so long after the last of them most workers
 * stay free for more, though others wait. Longer than the gaps within a burst, shorter than anybody notices.
 */
const LULL_MS = 250;
/** As many may work on the others meanwhile: the news of one session alone is never held up. */
const OTHERS_MEANWHILE = 2;

const BACKOFF = { baseMs: 50, maxMs: 60_000 };

export class WorkQueue<K extends string> {
  readonly #options: QueueOptions<K>;
  /** Keys ready to be worked on, with the time they became so. A Map keeps insertion order and has no duplicates. */
  readonly #ahead = new Map<K, number>();
  readonly #ready = new Map<K, number>();
  #aheadInARow = 0;
  #lastOfManyAt = -Infinity;
  #lull: Disposable | undefined;
  readonly #working = new Map<K, Promise<void>>();
  /** Of the keys worked on, those that were not ahead. */
  readonly #others = new Set<K>();
  /** Added while being worked on: goes back to ready afterwards. */
  readonly #again = new Set<K>();
  readonly #delayed = new Map<K, { due: number; timer: Disposable }>();
  readonly #failures = new Map<K, number>();
  readonly #abort = new AbortController();
  #open = true;

  constructor(options: QueueOptions<K>) {
    this.#options = options;
  }

  get length(): number {
    return this.#ahead.size + this.#ready.size;
  }

  get working(): number {
    return this.#working.size;
  }

  /**
   * Work on the key as soon as a worker is free. Forgets an earlier wish to do so later, but not how often it failed.
   * `ahead`: before keys that are not; of use only where somebody waits for the work. `ofMany`: where one is, more are likely to
   * follow at once.
   */
  add(key: K, { ahead = false, ofMany = false }: { ahead?: boolean; ofMany?: boolean } = {}): void {
    if (!this.#open) return;
    this.#cancelDelay(key);
    if (ofMany) this.#lastOfManyAt = this.#options.clock.elapsed();
    if (this.#working.has(key)) this.#again.add(key);
    else if (!this.#ahead.has(key) && (ahead || !this.#ready.has(key))) {
      const since = this.#ready.get(key) ?? this.#options.clock.elapsed();
      this.#ready.delete(key);
      (ahead ? this.#ahead : this.#ready).set(key, since);
      this.#dispatch();
    }
  }

  /** Work on the key after a delay, or earlier when an earlier wish stands. `ahead` as in `add`. */
  addAfter(key: K, delayMs: number, lane: { ahead?: boolean } = {}): void {
    if (!this.#open) return;
    if (delayMs <= 0) {
      this.add(key, lane);
      return;
    }
    if (this.#ahead.has(key) || this.#ready.has(key) || this.#again.has(key)) return;
    const due = this.#options.clock.elapsed() + delayMs;
    const standing = this.#delayed.get(key);
    if (standing !== undefined && standing.due <= due) return;
    this.#cancelDelay(key);
    const timer = this.#options.clock.timer(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key, lane);
    });
    this.#delayed.set(key, { due, timer });
  }

  /** Drops what is known of a key whose object is gone. Work that is under way goes on. */
  forget(key: K): void {
    this.#cancelDelay(key);
    this.#failures.delete(key);
  }

  /**
   * Takes no more keys and waits for the work under way. After `drainMs` that work is aborted, and still waited for,
   * so that nothing goes on in the background when this returns.
   */
  async close(drainMs: number): Promise<void> {
    this.#open = false;
    for (const key of [...this.#delayed.keys()]) this.#cancelDelay(key);
    this.#lull?.[Symbol.dispose]();
    this.#ahead.clear();
    this.#ready.clear();
    this.#again.clear();
    using _deadline = this.#options.clock.timer(drainMs, () =>
      this.#abort.abort(new Error('the work queue closes')),
    );
    await Promise.all(this.#working.values());
  }

  #cancelDelay(key: K): void {
    this.#delayed.get(key)?.timer[Symbol.dispose]();
    this.#delayed.delete(key);
  }

  #dispatch(): void {
    while (this.#working.size < this.#options.concurrency) {
      const next = this.#next();
      if (next === undefined) break;
      const { key, since, ahead } = next;
      this.#options.metrics?.waited((this.#options.clock.elapsed() - since) / 1000);
      // #run never rejects; the map owns the promise until it ends.
      this.#working.set(key, this.#run(key, ahead));
    }
    this.#options.metrics?.depth(this.length);
  }

  /** Takes the next key from its lane. */
  #next(): { key: K; since: number; ahead: boolean } | undefined {
    const isPatienceOver = this.#isPatienceOver();
    const isTurnOfOthers = this.#aheadInARow >= AHEAD_IN_A_ROW && isPatienceOver;
    const ahead = this.#ahead.size > 0 && !isTurnOfOthers;
    if (!ahead && !isPatienceOver && this.#areOthersHeld()) return undefined;
    const lane = ahead ? this.#ahead : this.#ready;
    this.#aheadInARow = ahead ? this.#aheadInARow + 1 : 0;
    for (const [key, since] of lane) {
      lane.delete(key);
      if (!ahead) this.#others.add(key);
      return { key, since, ahead };
    }
    return undefined;
  }

  /** More are likely to come at once. Looks again when none have. */
  #areOthersHeld(): boolean {
    if (this.#ready.size === 0 || this.#others.size < OTHERS_MEANWHILE) return false;
    const lullMs = this.#lastOfManyAt + LULL_MS - this.#options.clock.elapsed();
    if (lullMs <= 0) return false;
    this.#lull ??= this.#options.clock.timer(lullMs, () => {
      this.#lull = undefined;
      if (this.#open) this.#dispatch();
    });
    return true;
  }

  /** Of the key that waits longest behind those ahead, which is the first. */
  #isPatienceOver(): boolean {
    for (const since of this.#ready.values()) return this.#options.clock.elapsed() - since >= PATIENCE_MS;
    return false;
  }

  async #run(key: K, ahead: boolean): Promise<void> {
    const { clock, metrics } = this.#options;
    const started = clock.elapsed();
    const spent = (): number => (clock.elapsed() - started) / 1000;
    try {
      const result = await this.#options.work(key, this.#abort.signal);
      this.#failures.delete(key);
      metrics?.worked(spent(), result === undefined ? 'done' : 'requeued');
      this.#done(key);
      if (result !== undefined) this.addAfter(key, result.requeueAfterMs, { ahead });
    } catch (error) {
      this.#done(key);
      metrics?.worked(spent(), 'failed');
      this.#retry(key, error, ahead);
    }
    if (this.#again.delete(key)) this.add(key);
    if (this.#open) this.#dispatch();
  }

  #done(key: K): void {
    this.#working.delete(key);
    this.#others.delete(key);
  }

  #retry(key: K, error: unknown, ahead: boolean): void {
    const { random, metrics, onError, backoff = BACKOFF } = this.#options;
    const attempt = (this.#failures.get(key) ?? 0) + 1;
    const full = Math.min(backoff.maxMs, backoff.baseMs * 2 ** Math.min(attempt - 1, 30));
    const delayMs = full * (1 - random() / 2);
    onError(key, error, { attempt, delayMs });
    if (!this.#open) return;
    this.#failures.set(key, attempt);
    metrics?.retried();
    // What changed meanwhile is worked on at once all the same: it may be the cure.
    this.addAfter(key, delayMs, { ahead });
  }
}
