/**
 * Calls of models by agents: asked of policy and budget first, sent on with the tenant's key, streamed back as they come, and charged
 * by what the answer says. The agent has neither key nor a way around.
 */
import type { Logger } from 'pino';
import { PROVIDER_URLS } from '../../../common/api/models.ts';
import type { ModelProviderAccess } from '../../../common/api/namespace-policy.ts';
import { AmbientError, isAmbientError } from '../../../common/errors.ts';
import { isSpent, usd } from '../../../common/rules/budget.ts';
import { AnswerReader } from '../../../common/rules/models/answer.ts';
import { callProblem } from '../../../common/rules/models/call.ts';
import { mostCost, settledCost } from '../../../common/rules/models/cost.ts';
import { priceOf } from '../../../common/rules/models/price.ts';
import type { Price } from '../../../common/rules/models/price.ts';
import { NOTHING_READ, RequestProblem } from '../../../common/rules/models/protocol.ts';
import type { ModelRequest } from '../../../common/rules/models/protocol.ts';
import { modelRoute } from '../../../common/rules/models/routes.ts';
import type { ModelRoute } from '../../../common/rules/models/routes.ts';
import { parseMoney, ZERO } from '../../../common/rules/money.ts';
import { narrowedPolicy } from '../../../common/rules/policy/narrow.ts';
import type { SessionLookup } from '../lookup.ts';
import type { Policies } from '../policies.ts';
import type { AnswerSink, CallMeters, ModelCall } from './call.ts';
import { headersToAgent, headersToProvider } from './headers.ts';
import type { HeldCall, Holds } from './holds.ts';
import { cutSignal } from './liveness.ts';
import type { ProviderKeys } from './provider-keys.ts';
import type { ModelRefusals } from './refusals.ts';
import { UpstreamProblem } from './upstream.ts';
import type { Upstream, UpstreamAnswer } from './upstream.ts';

export interface ModelGatewayOptions {
  sessions: Pick<SessionLookup, 'get' | 'onChange'>;
  policies: Pick<Policies, 'of' | 'object'>;
  keys: ProviderKeys;
  upstream: Upstream;
  holds: Holds;
  refusals: ModelRefusals;
  meters: CallMeters;
  /** Milliseconds of a clock that never goes back. */
  elapsed: () => number;
  log: Logger;
}

/** Of a request in the log, when a policy asks for it. */
const PROMPT_LOGGED = 16 * 1024;
/** Fields of a query that mean something to a provider; keys and accounts are not for the agent to choose. */
const QUERY_PASSED = ['beta', 'alt'];
const NO_BODY = Buffer.alloc(0);

interface Asked {
  route: ModelRoute;
  request: ModelRequest;
  bodyBytes: number;
  access: ModelProviderAccess;
  /** Undefined: it costs nothing. */
  price: Price | undefined;
}

/** What becomes of a call, as far as it has come. */
interface Tally {
  /** The provider may have seen it, and has not said that it failed. */
  isBilled: boolean;
  reader: AnswerReader | undefined;
}

