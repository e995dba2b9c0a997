/** What retention would take from a namespace, now and within a while: for people, before it happens. */
import type { RetentionForecast } from '../../common/api/live.ts';
import { LIVE_API_VERSION } from '../../common/api/names.ts';
import type { Session } from '../../common/api/session.ts';
import { AmbientError } from '../../common/errors.ts';
import type { ObjectStore } from '../../common/kube/object-store.ts';
import { endOf, expiryOf, isExpired, parsePeriod } from '../../common/rules/retention.ts';
import type { Policies } from './policies.ts';

export interface RetentionForecastsOptions {
  sessions: ObjectStore<Session>;
  policies: Pick<Policies, 'of'>;
  now: () => Date;
}

export class RetentionForecasts {
  readonly #options: RetentionForecastsOptions;

  constructor(options: RetentionForecastsOptions) {
    this.#options = options;
  }

  /** Ordered by when it goes. Throws invalid_request for what is no period. */
  of(namespace: string, within: string): RetentionForecast {
    const { sessions, policies, now } = this.#options;
    const period = parsePeriod(within);
    if (period === undefined)
      throw new AmbientError('invalid_request', 'within is a number and one of d, w, m, y, such as 7d');
    const start = now();
    const until = endOf(period, start.getTime());
    const retention = policies.of(namespace).retention;
    const items = sessions
      .list(namespace)
      .flatMap((session) => itemsOf(session, retention, until))
      .sort((a, b) => a.at - b.at || (a.name < b.name ? -1 : 1));
    return {
      kind: 'RetentionForecast',
      apiVersion: LIVE_API_VERSION,
      metadata: {},
      now: start.toISOString(),
      within,
      retention,
      items: items.map(({ name, what, at, bytes }) => ({
        session: name,
        what,
        due: new Date(at).toISOString(),
        overdue: at <= start.getTime(),
        bytes,
      })),
    };
  }
}

interface Item {
  name: string;
  what: 'artifacts' | 'session';
  at: number;
  bytes: number;
}

function itemsOf(session: Session, periods: { sessions: string; artifacts: string }, until: number): Item[] {
  const expiry = expiryOf(session, periods);
  if (expiry === undefined || session.metadata.deletionTimestamp !== undefined) return [];
  const name = session.metadata.name;
  const { totalBytes = 0, storedBytes = totalBytes } = session.status?.artifacts ?? {};
  const bytes = storedBytes;
  const items: Item[] = [];
  if (expiry.artifacts <= until && expiry.artifacts < expiry.session && !isExpired(session))
    items.push({ name, what: 'artifacts', at: expiry.artifacts, bytes });
  if (expiry.session <= until) items.push({ name, what: 'session', at: expiry.session, bytes });
  return items;
}
