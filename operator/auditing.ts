/** The audit trail of this operator: what was published is compared with the store, and its own life is on record too. */
import type { Logger } from 'pino';
import type { AuditEvent } from '../common/api/audit.ts';
import { OPERATOR_ACTOR } from '../common/api/names.ts';
import { messageOf } from '../common/errors.ts';
import type { KubeClient } from '../common/kube/client.ts';
import type { Config } from './config.ts';
import { systemClock } from './controllers/clock.ts';
import type { OperatorMetrics } from './metrics.ts';
import { AuditHeads } from './record/audit/heads.ts';
import type { Lack } from './record/audit/survey.ts';
import { surveyHeads } from './record/audit/survey.ts';
import { restMark } from './record/audit/marks.ts';
import { auditedNamespaces } from './record/audit/segments.ts';
import { ChainedAudit } from './record/audit/trail.ts';
import { trimAudit } from './record/audit/trim.ts';
import type { ArtifactStore } from './store/store.ts';

export interface AuditingOptions {
  config: Config;
  client: KubeClient;
  store: ArtifactStore;
  meters: OperatorMetrics['audit'];
  log: Logger;
  /** Letters and digits that no other process has. */
  uniqueName: () => string;
}

/** How long ago an operator may have been killed before it had published what it wrote. */
const UNPUBLISHED_MS = 7 * 86_400_000;
const IDENTITY_MAX = 80;
/** As many as one record shall name. */
const LACKS_NAMED = 20;
const HEADS_NAMED = 100;
const CROWD_CHECK_MS = 3600_000;

export class Auditing implements AsyncDisposable {
  readonly trail: ChainedAudit;
  readonly heads: AuditHeads;
  readonly #options: AuditingOptions;
  readonly #closing = new AbortController();
  #surveying: Promise<void> | undefined;
  #later: Disposable | undefined;

  constructor(options: AuditingOptions) {
    const { config, client, store, meters, log, uniqueName } = options;
    this.#options = options;
    this.heads = new AuditHeads({ client, namespace: config.namespace, clock: systemClock, log });
    // A ConfigMap's key can hold it.
    const identity = config.identity.replace(/[^A-Za-z0-9-]/g, '-').slice(0, IDENTITY_MAX);
    this.trail = new ChainedAudit({
      store,
      writer: `${identity}.${uniqueName()}`,
      clock: systemClock,
      onFailure: config.auditFailure,
      board: this.heads,
      meters,
      onTrouble: (namespace, err) =>
        log.error({ err, namespace, then: config.auditFailure }, 'the audit trail cannot be written'),
    });
  }

  /** Knows afterwards what was published. Throws KubeError. */
  async start(): Promise<void> {
    await this.heads.start();
    this.#surveying = this.#survey().catch((err: unknown) => {
      if (!this.#closing.signal.aborted)
        this.#options.log.error({ err }, 'comparing published audit heads with the store failed');
    });
    this.note('create', 'operators', { identity: this.#options.config.identity });
  }

  /** Namespaces that have records, those that no longer exist included. Throws what the store throws. */
  namespaces(): Promise<string[]> {
    return auditedNamespaces(this.#options.store);
  }

  /** For retention.auditLogs: see trimAudit. */
  trim(namespace: string, before: Date): Promise<number> {
    const { store, config } = this.#options;
    const operatorNamespace = config.namespace;
    return trimAudit({ store, audit: this.trail, board: this.heads, operatorNamespace }, namespace, before);
  }

  /** Something about the operator itself, which happens whether it can be recorded or not. */
  note(action: AuditEvent['action'], resource: string, details: Record<string, unknown>): void {
    this.trail.record(this.#event(action, resource, 'allowed', details)).catch((err: unknown) => {
      this.#options.log.error({ reason: messageOf(err), resource }, 'recording about the operator failed');
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('the operator ends'));
    await this.#surveying;
    this.#later?.[Symbol.dispose]();
    if (this.#surveying !== undefined)
      this.note('delete', 'operators', { identity: this.#options.config.identity });
    await this.trail[Symbol.asyncDispose]();
    await this.heads[Symbol.asyncDispose]();
  }

  async #survey(): Promise<void> {
    const { store, meters } = this.#options;
    const since = new Date(systemClock.now() - UNPUBLISHED_MS);
    const { lacks, beyond } = await surveyHeads(store, this.heads.published, since, this.#closing.signal);
    for (const { namespace, ...head } of beyond)
      if (head.writer !== this.trail.writer) this.heads.moved(namespace, head);
    meters.missing(lacks.length);
    if (lacks.length > 0) await this.#tellLacks(lacks);
    await this.#keepCrowd();
  }

  /** Heads that the ConfigMap has no room for are kept in a record, on which a published head stands. */
  async #keepCrowd(): Promise<void> {
    const { namespace } = this.#options.config;
    const crowd = this.heads.crowd();
    for (let from = 0; from < crowd.length; from += HEADS_NAMED) {
      const heads = crowd.slice(from, from + HEADS_NAMED);
      await this.trail.mark(restMark(namespace, heads));
      for (const head of heads) this.heads.retire(head);
    }
    this.#later = systemClock.timer(CROWD_CHECK_MS, () => {
      this.#surveying = this.#keepCrowd().catch((err: unknown) => {
        this.#options.log.error({ err }, 'keeping audit heads that are too many failed');
      });
    });
  }

  async #tellLacks(lacks: readonly Lack[]): Promise<void> {
    const first = lacks.slice(0, LACKS_NAMED);
    this.#options.log.error(
      { count: lacks.length, lacks: first },
      'the store lacks audit records that were published: it is another store, or was changed',
    );
    await this.trail.record(
      this.#event('view', 'audit', 'failed', {
        mark: 'lack',
        count: lacks.length,
        lacks: first.map(({ namespace, writer, seq, what }) => `${namespace}/${writer} ${seq}: ${what}`),
      }),
    );
  }

  #event(
    action: AuditEvent['action'],
    resource: string,
    outcome: AuditEvent['outcome'],
    details: Record<string, unknown>,
  ): AuditEvent {
    const { namespace } = this.#options.config;
    return { namespace, actor: OPERATOR_ACTOR, action, resource, outcome, details };
  }
}