export class ModelGateway implements AsyncDisposable {
  readonly #options: ModelGatewayOptions;
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: ModelGatewayOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the answer has been passed on, all of it. Throws what the agent is to be told where nothing has been yet, and
   * otherwise why the answer breaks off. Charged is what it cost in any case.
   */
  async serve(call: ModelCall, sink: AnswerSink): Promise<void> {
    const { meters, refusals } = this.#options;
    const settled = Promise.withResolvers<void>();
    this.#underWay.add(settled.promise);
    meters.underWay(1);
    let model: string | undefined;
    try {
      using cut = cutSignal(this.#options.sessions, call.session);
      cut.signal.throwIfAborted();
      const asked = this.#asked(call, (name) => (model = name));
      await this.#pass(call, asked, sink, AbortSignal.any([call.signal, cut.signal]));
    } catch (error) {
      if (isAmbientError(error))
        refusals.note({
          session: call.session,
          provider: call.provider,
          model,
          error,
          traceId: call.traceId,
        });
      throw error;
    } finally {
      meters.underWay(-1);
      this.#underWay.delete(settled.promise);
      settled.resolve();
    }
  }

  /** Until what is under way has been charged: whoever closes the door cuts it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** What is asked for, if it may be. Throws invalid_request, not_found, forbidden, policy_violation. */
  #asked(
    { session, provider, path, query, body = NO_BODY }: ModelCall,
    onModel: (model: string) => void,
  ): Asked {
    const { policies } = this.#options;
    const { namespace = '' } = session.metadata;
    const route = modelRoute(provider, path);
    if (route === undefined)
      throw new AmbientError('not_found', `The gateway passes no ${path.slice(0, 200)} on to ${provider}.`);
    const policy = policies.of(namespace);
    const access = policy.gateway.providers.find(({ name }) => name === provider);
    if (access === undefined)
      throw new AmbientError(
        'policy_violation',
        `The policy of namespace ${namespace} reaches no models of ${provider} (spec.models.providers).`,
      );
    const request = requestOf(route, body, path);
    onModel(request.model);
    if (provider === 'gemini' && request.isStream && query.get('alt') !== 'sse')
      throw new AmbientError('invalid_request', 'Add ?alt=sse to a stream: what others cost is not read.');
    const price = priceOf(provider, request.model, policy.gateway.prices);
    const problem = callProblem(request, { provider, policy: narrowedPolicy(session.spec, policy), price });
    if (problem !== undefined) throw new AmbientError('policy_violation', problem);
    return { route, request, bodyBytes: body.length, access, price: route.isFree ? undefined : price };
  }

