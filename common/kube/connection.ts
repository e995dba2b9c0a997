/** One cluster's API server over HTTP/1.1 keep-alive connections: sends requests, types failures, can be closed. */
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { AmbientError } from '../errors.ts';
import { abortable } from './abortable.ts';
import { pause } from './backoff.ts';
import type { Credentials, CurrentCredentials } from './credentials.ts';
import { checkProxy, openDispatchers } from './dispatchers.ts';
import type { Dispatchers } from './dispatchers.ts';
import { errorCode, KubeError, noAnswer, refusal } from './errors.ts';
import { resourceIn } from './resource.ts';

export interface RequestOptions {
  method?: string;
  /** An object that is neither Buffer nor Readable is sent as JSON. */
  body?: string | Buffer | Readable | object;
  contentType?: string;
  accept?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** Until the answer begins and, for `json`, between two pieces of it. Default 30000; 0 waits for ever. */
  timeoutMs?: number;
  /** Under which Kubernetes verb to count the request; by default derived from the method. */
  verb?: string;
}

export interface KubeResponse {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** Whoever asked must read it to the end or destroy it. */
  body: Readable;
}

export interface RequestCount {
  /** As Kubernetes says it: get, list, watch, create, update, patch, delete. */
  verb: string;
  /** As rules of RBAC say it, like `sessions/status`; '' for what is none, like `/version`. */
  resource: string;
  count: number;
}

export interface ConnectionOptions {
  /** A stable name of the cluster for keys: kubeconfig path + context, or 'in-cluster'. */
  cluster: string;
  credentials: Credentials;
  userAgent?: string;
  /** Connections for requests that are answered at once; default 32. Streams are not counted. */
  maxConnections?: number;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_MAX_CONNECTIONS = 32;
/** How often, and for how many seconds each at most, a request waits for a server that says it is busy. */
const BUSY_RETRIES = 5;
const BUSY_SECONDS_MAX = 10;
const VERB_BY_METHOD: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

type Pool = keyof Dispatchers;

interface Attempt {
  response: Dispatcher.ResponseData;
  authorization: string | undefined;
  dispatchers: Dispatchers;
}

export class Connection implements AsyncDisposable {
  readonly cluster: string;
  readonly server: string;
  readonly #credentials: Credentials;
  readonly #origin: string;
  readonly #prefix: string;
  readonly #userAgent: string;
  readonly #maxConnections: number;
  readonly #closing = new AbortController();
  readonly #retired = new Set<Dispatchers>();
  #dispatchers: Dispatchers | undefined;
  #opening: Promise<Dispatchers> | undefined;
  readonly #counts = new Map<string, RequestCount>();

  /** Opens nothing yet. Throws AmbientError kubeconfig_invalid when server or proxy are not usable URLs. */
  constructor(options: ConnectionOptions) {
    const { credentials } = options;
    this.cluster = options.cluster;
    this.server = credentials.server;
    this.#credentials = credentials;
    const url = serverUrl(credentials.server);
    this.#origin = url.origin;
    this.#prefix = url.pathname.replace(/\/+$/, '');
    this.#userAgent = options.userAgent ?? 'ambient-sessions';
    this.#maxConnections = options.maxConnections ?? DEFAULT_MAX_CONNECTIONS;
    checkProxy(credentials.proxy);
  }

