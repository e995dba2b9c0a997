/**
 * Calls that were refused: answered as the provider itself would say no, and on record in the tenant's namespace. An agent can be
 * refused as often as it likes, so that of many only some are told one by one, and the others are counted.
 */
import type { ModelProvider } from '../../../common/api/models.ts';
import type { Session } from '../../../common/api/session.ts';
import { BoundedMap } from '../../../common/bounded-map.ts';
import type { AmbientError, ErrorCode } from '../../../common/errors.ts';
import type { Rate } from '../../../common/rules/gcra.ts';
import { refusalBody } from '../../../common/rules/models/refusal.ts';
import type { Refusal } from '../../../common/rules/models/refusal.ts';
import { shorten } from '../../../common/rules/conditions.ts';
import { oneLine } from '../../../common/rules/wording.ts';
import type { AuditTrail } from '../../record/audit.ts';
import { LocalBuckets } from '../webhooks/rate-limits.ts';

export interface RefusedCall {
  session: Session;
  provider: ModelProvider;
  model: string | undefined;
  error: AmbientError;
  traceId: string;
}

export interface ModelRefusalsOptions {
  audit: AuditTrail;
  now: () => number;
  onError: (error: unknown) => void;
}

const TOLD: Rate = { perMinute: 60, burst: 20 };
/** Decisions of a policy or about money; everything else is no decision, but trouble. */
const DECISIONS: ReadonlySet<ErrorCode> = new Set([
  'policy_violation',
  'forbidden',
  'budget_exceeded',
  'already_finished',
]);
const MODEL_SHOWN = 128;
/** Sessions whose untold refusals are counted: of those that are long over nobody asks any more. */
const COUNTED_MAX = 1000;

export class ModelRefusals {
  readonly #options: ModelRefusalsOptions;
  readonly #told: LocalBuckets;
  readonly #suppressed = new BoundedMap<string, number>(COUNTED_MAX);

  constructor(options: ModelRefusalsOptions) {
    this.#options = options;
    this.#told = new LocalBuckets(options.now);
  }

  /** Never throws: it is refused in any case. */
  note({ session, provider, model, error, traceId }: RefusedCall): void {
    if (!DECISIONS.has(error.code)) return;
    const { namespace = '', name, uid = '' } = session.metadata;
    const suppressed = this.#suppressed.get(uid) ?? 0;
    if (this.#told.takeNow(uid, TOLD) > 0) {
      this.#suppressed.set(uid, suppressed + 1);
      return;
    }
    this.#suppressed.delete(uid);
    const { audit, onError } = this.#options;
    audit
      .record({
        namespace,
        sessionId: name,
        sessionUid: uid,
        actor: `session:${name}`,
        action: 'create',
        resource: 'models',
        outcome: 'denied',
        details: {
          door: 'models',
          provider,
          ...(model === undefined ? {} : { model: shorten(oneLine(model), MODEL_SHOWN) }),
          code: error.code,
          reason: error.message,
          ...(suppressed > 0 ? { suppressed } : {}),
        },
        traceId,
      })
      .catch(onError);
  }
}

/** In the provider's own words. */
export function answerOf(
  provider: ModelProvider,
  error: AmbientError,
  traceId: string,
): { status: number; headers: Record<string, string>; body: object } {
  const status = statusOf(error);
  const retryAfter = error.details['retryAfterSeconds'];
  return {
    status,
    headers: {
      ...(typeof retryAfter === 'number' ? { 'retry-after': String(retryAfter) } : {}),
      // The libraries of the providers ask this before they guess from the status.
      'x-should-retry': String([429, 502, 503, 504].includes(status)),
    },
    body: refusalBody(provider, { status, message: error.message }, error.code, traceId),
  };
}

/** That a session has ended is final: as a conflict, clients would try again. */
function statusOf(error: AmbientError): Refusal['status'] {
  if (error.code === 'already_finished') return 403;
  // What may be spent cannot be stored; later perhaps.
  if (error.code === 'storage_full') return 503;
  const { status } = error;
  return STATUSES.find((each) => each === status) ?? 500;
}

const STATUSES: readonly Refusal['status'][] = [400, 401, 403, 404, 405, 413, 415, 429, 500, 502, 503, 504];
