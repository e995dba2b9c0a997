/**
 * Room for a call in its session's budget, from before it is passed on until what it has cost is stored: held against the other
 * calls of this process, stored so that no crash loses it, and looked at beside what other replicas have stored.
 */
import type { Logger } from 'pino';
import type { Session } from '../../../common/api/session.ts';
import { sum, ZERO } from '../../../common/rules/money.ts';
import type { Money } from '../../../common/rules/money.ts';
import { sessionBudget } from '../../../common/rules/session-budget.ts';
import type { Costs } from '../costs.ts';
import type { SessionLookup } from '../lookup.ts';
import type { Policies } from '../policies.ts';
import type { ModelCharges } from './charges.ts';
import { currentOf } from './liveness.ts';
import type { Reservations, Stored } from './reservations.ts';
import type { Shortages } from './shortages.ts';

export interface HoldsOptions {
  sessions: Pick<SessionLookup, 'get'>;
  policies: Pick<Policies, 'of'>;
  costs: Pick<Costs, 'standing'>;
  reservations: Reservations;
  charges: ModelCharges;
  shortages: Pick<Shortages, 'meet' | 'mended'>;
  log: Logger;
}

export interface HeldCall {
  /** What the call has cost; to be called once. Nobody may plan with the rest until that is stored. */
  settle(amount: Money): void;
}

export interface CallNeed {
  model: string;
  most: Money;
  /** Throws when it may not be made any more; asked before each attempt. */
  assert: () => void;
  signal: AbortSignal;
}

export class Holds {
  readonly #options: HoldsOptions;

  constructor(options: HoldsOptions) {
    this.#options = options;
  }

  /** Throws budget_exceeded, rate_limit_exceeded, what `assert` and the store throw, and the signal's reason. */
  async hold(session: Session, { model, most, assert, signal }: CallNeed): Promise<HeldCall> {
    const { sessions, policies, reservations, charges, shortages } = this.#options;
    const { namespace = '', uid = '' } = session.metadata;
    const need = {
      uid,
      most,
      limit: (): Money | undefined => sessionBudget(currentOf(sessions, session), policies.of(namespace)),
      stored: (isFresh: boolean) => this.#stored(session, isFresh),
      signal,
    };
    for (let isFresh = false; ; isFresh = true) {
      assert();
      const got = await reservations.reserve(need, { isFresh });
      if (got.kind === 'short') {
        await shortages.meet(session, { ...got, model }, signal);
        continue;
      }
      const call = await charges.open(session, model, most).catch((error: unknown) => {
        got.release();
        throw error;
      });
      const settle = (amount: Money): Promise<void> => call.settle(amount).finally(got.release);
      const fits = await reservations.fits(need).catch((error: unknown) => {
        this.#settled(session, settle(ZERO));
        throw error;
      });
      if (fits) {
        shortages.mended(session);
        return { settle: (amount) => this.#settled(session, settle(amount)) };
      }
      // Another replica was first: until it gives back, what is remembered here would lead astray again.
      await settle(ZERO);
    }
  }

  async #stored(session: Session, isFresh: boolean): Promise<Stored> {
    const { costs, charges } = this.#options;
    const { spent, open } = await costs.standing(session, { isFresh });
    const others = [...open].filter(([source]) => !charges.isOwn(source));
    return { spent, elsewhere: sum(others.map(([, most]) => most)) };
  }

  #settled({ metadata: { namespace, name } }: Session, settling: Promise<void>): void {
    settling.catch((err: unknown) =>
      this.#options.log.error({ err, namespace, session: name }, 'a charge is lost'),
    );
  }
}
