/**
 * Deliveries that were refused, on record: a stranger's in the operator's namespace, a tenant's in its own. Whoever reaches the
 * door can be refused as often as he likes, so that of many only some are told one by one, and the others are counted.
 */
import type { AmbientError } from '../../../common/errors.ts';
import type { Rate } from '../../../common/rules/gcra.ts';
import type { WebhookSource } from '../../../common/api/session.ts';
import type { AuditTrail } from '../../record/audit.ts';
import { senderOf } from './sender.ts';
import type { Tenant } from './keys.ts';
import { LocalBuckets } from './rate-limits.ts';

export interface RefusedDelivery {
  source: WebhookSource;
  tenant: Tenant | undefined;
  error: AmbientError;
  traceId: string;
}

export interface RefusalsOptions {
  audit: AuditTrail;
  operatorNamespace: string;
  now: () => number;
  onError: (error: unknown) => void;
}

const TOLD: Rate = { perMinute: 60, burst: 20 };
const ANONYMOUS = 'system:anonymous';

export class Refusals {
  readonly #options: RefusalsOptions;
  readonly #told: LocalBuckets;
  readonly #suppressed = new Map<string, number>();

  constructor(options: RefusalsOptions) {
    this.#options = options;
    this.#told = new LocalBuckets(options.now);
  }

  /** Never throws: he is refused in any case. */
  note({ source, tenant, error, traceId }: RefusedDelivery): void {
    const { audit, operatorNamespace, onError } = this.#options;
    const namespace = tenant?.namespace ?? operatorNamespace;
    const suppressed = this.#suppressed.get(namespace) ?? 0;
    if (this.#told.takeNow(namespace, TOLD) > 0) {
      this.#suppressed.set(namespace, suppressed + 1);
      return;
    }
    this.#suppressed.delete(namespace);
    audit
      .record({
        namespace,
        actor: tenant === undefined ? ANONYMOUS : senderOf(tenant),
        action: 'create',
        resource: 'sessions',
        outcome: error.status >= 500 ? 'failed' : 'denied',
        details: {
          door: 'webhooks',
          source,
          code: error.code,
          reason: error.message,
          ...(suppressed > 0 ? { suppressed } : {}),
        },
        traceId,
      })
      .catch(onError);
  }
}
