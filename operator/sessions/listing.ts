/** Pages of what is in memory, in an order that does not change while pages are turned. */
import type { Session } from '../../common/api/session.ts';
import type { ObjectStore } from '../../common/kube/object-store.ts';
import { stateOf } from './describe.ts';
import type { SessionState } from './describe.ts';

export interface PageWanted {
  limit: number;
  offset: number;
}

export interface Page<T> {
  items: T[];
  total: number;
  hasMore: boolean;
}

export class Listings {
  readonly #store: ObjectStore<Session>;

  constructor(store: ObjectStore<Session>) {
    this.#store = store;
  }

  /** Newest first, those of one second by name. */
  page(namespace: string, { status, ...wanted }: PageWanted & { status?: SessionState }): Page<Session> {
    const all = this.#store.list(namespace);
    const found = status === undefined ? all : all.filter((session) => stateOf(session) === status);
    return pageOf(found.sort(newestFirst), wanted);
  }

  /** How many there are of each state. */
  counts(namespace: string): Record<SessionState, number> & { total: number } {
    const counts = { total: 0, pending: 0, running: 0, completed: 0, failed: 0 };
    for (const session of this.#store.list(namespace)) {
      counts.total++;
      counts[stateOf(session)]++;
    }
    return counts;
  }
}

export function pageOf<T>(all: readonly T[], { limit, offset }: PageWanted): Page<T> {
  const items = all.slice(offset, offset + limit);
  return { items, total: all.length, hasMore: offset + items.length < all.length };
}

function newestFirst({ metadata: a }: Session, { metadata: b }: Session): number {
  const [first, second] = [a.creationTimestamp ?? '', b.creationTimestamp ?? ''];
  if (first !== second) return first < second ? 1 : -1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
