/**
 * The webhook door: POST /{source} starts what a delivery asks for, POST /{source}/validate tells what it would. Tools that know
 * no login come here, so who they are is decided by an API key or a signature alone, and nothing is read, stored or asked for
 * anybody before what is cheap has been looked at.
 */
import type { Server } from 'node:https';
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { Counter, Histogram, Registry } from 'prom-client';
import type { Logger } from 'pino';
import { receiveWebhook, validateWebhook } from '../../../common/api/rest/webhooks.ts';
import { WEBHOOK_SOURCES } from '../../../common/api/session.ts';
import type { WebhookSource } from '../../../common/api/session.ts';
import { AmbientError, isAmbientError } from '../../../common/errors.ts';
import type { WebhookCredentials } from '../../sessions/webhooks/credentials.ts';
import type { Deliveries } from '../../sessions/webhooks/deliveries.ts';
import { hear, isCommand } from '../../sessions/webhooks/hear.ts';
import type { Reply as Said } from '../../sessions/webhooks/hear.ts';
import type { Tenant } from '../../sessions/webhooks/keys.ts';
import type { Payloads } from '../../sessions/webhooks/payloads.ts';
import type { RateLimits } from '../../sessions/webhooks/rate-limits.ts';
import { FORM_TYPE, JSON_TYPE, receive } from '../../sessions/webhooks/receive.ts';
import type { MediaType, Received } from '../../sessions/webhooks/receive.ts';
import type { Refusals } from '../../sessions/webhooks/refusals.ts';
import { drain } from '../http/body.ts';
import { counter, durationHistogram } from '../http/meters.ts';
import { exchangeOf } from '../rest/door.ts';
import { acceptedOf, commandAnswerOf, heardOf, refusedCommandText, validOf } from './answers.ts';
import { inTime } from './in-time.ts';
import { Patience } from './patience.ts';
import { refusalOf } from './refusal.ts';

export interface WebhooksOptions {
  credentials: WebhookCredentials;
  deliveries: Deliveries;
  payloads: Payloads;
  limits: RateLimits;
  refusals: Refusals;
  /** A sender whose credentials were no good: what an address may ask for is used up sooner. */
  onStranger: (address: string) => void;
  logger: Logger;
  metrics: Registry;
  /** Of a body; default 30 s. */
  bodyMs?: number;
  /** For everything else; default 8 s, and 2.5 for Slack. */
  patienceMs?: number;
}

/** GitHub gives up after 10 s. */
const PATIENCE_MS = 8000;
/** Slack after 3, for which whoever typed a command sees an error of Slack's that says nothing. */
const SLACK_PATIENCE_MS = 2500;
const BODY_MS = 30_000;

/** Headers that mean one thing only: sent twice, nobody knows which. */
const SINGLE_HEADERS: readonly string[] = [
  ...['x-api-key', 'idempotency-key', 'content-type'],
  ...['x-github-event', 'x-github-delivery', 'x-hub-signature-256', 'x-hub-signature'],
  ...['x-slack-signature', 'x-slack-request-timestamp', 'x-atlassian-webhook-identifier'],
  ...['x-ambient-event', 'x-ambient-delivery', 'x-ambient-timestamp', 'x-ambient-signature'],
];
type Headers = Readonly<Record<string, string | undefined>>;

interface Params {
  source: string;
}
interface Query {
  key?: unknown;
}
type Request = FastifyRequest<{ Params: Params; Querystring: Query }, Server>;
type Reply = FastifyReply<{ Params: Params; Querystring: Query }, Server>;

interface Meters {
  deliveries: Counter<'source' | 'outcome'>;
  duration: Histogram<'source' | 'outcome'>;
}

/** What is known of a request when it fails. */
interface Progress {
  source: WebhookSource | undefined;
  tenant: Tenant | undefined;
  /** A person typed it in Slack, which shows him what is said with 200, and nothing that is said with another status. */
  isCommand: boolean;
}

interface Answer {
  status: number;
  body: object;
  outcome: string;
}

export type WebhooksPlugin = FastifyPluginAsync<Record<never, never>, Server>;

