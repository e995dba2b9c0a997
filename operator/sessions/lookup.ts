/** Finding a session by name: in the watched store, and at the API server when the watch may not have told yet. */
import type { Session } from '../../common/api/session.ts';
import { AmbientError } from '../../common/errors.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { isNotFound } from '../../common/kube/errors.ts';
import type { Reflector } from '../../common/kube/reflector.ts';
import { sessions } from '../../common/kube/resource.ts';

export interface SessionLookup {
  /** What is known here and now; may lag behind the API server. */
  get(namespace: string, name: string): Session | undefined;
  /** What the API server says; undefined when there is none. */
  fetch(namespace: string, name: string, signal?: AbortSignal): Promise<Session | undefined>;
  /** Calls back after each change of this session, its removal included. */
  onChange(namespace: string, name: string, listener: () => void): Disposable;
}

/** One listener on the reflector, however many followers there are. */
export class ReflectedSessions implements SessionLookup, Disposable {
  readonly #reflector: Reflector<Session>;
  readonly #client: KubeClient;
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly #subscription: Disposable;

  constructor(reflector: Reflector<Session>, client: KubeClient) {
    this.#reflector = reflector;
    this.#client = client;
    this.#subscription = reflector.onChange(({ object }) => {
      const listeners = this.#listeners.get(keyOf(object.metadata.namespace ?? '', object.metadata.name));
      for (const listener of listeners ?? []) listener();
    });
  }

  get(namespace: string, name: string): Session | undefined {
    return this.#reflector.store.get({ namespace, name });
  }

  async fetch(namespace: string, name: string, signal?: AbortSignal): Promise<Session | undefined> {
    try {
      return await this.#client.get(sessions, { namespace, name }, { signal });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  onChange(namespace: string, name: string, listener: () => void): Disposable {
    const key = keyOf(namespace, name);
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners);
    listeners.add(listener);
    return {
      [Symbol.dispose]: () => {
        listeners.delete(listener);
        if (listeners.size === 0) this.#listeners.delete(key);
      },
    };
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    this.#listeners.clear();
  }
}

const keyOf = (namespace: string, name: string): string => `${namespace}/${name}`;

/** The session, also one created a moment ago. Throws AmbientError not_found. */
export async function findSession(
  lookup: SessionLookup,
  namespace: string,
  name: string,
  signal?: AbortSignal,
): Promise<Session> {
  const session = lookup.get(namespace, name) ?? (await lookup.fetch(namespace, name, signal));
  if (session === undefined) {
    throw new AmbientError('not_found', `there is no session ${name} in namespace ${namespace}`);
  }
  return session;
}
