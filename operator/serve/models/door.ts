/**
 * The models' part of the runners' door: `/models/{provider}/…`, in the provider's own language, with the pod's token where the
 * provider has its key. What may be asked and what it costs is the gateway's to say (operator/sessions/models).
 */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isModelProvider, MODELS_PATH } from '../../../common/api/models.ts';
import type { ModelProvider } from '../../../common/api/models.ts';
import type { Session } from '../../../common/api/session.ts';
import { AmbientError, isAmbientError } from '../../../common/errors.ts';
import type { AnswerSink } from '../../sessions/models/call.ts';
import type { ModelGateway } from '../../sessions/models/gateway.ts';
import { answerOf } from '../../sessions/models/refusals.ts';
import { readBody } from '../http/body.ts';
import { sendJson } from '../http/exchange.ts';
import type { Exchange } from '../http/exchange.ts';
import { parseTarget } from '../http/path.ts';
import { Bodies } from './bodies.ts';
import type { RunnerRefusals } from '../runners/refusals.ts';
import type { ModelMeters } from './meters.ts';

export interface ModelDoorOptions {
  gateway: ModelGateway;
  identity: { sessionOf(authorization: string | undefined, signal?: AbortSignal): Promise<Session> };
  refusals: Pick<RunnerRefusals, 'note'>;
  meters: ModelMeters;
}

/** As much as any provider takes. */
const BODY_BYTES_MAX = 32 * 1024 * 1024;
/** Providers may be silent for long; whoever waits on this side must not be cut before. */
const SILENCE_MS = 1_200_000;
const RETRY_AFTER_SECONDS = 1;

export class ModelDoor {
  readonly #options: ModelDoorOptions;
  readonly #bodies = new Bodies();

  constructor(options: ModelDoorOptions) {
    this.#options = options;
  }

  isFor(url: string): boolean {
    return url.startsWith(`${MODELS_PATH}/`);
  }

  async handle(exchange: Exchange): Promise<void> {
    const { request, response, facts, traceId, signal } = exchange;
    const { segments, query } = parseTarget(request.url ?? '');
    const [, provider, ...rest] = segments;
    if (!isModelProvider(provider)) {
      const error = new AmbientError('not_found', 'There is no such provider of models.');
      await this.#sessionOf(exchange, 'unknown', query);
      this.#refused(exchange, query, 'unknown', error);
      throw error;
    }
    facts.route = `models/${provider}`;
    const session = await this.#sessionOf(exchange, provider, query);
    facts.namespace = session.metadata.namespace ?? '';
    facts.session = session.metadata.name;
    if (request.method !== 'POST')
      throw new AmbientError('not_found', 'Models are asked with POST; nothing else is passed on.');
    const { 'content-encoding': encoding = 'identity' } = request.headers;
    if (encoding !== 'identity')
      throw new AmbientError(
        'unsupported_media_type',
        'Send the request as it is, without content-encoding.',
      );
    using room = this.#bodies.take(session.metadata.uid ?? '', announced(request));
    if (room === undefined)
      throw new AmbientError('too_many_requests', 'Too much is being asked at once.', {
        details: { retryAfterSeconds: RETRY_AFTER_SECONDS },
      });
    await this.#options.gateway.serve(
      {
        session,
        provider,
        path: `/${rest.join('/')}`,
        query,
        headers: request.headers,
        traceId,
        signal,
        body: await bodyOf(exchange),
        sent: () => room.sent(),
      },
      sinkOf(response, (status) => this.#options.meters.answered(provider, status)),
    );
    response.end();
  }

  refuse({ request, response, traceId }: Exchange, error: AmbientError): void {
    const [, , named] = (request.url ?? '').split('/');
    const provider = isModelProvider(named) ? named : 'anthropic';
    const { status, headers, body } = answerOf(provider, error, traceId);
    this.#options.meters.answered(provider, status);
    sendJson(response, status, body, headers);
  }

  async #sessionOf(
    exchange: Exchange,
    provider: ModelProvider | 'unknown',
    query: URLSearchParams,
  ): Promise<Session> {
    const { request, signal } = exchange;
    try {
      return await this.#options.identity.sessionOf(tokenOf(request, query), signal);
    } catch (error) {
      if (isAmbientError(error, 'unauthenticated', 'forbidden'))
        this.#refused(exchange, query, provider, error);
      throw error;
    }
  }

  #refused(
    { request, traceId }: Exchange,
    query: URLSearchParams,
    provider: ModelProvider | 'unknown',
    error: AmbientError,
  ): void {
    this.#options.refusals.note({
      authorization: tokenOf(request, query),
      resource: `models/${provider}`,
      error,
      traceId,
    });
  }
}

/** Wherever a provider's client puts its key. */
function tokenOf({ headers }: IncomingMessage, query: URLSearchParams): string | undefined {
  const key = headers['x-api-key'] ?? headers['x-goog-api-key'];
  if (typeof key === 'string') return `Bearer ${key}`;
  const inQuery = query.get('key');
  return headers.authorization ?? (inQuery === null ? undefined : `Bearer ${inQuery}`);
}

/** Whoever sends must not be silent for long; from then on it is the provider's turn. */
async function bodyOf({ request, response }: Exchange): Promise<Buffer> {
  const body = await readBody(request, BODY_BYTES_MAX);
  response.setTimeout(SILENCE_MS);
  return body;
}

/** What has no length could have any. */
function announced({ headers }: IncomingMessage): number {
  const length = Number(headers['content-length'] ?? BODY_BYTES_MAX);
  return Number.isSafeInteger(length) && length >= 0 ? Math.min(length, BODY_BYTES_MAX) : BODY_BYTES_MAX;
}

const sinkOf = (response: ServerResponse, onStart: (status: number) => void): AnswerSink => ({
  start(status, headers) {
    onStart(status);
    response.writeHead(status, headers);
    // A provider may answer at once and begin to speak much later.
    response.flushHeaders();
  },
  async write(chunk, signal) {
    if (!response.write(chunk)) await once(response, 'drain', { signal });
  },
});
