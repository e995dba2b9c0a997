/** The aggregated API live.ambient.ai/v1alpha1 (common/api/live.ts): kube-apiserver is its only client, and has decided on rights. */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { TLSSocket } from 'node:tls';
import { LIVE_API_VERSION } from '../../../common/api/names.ts';
import { SOURCE_CHUNK_BYTES } from '../../../common/api/live.ts';
import type { Artifact, ArtifactList } from '../../../common/api/live.ts';
import type { Session } from '../../../common/api/session.ts';
import { AmbientError, isAmbientError } from '../../../common/errors.ts';
import type { Accesses } from '../../sessions/accesses.ts';
import type { Approvals } from '../../sessions/approvals.ts';
import type { Artifacts } from '../../sessions/artifacts.ts';
import type { SessionLog } from '../../sessions/log.ts';
import { findSession } from '../../sessions/lookup.ts';
import type { SessionLookup } from '../../sessions/lookup.ts';
import type { Messages } from '../../sessions/messages.ts';
import type { Resumes } from '../../sessions/resumes.ts';
import type { RetentionForecasts } from '../../sessions/retention-forecast.ts';
import type { Sources } from '../../sessions/source.ts';
import type { BudgetRaises } from '../../sessions/budget-raises.ts';
import type { Stops } from '../../sessions/stop.ts';
import { bodyStream, readJson } from '../http/body.ts';
import { listenerOf, sendJson } from '../http/exchange.ts';
import type { Exchange } from '../http/exchange.ts';
import { durationHistogram } from '../http/meters.ts';
import { numberParam } from '../http/path.ts';
import { sendObject } from '../http/send-object.ts';
import { createTlsServer, doorOf } from '../http/server.ts';
import type { Certificates, Door } from '../http/server.ts';
import type { RunnerRefusals } from '../runners/refusals.ts';
import { accessOf } from './access.ts';
import { serveAudit } from './audit.ts';
import { DOCUMENTS } from './discovery.ts';
import { identify } from './front-proxy.ts';
import type { FrontProxy, FrontProxyTrust, UserInfo } from './front-proxy.ts';
import { serveLog } from './log.ts';
import { policyRouteOf } from './policy-route.ts';
import { allowedMethods, routeOf } from './route.ts';
import type { Route } from './route.ts';
import { statusOf } from './status.ts';

export interface LiveServerOptions {
  sessions: SessionLookup;
  log: SessionLog;
  artifacts: Artifacts;
  sources: Sources;
  stops: Stops;
  raises: BudgetRaises;
  approvals: Approvals;
  messages: Pick<Messages, 'send' | 'interrupt'>;
  resumes: Pick<Resumes, 'resume'>;
  accesses: Accesses;
  /** Of who does not come from kube-apiserver. */
  refusals: Pick<RunnerRefusals, 'note'>;
  forecasts: RetentionForecasts;
  frontProxy: FrontProxy;
  certificates: Certificates;
  logger: Logger;
  metrics: Registry;
  /** Between blank lines to a follower when there is nothing to tell. */
  keepAliveMs?: number;
}

const REQUEST_BYTES_MAX = 16 * 1024;
/** Every character of a message may be escaped. */
const MESSAGE_REQUEST_BYTES_MAX = 128 * 1024;
const FORECAST_WITHIN = '7d';
const HEALTH: ReadonlySet<string> = new Set(['/healthz', '/livez', '/readyz']);

