/**
 * Retention of audit records, namespace by namespace: also of those that are gone, for which the default period holds. Only
 * whole segments go, and each trim is on record itself (operator/record/audit/trim.ts).
 */
import type { Logger } from 'pino';
import { beginOf, parsePeriod } from '../../../common/rules/retention.ts';
import type { Policies } from '../../sessions/policies.ts';
import type { Clock } from '../clock.ts';
import { Sweep } from '../sweep.ts';
import { SettledTime } from './settled-time.ts';

/** What is kept for years need not go to the minute. */
const SWEEP_MS = 3600_000;

export interface AuditRetentionOptions {
  auditing: {
    /** Namespaces that have records. */
    namespaces(): Promise<string[]>;
    /** Removes what is older; how many segments those were. */
    trim(namespace: string, before: Date): Promise<number>;
  };
  policies: Pick<Policies, 'of'>;
  clock: Clock;
  random: () => number;
  log: Logger;
}

export class AuditRetention {
  readonly #options: AuditRetentionOptions;
  readonly #time: SettledTime;
  readonly #sweeping: Sweep;

  constructor(options: AuditRetentionOptions) {
    this.#options = options;
    const { clock, random, log } = options;
    this.#time = new SettledTime(clock);
    this.#sweeping = new Sweep({
      what: 'retention of audit records',
      everyMs: SWEEP_MS,
      work: (signal) => this.#sweep(signal),
      ...{ clock, random, log },
    });
  }

  /** Call when the policies are known. */
  start(): void {
    this.#sweeping.start();
  }

  async close(drainMs: number): Promise<void> {
    await this.#sweeping.close(drainMs);
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const { auditing, policies, log } = this.#options;
    for (const namespace of await auditing.namespaces()) {
      signal.throwIfAborted();
      const period = parsePeriod(policies.of(namespace).retention.auditLogs);
      // What cannot be understood is kept.
      if (period === undefined) continue;
      const before = beginOf(period, this.#time.now());
      if (!Number.isFinite(before)) continue;
      const segments = await auditing.trim(namespace, new Date(before));
      if (segments > 0) log.info({ namespace, segments }, 'removed audit records whose time was over');
    }
  }
}
