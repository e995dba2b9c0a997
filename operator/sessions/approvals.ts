/** Saying yes or no to a session that waits for it: who may, what is written down, and that the first word stands. */
import { Compile } from 'typebox/compile';
import { ApproveRequest, RejectRequest } from '../../common/api/live.ts';
import type { ApprovalDecision } from '../../common/api/live.ts';
import { LIVE_API_VERSION, USER_MAX } from '../../common/api/names.ts';
import { isTerminal } from '../../common/api/session.ts';
import type { Session } from '../../common/api/session.ts';
import { AmbientError } from '../../common/errors.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { isConflict, isNotFound } from '../../common/kube/errors.ts';
import { sessions } from '../../common/kube/resource.ts';
import { approvalNeed, decisionCondition, decisionMessage, mayDecide } from '../../common/rules/approval.ts';
import type { Decision, Person } from '../../common/rules/approval.ts';
import { isTrue, setCondition } from '../../common/rules/conditions.ts';
import { oneLine } from '../../common/rules/wording.ts';
import type { AuditTrail } from '../record/audit.ts';
import { historyAppender } from '../record/history.ts';
import type { ArtifactStore } from '../store/store.ts';
import type { Policies } from './policies.ts';
import { problemsOf } from './validate.ts';

const validators = { Approved: Compile(ApproveRequest), Rejected: Compile(RejectRequest) };
/** Lost races with the controller's own patches before giving up. */
const ATTEMPTS = 8;

export interface ApprovalsOptions {
  client: KubeClient;
  store: ArtifactStore;
  policies: Pick<Policies, 'of'>;
  audit: AuditTrail;
  /** The user that the operator itself is. */
  operatorUser: string;
  now: () => Date;
}

/** One request to decide. */
interface Call {
  decision: Decision['decision'];
  person: Person;
  reason: string | undefined;
  traceId: string;
  signal: AbortSignal | undefined;
}

export interface DecideOptions {
  traceId: string;
  signal?: AbortSignal;
}

export class Approvals {
  readonly #options: ApprovalsOptions;

  constructor(options: ApprovalsOptions) {
    this.#options = options;
  }

  /**
   * Writes the decision and answers with the one that stands: the same one by the same person again changes nothing. Throws
   * invalid_request, approval_forbidden, already_finished, not_found, audit_unavailable, and conflict for a session that was
   * decided about, waits for nobody or changes all the time.
   */
  async decide(
    session: Session,
    decision: Decision['decision'],
    person: Person,
    body: unknown,
    { traceId, signal }: DecideOptions,
  ): Promise<ApprovalDecision> {
    const validator = validators[decision];
    if (!validator.Check(body)) throw new AmbientError('invalid_request', problemsOf(validator, body));
    const { reason } = body;
    const call: Call = { decision, person, reason: reason?.trim() || undefined, traceId, signal };
    const { namespace = '', name, uid } = session.metadata;
    let current = session;
    let isRecorded = false;
    for (let attempt = 1; ; attempt++) {
      try {
        if (attempt > 1) {
          current = await this.#options.client.get(sessions, { namespace, name }, { signal });
          if (current.metadata.uid !== uid) throw gone(name);
        }
        const standing = this.#standing(current, call);
        if (standing !== undefined) return answer(standing);
        await this.#permit(current, call);
        // What was recorded and then comes to nothing is recorded as failed below.
        if (!isRecorded) await this.#record(current, call, 'allowed');
        isRecorded = true;
        return await this.#write(current, call);
      } catch (error) {
        if (!isConflict(error) || attempt >= ATTEMPTS) {
          if (isRecorded) await this.#record(current, call, 'failed');
          throw isNotFound(error) ? gone(name) : error;
        }
      }
    }
  }

  /** The same decision by the same person. Throws when there is nothing to decide. */
  #standing(session: Session, { decision, person }: Call): Decision | undefined {
    const { metadata, spec, status } = session;
    const standing = status?.approval;
    if (standing !== undefined) {
      if (standing.decision === decision && standing.by === nameOf(person)) return standing;
      throw new AmbientError(
        'conflict',
        `session ${metadata.name} was ${standing.decision === 'Approved' ? 'approved' : 'rejected'} by ${oneLine(standing.by)} at ${standing.at}; the first decision stands`,
      );
    }
    if (isTerminal(status?.phase))
      throw new AmbientError('already_finished', `session ${metadata.name} is ${status?.phase}`);
    if (status?.stop !== undefined)
      throw new AmbientError('already_finished', `session ${metadata.name} is being stopped`);
    const { policies, operatorUser } = this.#options;
    const need = approvalNeed(spec, policies.of(metadata.namespace ?? ''), operatorUser);
    if (
      need.kind !== 'approver' ||
      status?.phase === 'Running' ||
      isTrue(status?.conditions, 'WorkloadCreated')
    )
      throw new AmbientError('conflict', `session ${metadata.name} waits for no approval`);
    return undefined;
  }

  async #permit(session: Session, call: Call): Promise<void> {
    const policy = this.#options.policies.of(session.metadata.namespace ?? '');
    const permission = mayDecide(session.spec, policy, call.person);
    if (permission.allowed) return;
    await this.#record(session, call, 'denied', permission.reason);
    throw new AmbientError('approval_forbidden', permission.message);
  }

  async #write(session: Session, { decision, person, reason, signal }: Call): Promise<ApprovalDecision> {
    const { client, store, now } = this.#options;
    const { namespace, name, uid, resourceVersion, generation } = session.metadata;
    const at = `${now().toISOString().slice(0, 19)}Z`;
    const by = nameOf(person);
    const approval: Decision = { decision, by, at, ...(reason === undefined ? {} : { reason }) };
    const entry = {
      timestamp: at,
      event: decision,
      actor: by,
      ...(reason === undefined ? {} : { data: { reason } }),
    };
    const history = await historyAppender(store)(session, [entry]);
    const conditions = setCondition(session.status?.conditions, decisionCondition(approval), {
      now: at,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    });
    await client.mergePatch(
      sessions,
      { namespace, name, subresource: 'status' },
      // With the version it was computed from: a lost race is a conflict, never a lost entry.
      {
        metadata: { uid, resourceVersion },
        status: { approval, conditions, history, message: decisionMessage(approval) },
      },
      { signal },
    );
    return answer(approval);
  }

  async #record(
    { metadata }: Session,
    { decision, person, reason, traceId }: Call,
    outcome: 'allowed' | 'denied' | 'failed',
    why?: string,
  ): Promise<void> {
    const { namespace = '', name, uid } = metadata;
    await this.#options.audit.record({
      namespace,
      sessionId: name,
      ...(uid === undefined ? {} : { sessionUid: uid }),
      actor: nameOf(person),
      action: 'update',
      resource: decision === 'Approved' ? 'sessions/approve' : 'sessions/reject',
      outcome,
      details: {
        ...(reason === undefined ? {} : { reason }),
        ...(why === undefined ? {} : { refused: why }),
      },
      traceId,
    });
  }
}

const nameOf = ({ name }: Person): string => name.slice(0, USER_MAX);

const gone = (name: string): AmbientError => new AmbientError('not_found', `session ${name} is gone`);

const answer = ({ decision, by, at, reason }: Decision): ApprovalDecision => ({
  kind: 'ApprovalDecision',
  apiVersion: LIVE_API_VERSION,
  decision,
  by,
  at,
  ...(reason === undefined ? {} : { reason }),
});
