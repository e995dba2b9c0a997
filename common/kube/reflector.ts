/** Keeps an ObjectStore equal to what the API server holds: lists in pages, watches, resumes, lists again when it must. */
import type { KubeObject } from '../api/kubernetes.ts';
import { abortable } from './abortable.ts';
import { Backoff, pause } from './backoff.ts';
import { DEFAULT_PAGE_SIZE } from './client.ts';
import type { KubeClient } from './client.ts';
import {
  errorCode,
  isForbidden,
  isGone,
  isNotFound,
  isUnauthorized,
  KubeError,
  noAnswer,
  statusError,
} from './errors.ts';
import { IdleTimer } from './idle-timer.ts';
import { ObjectStore } from './object-store.ts';
import type { Index } from './object-store.ts';
import { resourcePath } from './resource.ts';
import type { Resource } from './resource.ts';
import { dropManagedFields } from './trim.ts';
import { linesOf, parseWatchEvent } from './watch-stream.ts';

export type ReflectorPhase = 'starting' | 'synced' | 'reconnecting' | 'failed' | 'closed';

export interface ReflectorState {
  /** failed: no right, no valid credentials, or no such resource; tries again slowly all the same. */
  phase: ReflectorPhase;
  error?: KubeError;
  /** When the store was last known to be complete. */
  lastSync?: Date;
}

/** Objects are shared with the store: never change one. `previous` is what the store held. */
export interface Change<T> {
  type: 'added' | 'updated' | 'deleted';
  object: T;
  previous?: T;
}

export interface ReflectorOptions<T extends KubeObject> {
  client: KubeClient;
  resource: Resource<T>;
  /** Absent: all namespaces. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  indexes?: Readonly<Record<string, Index<T>>>;
  /** Applied to every object before it is kept; may change it in place. Default: drops managedFields. */
  trim?: (object: T) => T;
  pageSize?: number;
  /** Of the first page, for whom wants to show something soon; others follow after a moment. Default `pageSize`. */
  firstPageSize?: number;
  /** Neither event nor bookmark for so long: connect anew. kube-apiserver sends a bookmark about every minute. */
  idleTimeoutMs?: number;
  random?: () => number;
  now?: () => Date;
  onState?: (state: ReflectorState) => void;
  /** What listeners and `trim` throw, and lines that are no events. Default: a process warning. */
  onError?: (error: unknown) => void;
  /** Milliseconds of the first wait after a failure, of the longest, and between tries while failed. */
  backoff?: { initialMs?: number; maxMs?: number; failedMs?: number };
}

const IDLE_TIMEOUT_MS = 120_000;
const INITIAL_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 30_000;
const FAILED_BACKOFF_MS = 30_000;
/** What is shown first must not be held up by the reading of the rest: server, listeners and screen may share a machine. */
const AFTER_FIRST_PAGE_MS = 200;
/** Seconds after which the server ends a watch; spread over twice that, as client-go does, so watches do not end in step. */
const WATCH_SECONDS_MIN = 300;
/** A watch that said nothing and ended before this is a server or proxy in trouble. */
const SHORT_WATCH_MS = 5_000;
/** A server that refuses the same resourceVersion so often, whatever it says, will not take it any more. */
const REFUSALS_BEFORE_RELIST = 3;
/** Refusals that say nothing about the resourceVersion; a list would only add to the load. */
const BUSY_STATUS: ReadonlySet<number> = new Set([401, 403, 429, 503]);