/** For a server whose requests have an exchange (../rest/door.ts). */
export function webhooks(options: WebhooksOptions): WebhooksPlugin {
  const meters: Meters = {
    deliveries: counter(
      options.metrics,
      'ambient_webhook_deliveries_total',
      'Deliveries of webhooks by what became of them.',
      ['source', 'outcome'],
    ),
    duration: durationHistogram(options.metrics, {
      name: 'ambient_webhook_duration_seconds',
      help: 'Time from the headers of a delivery to its answer.',
      labelNames: ['source', 'outcome'],
    }),
  };
  return async (app) => {
    // Bodies are read here, as they come in, and their bytes are what is signed.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    const route = (url: string, isDryRun: boolean): void => {
      app.post<{ Params: Params; Querystring: Query }>(url, async (request, reply) => {
        await serve(options, meters, { request, reply, isDryRun });
        return reply;
      });
    };
    route('/:source', false);
    route('/:source/validate', true);
    await Promise.resolve();
  };
}

async function serve(
  options: WebhooksOptions,
  meters: Meters,
  { request, reply, isDryRun }: { request: Request; reply: Reply; isDryRun: boolean },
): Promise<void> {
  const started = performance.now();
  const exchange = exchangeOf(request);
  const { traceId, facts } = exchange;
  facts.route = (isDryRun ? validateWebhook : receiveWebhook).id;
  const progress: Progress = { source: undefined, tenant: undefined, isCommand: false };
  let outcome: string;
  try {
    const answer = await handle(options, { request, isDryRun, progress, traceId });
    outcome = isDryRun ? 'validated' : answer.outcome;
    reply.code(answer.status).send(answer.body);
  } catch (thrown) {
    const { error, status, headers, body } = refusalOf(thrown, exchange, isDryRun);
    const { source, tenant } = progress;
    exchange.failure = error;
    outcome = error.code;
    if (isAmbientError(error, 'invalid_api_key', 'invalid_signature')) options.onStranger(request.ip);
    // What a policy forbids is on record by then, rule by rule.
    const isRecorded = isDryRun || error.code === 'policy_violation';
    if (source !== undefined && !isRecorded) options.refusals.note({ source, tenant, error, traceId });
    // A sender that is still sending when the connection is closed on it may never see why.
    await drain(request.raw);
    if (!request.raw.complete) headers['connection'] = 'close';
    if (progress.isCommand) reply.code(200).send(commandAnswerOf(body, refusedCommandText(error)));
    else reply.code(status).headers(headers).send(body);
  }
  if (progress.tenant !== undefined) facts.namespace = progress.tenant.namespace;
  const labels = { source: progress.source ?? 'unknown', outcome };
  meters.deliveries.inc(labels);
  meters.duration.observe(labels, (performance.now() - started) / 1000);
}

interface Handling {
  request: Request;
  isDryRun: boolean;
  progress: Progress;
  traceId: string;
}

async function handle(
  options: WebhooksOptions,
  { request, isDryRun, progress, traceId }: Handling,
): Promise<Answer> {
  const source = sourceOf(request.params.source);
  progress.source = source;
  const headers = singleHeaders(request);
  const { bodyMs = BODY_MS, patienceMs = source === 'slack' ? SLACK_PATIENCE_MS : PATIENCE_MS } = options;
  // Also of a sender who does not wait: he comes again, and finds it done.
  const patience = new Patience(patienceMs);
  const apiKey = headers['x-api-key'] ?? '';
  const keyId = keyIdOf(request.query);

  const sender = apiKey === '' ? 'unknown' : 'known';
  const read = async (onChunk: (chunk: Uint8Array) => void): Promise<Received> => {
    using memory = options.payloads.memory(sender);
    return await receive(inTime(request.raw, bodyMs), {
      media: mediaOf(headers, source),
      announced: Number(headers['content-length'] ?? 0),
      onChunk,
      hold: (bytes) => memory.hold(bytes),
      wait: (body, aborted) => options.payloads.wait(body, sender, aborted),
    });
  };
  const limit = (of: Tenant): Promise<void> =>
    patience.spend((signal) => options.limits.take(of, isDryRun, signal));
  let tenant: Tenant;
  let received: Received;
  if (apiKey !== '') {
    tenant = options.credentials.ofApiKey(source, apiKey);
    progress.tenant = tenant;
    await limit(tenant);
    received = await read(() => undefined);
  } else if (keyId !== undefined) {
    const check = await patience.spend(() => options.credentials.ofSignature(source, keyId, headers));
    received = await read((chunk) => check.update(chunk));
    try {
      tenant = check.tenant();
      progress.tenant = tenant;
      progress.isCommand = !isDryRun && isCommand(source, received);
      await limit(tenant);
    } catch (error) {
      await forget(options, received);
      throw error;
    }
  } else throw new AmbientError('missing_api_key', 'X-API-Key header is required');
  try {
    const mayAsk = apiKey !== '' || source === 'generic';
    const said = await patience.spend((signal) =>
      hear(options.deliveries, { tenant, headers, received, isDryRun, mayAsk, traceId, signal }),
    );
    return answerOf(tenant.namespace, said, progress.isCommand);
  } finally {
    await forget(options, received);
  }
}

