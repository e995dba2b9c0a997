/** Feeds shared by all who read the same log: the document, the session's page, the saving of it. Counted by holders. */
import type { Clusters } from '../clusters/clusters.ts';
import { refKey } from '../sessions/session-ref.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import type { LogSource } from './follow-records.ts';
import type { LogFeed } from './log-feed.ts';

export interface LogFeedsOptions {
  clusters: Pick<Clusters, 'client'>;
  showTimes: () => boolean;
  onError: (error: unknown) => void;
  /** How long a feed outlives its last holder, in ms: closing and opening again costs no new reading. */
  lingerMs?: number;
  /** Instead of the live API. */
  sourceOf?: (ref: SessionRef) => LogSource;
}

export interface HeldFeed {
  readonly feed: LogFeed;
  dispose(): void;
}

interface Shared {
  feed: Promise<LogFeed>;
  holders: number;
  linger: NodeJS.Timeout | undefined;
}

const LINGER_MS = 5000;

export class LogFeeds {
  readonly #options: LogFeedsOptions;
  readonly #shared = new Map<string, Shared>();

  constructor(options: LogFeedsOptions) {
    this.#options = options;
  }

  /** Starts reading if nobody does yet. */
  async acquire(ref: SessionRef): Promise<HeldFeed> {
    const key = `${ref.uid ?? ''}/${refKey(ref)}`;
    const shared: Shared = this.#shared.get(key) ?? {
      feed: this.#open(ref),
      holders: 0,
      linger: undefined,
    };
    this.#shared.set(key, shared);
    clearTimeout(shared.linger);
    shared.holders += 1;
    let held = true;
    const dispose = (): void => {
      if (!held) return;
      held = false;
      shared.holders -= 1;
      if (shared.holders > 0) return;
      shared.linger = setTimeout(() => {
        if (this.#shared.get(key) === shared) this.#shared.delete(key);
        shared.feed.then((feed) => feed.close()).catch(this.#options.onError);
      }, this.#options.lingerMs ?? LINGER_MS);
      shared.linger.unref();
    };
    try {
      return { feed: await shared.feed, dispose };
    } catch (error) {
      if (this.#shared.get(key) === shared) this.#shared.delete(key);
      throw error;
    }
  }

  async close(): Promise<void> {
    const all = [...this.#shared.values()];
    this.#shared.clear();
    for (const { linger } of all) clearTimeout(linger);
    await Promise.all(
      all.map(async ({ feed }) => {
        await (await feed.catch(() => undefined))?.close();
      }),
    );
  }

  async #open(ref: SessionRef): Promise<LogFeed> {
    const { clusters, sourceOf, showTimes, onError } = this.#options;
    const [{ LogFeed }, { liveLog }, { clockTime }] = await Promise.all([
      import('./log-feed.ts'),
      import('./live-log.ts'),
      import('./log-lines.ts'),
    ]);
    const source = sourceOf?.(ref) ?? liveLog(() => clusters.client(ref.cluster), ref);
    const feed = new LogFeed({ source, onError, lines: { formatTime: showTimes() ? clockTime : () => '' } });
    feed.start();
    return feed;
  }
}
