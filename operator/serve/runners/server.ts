/** The door for runner pods (contract: common/api/runner.ts): a token leads to exactly one session, no path names it. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Logger } from 'pino';
import type { Counter, Registry } from 'prom-client';
import {
  CHANGES_PATCH,
  HEADER_ARTIFACT_TYPE,
  HEADER_DIGEST,
  MEMORY_ARCHIVE,
  MEMORY_BYTES_MAX,
  RUNNER_PATHS,
} from '../../../common/api/runner.ts';
import { isTerminal } from '../../../common/api/session.ts';
import type { Session } from '../../../common/api/session.ts';
import { AmbientError, isAmbientError } from '../../../common/errors.ts';
import type { Artifacts } from '../../sessions/artifacts.ts';
import { chargesOf } from '../../sessions/charges.ts';
import type { Costs } from '../../sessions/costs.ts';
import type { SessionLog } from '../../sessions/log.ts';
import { parseRecords } from '../../sessions/log-records.ts';
import type { RecordLine } from '../../sessions/log-records.ts';
import type { SessionLookup } from '../../sessions/lookup.ts';
import type { Messages } from '../../sessions/messages.ts';
import type { Questions } from '../../sessions/questions.ts';
import { resumedBy } from '../../sessions/resumes.ts';
import type { Results } from '../../sessions/result.ts';
import type { Sources } from '../../sessions/source.ts';
import { bodyStream, decodeUtf8, readBody, readJson } from '../http/body.ts';
import { listenerOf, sendJson } from '../http/exchange.ts';
import type { Exchange } from '../http/exchange.ts';
import { counter, durationHistogram } from '../http/meters.ts';
import { numberParam, parseTarget } from '../http/path.ts';
import { sendObject } from '../http/send-object.ts';
import type { ModelDoor } from '../models/door.ts';
import { createTlsServer, doorOf } from '../http/server.ts';
import type { Certificates, Door } from '../http/server.ts';
import { CONTROL_WAIT_MAX_SECONDS, controlOf } from './control.ts';
import type { RunnerIdentity } from './identity.ts';
import type { PushDoor } from './push.ts';
import type { RunnerRefusals } from './refusals.ts';
import { sendArtifact } from './send-artifact.ts';
import { RUN_WAIT_MAX_SECONDS } from './runs.ts';
import type { Runs } from './runs.ts';

export interface RunnerServerOptions {
  identity: RunnerIdentity;
  runs: Runs;
  sessions: SessionLookup;
  log: SessionLog;
  artifacts: Artifacts;
  sources: Sources;
  results: Results;
  costs: Pick<Costs, 'report'>;
  messages: Pick<Messages, 'after'>;
  questions: Pick<Questions, 'note'>;
  refusals: Pick<RunnerRefusals, 'note'>;
  /** Serves what lies below /models. */
  models?: ModelDoor;
  /** Serves the pods that push. */
  push?: PushDoor;
  certificates: Certificates;
  logger: Logger;
  metrics: Registry;
  /** Bytes of one artifact; default 10 GiB. */
  artifactBytesMax?: number;
}

export const EVENTS_BYTES_MAX = 4 * 1024 * 1024;
const RESULT_BYTES_MAX = 512 * 1024;
const ARTIFACT_BYTES_MAX = 10 * 1024 ** 3;

type Name = keyof typeof RUNNER_PATHS;
const METHODS: Record<Name, readonly string[]> = {
  events: ['POST'],
  control: ['GET'],
  run: ['GET'],
  resume: ['GET'],
  source: ['GET', 'HEAD'],
  artifacts: ['PUT'],
  result: ['POST'],
};

interface Meters {
  records: Counter;
  artifactBytes: Counter;
}

interface Route {
  name: Name;
  /** Below artifacts and resume. */
  path: string;
  query: URLSearchParams;
}

export function createRunnerServer(options: RunnerServerOptions): Door {
  const { certificates, logger, metrics } = options;
  const closing = new AbortController();
  const duration = durationHistogram(metrics, {
    name: 'ambient_runner_request_duration_seconds',
    help: 'Time from a request of a runner to the end of its answer.',
    labelNames: ['route', 'method', 'status'],
  });
  const meters: Meters = {
    records: counter(
      metrics,
      'ambient_log_records_received_total',
      'Log records received from runners, repeated ones included.',
    ),
    artifactBytes: counter(
      metrics,
      'ambient_artifact_bytes_received_total',
      'Bytes of artifacts stored for runners.',
    ),
  };
  const listener = listenerOf({
    handle: (exchange) =>
      modelsOf(options, exchange)?.handle(exchange) ??
      pushOf(options, exchange)?.handle(exchange) ??
      handle(options, meters, exchange),
    refuse: (exchange, error) => {
      const models = modelsOf(options, exchange);
      if (models === undefined) refuse(exchange, error);
      else models.refuse(exchange, error);
    },
    observe: (route, method, status, seconds) =>
      duration.observe({ route, method, status: String(status) }, seconds),
    log: logger,
    closing: closing.signal,
  });
  const server = createTlsServer(certificates, {}, listener);
  const renewal = certificates.onChange(() => server.setSecureContext({ ...certificates.current }));
  return doorOf(server, { closing, release: () => renewal[Symbol.dispose]() });
}

