/** What a request is to the REST door: the exchange that every door has, who asks, and whether they may. */
import type { FastifyRequest } from 'fastify';
import type { ResourceAttributes } from '../../../common/kube/access.ts';
import { AmbientError, isAmbientError } from '../../../common/errors.ts';
import type { Accesses } from '../../sessions/accesses.ts';
import type { Exchange } from '../http/exchange.ts';
import type { AccessReviews } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import type { Identities } from '../identity/identities.ts';
import { UnknownToken } from '../identity/token-review.ts';
import type { RunnerRefusals } from '../runners/refusals.ts';
import type { AddressLimits } from './limits.ts';

/** By the request as node has it. */
const exchanges = new WeakMap<object, Exchange>();

export const rememberExchange = (exchange: Exchange): void => {
  exchanges.set(exchange.request, exchange);
};

export function exchangeOf({ raw }: Pick<FastifyRequest, 'raw'>): Exchange {
  const exchange = exchanges.get(raw);
  if (exchange === undefined) throw new Error('a request came in by another way');
  return exchange;
}

export interface GuardOptions {
  identities: Identities;
  access: AccessReviews;
  accesses: Accesses;
  /** Of who is not known. */
  refusals: Pick<RunnerRefusals, 'note'>;
  limits: AddressLimits;
}

/** Who comes in, and what they may. */
export class Guard {
  readonly #options: GuardOptions;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** Throws unauthenticated, unavailable. */
  async authenticate(request: FastifyRequest): Promise<Caller> {
    const exchange = exchangeOf(request);
    const { identities, refusals, limits } = this.#options;
    const { authorization } = request.headers;
    try {
      const caller = await identities.callerOf(authorization);
      exchange.facts.user = caller.name;
      return caller;
    } catch (error) {
      if (isAmbientError(error, 'unauthenticated')) {
        if (error instanceof UnknownToken && error.isReviewed) limits.chargeStranger(request.ip);
        refusals.note({ authorization, resource: 'sessions', error, traceId: exchange.traceId });
      }
      throw error;
    }
  }

  /** To whom a signed address was given; undefined for another one. Throws forbidden, on record as of nobody who is known. */
  linked(
    request: FastifyRequest,
    attributes: ResourceAttributes,
    find: () => Caller | undefined,
  ): Caller | undefined {
    try {
      return find();
    } catch (error) {
      if (isAmbientError(error, 'forbidden')) {
        const { authorization } = request.headers;
        const { verb, namespace } = attributes;
        const resource = pathOf(attributes);
        const { traceId } = exchangeOf(request);
        this.#options.refusals.note({
          authorization,
          resource,
          details: { verb, namespace, link: true },
          error,
          traceId,
        });
      }
      throw error;
    }
  }

  /**
   * The same question and the same answer whether the namespace exists or not. Throws forbidden.
   */
  async authorize(request: FastifyRequest, caller: Caller, attributes: ResourceAttributes): Promise<void> {
    if (await this.may(caller, attributes)) return;
    const { verb, namespace } = attributes;
    const what = pathOf(attributes);
    const error = new AmbientError('forbidden', `you may not ${verb} ${what} in this namespace`);
    this.#options.accesses.refused({
      door: 'rest',
      resource: what,
      actor: caller.name,
      details: { verb, namespace },
      error,
      traceId: exchangeOf(request).traceId,
    });
    throw error;
  }

  may(caller: Caller, attributes: ResourceAttributes): Promise<boolean> {
    return this.#options.access.allows(caller, attributes);
  }
}

const pathOf = ({ resource, subresource }: ResourceAttributes): string =>
  subresource === undefined ? resource : `${resource}/${subresource}`;
