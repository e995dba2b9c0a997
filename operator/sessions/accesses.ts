/** Accesses through the doors, on record: allowed ones before they happen, and those that a door refuses. */
import type { AuditEvent } from '../../common/api/audit.ts';
import type { Session } from '../../common/api/session.ts';
import { isAmbientError } from '../../common/errors.ts';
import type { AmbientError, ErrorCode } from '../../common/errors.ts';
import type { AuditTrail } from '../record/audit.ts';
import { sessionRecords } from '../record/audit/reader.ts';
import { refOf } from '../store/keys.ts';
import type { ArtifactStore } from '../store/store.ts';
import { RefusalCounts } from './refusal-counts.ts';
import type { RefusalClock } from './refusal-counts.ts';

export interface Access {
  /** What is accessed: one session, or the sessions of a namespace. */
  session: Session | { namespace: string };
  actor: string;
  action: AuditEvent['action'];
  /** Such as sessions/log. */
  resource: string;
  details?: Record<string, unknown>;
  traceId: string;
  /** Aborts when nobody waits for the answer any more or the door closes: what then breaks off is no failure. */
  signal: AbortSignal;
}

export interface Refused {
  door: 'live' | 'runners' | 'rest';
  resource: string;
  /** Where it is known who that is. */
  actor?: string;
  /** What was asked for. */
  details?: Record<string, unknown>;
  error: AmbientError;
  traceId: string;
}

/** The API server says that it is this pod. */
export interface RefusedPod extends Omit<Refused, 'actor'> {
  pod: { namespace: string; name: string; uid: string; serviceAccount: string };
  /** Whose pod it is, when it is one of ours. */
  session: Session | undefined;
}

export interface AccessesOptions {
  audit: AuditTrail;
  store: ArtifactStore;
  /** Where refusals of strangers are recorded, who could name any namespace. */
  operatorNamespace: string;
  clock: RefusalClock & {
    /** Milliseconds of a clock that never goes back. */
    elapsed(): number;
  };
  onError: (error: unknown) => void;
}

/** Who is not known. */
const ANONYMOUS = 'system:anonymous';
/** Refused by a rule, as opposed to broken. */
const DENIALS: readonly ErrorCode[] = [
  'forbidden',
  'unauthenticated',
  'policy_violation',
  'approval_forbidden',
  'already_finished',
  'unsafe_path',
];
/** Whoever reaches a door can be refused as often as he likes: so many at once, then one a second, others are counted. */
const REFUSALS_AT_ONCE = 20;
const REFUSAL_EVERY_MS = 1000;

export class Accesses implements Disposable {
  readonly #options: AccessesOptions;
  readonly #pods: RefusalCounts;
  #tokens = REFUSALS_AT_ONCE;
  #filledAt = 0;
  #suppressed = 0;

  constructor(options: AccessesOptions) {
    this.#options = options;
    this.#pods = new RefusalCounts(options.clock);
  }

  /**
   * Does the work once the access is recorded. Work that throws is recorded once more, as denied or failed.
   * Throws audit_unavailable, and what the work throws.
   */
  async of<T>(access: Access, work: () => Promise<T>): Promise<T> {
    const event = eventOf(access);
    await this.#options.audit.record(event);
    try {
      return await work();
    } catch (error) {
      if (!access.signal.aborted) this.#note({ ...event, ...failureOf(error, event.details) });
      throw error;
    }
  }

  /** Somebody was sent away before it was known what he may see. Never throws: he is sent away in any case. */
  refused({ door, resource, actor = ANONYMOUS, details, error, traceId }: Refused): void {
    if (!this.#takeToken()) {
      this.#suppressed++;
      return;
    }
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    this.#note({
      namespace: this.#options.operatorNamespace,
      actor,
      action: 'view',
      resource,
      outcome: 'denied',
      details: { ...details, ...whyOf(door, error), ...(suppressed > 0 ? { suppressed } : {}) },
      traceId,
    });
  }

  /** The same of a pod that is known: in its own namespace, and counted by itself, so that nobody hides behind the noise of others. */
  refusedPod({ pod, session, ...refused }: RefusedPod): void {
    const { door, resource, details, error, traceId } = refused;
    const { namespace, name, uid, serviceAccount } = pod;
    const isCounted = this.#pods.note([uid, door, resource, error.code].join(' '), (more) =>
      this.#note({
        ...(session === undefined ? { namespace } : subjectOf(session)),
        actor: `system:serviceaccount:${namespace}:${serviceAccount}`,
        action: 'view',
        resource,
        outcome: 'denied',
        details: { ...details, pod: name, ...whyOf(door, error), ...(more > 0 ? { more } : {}) },
        traceId,
      }),
    );
    if (!isCounted) this.refused({ ...refused, details: { ...details, namespace, pod: name } });
  }

  /** Tells what is counted and not told. */
  [Symbol.dispose](): void {
    this.#pods[Symbol.dispose]();
  }

  /** The records of a session as they are stored, oldest first. Throws what the store throws. */
  records(session: Session): AsyncGenerator<string, void, undefined> {
    const { name, creationTimestamp } = session.metadata;
    const since = new Date(creationTimestamp ?? 0);
    return sessionRecords(this.#options.store, { ...refOf(session), name, since });
  }

  #note(event: AuditEvent): void {
    this.#options.audit.record(event).catch(this.#options.onError);
  }

  #takeToken(): boolean {
    const now = this.#options.clock.elapsed();
    const filled = Math.floor((now - this.#filledAt) / REFUSAL_EVERY_MS);
    if (filled > 0) {
      this.#tokens = Math.min(REFUSALS_AT_ONCE, this.#tokens + filled);
      this.#filledAt = now;
    }
    if (this.#tokens === 0) return false;
    this.#tokens--;
    return true;
  }
}

const eventOf = ({ session, actor, action, resource, details, traceId }: Access): AuditEvent => ({
  ...subjectOf(session),
  actor,
  action,
  resource,
  outcome: 'allowed',
  ...(details === undefined ? {} : { details }),
  traceId,
});

function subjectOf(session: Access['session']): Pick<AuditEvent, 'namespace' | 'sessionId' | 'sessionUid'> {
  if ('namespace' in session) return { namespace: session.namespace };
  const { namespace = '', name, uid } = session.metadata;
  return { namespace, sessionId: name, ...(uid === undefined ? {} : { sessionUid: uid }) };
}

const whyOf = (door: Refused['door'], { code, message }: AmbientError): Record<string, unknown> => ({
  door,
  code,
  reason: message,
});

const failureOf = (
  error: unknown,
  details: Record<string, unknown> | undefined,
): Pick<AuditEvent, 'outcome' | 'details'> => ({
  outcome: isAmbientError(error, ...DENIALS) ? 'denied' : 'failed',
  details: { ...details, code: isAmbientError(error) ? error.code : 'internal' },
});