  async #pass(call: ModelCall, asked: Asked, sink: AnswerSink, signal: AbortSignal): Promise<void> {
    const { keys, meters, elapsed, policies } = this.#options;
    const { namespace = '' } = call.session.metadata;
    const began = elapsed();
    const key = await keys.of(namespace, asked.access);
    const held = await this.#hold(call, asked, signal);
    const tally: Tally = { isBilled: false, reader: undefined };
    try {
      signal.throwIfAborted();
      if (policies.of(namespace).gateway.logPrompts) this.#logPrompt(call);
      meters.added((elapsed() - began) / 1000);
      tally.isBilled = true;
      const answer = await this.#send(call, asked, key, signal).catch((error: unknown) => {
        if (isAmbientError(error, 'forbidden') || (error instanceof UpstreamProblem && !error.wasSent))
          tally.isBilled = false;
        throw error;
      });
      // Nobody bills what failed.
      if (answer.status < 200 || answer.status > 299) tally.isBilled = false;
      await this.#stream(asked, answer, { tally, sink, signal });
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof UpstreamProblem
        ? new AmbientError('provider_unavailable', error.message, { cause: error })
        : error;
    } finally {
      this.#settle(call, asked, tally, held);
    }
  }

  async #hold(
    { session }: ModelCall,
    { request, bodyBytes, price }: Asked,
    signal: AbortSignal,
  ): Promise<HeldCall | undefined> {
    if (price === undefined) return undefined;
    const { namespace = '' } = session.metadata;
    return await this.#options.holds.hold(session, {
      model: request.model,
      most: mostCost(request, bodyBytes, price),
      assert: () => this.#assertMonth(namespace),
      signal,
    });
  }

  /** The turns of sessions hold the month's budget; what was lowered or spent otherwise shows in the policy. */
  #assertMonth(namespace: string): void {
    const { policies } = this.#options;
    const { budget } = policies.of(namespace);
    const spent = parseMoney(policies.object(namespace)?.status?.usage?.budget?.currentMonth ?? '');
    if (budget !== undefined && isSpent(spent ?? ZERO, budget.monthly))
      throw new AmbientError(
        'budget_exceeded',
        `Namespace ${namespace} has spent this month's budget of ${usd(budget.monthly)}.`,
      );
  }

  async #send(call: ModelCall, { access }: Asked, key: string, signal: AbortSignal): Promise<UpstreamAnswer> {
    const { provider, path, query, headers, body = NO_BODY } = call;
    const url = new URL((access.baseUrl ?? PROVIDER_URLS[provider]).replace(/\/+$/, '') + encoded(path));
    for (const name of QUERY_PASSED) {
      const value = query.get(name);
      if (value !== null) url.searchParams.set(name, value);
    }
    const { upstream } = this.#options;
    try {
      return await upstream.send(url, headersToProvider(headers, provider, key), body, signal);
    } finally {
      call.body = undefined;
      call.sent();
    }
  }

  async #stream(
    { route, access }: Asked,
    { status, headers, body }: UpstreamAnswer,
    { tally, sink, signal }: { tally: Tally; sink: AnswerSink; signal: AbortSignal },
  ): Promise<void> {
    const problem = unpassable(status, access);
    if (problem !== undefined) {
      body.on('error', () => undefined).destroy();
      throw problem;
    }
    const isStream = String(headers['content-type'] ?? '').startsWith('text/event-stream');
    if (tally.isBilled) tally.reader = new AnswerReader(route.protocol, isStream);
    sink.start(status, headersToAgent(headers));
    for await (const chunk of body as AsyncIterable<Buffer>) {
      tally.reader?.write(chunk);
      await sink.write(chunk, signal);
    }
  }

  #settle(
    { session, provider, traceId }: ModelCall,
    { request, bodyBytes, price }: Asked,
    { isBilled, reader }: Tally,
    held: HeldCall | undefined,
  ): void {
    if (price === undefined || !isBilled) {
      held?.settle(ZERO);
      return;
    }
    const { meters, log } = this.#options;
    const reading = reader?.end() ?? NOTHING_READ;
    const { usage, cost } = settledCost(reading, { request, bodyBytes, price });
    for (const [kind, count] of Object.entries(usage ?? {})) meters.tokens(provider, kind, count as number);
    meters.cost(provider, cost);
    const { namespace, name } = session.metadata;
    const { model } = request;
    log.debug(
      {
        namespace,
        session: name,
        traceId,
        provider,
        model,
        usage,
        cost: usd(cost),
        isWhole: reading.isFinal,
      },
      'a model has answered',
    );
    held?.settle(cost);
  }

  #logPrompt({ session, traceId, body = NO_BODY }: ModelCall): void {
    const { namespace, name } = session.metadata;
    const prompt = body.subarray(0, PROMPT_LOGGED).toString('utf8');
    this.#options.log.info({ namespace, session: name, traceId, prompt }, 'a model is asked');
  }
}

/** Throws invalid_request. */
function requestOf({ protocol }: ModelRoute, body: Buffer, path: string): ModelRequest {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new AmbientError('invalid_request', 'The request is not JSON.');
  }
  try {
    return protocol.request(parsed, path);
  } catch (error) {
    if (!(error instanceof RequestProblem)) throw error;
    throw new AmbientError('invalid_request', `The request cannot be passed on: ${error.message}.`);
  }
}

/** Answers that must not reach the agent: they say something of the key, or lead elsewhere. */
function unpassable(status: number, { name, keySecret }: ModelProviderAccess): AmbientError | undefined {
  if (status === 401)
    return new AmbientError(
      'forbidden',
      `${name} refuses the namespace's key: an administrator of the namespace can renew it in Secret ${keySecret.name}.`,
    );
  if (status >= 300 && status < 400)
    return new AmbientError(
      'provider_unavailable',
      `${name} answers with a redirect, which is not followed.`,
    );
  return undefined;
}

/** As it stood in the request, and in one way only. */
const encoded = (path: string): string =>
  path
    .split('/')
    .map((segment) => encodeURIComponent(segment).replaceAll('%3A', ':'))
    .join('/');