const modelsOf = ({ models }: RunnerServerOptions, { request }: Exchange): ModelDoor | undefined =>
  models?.isFor(request.url ?? '') === true ? models : undefined;

const pushOf = ({ push }: RunnerServerOptions, { request }: Exchange): PushDoor | undefined =>
  push?.isFor(request.url ?? '') === true ? push : undefined;

async function handle(options: RunnerServerOptions, meters: Meters, exchange: Exchange): Promise<void> {
  const { request, facts } = exchange;
  const route = await routeFor(options, exchange);
  facts.route = route.name;
  if (!METHODS[route.name].includes(request.method ?? '')) {
    throw new AmbientError(
      'invalid_request',
      `${route.name} takes ${METHODS[route.name].join(' and ')} only`,
    );
  }
  if (route.name === 'run') return await sendRun(options, exchange, route);
  const session = await sessionOf(options, exchange, route.name);
  facts.namespace = session.metadata.namespace ?? '';
  facts.session = session.metadata.name;
  switch (route.name) {
    case 'events':
      return await takeEvents(options, meters, exchange, session);
    case 'control':
      return await sendControl(options, exchange, session, route);
    case 'source':
      return await sendSource(options, exchange, session);
    case 'resume':
      return await sendResumed(options, exchange, session, route.path);
    case 'artifacts':
      return await takeArtifact(options, meters, exchange, { session, path: route.path });
    case 'result':
      return await takeResult(options, exchange, session);
  }
}

/** Of a pod that was kept ready: nothing but this is open to it while no session has it. */
async function sendRun(options: RunnerServerOptions, exchange: Exchange, { query }: Route): Promise<void> {
  const { identity, runs } = options;
  const { request, response, facts, signal, closing } = exchange;
  const { authorization } = request.headers;
  const waitSeconds = Math.min(numberParam(query, 'wait', 0), RUN_WAIT_MAX_SECONDS);
  const pod = await known(options, exchange, 'run', () => identity.podOf(authorization, signal));
  facts.namespace = pod.metadata.namespace ?? '';
  if (!(await runs.untilClaimed(pod, waitSeconds, AbortSignal.any([signal, closing]))))
    return sendJson(response, 200, {});
  const session = await sessionOf(options, exchange, 'run');
  facts.session = session.metadata.name;
  sendJson(response, 200, { run: await runs.of(pod, signal) });
}

/** Whoever tries paths that are not there is told so when it is known who that is, and it is on record. Throws not_found, unsafe_path. */
async function routeFor(options: RunnerServerOptions, exchange: Exchange): Promise<Route> {
  const { url = '/', headers } = exchange.request;
  try {
    return routeOf(url);
  } catch (error) {
    await sessionOf(options, exchange, 'unknown');
    if (isAmbientError(error))
      options.refusals.note({
        authorization: headers.authorization,
        resource: 'runner/unknown',
        details: { path: url },
        error,
        traceId: exchange.traceId,
      });
    throw error;
  }
}

const sessionOf = (
  options: RunnerServerOptions,
  exchange: Exchange,
  name: Name | 'unknown',
): Promise<Session> =>
  known(options, exchange, name, () =>
    options.identity.sessionOf(exchange.request.headers.authorization, exchange.signal),
  );

/** A stranger is recorded. */
async function known<T>(
  { refusals }: RunnerServerOptions,
  { request, traceId }: Exchange,
  name: Name | 'unknown',
  identify: () => Promise<T>,
): Promise<T> {
  try {
    return await identify();
  } catch (error) {
    if (isAmbientError(error, 'unauthenticated', 'forbidden'))
      refusals.note({
        authorization: request.headers.authorization,
        resource: `runner/${name}`,
        error,
        traceId,
      });
    throw error;
  }
}

/** Throws not_found, unsafe_path. */
function routeOf(url: string): Route {
  const { segments, query } = parseTarget(url);
  const [runner, version, name = '', ...rest] = segments;
  const isOurs = runner === 'runner' && version === 'v1' && isName(name);
  if (!isOurs || (name === 'artifacts' || name === 'resume') !== rest.length > 0) {
    throw new AmbientError('not_found', 'runners have no such path');
  }
  return { name, path: rest.join('/'), query };
}

const isName = (text: string): text is Name => Object.hasOwn(RUNNER_PATHS, text);

