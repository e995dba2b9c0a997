/** Pages of what is in memory, in an order that does not change while pages are turned. */
import type { Session } from '../../common/api/session.ts';
import { AmbientError } from '../../common/errors.ts';
import type { ObjectStore } from '../../common/kube/object-store.ts';
import { stateOf } from './describe.ts';
import type { SessionState } from './describe.ts';

export interface PageWanted {
  limit: number;
  offset: number;
}

export interface SessionsWanted extends PageWanted {
  status?: SessionState;
  /** `next` of the page before. */
  after?: string;
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

  /**
   * Newest first, those of one second by name. `next` names a place in that order, not a count: whatever was made or deleted
   * meanwhile, the page after it begins there. Throws invalid_request for a place that is none.
   */
  page(
    namespace: string,
    { status, after, ...wanted }: SessionsWanted,
  ): Page<Session> & { next: string | undefined } {
    const all = this.#store.list(namespace);
    const found = status === undefined ? all : all.filter((session) => stateOf(session) === status);
    found.sort((a, b) => newestFirst(placeOf(a), placeOf(b)));
    const place = after === undefined ? undefined : decode(after);
    const left = place === undefined ? found : found.filter((each) => newestFirst(place, placeOf(each)) < 0);
    const { items, hasMore } = pageOf(left, wanted);
    const last = items.at(-1);
    const next = hasMore && last !== undefined ? encode(placeOf(last)) : undefined;
    return { items, total: found.length, hasMore, next };
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

/** When it was created, and its name. */
type Place = readonly [created: string, name: string];

const placeOf = ({ metadata: { creationTimestamp = '', name } }: Session): Place => [creationTimestamp, name];

function newestFirst([a, first]: Place, [b, second]: Place): number {
  if (a !== b) return a < b ? 1 : -1;
  return first < second ? -1 : first > second ? 1 : 0;
}

const encode = (place: Place): string => Buffer.from(place.join(' ')).toString('base64url');

function decode(after: string): Place {
  const [created = '', name, ...more] = Buffer.from(after, 'base64url').toString('utf8').split(' ');
  if (name === undefined || more.length > 0 || Number.isNaN(Date.parse(created)))
    throw new AmbientError('invalid_request', 'the parameter after is what a page has as next');
  return [created, name];
}