export class Reflector<T extends KubeObject> implements AsyncDisposable {
  readonly store: ObjectStore<T>;
  readonly #options: ReflectorOptions<T>;
  readonly #trim: (object: T) => T;
  readonly #random: () => number;
  readonly #backoff: Backoff;
  readonly #failedMs: number;
  readonly #closing = new AbortController();
  readonly #changeListeners = new Set<(change: Change<T>) => void>();
  readonly #stateListeners = new Set<(state: ReflectorState) => void>();
  readonly #firstSync = Promise.withResolvers<void>();
  #state: ReflectorState = { phase: 'starting' };
  #resourceVersion: string | undefined;
  #refusals = 0;
  #waking = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    const { client, indexes, trim = dropManagedFields, random = Math.random, backoff = {} } = options;
    this.store = new ObjectStore<T>({
      cluster: client.connection.cluster,
      ...(indexes === undefined ? {} : { indexes }),
    });
    this.#trim = trim;
    this.#random = random;
    this.#backoff = new Backoff({
      initialMs: backoff.initialMs ?? INITIAL_BACKOFF_MS,
      maxMs: backoff.maxMs ?? MAX_BACKOFF_MS,
      random,
    });
    this.#failedMs = backoff.failedMs ?? FAILED_BACKOFF_MS;
    if (options.onState !== undefined) this.#stateListeners.add(options.onState);
    // Nobody may ever ask for it; then its rejection is not unhandled but unwanted.
    this.#firstSync.promise.catch(() => undefined);
  }

  get state(): ReflectorState {
    return this.#state;
  }

  /** Where the watch stands; undefined before the first list. */
  get resourceVersion(): string | undefined {
    return this.#resourceVersion;
  }

  /** Does nothing when started or closed before. */
  start(): void {
    if (this.#closing.signal.aborted) return;
    this.#running ??= this.#run();
  }

  /**
   * Resolves when the store holds everything for the first time. Rejects with a KubeError at the first failure that
   * waiting does not heal (forbidden, unauthorized, no such resource; trying goes on), when closed, or when aborted.
   */
  async synced(signal?: AbortSignal): Promise<void> {
    this.#closing.signal.throwIfAborted();
    if (this.#state.lastSync === undefined) await abortable(this.#firstSync.promise, signal);
  }

  /** Ends the wait between two tries, for a person who has just mended something. */
  retryNow(): void {
    this.#waking.abort();
  }

  /** Listeners are called in order, synchronously, after the store has changed; the stream waits for them. */
  onChange(listener: (change: Change<T>) => void): Disposable {
    return subscribe(this.#changeListeners, listener);
  }

  onState(listener: (state: ReflectorState) => void): Disposable {
    return subscribe(this.#stateListeners, listener);
  }

  /** Ends the watch and waits until nothing of it runs. The store stays readable. */
  async close(): Promise<void> {
    this.#end(new KubeError('the reflector was closed', { status: 0, reason: 'Closed' }));
    await this.#running;
    this.#changeListeners.clear();
    this.#stateListeners.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        this.#resourceVersion ??= await this.#list();
        await this.#watch(this.#resourceVersion);
      } catch (error) {
        if (!signal.aborted) await this.#recover(error);
      }
    }
  }

  /** Applies a whole list page by page and returns its resourceVersion; at the end, what it did not hold is gone. */
  async #list(): Promise<string> {
    const {
      client,
      resource,
      namespace,
      labelSelector,
      fieldSelector,
      pageSize = DEFAULT_PAGE_SIZE,
      firstPageSize,
    } = this.#options;
    const kept = new Set<T>();
    let resourceVersion = '';
    const pages = client.listPages(
      resource,
      { namespace },
      {
        labelSelector,
        fieldSelector,
        limit: pageSize,
        firstLimit: firstPageSize,
        signal: this.#closing.signal,
      },
    );
    for await (const page of pages) {
      this.#closing.signal.throwIfAborted();
      resourceVersion = page.resourceVersion;
      const isFirst = kept.size === 0;
      for (const item of page.items) kept.add(this.#apply(item));
      // The generator holds the page until asked for the next: let its raw objects go first.
      page.items.length = 0;
      if (isFirst && firstPageSize !== undefined && kept.size >= firstPageSize)
        await pause(AFTER_FIRST_PAGE_MS, this.#closing.signal);
    }
    for (const object of this.store.retain(kept)) this.#tell({ type: 'deleted', object, previous: object });
    this.#becomeSynced();
    return resourceVersion;
  }

  async #watch(from: string): Promise<void> {
    const { client, resource, namespace, labelSelector, fieldSelector } = this.#options;
    const seconds = Math.round(WATCH_SECONDS_MIN * (1 + this.#random()));
    const idle = new IdleTimer(this.#options.idleTimeoutMs ?? IDLE_TIMEOUT_MS, client.connection.server);
    const signal = AbortSignal.any([this.#closing.signal, idle.signal]);
    const startedAt = performance.now();
    let progressed = false;
    try {
      const path = resourcePath(resource, {
        namespace,
        query: {
          watch: 1,
          allowWatchBookmarks: true,
          resourceVersion: from,
          timeoutSeconds: seconds,
          labelSelector,
          fieldSelector,
        },
      });
      const response = await client.connection.stream(path, { signal, verb: 'watch' });
      this.#becomeSynced();
      for await (const lines of linesOf(response.body, () => idle.restart())) {
        for (const line of lines) {
          if (line === '') continue;
          this.#receive(line);
          progressed = true;
          if (signal.aborted) break;
        }
        if (progressed) this.#succeeded();
        // Whatever the listeners took is not the server's silence.
        idle.restart();
        if (signal.aborted) break;
      }
    } catch (error) {
      this.#closing.signal.throwIfAborted();
      if (idle.signal.aborted) throw idle.signal.reason;
      // What has no code comes from reading the stream's content, not from the network.
      throw error instanceof KubeError || errorCode(error) === ''
        ? error
        : noAnswer(error, client.connection.server);
    } finally {
      idle.stop();
    }
    // The server may end a watch at any time; only one that ends at once, again and again, is worth a wait.
    if (progressed) return;
    if (performance.now() - startedAt > SHORT_WATCH_MS) this.#succeeded();
    else await this.#wait(this.#backoff.next());
  }

  #receive(line: string): void {
    const event = parseWatchEvent<T>(line);
    if (event.type === 'ERROR') throw statusError(event.object);
    const { object } = event;
    const resourceVersion = object.metadata.resourceVersion;
    if (event.type === 'DELETED') this.#remove(object);
    else if (event.type !== 'BOOKMARK') this.#apply(object);
    if (resourceVersion !== undefined && resourceVersion !== '') this.#resourceVersion = resourceVersion;
  }

  /** Returns the object the store holds now. */
  #apply(incoming: T): T {
    const { name, namespace, resourceVersion } = incoming.metadata;
    const known = this.store.get({ namespace, name });
    if (
      known !== undefined &&
      resourceVersion !== undefined &&
      known.metadata.resourceVersion === resourceVersion
    ) {
      return known;
    }
    const object = this.#trimmed(incoming);
    const previous = this.store.upsert(object);
    this.#tell(previous === undefined ? { type: 'added', object } : { type: 'updated', object, previous });
    return object;
  }

  #remove(incoming: T): void {
    const { name, namespace } = incoming.metadata;
    const previous = this.store.remove({ namespace, name });
    if (previous !== undefined) this.#tell({ type: 'deleted', object: this.#trimmed(incoming), previous });
  }

  #trimmed(object: T): T {
    try {
      return this.#trim(object);
    } catch (error) {
      this.#report(error);
      return object;
    }
  }

  async #recover(error: unknown): Promise<void> {
    if (isGone(error)) {
      // Not a failure: the server has forgotten what happened since. Waiting is for a server that says so every time.
      this.#resourceVersion = undefined;
      this.#refusals += 1;
      if (this.#refusals > 1) await this.#wait(this.#backoff.next());
      return;
    }
    const failure =
      error instanceof KubeError ? error : noAnswer(error, this.#options.client.connection.server);
    if (failure.reason === 'Closed') {
      this.#end(failure);
      return;
    }
    if (failure !== error) this.#report(error);
    const fatal = isForbidden(failure) || isUnauthorized(failure) || isNotFound(failure);
    if (fatal) this.#firstSync.reject(failure);
    const isAnswer = failure !== error || failure.status !== 0;
    if (isAnswer && !BUSY_STATUS.has(failure.status)) this.#refusals += 1;
    if (isNotFound(failure) || this.#refusals >= REFUSALS_BEFORE_RELIST) this.#resourceVersion = undefined;
    this.#setState(
      fatal ? 'failed' : this.#state.lastSync === undefined ? 'starting' : 'reconnecting',
      failure,
    );
    const wait = fatal ? this.#failedMs * (0.5 + this.#random() / 2) : this.#backoff.next();
    await this.#wait(Math.max(wait, (failure.retryAfterSeconds ?? 0) * 1000));
  }

  async #wait(milliseconds: number): Promise<void> {
    this.#waking = new AbortController();
    await pause(milliseconds, AbortSignal.any([this.#waking.signal, this.#closing.signal]));
  }

  #end(reason: KubeError): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(reason);
    this.#firstSync.reject(reason);
    this.#setState('closed');
  }

  #succeeded(): void {
    this.#backoff.reset();
    this.#refusals = 0;
  }

  #becomeSynced(): void {
    this.#firstSync.resolve();
    this.#setState('synced');
  }

  #setState(phase: ReflectorPhase, error?: KubeError): void {
    const lastSync = phase === 'synced' ? (this.#options.now?.() ?? new Date()) : this.#state.lastSync;
    const isNews = phase !== this.#state.phase || error !== this.#state.error;
    this.#state = {
      phase,
      ...(error === undefined ? {} : { error }),
      ...(lastSync === undefined ? {} : { lastSync }),
    };
    if (isNews) for (const listener of [...this.#stateListeners]) this.#call(listener, this.#state);
  }

  #tell(change: Change<T>): void {
    for (const listener of this.#changeListeners) this.#call(listener, change);
  }

  #call<V>(listener: (value: V) => void, value: V): void {
    try {
      listener(value);
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    if (this.#options.onError !== undefined) this.#options.onError(error);
    else process.emitWarning(error instanceof Error ? error : String(error));
  }
}

function subscribe<V>(listeners: Set<(value: V) => void>, listener: (value: V) => void): Disposable {
  // A wrapper of its own, so that the same function may subscribe twice.
  const own = (value: V) => listener(value);
  listeners.add(own);
  return { [Symbol.dispose]: () => void listeners.delete(own) };
}
