/**
 * The REST API (common/api/rest): for people and tools without a kubeconfig. Its callers prove who they are by a token, Kubernetes
 * decides what they may, and what is done is done by the same use cases as behind the live API.
 */
import type { IncomingMessage } from 'node:http';
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { fastify } from 'fastify';
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { REST_BASE } from '../../../common/api/rest/operation.ts';
import { AmbientError } from '../../../common/errors.ts';
import type { ErrorCode } from '../../../common/errors.ts';
import { listenerOf } from '../http/exchange.ts';
import { durationHistogram } from '../http/meters.ts';
import { createTlsServer, doorOf, IDLE_MS } from '../http/server.ts';
import type { Certificates, Door } from '../http/server.ts';
import { limitConnections } from './connections.ts';
import { Guard, exchangeOf, rememberExchange } from './door.ts';
import type { GuardOptions } from './door.ts';
import { bodyOf, noSuchPath, refusalOf } from './errors.ts';
import { parseBody } from './json.ts';
import { addPage } from './page/routes.ts';
import { refuseOtherMethods } from './routes.ts';
import type { RestScope } from './scope.ts';
import { compileValidator } from './validation.ts';

/** Routes of another kind of caller, with rights of their own: limits, trace id, error body and log are the door's. */
export interface RestPlugin {
  /** Below the base path, as /webhooks. */
  prefix: string;
  plugin: FastifyPluginAsync<Record<never, never>, Server>;
}

export interface Timeouts {
  /** From the connection, or the end of the request before, to the end of the headers. */
  headersMs: number;
  /** To the last byte of the body: of 25 MB over a slow line, too. */
  requestMs: number;
  /** How often it is looked. */
  checkMs: number;
  /** With nothing read and nothing written, as of a reader that does not read. */
  idleMs: number;
}

export interface RestServerOptions extends GuardOptions {
  /** Adds the operations for people. */
  services: (scope: RestScope, guard: Guard) => void;
  plugins?: readonly RestPlugin[];
  /** Whether everything that is watched has been read: before, nothing would seem to be there. */
  ready: () => boolean;
  certificates: Certificates;
  /** How slow a sender may be. */
  timeouts?: Timeouts;
  /** CIDRs whose X-Forwarded-For is believed. */
  trustedProxies?: readonly string[];
  logger: Logger;
  metrics: Registry;
}

/** Of JSON; what is longer belongs into a source. */
const BODY_BYTES_MAX = 1024 * 1024;
const HEADER_BYTES_MAX = 64 * 1024;
const TIMEOUTS: Timeouts = { headersMs: 10_000, requestMs: 60_000, checkMs: 2000, idleMs: IDLE_MS };
const CONNECTIONS_MAX = 10_000;
const CONNECTIONS_OF_ADDRESS_MAX = 2000;
const PART_CHARACTERS_MAX = 4096;

export async function createRestServer(options: RestServerOptions): Promise<Door> {
  const { certificates, logger, metrics, limits, ready, timeouts = TIMEOUTS } = options;
  const closing = new AbortController();
  const duration = durationHistogram(metrics, {
    name: 'ambient_rest_request_duration_seconds',
    help: 'Time from a request of the REST API to the end of its answer.',
    labelNames: ['operation', 'method', 'status'],
  });
  const app = fastify<Server>({
    serverFactory: (handler) => {
      const listener = listenerOf({
        handle: async (exchange) => {
          const { request, response } = exchange;
          rememberExchange(exchange);
          const over = new Promise<void>((resolve) => response.once('close', resolve));
          handler(request, response);
          await over;
        },
        refuse: ({ response }) => response.destroy(),
        observe: (operation, method, status, seconds) =>
          duration.observe({ operation, method, status: String(status) }, seconds),
        log: logger,
        closing: closing.signal,
      });
      const own = {
        maxHeaderSize: HEADER_BYTES_MAX,
        headersTimeout: timeouts.headersMs,
        requestTimeout: timeouts.requestMs,
        handshakeTimeout: timeouts.headersMs,
        connectionsCheckingInterval: timeouts.checkMs,
        idleMs: timeouts.idleMs,
        // Node would refuse it without a body; the door refuses it as everything else.
        requireHostHeader: false,
      };
      const server = createTlsServer(certificates, own, listener);
      // Of what is expected only 100-continue means something, and that node does by itself.
      server.on('checkExpectation', listener);
      // Node would close the connection without a word.
      server.on('connect', (_request, stream) => refuseTunnel(stream));
      server.maxConnections = CONNECTIONS_MAX;
      limitConnections(server, CONNECTIONS_OF_ADDRESS_MAX, options.trustedProxies);
      return server;
    },
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    routerOptions: { maxParamLength: PART_CHARACTERS_MAX, caseSensitive: true },
    trustProxy: options.trustedProxies === undefined ? false : [...options.trustedProxies],
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    frameworkErrors: (error, request, reply) => refuse(error, request, reply),
    clientErrorHandler: refuseRaw,
    return503OnClosing: false,
    forceCloseConnections: false,
  });
  app.setValidatorCompiler(compileValidator);
  app.setSerializerCompiler(() => (body) => JSON.stringify(body));
  // Nothing here takes it; a plugin may.
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler(refuse);
  app.setNotFoundHandler(() => {
    throw noSuchPath();
  });
  app.addHook('onRequest', async (request, reply) => {
    const { traceId } = exchangeOf(request);
    reply.headers({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-trace-id': traceId,
    });
    limits.take(request.ip);
    checkHost(request.raw);
    // Whatever is sent there. An empty part is none: for Kubernetes, no namespace is all of them.
    if (request.is404 || Object.values(request.params ?? {}).includes('')) throw noSuchPath();
    if (!ready()) throw new AmbientError('unavailable', 'the operator has just started');
  });
  const taken: { url: string; method: string }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    for (const each of Array.isArray(method) ? method : [method]) taken.push({ url, method: each });
  });
  const forPeople = async (scope: RestScope): Promise<void> => {
    scope.removeContentTypeParser('application/json');
    scope.addContentTypeParser(
      'application/json',
      { parseAs: 'buffer' },
      async ({ headers }: FastifyRequest, body: Buffer) => parseBody(body, headers),
    );
    addPage(scope);
    options.services(scope, new Guard(options));
  };
  await app.register(forPeople, { prefix: REST_BASE });
  for (const { prefix, plugin } of options.plugins ?? [])
    await app.register(plugin, { prefix: `${REST_BASE}${prefix}` });
  refuseOtherMethods(app, [...taken]);
  await app.ready();
  const renewal = certificates.onChange(() => app.server.setSecureContext({ ...certificates.current }));
  return doorOf(app.server, { closing, release: () => renewal[Symbol.dispose]() });
}

