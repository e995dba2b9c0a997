/** The operator's HTTPS endpoint as the runner sees it: authenticated exchanges with typed errors. */
import { readFile } from 'node:fs/promises';
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { messageOf } from '../common/errors.ts';
import { retrying } from './retry.ts';

const IDLE_MS = 30_000;
/** Messages, with every character escaped. */
const ANSWER_BYTES_MAX = 512 * 1024;

/** An answer that is no success, or none at all (status 0). */
export class EndpointError extends Error {
  readonly status: number;
  /** Catalogue code of common/errors.ts, when the answer had one. */
  readonly code: string | undefined;
  readonly answer: unknown;
  readonly retryAfterMs: number;

  constructor(
    status: number,
    message: string,
    options: { code?: string; answer?: unknown; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'EndpointError';
    this.status = status;
    this.code = options.code;
    this.answer = options.answer;
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }

  /** The operator does not accept this runner (any more): nothing can be reported. */
  get refused(): boolean {
    return this.status === 401 || this.status === 403;
  }

  get storageFull(): boolean {
    return this.status === 507;
  }

  /** Connection errors, throttling and server errors pass; a full store may be emptied, but not soon. */
  get transient(): boolean {
    return this.status === 0 || this.status === 429 || (this.status >= 500 && !this.storageFull);
  }
}

export const isTransient = (error: unknown): boolean => error instanceof EndpointError && error.transient;
export const isRefused = (error: unknown): error is EndpointError =>
  error instanceof EndpointError && error.refused;
export const isStorageFull = (error: unknown): error is EndpointError =>
  error instanceof EndpointError && error.storageFull;

export interface Exchange {
  method: 'GET' | 'POST' | 'PUT';
  /** Below the endpoint's URL, already percent-encoded. */
  path: string;
  headers?: OutgoingHttpHeaders;
  /**
   * A function writes the body, again for a second attempt. A chunk may be reused when `write` has resolved, so that
   * large bodies take no more memory than one chunk. Its own errors reject the exchange unchanged.
   */
  body?: Buffer | ((write: (chunk: Buffer) => Promise<void>) => Promise<void>);
  /** How long the connection may stay silent; default 30 s. */
  idleMs?: number;
  signal: AbortSignal;
}

export interface EndpointOptions {
  url: string;
  /** PEM. */
  ca: string;
  tokenFile: string;
  /** Asked when the server's certificate is not trusted: the description may have a newer CA by now. */
  currentCa: () => Promise<string>;
  random: () => number;
}

const UNTRUSTED = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
]);

