/**
 * Raising the budget of a session that goes on: by who may approve it, never beyond what its namespace has free. What was raised is
 * told in status, and a session that is paused for want of money goes on.
 */
import { Compile } from 'typebox/compile';
import { BudgetRequest } from '../../common/api/live.ts';
import type { BudgetRaised } from '../../common/api/live.ts';
import { LIVE_API_VERSION, USER_MAX } from '../../common/api/names.ts';
import { isTerminal } from '../../common/api/session.ts';
import type { Session, SessionStatus } from '../../common/api/session.ts';
import { AmbientError } from '../../common/errors.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { isConflict, isNotFound } from '../../common/kube/errors.ts';
import { sessions } from '../../common/kube/resource.ts';
import { mayDecide } from '../../common/rules/approval.ts';
import type { Person } from '../../common/rules/approval.ts';
import { usd } from '../../common/rules/budget.ts';
import { formatMoney, minus, parseMoney, ZERO } from '../../common/rules/money.ts';
import type { Money } from '../../common/rules/money.ts';
import { sessionBudget } from '../../common/rules/session-budget.ts';
import type { AuditTrail } from '../record/audit.ts';
import { historyAppender } from '../record/history.ts';
import type { ArtifactStore } from '../store/store.ts';
import type { Policies } from './policies.ts';
import { problemsOf } from './validate.ts';

const validator = Compile(BudgetRequest);
/** Lost races with the controller's own patches before giving up. */
const ATTEMPTS = 8;

export interface BudgetRaisesOptions {
  client: KubeClient;
  store: ArtifactStore;
  policies: Pick<Policies, 'of' | 'object'>;
  audit: AuditTrail;
  now: () => Date;
}

export interface RaiseOptions {
  traceId: string;
  signal?: AbortSignal;
}

type Budget = NonNullable<SessionStatus['budget']>;

export class BudgetRaises {
  readonly #options: BudgetRaisesOptions;

  constructor(options: BudgetRaisesOptions) {
    this.#options = options;
  }

  /** Throws invalid_request, approval_forbidden, policy_violation, already_finished, not_found, conflict, audit_unavailable. */
  async raise(
    session: Session,
    person: Person,
    body: unknown,
    { traceId, signal }: RaiseOptions,
  ): Promise<BudgetRaised> {
    if (!validator.Check(body)) throw new AmbientError('invalid_request', problemsOf(validator, body));
    const { namespace = '', name, uid } = session.metadata;
    const record = (outcome: 'allowed' | 'denied' | 'failed', reason?: string): Promise<void> =>
      this.#options.audit.record({
        namespace,
        sessionId: name,
        ...(uid === undefined ? {} : { sessionUid: uid }),
        actor: person.name,
        action: 'update',
        resource: 'sessions/budget',
        outcome,
        details: { limit: body.limit, ...(reason === undefined ? {} : { reason }) },
        traceId,
      });
    const permission = mayDecide(session.spec, this.#options.policies.of(namespace), person);
    if (!permission.allowed) {
      await record('denied', permission.reason);
      throw new AmbientError('approval_forbidden', permission.message);
    }
    let current = session;
    for (let attempt = 1; ; attempt++) {
      const limit = this.#checked(current, parseMoney(body.limit) ?? ZERO);
      if (attempt === 1) await record('allowed');
      try {
        return await this.#write(current, limit, person.name.slice(0, USER_MAX), signal);
      } catch (error) {
        if (!isConflict(error) || attempt >= ATTEMPTS) {
          await record('failed');
          throw isNotFound(error) ? gone(name) : error;
        }
      }
      current = await this.#options.client.get(sessions, { namespace, name }, { signal });
      if (current.metadata.uid !== uid) throw gone(name);
    }
  }

  #checked(session: Session, limit: Money): Money {
    const { policies } = this.#options;
    const { namespace = '', name } = session.metadata;
    if (isTerminal(session.status?.phase) || session.status?.stop !== undefined)
      throw new AmbientError('already_finished', `session ${name} has ended, or is being stopped`);
    const policy = policies.of(namespace);
    const now = sessionBudget(session, policy);
    if (now === undefined) throw new AmbientError('conflict', `session ${name} has no limit`);
    if (limit <= now)
      throw new AmbientError('invalid_request', `the budget of session ${name} is ${usd(now)} already`);
    if (policy.budget === undefined) return limit;
    const usage = policies.object(namespace)?.status?.usage?.budget;
    const taken =
      (parseMoney(usage?.currentMonth ?? '') ?? ZERO) + (parseMoney(usage?.reserved ?? '') ?? ZERO);
    const free = minus(policy.budget.monthly, taken as Money);
    if (minus(limit, now) > free)
      throw new AmbientError(
        'policy_violation',
        `namespace ${namespace} has ${usd(free)} free this month, and that would take ${usd(minus(limit, now))} more`,
      );
    return limit;
  }

  async #write(
    session: Session,
    limit: Money,
    by: string,
    signal: AbortSignal | undefined,
  ): Promise<BudgetRaised> {
    const { client, store, now } = this.#options;
    const { namespace, name, uid, resourceVersion } = session.metadata;
    const budget: Budget = {
      limit: formatMoney(limit),
      by,
      at: `${now().toISOString().slice(0, 19)}Z`,
    };
    const entry = { timestamp: budget.at, event: 'BudgetRaised', actor: by, data: { limit: budget.limit } };
    const history = await historyAppender(store)(session, [entry]);
    await client.mergePatch(
      sessions,
      { namespace, name, subresource: 'status' },
      { metadata: { uid, resourceVersion }, status: { budget, history } },
      { signal },
    );
    return { kind: 'BudgetRaised', apiVersion: LIVE_API_VERSION, ...budget };
  }
}

const gone = (name: string): AmbientError => new AmbientError('not_found', `session ${name} is gone`);