export function createLiveServer(options: LiveServerOptions): Door {
  const { certificates, frontProxy, logger, metrics } = options;
  const closing = new AbortController();
  const duration = durationHistogram(metrics, {
    name: 'ambient_live_request_duration_seconds',
    help: 'Time from a request of the live API to the end of its answer.',
    labelNames: ['verb', 'method', 'status'],
  });
  const tlsOptions = () => ({
    ...certificates.current,
    ca: frontProxy.trust?.ca ?? '',
    requestCert: true,
    // Decided request by request, so that others get an answer that says why.
    rejectUnauthorized: false,
  });
  // A connection is trusted by what held when it was opened; when that changes, it must be opened anew.
  let generation = 0;
  const opened = new WeakMap<object, number>();

  const listener = listenerOf({
    handle: async (exchange) => {
      const isCurrent = opened.get(exchange.request.socket) === generation;
      if (!isCurrent) exchange.response.setHeader('connection', 'close');
      await handle(options, exchange, isCurrent);
    },
    refuse,
    observe: (verb, method, status, seconds) =>
      duration.observe({ verb, method, status: String(status) }, seconds),
    log: logger,
    closing: closing.signal,
  });
  const server = createTlsServer(certificates, tlsOptions(), listener);
  server.on('secureConnection', (socket: TLSSocket) => opened.set(socket, generation));
  const renew = (): void => server.setSecureContext(tlsOptions());
  const subscriptions = [
    certificates.onChange(renew),
    frontProxy.onChange(() => {
      generation++;
      renew();
      server.closeIdleConnections();
    }),
  ];
  const release = (): void => {
    for (const subscription of subscriptions) subscription[Symbol.dispose]();
  };
  return doorOf(server, { closing, release });
}

async function handle(options: LiveServerOptions, exchange: Exchange, isCurrent: boolean): Promise<void> {
  const { request, response, facts } = exchange;
  const url = request.url ?? '/';
  const path = url.split('?', 1)[0] ?? '';
  if (HEALTH.has(path)) {
    facts.route = 'health';
    response.writeHead(200, { 'content-type': 'text/plain' }).end('ok');
    return;
  }
  if (options.frontProxy.trust === undefined || !isCurrent) {
    throw new AmbientError('unavailable', 'the operator learns anew whom to trust');
  }
  const user = identified(options, exchange, options.frontProxy.trust);
  facts.user = user.name;
  const document = DOCUMENTS[path];
  if (document !== undefined) {
    facts.route = 'discovery';
    sendJson(response, 200, document);
    return;
  }
  const ofPolicy = policyRouteOf(url);
  if (ofPolicy !== undefined) {
    const { verb, namespace, query } = ofPolicy;
    facts.route = verb;
    facts.namespace = namespace;
    if (request.method !== 'GET') throw new MethodNotAllowed(verb, ['GET']);
    sendJson(response, 200, options.forecasts.of(namespace, query.get('within') ?? FORECAST_WITHIN));
    return;
  }
  const route = routeOf(url);
  facts.route = route.verb;
  facts.namespace = route.namespace;
  facts.session = route.session;
  if (!allowedMethods(route.verb).includes(request.method ?? ''))
    throw new MethodNotAllowed(route.verb, allowedMethods(route.verb));
  const session = await findSession(options.sessions, route.namespace, route.session, exchange.signal);
  const { traceId } = exchange;
  const signal = AbortSignal.any([exchange.signal, exchange.closing]);
  const access = accessOf(route, request);
  if (access === undefined) return await dispatch(options, exchange, { route, session, user });
  await options.accesses.of({ ...access, session, actor: user.name, traceId, signal }, () =>
    dispatch(options, exchange, { route, session, user }),
  );
}

function identified(
  { refusals }: LiveServerOptions,
  { request, traceId }: Exchange,
  trust: FrontProxyTrust,
): UserInfo {
  try {
    return identify(request, trust);
  } catch (error) {
    const { authorization } = request.headers;
    if (isAmbientError(error)) refusals.note({ authorization, resource: 'sessions', error, traceId });
    throw error;
  }
}

interface Call {
  route: Route;
  session: Session;
  user: UserInfo;
}

