/** Sessions of a namespace kept current for as long as somebody looks: one shared watch each, counted by its holders. */
import type { Session } from '../../common/api/session.ts';
import type { ObjectStore } from '../../common/kube/object-store.ts';
import type { Change, ReflectorPhase } from '../../common/kube/reflector.ts';
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
  /** Whatever any watch sees, for those who look out for something in all of them. */
  onSeen?: (cluster: string, session: Session) => void;
  /** How long a watch outlives its last holder, in ms: looking away and back costs no new list. */
  lingerMs?: number;
  /** Between tries to get a connection at all, in ms. */
  retryMs?: number;
}

/** As many as fit on a screen, and read in a fraction of the time of a whole page. */
const FIRST_PAGE_SIZE = 50;
const LINGER_MS = 5000;
const RETRY_MS = 30_000;

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

  /** Begins to watch what somebody will probably acquire in a moment; ends again when nobody does. */
  expect(cluster: string, namespace: string): void {
    this.acquire(cluster, namespace).dispose();
  }

  /** Watches now open, for tests: `namespace/name/cluster`. */
  get open(): string[] {
    return [...this.#shared.keys()].sort();
  }

  /**
   * Connections may be others now: every watch begins anew with the current ones. Holders notice only what has changed.
   */
  restart(): void {
    for (const shared of this.#shared.values()) shared.restart();
  }

  async close(): Promise<void> {
    const closing = [...this.#shared.values()];
    this.#shared.clear();
    await Promise.all(closing.map((shared) => shared.close()));
  }
}

interface Scope {
  cluster: string;
  namespace: string;
  name: string | undefined;
}

class SharedWatch {
  readonly #options: SessionWatchesOptions;
  readonly #scope: Scope;
  readonly #onUnused: () => void;
  readonly #changed: Emitter<SessionChange>;
  readonly #stateChanged: Emitter<WatchState>;
  readonly #first = Promise.withResolvers<void>();
  readonly #store: SessionStore;
  /** Of the watch that is running now. */
  #running = new AbortController();
  #ended: Promise<void> = Promise.resolve();
  /** What holders see: after a restart what was known before, until the new watch knows as much. */
  #shown: ObjectStore<Session> | undefined;
  #state: WatchState = { phase: 'starting' };
  #holders = 0;
  #linger: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;

  constructor(options: SessionWatchesOptions, scope: Scope, onUnused: () => void) {
    this.#options = options;
    this.#scope = scope;
    this.#onUnused = onUnused;
    this.#changed = new Emitter(options.onError);
    this.#stateChanged = new Emitter(options.onError);
    this.#first.promise.catch(() => undefined);
    const { namespace } = scope;
    const shown = (): ObjectStore<Session> | undefined => this.#shown;
    this.#store = {
      get: (name) =>
        namespace === ''
          ? shown()
              ?.list()
              .find(({ metadata }) => metadata.name === name)
          : shown()?.get({ namespace, name }),
      list: () => shown()?.list() ?? [],
      get size() {
        return shown()?.size ?? 0;
      },
    };
    this.#start();
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

  restart(): void {
    this.#stop();
    this.#start();
  }

  async close(): Promise<void> {
    clearTimeout(this.#linger);
    this.#stop();
    this.#changed.dispose();
    this.#stateChanged.dispose();
    await this.#ended;
  }

  #stop(): void {
    clearTimeout(this.#again);
    this.#running.abort();
  }

  #start(): void {
    const running = new AbortController();
    this.#running = running;
    const before = this.#ended;
    this.#ended = this.#run(running.signal)
      .catch((error: unknown) => {
        if (running.signal.aborted) return;
        // A reflector tries again by itself; without a connection there is none.
        this.#onState({ phase: 'failed', error });
        this.#again = setTimeout(() => this.#start(), this.#options.retryMs ?? RETRY_MS);
        this.#again.unref();
      })
      .then(() => before);
  }

  /** One watch, until the signal ends it. */
  async #run(signal: AbortSignal): Promise<void> {
    const { cluster, namespace, name } = this.#scope;
    const client = await this.#options.clusters.client(cluster);
    const { Reflector } = await import('../clusters/kube.ts');
    signal.throwIfAborted();
    await using reflector = new Reflector<Session>({
      client,
      resource: sessions,
      ...(namespace === '' ? {} : { namespace }),
      ...(name === undefined ? {} : { fieldSelector: `metadata.name=${name}` }),
      trim,
      firstPageSize: FIRST_PAGE_SIZE,
      onError: this.#options.onError,
    });
    const known = this.#shown;
    if (known === undefined) this.#shown = reflector.store;
    reflector.onChange((change) => {
      if (change.type !== 'deleted') this.#options.onSeen?.(cluster, change.object);
      if (this.#shown === reflector.store) this.#changed.fire(change);
    });
    reflector.onState((state) => {
      if (signal.aborted) return;
      if (state.phase === 'synced' && known !== undefined) this.#takeOver(known, reflector.store);
      this.#onState(state);
    });
    reflector.start();
    await aborted(signal);
  }

  /** From now on what the new watch knows is shown; holders hear what is different. */
  #takeOver(known: ObjectStore<Session>, now: ObjectStore<Session>): void {
    if (this.#shown !== known) return;
    this.#shown = now;
    for (const object of now.list()) {
      const previous = known.get(object.metadata);
      if (previous === undefined) this.#changed.fire({ type: 'added', object });
      else if (previous.metadata.resourceVersion !== object.metadata.resourceVersion)
        this.#changed.fire({ type: 'updated', object, previous });
    }
    for (const object of known.list())
      if (now.get(object.metadata) === undefined)
        this.#changed.fire({ type: 'deleted', object, previous: object });
  }

  #onState(state: WatchState): void {
    this.#state = state;
    if (state.phase === 'synced') this.#first.resolve();
    else if (state.error !== undefined) this.#first.reject(state.error);
    this.#stateChanged.fire(state);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Lists need neither who wrote which field nor the event that caused the session, which can be large. */
function trim(session: Session): Session {
  delete session.metadata.managedFields;
  delete session.spec.trigger?.payload;
  return session;
}