  /** Requests sent so far, retries included. */
  get requests(): number {
    let sum = 0;
    for (const { count } of this.#counts.values()) sum += count;
    return sum;
  }

  /** Requests sent so far by verb and resource, retries included. */
  requestCounts(): readonly Readonly<RequestCount>[] {
    return [...this.#counts.values()];
  }

  /**
   * Sends a request and gives its answer as it comes. Throws KubeError for any status but 2xx and for no answer, and
   * the signal's reason when that is aborted. `timeoutMs` ends when the answer begins.
   */
  async stream(path: string, options: RequestOptions = {}): Promise<KubeResponse> {
    const response = await this.#send('streams', path, options);
    // An error that nobody listens for yet must not end the process.
    response.body.on('error', () => undefined);
    return { status: response.statusCode, headers: response.headers, body: response.body };
  }

  /** Sends a request and parses its JSON answer (undefined when empty). Throws like `stream`. */
  async json<R>(path: string, options: RequestOptions = {}): Promise<R> {
    const response = await this.#send('calls', path, options);
    let text: string;
    try {
      text = await response.body.text();
    } catch (error) {
      throw this.#failure(error, options.signal);
    }
    try {
      return (text === '' ? undefined : JSON.parse(text)) as R;
    } catch (error) {
      throw new KubeError(
        `${this.server} answered ${options.method ?? 'GET'} ${path} with something that is not JSON`,
        {
          status: response.statusCode,
          reason: 'NotJson',
          cause: error,
        },
      );
    }
  }

  /** What the next request would be sent with, for protocols that are not requests: a terminal's WebSocket. */
  async currentCredentials(signal: AbortSignal): Promise<CurrentCredentials> {
    const { tls, clientCertificate, proxy } = this.#credentials;
    const [authorization, renewed] = await Promise.all([
      this.#authorization(signal),
      clientCertificate?.(signal),
    ]);
    return {
      server: this.server,
      tls: { ...tls, ...renewed },
      ...(authorization === undefined ? {} : { authorization }),
      ...(proxy === undefined ? {} : { proxy }),
    };
  }

  /** Ends every request and watch; later requests fail with reason Closed. */
  async close(): Promise<void> {
    this.#closing.abort(closedError(this.server));
    this.#credentials.close?.();
    const open = [...this.#retired, ...(this.#dispatchers === undefined ? [] : [this.#dispatchers])];
    this.#retired.clear();
    this.#dispatchers = undefined;
    await Promise.all(open.flatMap((each) => [each.calls.destroy(), each.streams.destroy()]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #send(pool: Pool, path: string, options: RequestOptions): Promise<Dispatcher.ResponseData> {
    let isRenewed = false;
    for (let busy = 0; ;) {
      const { response, authorization, dispatchers } = await this.#attempt(pool, path, options);
      const { statusCode } = response;
      if (statusCode >= 200 && statusCode < 300) return response;
      const isRepeatable = !(options.body instanceof Readable);
      if (statusCode === 401 && isRepeatable && !isRenewed && this.#renew(authorization)) {
        await response.body.dump().catch(() => undefined);
        this.#reopen(dispatchers);
        isRenewed = true;
        continue;
      }
      const waitMs =
        statusCode === 429 && isRepeatable && busy < BUSY_RETRIES ? busyWaitMs(response) : undefined;
      if (waitMs === undefined) throw await this.#refused(response, path, options);
      // The API server's fairness has not looked at the request yet, so any may be sent again.
      busy += 1;
      await response.body.dump().catch(() => undefined);
      await pause(waitMs, this.#within(options.signal));
    }
  }

  async #attempt(pool: Pool, path: string, options: RequestOptions, isRetry = false): Promise<Attempt> {
    const { signal } = options;
    signal?.throwIfAborted();
    this.#closing.signal.throwIfAborted();
    const method = options.method ?? 'GET';
    const authorization = await this.#authorization(signal);
    const dispatchers = this.#dispatchers ?? (await this.#open(signal));
    const timeout = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#count(options.verb ?? VERB_BY_METHOD[method] ?? method.toLowerCase(), resourceIn(path));
    try {
      const response = await dispatchers[pool].request({
        origin: this.#origin,
        path: this.#prefix + path,
        method,
        headers: this.#headers(options, authorization),
        body: bodyOf(options.body),
        signal: signal ?? null,
        headersTimeout: timeout,
        bodyTimeout: pool === 'streams' ? 0 : timeout,
      });
      return { response, authorization, dispatchers };
    } catch (error) {
      // A kept-alive connection may die under the request's feet; asking again is safe only for reads.
      if (method === 'GET' && !isRetry && isDrop(error) && !this.#isEnding(signal)) {
        return await this.#attempt(pool, path, options, true);
      }
      throw this.#failure(error, signal);
    }
  }

  async #refused(
    response: Dispatcher.ResponseData,
    path: string,
    options: RequestOptions,
  ): Promise<KubeError> {
    let body = '';
    try {
      body = await response.body.text();
    } catch {
      // The status alone says enough.
    }
    return refusal(response.statusCode, body, {
      request: `${options.method ?? 'GET'} ${this.server}${path}`,
      retryAfter: retryAfterOf(response),
    });
  }

  #headers(options: RequestOptions, authorization: string | undefined): Record<string, string | string[]> {
    const headers: Record<string, string | string[]> = {
      accept: options.accept ?? 'application/json',
      'user-agent': this.#userAgent,
    };
    if (authorization !== undefined) headers['authorization'] = authorization;
    if (options.body !== undefined) {
      headers['content-type'] = options.contentType ?? 'application/json';
    }
    if (this.#credentials.headers !== undefined) Object.assign(headers, this.#credentials.headers);
    if (options.headers !== undefined) Object.assign(headers, options.headers);
    return headers;
  }

  async #authorization(signal: AbortSignal | undefined): Promise<string | undefined> {
    const { authorization } = this.#credentials;
    if (authorization === undefined) return undefined;
    return await authorization(signal ?? this.#closing.signal);
  }

  async #open(signal: AbortSignal | undefined): Promise<Dispatchers> {
    if (this.#credentials.clientCertificate === undefined) {
      this.#dispatchers = openDispatchers(this.#origin, this.#credentials, undefined, this.#maxConnections);
      return this.#dispatchers;
    }
    // Shared by all who wait, so no single caller's signal may end it; each stops waiting by its own.
    this.#opening ??= this.#openWithCertificate().finally(() => (this.#opening = undefined));
    return await abortable(this.#opening, signal);
  }

  async #openWithCertificate(): Promise<Dispatchers> {
    const certificate = await this.#credentials.clientCertificate?.(this.#closing.signal);
    this.#closing.signal.throwIfAborted();
    this.#dispatchers = openDispatchers(this.#origin, this.#credentials, certificate, this.#maxConnections);
    return this.#dispatchers;
  }

  #renew(used: string | undefined): boolean {
    return this.#credentials.invalidate?.(used) ?? false;
  }

  /** A certificate belongs to a connection, so a renewed one needs new connections; running streams may finish. */
  #reopen(used: Dispatchers): void {
    if (this.#credentials.clientCertificate === undefined || this.#dispatchers !== used) return;
    this.#dispatchers = undefined;
    this.#retired.add(used);
    Promise.all([used.calls.close(), used.streams.close()])
      .catch(() => undefined)
      .finally(() => this.#retired.delete(used))
      .catch(() => undefined);
  }

  #within(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
  }

  #isEnding(signal: AbortSignal | undefined): boolean {
    return signal?.aborted === true || this.#closing.signal.aborted;
  }

  #failure(error: unknown, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted === true) return signal.reason;
    if (this.#closing.signal.aborted) return closedError(this.server);
    return noAnswer(error, this.server);
  }

  #count(verb: string, resource: string): void {
    const key = `${verb} ${resource}`;
    const counted = this.#counts.get(key);
    if (counted === undefined) this.#counts.set(key, { verb, resource, count: 1 });
    else counted.count += 1;
  }
}

const closedError = (server: string): KubeError =>
  new KubeError(`the connection to ${server} was closed`, { status: 0, reason: 'Closed' });

function serverUrl(server: string): URL {
  const url = URL.parse(server);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new AmbientError(
      'kubeconfig_invalid',
      `not an address of an API server: ${JSON.stringify(server)}`,
    );
  }
  return url;
}

function bodyOf(body: RequestOptions['body']): string | Buffer | Readable | null {
  if (body === undefined) return null;
  if (typeof body === 'string' || Buffer.isBuffer(body) || body instanceof Readable) return body;
  return JSON.stringify(body);
}

/** The peer let the connection go, as opposed to never having been there. */
const isDrop = (error: unknown): boolean =>
  ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].includes(errorCode(error));

function retryAfterOf({ headers }: Dispatcher.ResponseData): string | undefined {
  const value = headers['retry-after'];
  return Array.isArray(value) ? value[0] : value;
}

/** Undefined: it does not say when, or so late that the caller should know. */
function busyWaitMs(response: Dispatcher.ResponseData): number | undefined {
  const seconds = Number(retryAfterOf(response) ?? NaN);
  return seconds >= 0 && seconds <= BUSY_SECONDS_MAX ? seconds * 1000 : undefined;
}
