/**
 * A call for which a session's budget has no room. As the namespace's policy says, the session is stopped, or the call is held until
 * somebody raises the budget or stops the session. Clients do not wait for ever: after some minutes the call is answered as a rate
 * limit is, and they ask again.
 */
import { DEFAULT_TIMEOUT_SECONDS } from '../../../common/api/session.ts';
import type { Session } from '../../../common/api/session.ts';
import { AmbientError } from '../../../common/errors.ts';
import { usd } from '../../../common/rules/budget.ts';
import { sessionBudget } from '../../../common/rules/session-budget.ts';
import type { SessionLookup } from '../lookup.ts';
import type { Policies } from '../policies.ts';
import { isPaused } from './budget-states.ts';
import type { BudgetStates } from './budget-states.ts';
import { currentOf } from './liveness.ts';
import type { Shortage } from './reservations.ts';

export interface ShortagesOptions {
  states: BudgetStates;
  sessions: Pick<SessionLookup, 'get'>;
  policies: Pick<Policies, 'of'>;
  clock: { elapsed(): number; timer(delayMs: number, fire: () => void): Disposable };
  onError: (error: unknown, session: Session) => void;
  /** How long a call is held. */
  holdMs?: number;
}

/** Less than clients wait for the first byte of a stream. */
const HOLD_MS = 240_000;
/** Looking costs nothing: all that is asked is in memory. */
const LOOK_MS = 500;
const RETRY_AFTER_SECONDS = 15;

export class Shortages {
  readonly #options: ShortagesOptions;

  constructor(options: ShortagesOptions) {
    this.#options = options;
  }

  /** Resolves when the budget has changed. Throws budget_exceeded, rate_limit_exceeded, the signal's reason. */
  async meet(session: Session, shortage: Shortage & { model: string }, signal: AbortSignal): Promise<void> {
    const { policies, states } = this.#options;
    const { spent, limit, most, model } = shortage;
    const { namespace = '' } = session.metadata;
    const facts = { budget: 'session', spent: usd(spent), limit: usd(limit), next: usd(most), model };
    const reason = `The session has spent ${usd(spent)} of its budget of ${usd(limit)}, and its next call to ${model} may cost up to ${usd(most)}.`;
    if (policies.of(namespace).gateway.whenSpent === 'stop') {
      await states.stop(this.#current(session), reason, facts);
      throw new AmbientError('budget_exceeded', reason);
    }
    const current = this.#current(session);
    await states.pause(current, `Paused: ${reason} ${whatNow(current)}`, facts);
    await this.#raised(session, shortage, signal);
  }

  /** A call that may be made does not wait for what people are told. */
  mended(session: Session): void {
    const current = this.#current(session);
    if (!isPaused(current)) return;
    this.#options.states.resume(current).catch((error: unknown) => this.#options.onError(error, session));
  }

  #current(session: Session): Session {
    return currentOf(this.#options.sessions, session);
  }

  async #raised(session: Session, { limit }: Shortage, signal: AbortSignal): Promise<void> {
    const { clock, policies, holdMs = HOLD_MS } = this.#options;
    const { namespace = '' } = session.metadata;
    const until = clock.elapsed() + holdMs;
    for (;;) {
      signal.throwIfAborted();
      const now = sessionBudget(this.#current(session), policies.of(namespace));
      if (now === undefined || now > limit) return;
      if (clock.elapsed() >= until)
        throw new AmbientError(
          'rate_limit_exceeded',
          'The budget of this session is spent, and nobody has raised it yet.',
          { details: { retryAfterSeconds: RETRY_AFTER_SECONDS } },
        );
      await wake(clock, LOOK_MS, signal);
    }
  }
}

/** Its time goes on meanwhile: Kubernetes lets nobody give a pod more of it. */
function whatNow({ spec, status }: Session): string {
  const { timeoutSeconds = DEFAULT_TIMEOUT_SECONDS } = spec.limits ?? {};
  const end = Date.parse(status?.workload?.startTime ?? '') + timeoutSeconds * 1000;
  if (Number.isNaN(end)) return 'Raise its budget, or stop it.';
  const [day, time = ''] = new Date(end).toISOString().split('T');
  return `Raise its budget, or stop it; its time limit ends it on ${day} at ${time.slice(0, 5)} UTC.`;
}

async function wake(clock: ShortagesOptions['clock'], delayMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  using _timer = clock.timer(delayMs, resolve);
  const wakeUp = (): void => resolve();
  signal.addEventListener('abort', wakeUp);
  await promise;
  signal.removeEventListener('abort', wakeUp);
}