export class Endpoint implements Disposable {
  readonly #options: EndpointOptions;
  readonly #base: string;
  #ca: string;
  #agent: Agent;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#base = options.url.replace(/\/+$/, '');
    this.#ca = options.ca;
    this.#agent = new Agent({ keepAlive: true, ca: this.#ca });
  }

  /** One exchange whose answer is JSON or nothing. Throws EndpointError for any status but 2xx. */
  async call(exchange: Exchange): Promise<unknown> {
    const response = await this.open(exchange);
    return (await answerOf(response)).json;
  }

  /** As `call`, again and again while the failure is one that passes. */
  callPatiently(exchange: Exchange, onRetry?: (error: unknown) => void): Promise<unknown> {
    return this.patiently(exchange.signal, () => this.call(exchange), onRetry);
  }

  patiently<T>(
    signal: AbortSignal,
    attempt: () => Promise<T>,
    onRetry?: (error: unknown) => void,
  ): Promise<T> {
    return retrying(attempt, {
      signal,
      random: this.#options.random,
      worthRetrying: isTransient,
      atLeastMs: (error) => (error instanceof EndpointError ? error.retryAfterMs : 0),
      ...(onRetry && { onRetry }),
    });
  }

  /** The 2xx answer with its body unread: the caller reads or destroys it. */
  async open(exchange: Exchange): Promise<IncomingMessage> {
    // The kubelet renews the token in place, so it is read for every request.
    const token = await this.#token();
    let response = await this.#send(exchange, token);
    if (response.statusCode === 401) {
      const renewed = await this.#token();
      if (renewed !== token) {
        response.destroy();
        response = await this.#send(exchange, renewed);
      }
    }
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    const { json, text } = await answerOf(response);
    const { error: code, message } = (json ?? {}) as { error?: unknown; message?: unknown };
    throw new EndpointError(
      status,
      typeof message === 'string' ? message : text.slice(0, 500) || `HTTP ${status}`,
      {
        ...(typeof code === 'string' && { code }),
        answer: json,
        retryAfterMs: (Number(response.headers['retry-after']) || 0) * 1000,
      },
    );
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  async #token(): Promise<string> {
    try {
      return (await readFile(this.#options.tokenFile, 'utf8')).trim();
    } catch (error) {
      throw new EndpointError(0, `the token cannot be read: ${messageOf(error)}`, { cause: error });
    }
  }

  async #send(exchange: Exchange, token: string): Promise<IncomingMessage> {
    let bodyError: Error | undefined;
    try {
      return await new Promise<IncomingMessage>((resolve, reject) => {
        const idleMs = exchange.idleMs ?? IDLE_MS;
        const outgoing = httpsRequest(
          this.#base + exchange.path,
          {
            method: exchange.method,
            agent: this.#agent,
            signal: exchange.signal,
            timeout: idleMs,
            headers: { ...exchange.headers, authorization: `Bearer ${token}` },
          },
          (response) => {
            // refused before the body was sent: nobody reads the rest
            response.once('end', () => {
              if (!outgoing.writableFinished) outgoing.destroy();
            });
            resolve(response);
          },
        );
        outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer for ${idleMs / 1000} s`)));
        outgoing.on('error', reject);
        if (typeof exchange.body === 'function') {
          exchange.body(writerOf(outgoing)).then(
            () => outgoing.end(),
            (error: Error) => {
              if (!(error instanceof EndpointError)) bodyError = error;
              outgoing.destroy(error);
              reject(error);
            },
          );
        } else outgoing.end(exchange.body);
      });
    } catch (error) {
      if (bodyError !== undefined) throw bodyError;
      exchange.signal.throwIfAborted();
      if (UNTRUSTED.has((error as NodeJS.ErrnoException).code ?? '')) await this.#renewTrust();
      throw new EndpointError(0, messageOf(error), { cause: error });
    }
  }

  async #renewTrust(): Promise<void> {
    let ca: string;
    try {
      ca = await this.#options.currentCa();
    } catch {
      return; // the exchange's own error tells more
    }
    if (ca === this.#ca) return;
    this.#ca = ca;
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true, ca });
  }
}

/** Resolves when the connection has taken the chunk. */
function writerOf(outgoing: ClientRequest): (chunk: Buffer) => Promise<void> {
  let fail: (error: Error) => void = () => undefined;
  // what was written before there was a connection is never called back
  outgoing.once('close', () => fail(new EndpointError(0, 'the connection was closed')));
  return (chunk) =>
    new Promise((resolve, reject) => {
      fail = reject;
      outgoing.write(chunk, (error) => {
        if (error) reject(new EndpointError(0, error.message, { cause: error }));
        else resolve();
      });
    });
}

async function answerOf(response: IncomingMessage): Promise<{ json: unknown; text: string }> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > ANSWER_BYTES_MAX) throw new Error('the answer is too long');
      chunks.push(chunk);
    }
  } catch (error) {
    throw new EndpointError(0, messageOf(error), { cause: error });
  }
  const text = Buffer.concat(chunks).toString('utf8');
  try {
    return { json: text === '' ? undefined : (JSON.parse(text) as unknown), text };
  } catch {
    return { json: undefined, text };
  }
}
