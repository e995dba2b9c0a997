/** One request and its answer, with what every door gives it: a trace id, a log line, a measurement, an end. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { AmbientError, messageOf } from '../../../common/errors.ts';
import { KubeError } from '../../../common/kube/errors.ts';
import { drain } from './body.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** 32 hexadecimal digits: of the caller's traceparent, or new. */
  readonly traceId: string;
  readonly log: Logger;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
  /** Aborts when the server begins to close: who merely waits ends now, who works may finish. */
  readonly closing: AbortSignal;
  /** For the log line and the measurement; handlers fill in what they learn. */
  readonly facts: Facts;
  /** Why it was refused, where the handler has answered so itself. */
  failure?: AmbientError;
}

export interface Facts {
  /** Of few distinct values: it becomes a metric's label. */
  route: string;
  user?: string;
  namespace?: string;
  session?: string;
}

export interface ListenerOptions {
  handle: (exchange: Exchange) => Promise<void>;
  /** Writes the refusal in the door's own language. */
  refuse: (exchange: Exchange, error: AmbientError) => void;
  observe: (route: string, method: string, status: number, seconds: number) => void;
  log: Logger;
  /** Aborts when the server closes. */
  closing: AbortSignal;
  newTraceId?: () => string;
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS']);
/** https://www.w3.org/TR/trace-context/#traceparent-header: nothing but zeros names nothing, and there is no version ff. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** A listener for node's servers that never lets an error through. */
export function listenerOf(options: ListenerOptions): RequestListener {
  const newTraceId = options.newTraceId ?? (() => randomBytes(16).toString('hex'));
  return (request, response) => {
    const traceId = TRACEPARENT.exec(String(request.headers.traceparent ?? ''))?.[1] ?? newTraceId();
    const gone = new AbortController();
    response.once('close', () => gone.abort(new Error('the client is gone')));
    const exchange: Exchange = {
      request,
      response,
      traceId,
      log: options.log.child({ traceId }),
      signal: gone.signal,
      closing: options.closing,
      facts: { route: 'unknown' },
    };
    serve(exchange, options).catch((err: unknown) =>
      options.log.error({ err, traceId }, 'serving a request failed'),
    );
  };
}

async function serve(exchange: Exchange, options: ListenerOptions): Promise<void> {
  const { request, response, facts, log } = exchange;
  const started = performance.now();
  let failure: AmbientError | undefined;
  try {
    await options.handle(exchange);
  } catch (error) {
    failure = catalogued(error, exchange);
    if (response.headersSent || response.destroyed) {
      // An answer cut short must not look like one that ended.
      response.destroy();
    } else {
      await drain(request);
      if (!response.destroyed) options.refuse(exchange, failure);
    }
  }
  failure ??= exchange.failure;
  const seconds = (performance.now() - started) / 1000;
  const isGone = response.destroyed && !response.writableFinished;
  // 499 as nginx has it: nobody was there any more to hear the answer.
  const status = isGone && !response.headersSent ? 499 : response.statusCode;
  const method = METHODS.has(request.method ?? '') ? (request.method ?? '') : 'other';
  options.observe(facts.route, method, status, seconds);
  const line = { method, status, milliseconds: Math.round(seconds * 1000), ...facts };
  if (failure === undefined) log.debug(line, 'served');
  else {
    const level = status >= 500 ? 'error' : 'info';
    log[level](
      { ...line, code: failure.code, reason: failure.message, ...(level === 'error' && { err: failure }) },
      'refused',
    );
  }
}

/** The error to answer with. What the API server said about us, the operator, is not what our caller may be told. */
export function catalogued(
  error: unknown,
  { signal, closing }: Pick<Exchange, 'signal' | 'closing'>,
): AmbientError {
  if (error instanceof KubeError) {
    return error.code === 'conflict'
      ? new AmbientError('conflict', 'the session changes all the time', { cause: error })
      : new AmbientError('unavailable', 'the API server does not serve the operator', { cause: error });
  }
  if (error instanceof AmbientError) return error;
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return new AmbientError('unavailable', 'the API server takes too long', { cause: error });
  if (closing.aborted) return new AmbientError('unavailable', 'the operator restarts', { cause: error });
  if (signal.aborted) return new AmbientError('unavailable', messageOf(error), { cause: error });
  return new AmbientError('internal', 'something unexpected went wrong', { cause: error });
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': bytes.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(response.req.method === 'HEAD' ? undefined : bytes);
}
