/** Sessions a test says exist, in the place of the API server's and the watch on it. */
import type { Session, SessionStatus } from '../../common/api/session.ts';
import type { SessionLookup } from '../../operator/sessions/lookup.ts';

export class KnownSessions implements SessionLookup {
  readonly #sessions = new Map<string, Session>();
  readonly #listeners = new Map<string, Set<() => void>>();
  /** Found only by asking the API server, as when the watch lags. */
  readonly unwatched = new Set<string>();
  fetched = 0;

  add(session: Session): Session {
    this.#sessions.set(keyOf(session.metadata.namespace ?? '', session.metadata.name), session);
    this.#tell(session);
    return session;
  }

  status(session: Session, status: SessionStatus): Session {
    return this.add({ ...session, status: { ...session.status, ...status } });
  }

  remove(session: Session): void {
    this.#sessions.delete(keyOf(session.metadata.namespace ?? '', session.metadata.name));
    this.#tell(session);
  }

  get(namespace: string, name: string): Session | undefined {
    return this.unwatched.has(name) ? undefined : this.#sessions.get(keyOf(namespace, name));
  }

  async fetch(namespace: string, name: string): Promise<Session | undefined> {
    this.fetched++;
    return this.#sessions.get(keyOf(namespace, name));
  }

  onChange(namespace: string, name: string, listener: () => void): Disposable {
    const key = keyOf(namespace, name);
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners);
    listeners.add(listener);
    return { [Symbol.dispose]: () => listeners.delete(listener) };
  }

  get listeners(): number {
    return [...this.#listeners.values()].reduce((sum, each) => sum + each.size, 0);
  }

  #tell({ metadata }: Session): void {
    for (const listener of this.#listeners.get(keyOf(metadata.namespace ?? '', metadata.name)) ?? [])
      listener();
  }
}

const keyOf = (namespace: string, name: string): string => `${namespace}/${name}`;