/** What one server on the way takes for the host, no other may take for another: https://www.rfc-editor.org/rfc/rfc9112#section-3.2 */
function checkHost({ rawHeaders, httpVersion }: IncomingMessage): void {
  const named = rawHeaders.filter((each, i) => i % 2 === 0 && each.toLowerCase() === 'host').length;
  if (named > 1 || (named === 0 && httpVersion !== '1.0'))
    throw new AmbientError('invalid_request', 'the request must have one Host header');
}

function refuse(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const exchange = exchangeOf(request);
  const { error, status, headers, body } = refusalOf(thrown, exchange);
  exchange.failure = error;
  headers['x-trace-id'] = exchange.traceId;
  // A client that is still sending would not see the answer; what it sends is not read.
  if (!request.raw.complete) headers['connection'] = 'close';
  // Not as errors go: what they were thrown with is for the log alone.
  reply.code(status).headers(headers).type('application/json').serializer(JSON.stringify).send(body);
}

interface RawRefusal {
  status: string;
  code: ErrorCode;
  message: string;
}

const RAW: Readonly<Record<string, RawRefusal>> = {
  HPE_HEADER_OVERFLOW: {
    status: '431 Request Header Fields Too Large',
    code: 'invalid_request',
    message: 'the headers are too large',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: '408 Request Timeout',
    code: 'too_slow',
    message: 'the request came too slowly',
  },
};

/** By anything here. */
const TAKEN = ['GET', 'HEAD', 'POST'];
const refused = new WeakSet<Socket>();
/** Until the answer is read by a client that is still sending; what it sends is thrown away. */
const LINGER_MS = 1000;

/** What is no HTTP, or too slow: there is no request to answer, only a connection. */
function refuseRaw(error: Error & { code?: string }, socket: Socket): void {
  // What goes on to come in is garbled, too.
  if (refused.has(socket)) return;
  refused.add(socket);
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  answerRaw(
    socket,
    RAW[error.code ?? ''] ?? {
      status: '400 Bad Request',
      code: 'invalid_request',
      message: 'the request is no HTTP that can be read',
    },
  );
}

/** Who asks for one takes this door for a proxy. From here on the connection is no longer node's to look after. */
function refuseTunnel(stream: Duplex): void {
  stream.on('error', () => stream.destroy());
  answerRaw(
    stream,
    { status: '405 Method Not Allowed', code: 'method_not_allowed', message: 'this is no proxy' },
    [`allow: ${TAKEN.join(', ')}`],
  );
}

function answerRaw(
  stream: Duplex,
  { status, code, message }: RawRefusal,
  more: readonly string[] = [],
): void {
  const traceId = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('hex');
  const body = JSON.stringify(bodyOf(new AmbientError(code, message), traceId));
  const head = [
    `HTTP/1.1 ${status}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'cache-control: no-store',
    'x-content-type-options: nosniff',
    `x-trace-id: ${traceId}`,
    'connection: close',
    ...more,
  ];
  stream.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  stream.resume();
  const linger = setTimeout(() => stream.destroy(), LINGER_MS);
  stream.once('close', () => clearTimeout(linger));
}