async function takeEvents(
  options: RunnerServerOptions,
  meters: Meters,
  { request, response }: Exchange,
  session: Session,
): Promise<void> {
  const records = parseRecords(decodeUtf8(await readBody(request, EVENTS_BYTES_MAX)));
  if (isTerminal(session.status?.phase)) {
    throw new AmbientError('already_finished', 'the session takes no more records');
  }
  meters.records.inc(records.length);
  const acknowledged = await options.log.append(session, records);
  // Before the answer, so that the runner sends again what was stored but not counted.
  await takeCharges(options, session, records);
  await options.questions.note(session, records);
  sendJson(response, 200, { acknowledged });
}

async function takeCharges(
  { costs, logger }: RunnerServerOptions,
  session: Session,
  records: readonly RecordLine[],
): Promise<void> {
  const [first] = records;
  const last = records.at(-1);
  if (first === undefined || last === undefined) return;
  const { charges, malformed } = chargesOf(records);
  if (malformed.length > 0)
    logger.warn(
      {
        namespace: session.metadata.namespace,
        session: session.metadata.name,
        records: malformed.slice(0, 10),
        count: malformed.length,
      },
      'usage records whose costUsd is no amount are not counted',
    );
  await costs.report(session, { source: 'runner', after: first.seq - 1, seq: last.seq, charges });
}

async function sendControl(
  options: RunnerServerOptions,
  { response, signal, closing }: Exchange,
  session: Session,
  { query }: Route,
): Promise<void> {
  const waitSeconds = Math.min(numberParam(query, 'wait', 0), CONTROL_WAIT_MAX_SECONDS);
  const after = query.has('after') ? numberParam(query, 'after') : undefined;
  const paused = query.has('paused') ? query.get('paused') === 'true' : undefined;
  const ending = AbortSignal.any([signal, closing]);
  const control = await controlOf(options, session, { waitSeconds, after, paused }, ending);
  sendJson(response, 200, control);
}

async function sendSource(
  { sources }: RunnerServerOptions,
  exchange: Exchange,
  session: Session,
): Promise<void> {
  await sendObject(exchange, {
    describe: () => sources.describe(session),
    open: async (range) => {
      const { info, body } = await sources.get(session, range);
      return { digest: info.digest, body };
    },
    fileName: 'source.tar.gz',
  });
}

/** Artifacts by what runners call them. */
const RESUMED: ReadonlyMap<string, string> = new Map([
  [CHANGES_PATCH, CHANGES_PATCH],
  ['memory', MEMORY_ARCHIVE],
]);

/** Of the session that this one goes on from; nothing else of it is given out. */
async function sendResumed(
  { artifacts, log }: RunnerServerOptions,
  exchange: Exchange,
  session: Session,
  path: string,
): Promise<void> {
  const old = resumedBy(session);
  if (old === undefined) throw new AmbientError('not_found', 'the session goes on from no other');
  const { response, signal } = exchange;
  if (path === 'log') {
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    await pipeline(Readable.from(linesOf(log, old)), response, { signal });
    return;
  }
  const artifactPath = RESUMED.get(path);
  if (artifactPath === undefined) throw new AmbientError('not_found', 'runners have no such path');
  await sendArtifact(exchange, artifacts, old, artifactPath, path);
}

async function* linesOf(log: SessionLog, session: Session): AsyncGenerator<string, void, undefined> {
  for await (const { lines } of log.read(session, 0)) yield `${lines.join('\n')}\n`;
}

async function takeArtifact(
  { artifacts, artifactBytesMax = ARTIFACT_BYTES_MAX }: RunnerServerOptions,
  meters: Meters,
  { request, response, signal }: Exchange,
  { session, path }: { session: Session; path: string },
): Promise<void> {
  const { headers } = request;
  const artifact = await artifacts.put(
    session,
    {
      path,
      type: single(headers[HEADER_ARTIFACT_TYPE]),
      contentType: headers['content-type'],
      digest: single(headers[HEADER_DIGEST]),
    },
    // Of little files, compressed.
    bodyStream(request, path === MEMORY_ARCHIVE ? 2 * MEMORY_BYTES_MAX : artifactBytesMax),
    signal,
  );
  meters.artifactBytes.inc(artifact.size);
  sendJson(response, 201, artifact);
}

async function takeResult(
  { results, log }: RunnerServerOptions,
  { request, response }: Exchange,
  session: Session,
): Promise<void> {
  await results.put(session, await readJson(request, RESULT_BYTES_MAX));
  log.finish(session);
  response.writeHead(204).end();
}

const single = (header: string | string[] | undefined): string | undefined =>
  Array.isArray(header) ? header.join(',') : header;

function refuse({ response, traceId }: Exchange, error: AmbientError): void {
  const { acknowledged } = error.details;
  const body = { error: error.code, message: error.message, details: error.details, traceId };
  // A gap is answered with where the log stands, as success is.
  sendJson(response, error.status, typeof acknowledged === 'number' ? { ...body, acknowledged } : body, {
    ...([429, 503].includes(error.status) ? { 'retry-after': '1' } : {}),
    ...(error.code === 'range_not_satisfiable'
      ? { 'content-range': `bytes */${String(error.details['size'])}` }
      : {}),
  });
}