function answerOf(namespace: string, said: Said, isCommand: boolean): Answer {
  switch (said.kind) {
    case 'challenge':
      return { status: 200, body: { challenge: said.challenge }, outcome: 'greeted' };
    case 'greeted':
      return { status: 200, body: heardOf(namespace, 'ok'), outcome: 'greeted' };
    case 'forecast':
      return { status: 200, body: validOf(namespace, said.forecast), outcome: 'validated' };
    case 'outcome': {
      const { outcome } = said;
      if (outcome.kind === 'ignored') {
        const heard = heardOf(namespace, 'ignored', outcome.reasons);
        const text = `Nothing was started: ${outcome.reasons.slice(0, REASONS_SHOWN).join(' ')}`;
        return { status: 200, body: isCommand ? commandAnswerOf(heard, text) : heard, outcome: 'ignored' };
      }
      const accepted = acceptedOf(namespace, outcome);
      const known = outcome.sessions.every(({ isRepeated }) => isRepeated) ? 'repeated' : 'started';
      if (!isCommand) return { status: 202, body: accepted, outcome: known };
      // Slack takes nothing but 200 for an answer to a command, and shows its text.
      const text = `Session ${accepted.sessionId} is ${accepted.status}.`;
      return { status: 200, body: commandAnswerOf(accepted, text), outcome: known };
    }
  }
}

const REASONS_SHOWN = 3;

async function forget({ payloads, logger }: WebhooksOptions, received: Received): Promise<void> {
  await payloads
    .forget(received)
    .catch((err: unknown) => logger.warn({ err }, 'a body was left in the store; it is removed later'));
}

function sourceOf(text: string): WebhookSource {
  const source = WEBHOOK_SOURCES.find((each) => each === text);
  if (source === undefined)
    throw new AmbientError(
      'not_found',
      `no webhooks are taken of this source; known are ${WEBHOOK_SOURCES.join(', ')}`,
    );
  return source;
}

/** What was sent twice is refused where two readers could take it for two things. */
function singleHeaders({ raw, headers }: Request): Headers {
  for (const name of SINGLE_HEADERS)
    if ((raw.headersDistinct[name]?.length ?? 0) > 1)
      throw new AmbientError('invalid_request', `the header ${name} was sent more than once`);
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}

/** Other parameters are not ours: Jira adds some of its own. */
function keyIdOf({ key }: Query): string | undefined {
  if (Array.isArray(key)) throw new AmbientError('invalid_request', 'the parameter key was given twice');
  return typeof key === 'string' && key !== '' ? key : undefined;
}

function mediaOf(headers: Headers, source: WebhookSource): MediaType {
  const encoding = headers['content-encoding']?.trim().toLowerCase();
  if (encoding !== undefined && encoding !== '' && encoding !== 'identity')
    throw new AmbientError('unsupported_media_type', 'a compressed body is not taken: send it as it is');
  const [type = ''] = (headers['content-type'] ?? '').split(';', 1);
  const name = type.trim().toLowerCase();
  // Text is what some libraries say of a string that they are given.
  if (name === '' || name === 'text/plain' || name === JSON_TYPE || /^application\/[\w.-]+\+json$/.test(name))
    return 'json';
  if (name === FORM_TYPE) return source === 'slack' ? 'fields' : 'form';
  throw new AmbientError('unsupported_media_type', `a body is ${JSON_TYPE} or ${FORM_TYPE}`);
}
