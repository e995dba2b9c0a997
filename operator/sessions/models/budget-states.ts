/**
 * What a budget without room does to a session: it is told to stop, as the controllers do when one is spent, or it is paused until
 * there is more. On record before it takes effect, and the same whichever replica decides it.
 */
import type { Condition } from '../../../common/api/kubernetes.ts';
import { OPERATOR_ACTOR } from '../../../common/api/names.ts';
import { DEFAULT_GRACE_SECONDS, isTerminal } from '../../../common/api/session.ts';
import type { Session, SessionConditionType, SessionStatus } from '../../../common/api/session.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import { isConflict, isNotFound } from '../../../common/kube/errors.ts';
import { sessions } from '../../../common/kube/resource.ts';
import { isTrue, setCondition } from '../../../common/rules/conditions.ts';
import type { ConditionChange } from '../../../common/rules/conditions.ts';
import { stopping } from '../../../common/rules/outcome.ts';
import type { AuditTrail } from '../../record/audit.ts';
import { historyAppender } from '../../record/history.ts';
import type { ArtifactStore } from '../../store/store.ts';

export interface BudgetStatesOptions {
  client: KubeClient;
  store: ArtifactStore;
  audit: AuditTrail;
  now: () => Date;
  /** A session was told to stop by this replica. */
  onStopped: () => void;
}

/** Facts for history and audit: amounts as people read them. */
export type BudgetFacts = Record<string, string>;

interface Change {
  event: string;
  data: BudgetFacts;
  condition: ConditionChange<SessionConditionType>;
  /** Beside condition and history. */
  status: Partial<SessionStatus>;
}

const ATTEMPTS = 8;
const PAUSED = 'BudgetPaused';

/** A call of it waits for money. */
export const isPaused = ({ status }: Session): boolean => isTrue(status?.conditions, PAUSED);

export class BudgetStates {
  readonly #options: BudgetStatesOptions;
  /** By session and kind: calls that meet the same shortage tell it once. */
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(options: BudgetStatesOptions) {
    this.#options = options;
  }

  /** Resolves when the wish stands, whoever had it. */
  async stop(session: Session, reason: string, facts: BudgetFacts): Promise<void> {
    await this.#once('stop', session, ({ spec, status }) => {
      if (status?.stop !== undefined) return undefined;
      const stop = {
        requestedAt: this.#timestamp(),
        requestedBy: OPERATOR_ACTOR,
        reason,
        gracePeriodSeconds: spec.limits?.gracePeriodSeconds ?? DEFAULT_GRACE_SECONDS,
      };
      return {
        event: 'BudgetExceeded',
        data: facts,
        condition: {
          type: 'BudgetExceeded',
          status: 'True',
          reason: 'BudgetExceeded',
          message: reason,
        },
        status: { stop, message: stopping({ ...stop, isBudget: true }) },
      };
    });
  }

  async pause(session: Session, reason: string, facts: BudgetFacts): Promise<void> {
    await this.#once('pause', session, (current) =>
      isPaused(current)
        ? undefined
        : {
            event: PAUSED,
            data: facts,
            condition: { type: PAUSED, status: 'True', reason: 'AwaitingBudget', message: reason },
            status: {},
          },
    );
  }

  async resume(session: Session): Promise<void> {
    await this.#once('resume', session, (current) =>
      isPaused(current)
        ? {
            event: 'BudgetResumed',
            data: {},
            condition: {
              type: PAUSED,
              status: 'False',
              reason: 'BudgetRaised',
              message: 'There is budget for its calls to models again.',
            },
            status: {},
          }
        : undefined,
    );
  }

  async #once(
    kind: string,
    session: Session,
    changeOf: (current: Session) => Change | undefined,
  ): Promise<void> {
    const id = `${session.metadata.uid} ${kind}`;
    const standing = this.#underWay.get(id);
    if (standing !== undefined) return await standing;
    const change = this.#change(session, changeOf).finally(() => this.#underWay.delete(id));
    this.#underWay.set(id, change);
    await change;
  }

  async #change(session: Session, changeOf: (current: Session) => Change | undefined): Promise<void> {
    const { client, store } = this.#options;
    const { namespace, name, uid } = session.metadata;
    let current = session;
    for (let attempt = 1; ; attempt++) {
      if (current.metadata.uid !== uid || isTerminal(current.status?.phase)) return;
      const change = changeOf(current);
      if (change === undefined) return;
      if (attempt === 1) await this.#record(current, change);
      const at = { now: this.#timestamp() };
      const conditions = setCondition(
        current.status?.conditions as Condition<SessionConditionType>[] | undefined,
        change.condition,
        at,
      );
      const entry = { timestamp: at.now, event: change.event, actor: OPERATOR_ACTOR, data: change.data };
      const history = await historyAppender(store)(current, [entry]);
      try {
        await client.mergePatch(
          sessions,
          { namespace, name, subresource: 'status' },
          {
            metadata: { uid, resourceVersion: current.metadata.resourceVersion },
            status: { ...change.status, conditions, history },
          },
          { answer: 'metadata' },
        );
        if (change.status.stop !== undefined) this.#options.onStopped();
        return;
      } catch (error) {
        if (isNotFound(error)) return;
        if (!isConflict(error) || attempt >= ATTEMPTS) throw error;
      }
      const fresh = await client.get(sessions, { namespace, name }).catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
      if (fresh === undefined) return;
      current = fresh;
    }
  }

  async #record(session: Session, { event, data }: Change): Promise<void> {
    const { namespace = '', name, uid } = session.metadata;
    await this.#options.audit.record({
      namespace,
      sessionId: name,
      ...(uid === undefined ? {} : { sessionUid: uid }),
      actor: OPERATOR_ACTOR,
      action: 'update',
      resource: event === 'BudgetExceeded' ? 'sessions/stop' : 'sessions/status',
      outcome: 'allowed',
      details: { reason: event, ...data },
    });
  }

  #timestamp(): string {
    return `${this.#options.now().toISOString().slice(0, 19)}Z`;
  }
}