async function dispatch(options: LiveServerOptions, exchange: Exchange, call: Call): Promise<void> {
  const { route, session, user } = call;
  const { request, response, signal } = exchange;
  switch (route.verb) {
    case 'log':
      return await serveLog(options, exchange, session, route.query);
    case 'artifacts':
      return sendJson(response, 200, await artifactList(options.artifacts, session));
    case 'artifact':
      return await sendArtifact(options.artifacts, exchange, call);
    case 'source': {
      if (request.method === 'GET') return sendJson(response, 200, await options.sources.state(session));
      const offset = numberParam(route.query, 'offset');
      const body = bodyStream(request, SOURCE_CHUNK_BYTES);
      return sendJson(response, 200, await options.sources.append(session, offset, body, signal));
    }
    case 'stop': {
      const body = (await readJson(request, REQUEST_BYTES_MAX)) ?? {};
      return sendJson(response, 202, await options.stops.stop(session, user.name, body, signal));
    }
    case 'message': {
      const body = (await readJson(request, MESSAGE_REQUEST_BYTES_MAX)) ?? {};
      return sendJson(response, 202, await options.messages.send(session, user.name, body, signal));
    }
    case 'interrupt': {
      const body = (await readJson(request, REQUEST_BYTES_MAX)) ?? {};
      return sendJson(response, 202, await options.messages.interrupt(session, user.name, body, signal));
    }
    case 'resume': {
      const body = (await readJson(request, MESSAGE_REQUEST_BYTES_MAX)) ?? {};
      const { traceId } = exchange;
      const by = { name: user.name, uid: user.uid, groups: user.groups };
      return sendJson(
        response,
        201,
        await options.resumes.resume(session, body, { by, door: 'live', traceId, signal }),
      );
    }
    case 'approve':
    case 'reject': {
      const body = (await readJson(request, REQUEST_BYTES_MAX)) ?? {};
      const decision = route.verb === 'approve' ? 'Approved' : 'Rejected';
      const { traceId } = exchange;
      return sendJson(
        response,
        200,
        await options.approvals.decide(session, decision, user, body, { traceId, signal }),
      );
    }
    case 'budget': {
      const body = (await readJson(request, REQUEST_BYTES_MAX)) ?? {};
      const { traceId } = exchange;
      return sendJson(response, 200, await options.raises.raise(session, user, body, { traceId, signal }));
    }
    case 'audit':
      return await serveAudit(options.accesses, exchange, session);
  }
}

async function artifactList(artifacts: Artifacts, session: Session): Promise<ArtifactList> {
  const items: Artifact[] = [];
  for await (const artifact of artifacts.list(session)) items.push(artifact);
  return { kind: 'ArtifactList', apiVersion: LIVE_API_VERSION, metadata: {}, items };
}

async function sendArtifact(
  artifacts: Artifacts,
  exchange: Exchange,
  { route, session }: Call,
): Promise<void> {
  await sendObject(exchange, {
    describe: async () => {
      const { size, digest, contentType, createdAt } = await artifacts.describe(session, route.path);
      return { size, digest, contentType, createdAt: new Date(createdAt) };
    },
    open: async (range) => {
      const { artifact, body } = await artifacts.get(session, route.path, range);
      return { digest: artifact.digest, body };
    },
    fileName: route.path.slice(route.path.lastIndexOf('/') + 1),
  });
}

/** Not in the catalogue, as no person meets it. */
class MethodNotAllowed extends AmbientError {
  readonly allowed: readonly string[];

  constructor(verb: string, allowed: readonly string[]) {
    super('invalid_request', `${verb} takes ${allowed.join(' and ')} only`);
    this.allowed = allowed;
  }
}

function refuse({ response, traceId, facts }: Exchange, error: AmbientError): void {
  const isMethod = error instanceof MethodNotAllowed;
  const status = statusOf({
    error,
    traceId,
    session: facts.session,
    ...(isMethod ? { http: { status: 405, reason: 'MethodNotAllowed' } } : {}),
  });
  const { state, size } = error.details;
  const headers: Record<string, string> = {};
  if (isMethod) headers['allow'] = error.allowed.join(', ');
  if (error.code === 'range_not_satisfiable') headers['content-range'] = `bytes */${String(size)}`;
  if (status.code === 503 || status.code === 429) headers['retry-after'] = '1';
  // A misplaced piece of a source is answered with where the next one belongs: a Status that is a SourceState too.
  const more =
    typeof state === 'object' ? { ...state, kind: status.kind, apiVersion: status.apiVersion } : {};
  sendJson(response, status.code ?? 500, { ...more, ...status }, headers);
}
