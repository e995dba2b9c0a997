/** Sessions of a namespace kept current for as long as somebody looks: one shared watch each, counted by its holders. */
import type { Session } from '../../common/api/session.ts';
import type { ObjectStore } from '../../common/kube/object-store.ts';
import type { Change, Reflector, ReflectorPhase } from '../../common/kube/reflector.ts';
import { sessions } from '../../common/kube/resource.ts';
import type { Clusters } from '../clusters/clusters.ts';
import { Emitter } from '../ide/event.ts';
import type { Listen } from '../ide/event.ts';

export type SessionChange = Change<Session>;

/** Like a reflector's; `error` may also tell why there is not even a connection. */
export interface WatchState {
  phase: ReflectorPhase;
  error?: unknown;
}

export interface SessionStore {
  get(name: string): Session | undefined;
  list(): Session[];
  readonly size: number;
}

/** What one holder has of a shared watch. */
export interface SessionWatch {
  readonly store: SessionStore;
  readonly onChange: Listen<SessionChange>;
  readonly state: WatchState;
  readonly onState: Listen<WatchState>;
  /** The store holds everything. Rejects with the first failure; the watch goes on trying, see `onState`. */
  readonly ready: Promise<void>;
  dispose(): void;
}

export interface SessionWatchesOptions {
  clusters: Pick<Clusters, 'client'>;
  onError: (error: unknown) => void;
  /** How long a watch outlives its last holder, in ms: looking away and back costs no new list. */
  lingerMs?: number;
}

const LINGER_MS = 5000;

export class SessionWatches {
  readonly #options: SessionWatchesOptions;
  readonly #shared = new Map<string, SharedWatch>();

  constructor(options: SessionWatchesOptions) {
    this.#options = options;
  }

  /** The sessions of one namespace; with '' those of all namespaces, with a name only that one. */
  acquire(cluster: string, namespace: string, name?: string): SessionWatch {
    const key = `${namespace}/${name ?? ''}/${cluster}`;
    let shared = this.#shared.get(key);
    if (shared === undefined) {
      const own: SharedWatch = new SharedWatch(this.#options, { cluster, namespace, name }, () => {
        if (this.#shared.get(key) === own) this.#shared.delete(key);
      });
      shared = own;
      this.#shared.set(key, shared);
    }
    return shared.hold();
  }

  /** Watches now open, for tests: `namespace/name/cluster`. */
  get open(): string[] {
    return [...this.#shared.keys()].sort();
  }

  /** Ends the watches of one context, or all: holders keep what they have seen, new ones get a new watch. */
  async end(cluster?: string): Promise<void> {
    const ending = [...this.#shared].filter(
      ([, shared]) => cluster === undefined || shared.cluster === cluster,
    );
    for (const [key] of ending) this.#shared.delete(key);
    await Promise.all(ending.map(([, shared]) => shared.close()));
  }
}

interface Scope {
  cluster: string;
  namespace: string;
  name: string | undefined;
}

class SharedWatch {
  readonly cluster: string;
  readonly #changed: Emitter<SessionChange>;
  readonly #stateChanged: Emitter<WatchState>;
  readonly #first = Promise.withResolvers<void>();
  readonly #options: SessionWatchesOptions;
  readonly #scope: Scope;
  readonly #onUnused: () => void;
  readonly #closing = new AbortController();
  readonly #starting: Promise<void>;
  readonly #store: SessionStore;
  #reflector: Reflector<Session> | undefined;
  #state: WatchState = { phase: 'starting' };
  #holders = 0;
  #linger: NodeJS.Timeout | undefined;

  constructor(options: SessionWatchesOptions, scope: Scope, onUnused: () => void) {
    const { cluster, namespace } = scope;
    this.#options = options;
    this.cluster = cluster;
    this.#scope = scope;
    this.#onUnused = onUnused;
    this.#changed = new Emitter(options.onError);
    this.#stateChanged = new Emitter(options.onError);
    this.#first.promise.catch(() => undefined);
    const stored = (): ObjectStore<Session> | undefined => this.#reflector?.store;
    this.#store = {
      get: (name) =>
        namespace === ''
          ? stored()
              ?.list()
              .find(({ metadata }) => metadata.name === name)
          : stored()?.get({ namespace, name }),
      list: () => stored()?.list() ?? [],
      get size() {
        return stored()?.size ?? 0;
      },
    };
    this.#starting = this.#start().catch((error: unknown) => {
      // Without a connection nothing tries again by itself: the next holder gets a new watch.
      this.#onUnused();
      this.#onState({ phase: 'failed', error });
    });
  }

  hold(): SessionWatch {
    this.#holders += 1;
    clearTimeout(this.#linger);
    let held = true;
    const subscriptions: { dispose(): void }[] = [];
    const through =
      <T>(listen: Listen<T>): Listen<T> =>
      (listener) => {
        const subscription = listen(listener);
        subscriptions.push(subscription);
        return subscription;
      };
    const state = (): WatchState => this.#state;
    return {
      store: this.#store,
      onChange: through(this.#changed.event),
      onState: through(this.#stateChanged.event),
      get state() {
        return state();
      },
      ready: this.#first.promise,
      dispose: () => {
        if (!held) return;
        held = false;
        for (const subscription of subscriptions) subscription.dispose();
        this.#holders -= 1;
        if (this.#holders > 0) return;
        this.#linger = setTimeout(() => {
          this.#onUnused();
          this.close().catch(this.#options.onError);
        }, this.#options.lingerMs ?? LINGER_MS);
        this.#linger.unref();
      },
    };
  }

  async close(): Promise<void> {
    clearTimeout(this.#linger);
    this.#closing.abort();
    await this.#starting;
    await this.#reflector?.close();
    this.#changed.dispose();
    this.#stateChanged.dispose();
  }

  async #start(): Promise<void> {
    const { namespace, name } = this.#scope;
    const client = await this.#options.clusters.client(this.cluster);
    const { Reflector } = await import('../clusters/kube.ts');
    this.#closing.signal.throwIfAborted();
    const reflector = new Reflector<Session>({
      client,
      resource: sessions,
      ...(namespace === '' ? {} : { namespace }),
      ...(name === undefined ? {} : { fieldSelector: `metadata.name=${name}` }),
      trim,
      onError: this.#options.onError,
    });
    this.#reflector = reflector;
    reflector.onChange((change) => this.#changed.fire(change));
    reflector.onState((state) => this.#onState(state));
    reflector.start();
  }

  #onState(state: WatchState): void {
    this.#state = state;
    if (state.phase === 'synced') this.#first.resolve();
    else if (state.error !== undefined) this.#first.reject(state.error);
    this.#stateChanged.fire(state);
  }
}

/** Lists need neither who wrote which field nor the event that caused the session, which can be large. */
function trim(session: Session): Session {
  delete session.metadata.managedFields;
  delete session.spec.trigger?.payload;
  return session;
}
