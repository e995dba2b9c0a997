/** The only writer of the operator's view of a session: one conditional patch of status per look, none when nothing changed. */
import type { HistoryEntry, Session, SessionStatus } from '../../../common/api/session.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import type { AuditEvent } from '../../../common/api/audit.ts';
import type { AuditTrail } from '../../record/audit.ts';
import { isConflict, isNotFound } from '../../../common/kube/errors.ts';
import { mergePatchOf } from '../../../common/kube/patch.ts';
import { sessions } from '../../../common/kube/resource.ts';
import { timestamp } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { isTerminal } from '../../../common/api/session.ts';
import { messageOf } from '../../../common/errors.ts';
import { changeRecord } from './change-record.ts';
import { isPassing, whyNothingGoesOn } from './trouble.ts';
import { isOlder } from '../resource-version.ts';
import type { Draft, DraftEntry } from './draft.ts';
import type { Memory } from './memory.ts';

/** Gives back the history with the entries appended, having archived what no longer fits into the object. */
export type AppendHistory = (
  session: Session,
  entries: readonly (DraftEntry & { timestamp: string })[],
) => Promise<HistoryEntry[]>;

export interface CommitterOptions {
  client: KubeClient;
  memory: Memory;
  clock: Clock;
  append: AppendHistory;
  audit: AuditTrail;
}

export type Committed = 'written' | 'unchanged' | 'conflict' | 'gone';

export class Committer {
  readonly #client: KubeClient;
  readonly #memory: Memory;
  readonly #clock: Clock;
  readonly #append: AppendHistory;
  readonly #audit: AuditTrail;

  constructor(options: CommitterOptions) {
    this.#audit = options.audit;
    this.#client = options.client;
    this.#memory = options.memory;
    this.#clock = options.clock;
    this.#append = options.append;
  }

  /** Whether the object is older than what this process wrote itself: acting on it would repeat what is done. */
  isStale({ metadata }: Session): boolean {
    return isOlder(metadata.resourceVersion, this.#memory.of(metadata.uid ?? '').writtenVersion);
  }

  /**
   * What is decided is on record before it is written. Throws audit_unavailable, and KubeError for anything but success, a
   * lost race and an object that is gone.
   */
  async commit(session: Session, draft: Draft, signal: AbortSignal): Promise<Committed> {
    const status: SessionStatus = { ...draft.status };
    if (draft.entries.length > 0) {
      const now = timestamp(this.#clock.now());
      status.history = await this.#append(
        session,
        draft.entries.map((entry) => ({ ...entry, timestamp: now })),
      );
    }
    const patch = mergePatchOf(session.status ?? {}, status);
    if (patch === undefined) return 'unchanged';

    const { name, namespace = '', uid = '', resourceVersion } = session.metadata;
    const change = changeRecord(session, status, draft.entries);
    // Whoever waits for a session waits for its Job, which is recorded by itself.
    if (change !== undefined) await this.#audit.record(change, { isPatient: true });
    try {
      const written = await this.#client.mergePatch(
        sessions,
        { namespace, name, subresource: 'status' },
        { metadata: { uid, resourceVersion }, status: patch },
        { signal, answer: 'metadata' },
      );
      this.#memory.note(uid, { writtenVersion: written.metadata.resourceVersion ?? '' });
      return 'written';
    } catch (error) {
      if (change !== undefined) await this.#undone(change, error);
      if (isConflict(error)) return 'conflict';
      if (isNotFound(error)) return 'gone';
      throw error;
    }
  }

  /** The one thing that is written without a record: why nothing goes on. Failing to tell it is no failure. */
  async tellWhy(session: Session, error: unknown, signal: AbortSignal): Promise<void> {
    const message = whyNothingGoesOn(error);
    const { name, namespace = '', uid = '' } = session.metadata;
    // Told once: the same trouble may have other words each time.
    if (message === undefined || isPassing(session.status?.message) || isTerminal(session.status?.phase))
      return;
    const told = { metadata: { uid }, status: { message } };
    const at = { namespace, name, subresource: 'status' } as const;
    await this.#client.mergePatch(sessions, at, told, { signal, answer: 'metadata' }).catch(() => undefined);
  }

  /** It was recorded, and did not come about: looked at again, it may come out differently. */
  async #undone(change: AuditEvent, error: unknown): Promise<void> {
    const details = { ...change.details, reason: isConflict(error) ? 'Conflict' : messageOf(error) };
    await this.#audit.record({ ...change, outcome: 'failed', details }).catch(() => undefined);
  }
}
