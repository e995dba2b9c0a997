/** Operations of common/api/rest as routes: first who asks and whether they may, then whether what was sent can be read. */
import { METHODS as KNOWN_METHODS } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Operation, Sent } from '../../../common/api/rest/operation.ts';
import type { ResourceAttributes } from '../../../common/kube/access.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Caller } from '../identity/caller.ts';
import { accept } from './accept.ts';
import { exchangeOf } from './door.ts';
import type { Guard } from './door.ts';
import { methodNotAllowed } from './errors.ts';
import type { RestScope } from './scope.ts';

/** One request of an operation. */
export interface Call<O extends Operation> extends Sent<O> {
  caller: Caller;
  exchange: Exchange;
  request: FastifyRequest;
  reply: FastifyReply;
}

export interface Service<O extends Operation> {
  operation: O;
  /** What the caller must be allowed to; undefined: nothing but to be known. */
  right?: (params: Sent<O>['params']) => ResourceAttributes;
  /** To whom a signed address was given; undefined: it is none, and there must be a token. Throws forbidden. */
  link?: (params: Sent<O>['params'], request: FastifyRequest) => Caller | undefined;
  /** The body of the answer. What it has sent by itself it answers with undefined. */
  handle: (call: Call<O>) => Promise<unknown>;
}

/** With the types of its operation. */
export const service = <O extends Operation>(definition: Service<O>): Service<O> => definition;

/** `{namespace}` as fastify has it. */
export const routePath = (path: string): string =>
  path.replace(/\{(\w+)\}/g, ':$1').replace(/\{(\w+)\+\}/g, '*');

export function addService<O extends Operation>(
  scope: RestScope,
  guard: Guard,
  { operation, right, link, handle }: Service<O>,
): void {
  const { id, method, path, params, query, headers, body, access } = operation;
  const types = Object.values(operation.answers).flatMap(({ schema, contentType }) =>
    schema === undefined && contentType === undefined ? [] : [contentType ?? 'application/json'],
  );
  const callers = new WeakMap<FastifyRequest, Caller>();
  scope.route({
    method,
    url: routePath(path),
    schema: { params, querystring: query, headers, ...(body === undefined ? {} : { body }) },
    exposeHeadRoute: method === 'GET' && operation.streams !== true,
    onRequest: async (request) => {
      const { facts } = exchangeOf(request);
      facts.route = id;
      const named = namedIn(request.params);
      if (typeof named['namespace'] === 'string') facts.namespace = named['namespace'];
      if (typeof named['id'] === 'string') facts.session = named['id'];
      accept(request.headers.accept, types);
      if (access === 'open') return;
      const place = named as Sent<O>['params'];
      const caller = link?.(place, request) ?? (await guard.authenticate(request));
      facts.user = caller.name;
      callers.set(request, caller);
      // Checked only afterwards: what is wrong with it is not told to everybody.
      if (right !== undefined) await guard.authorize(request, caller, right(place));
    },
    handler: async (request, reply) => {
      const sent = {
        params: request.params,
        query: request.query,
        headers: request.headers,
        body: request.body,
      } as Sent<O>;
      const caller = callers.get(request) ?? NOBODY;
      return await handle({ ...sent, caller, exchange: exchangeOf(request), request, reply });
    },
  });
}

const NOBODY: Caller = { name: 'system:anonymous', groups: ['system:unauthenticated'], extra: {} };

function namedIn(params: unknown): Record<string, unknown> {
  if (typeof params !== 'object' || params === null) return {};
  const { '*': rest, ...named } = params as Record<string, unknown>;
  return rest === undefined ? named : { ...named, path: rest };
}

/** All that node reads; CONNECT it takes for the wish for a tunnel, and ends the connection. */
const METHODS = KNOWN_METHODS.filter((method) => method !== 'CONNECT');

/** Every other method of an address is told which ones it takes. */
export function refuseOtherMethods(
  scope: RestScope,
  taken: readonly { url: string; method: string }[],
): void {
  const methods = new Map<string, Set<string>>();
  for (const { url, method } of taken) {
    const known = methods.get(url) ?? new Set();
    methods.set(url, known.add(method));
  }
  for (const method of METHODS) if (!scope.supportedMethods.includes(method)) scope.addHttpMethod(method);
  for (const [url, known] of methods)
    scope.route({
      method: METHODS.filter((method) => !known.has(method)),
      url,
      onRequest: async (request) => {
        exchangeOf(request).facts.route = 'method';
        throw methodNotAllowed([...known].sort());
      },
      handler: async () => undefined,
    });
}
