/**
 * What a delivery leads to: sessions, each once, or nothing with the reasons. Names are derived from the delivery, and the API
 * server alone decides whether one is new: that holds over replicas, restarts and however many redeliveries at once.
 */
import { randomUUID } from 'node:crypto';
import { Compile } from 'typebox/compile';
import type { Framework } from '../../../common/api/framework.ts';
import { API_VERSION } from '../../../common/api/names.ts';
import { DEFAULT_SESSION_BUDGET } from '../../../common/api/namespace-policy.ts';
import { isTerminal, SessionSpec } from '../../../common/api/session.ts';
import type { Session } from '../../../common/api/session.ts';
import { AmbientError, isAmbientError } from '../../../common/errors.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import { isAlreadyExists, isNotFound, KubeError } from '../../../common/kube/errors.ts';
import type { ObjectStore } from '../../../common/kube/object-store.ts';
import { sessions } from '../../../common/kube/resource.ts';
import { admit } from '../../../common/rules/admission.ts';
import { formatMoney, parseMoney, sum, ZERO } from '../../../common/rules/money.ts';
import type { Violation } from '../../../common/rules/policy/violation.ts';
import type { Headers } from '../../../common/rules/webhooks/delivery.ts';
import { excerptOf } from '../../../common/rules/webhooks/excerpt.ts';
import type { AuditTrail } from '../../record/audit.ts';
import type { Policies } from '../policies.ts';
import { derivedUuid } from '../derived-uuid.ts';
import { judge, violated, violationDetails } from '../judgement.ts';
import { problemsOf } from '../validate.ts';
import type { Tenant } from './keys.ts';
import { outlookOf } from './outlook.ts';
import type { Outlook } from './outlook.ts';
import { PAYLOAD_ARTIFACT } from './payloads.ts';
import type { Payload, Payloads } from './payloads.ts';
import { directPlan } from './plan.ts';
import type { Plan, PlannedSession, Planner } from './plan.ts';
import { senderOf } from './sender.ts';

export interface Delivery {
  tenant: Tenant;
  event: string | undefined;
  /** By which its source would send it again; undefined where it has none. */
  id: string | undefined;
  headers: Headers;
  payload: unknown;
  /** The sender may say itself what to start. */
  mayAsk: boolean;
  traceId: string;
  signal: AbortSignal;
}

export interface Started extends Outlook {
  sessionId: string;
  /** Name of the rule; '' for what the sender asked for. */
  trigger: string;
  /** It was there already. */
  isRepeated: boolean;
}

export interface Refusal {
  trigger: string;
  violations: Violation[];
}

export type Outcome =
  | { kind: 'started'; sessions: [Started, ...Started[]]; refused: Refusal[] }
  | { kind: 'ignored'; reasons: string[] };

export interface ForecastSession {
  /** As in `Started`. */
  trigger: string;
  framework: string;
  /** What is held for it, USD. */
  estimatedCost: string;
}

export interface Forecast {
  /** What would start, in the order of the rules. */
  sessions: ForecastSession[];
  refused: Refusal[];
  /** What is held for all of them, USD. */
  estimatedCost: string;
  reasons: string[];
  warnings: string[];
}

export interface DeliveriesOptions {
  client: Pick<KubeClient, 'create' | 'get'>;
  sessions: ObjectStore<Session>;
  frameworks: ObjectStore<Framework>;
  policies: Pick<Policies, 'of'>;
  planner: Planner;
  payloads: Payloads;
  /** The session with this name was started by a delivery, and deleted. */
  isSpent: (namespace: string, name: string) => Promise<boolean>;
  audit: AuditTrail;
  /** Its user name. Who launched such a session: what it says of its trigger is believed for that. */
  operator: string;
  now: () => number;
}

const sessionSpec = Compile(SessionSpec);

export class Deliveries {
  readonly #options: DeliveriesOptions;

  constructor(options: DeliveriesOptions) {
    this.#options = options;
  }

  /**
   * Starts what the delivery asks for. Repeating it does no harm, and completes what broke off.
   * @throws AmbientError `policy_violation` when everything was refused, `invalid_payload`, `gone`, `audit_unavailable`,
   * `unavailable`, and what the store throws
   */
  async accept(delivery: Delivery, payload: Payload): Promise<Outcome> {
    const { namespace } = delivery.tenant;
    const plan = this.#plan(delivery);
    if (plan.sessions.length === 0) {
      await this.#record(delivery, 'sessions', 'allowed', { result: 'ignored' });
      return { kind: 'ignored', reasons: plan.reasons };
    }
    const id = delivery.id ?? randomUUID();
    const started: Started[] = [];
    const refused: Refusal[] = [];
    let isGone = false;
    for (const planned of plan.sessions) {
      const name = sessionNameOf(delivery.tenant, id, planned.trigger);
      const known = await this.#startedBefore(delivery, name);
      if (known === 'deleted') {
        isGone = true;
        continue;
      }
      const violations = known === undefined ? this.#judge(namespace, planned.spec).violations : [];
      if (violations.length > 0) {
        refused.push({ trigger: planned.trigger, violations });
        await this.#record(delivery, 'sessions', 'denied', {
          trigger: planned.trigger,
          ...violationDetails(violations),
        });
        continue;
      }
      if (known === undefined) this.#assertRunnable(planned);
      const spec = this.#completed(planned, { delivery, payload });
      const { session, isRepeated } =
        known === undefined
          ? await this.#create(delivery, { name, spec, trigger: planned.trigger })
          : { session: known, isRepeated: true };
      await this.#keep(session, payload, isRepeated);
      started.push({
        sessionId: name,
        trigger: planned.trigger,
        isRepeated,
        ...this.#outlook(session, planned.spec),
      });
    }
    const [first, ...others] = started;
    if (first !== undefined) return { kind: 'started', sessions: [first, ...others], refused };
    throw isGone ? deletedBefore() : allRefused(refused);
  }

  /** What `accept` would do, without doing it. Throws what that does, but nothing of audit and API server. */
  async forecast(delivery: Delivery): Promise<Forecast> {
    const plan = this.#plan(delivery);
    const { namespace } = delivery.tenant;
    const id = delivery.id ?? randomUUID();
    let isGone = false;
    const warnings = [...plan.warnings];
    const sessions: ForecastSession[] = [];
    const refused: Refusal[] = [];
    let cost = ZERO;
    for (const planned of plan.sessions) {
      const { trigger, spec } = planned;
      const known = await this.#startedBefore(delivery, sessionNameOf(delivery.tenant, id, trigger));
      if (known === 'deleted') {
        isGone = true;
        continue;
      }
      if (known !== undefined) {
        warnings.push(
          `Session ${known.metadata.name} was started by this delivery before: it starts no other.`,
        );
        sessions.push({ trigger, framework: known.spec.framework.type, estimatedCost: formatMoney(ZERO) });
        continue;
      }
      const { violations, session } = this.#judge(namespace, spec);
      if (violations.length > 0) {
        refused.push({ trigger, violations });
        continue;
      }
      this.#assertRunnable(planned);
      if (session.budget === undefined)
        warnings.push(
          `No budget limits the session${trigger === '' ? '' : ` of ${trigger}`}: its cost is a guess.`,
        );
      const budget = session.budget ?? parseMoney(DEFAULT_SESSION_BUDGET) ?? ZERO;
      cost = sum([cost, budget]);
      sessions.push({ trigger, framework: spec.framework.type, estimatedCost: formatMoney(budget) });
    }
    if (sessions.length === 0 && isGone) throw deletedBefore();
    if (sessions.length === 0 && refused.length > 0) throw allRefused(refused);
    if (delivery.id === undefined && sessions.length > 0)
      warnings.push('The delivery has no id: sent twice, it starts two sessions. Send an Idempotency-Key.');
    return { sessions, refused, estimatedCost: formatMoney(cost), reasons: plan.reasons, warnings };
  }

  /** The session of this name, as far as it is known here. One of a delivery without an id is always new. */
  async #startedBefore({ tenant, id }: Delivery, name: string): Promise<Session | 'deleted' | undefined> {
    const { namespace } = tenant;
    const known = this.#options.sessions.get({ namespace, name });
    if (known !== undefined || id === undefined) return known;
    return (await this.#options.isSpent(namespace, name)) ? 'deleted' : undefined;
  }

  #plan({ tenant, id, headers, payload, mayAsk }: Delivery): Plan {
    const direct = mayAsk ? directPlan(payload) : undefined;
    if (direct !== undefined) return { sessions: [direct], reasons: [], warnings: [] };
    const { namespace, source } = tenant;
    return this.#options.planner({ namespace, source, headers, payload, deliveryId: id, mayAsk });
  }

  /** Whoever asks for a session is there to hear what is wrong with it; otherwise its controller would say so to nobody. */
  #assertRunnable({ trigger, spec }: PlannedSession): void {
    if (trigger !== '') return;
    const admission = admit(spec, 0, this.#options.frameworks.list());
    if (!admission.accepted) throw new AmbientError('invalid_payload', admission.message);
  }

  #judge(namespace: string, spec: SessionSpec) {
    const framework = this.#options.frameworks.get({ name: spec.framework.type });
    return judge(spec, this.#options.policies.of(namespace), framework);
  }

  #completed(
    { spec }: PlannedSession,
    { delivery, payload }: { delivery: Delivery; payload: Payload },
  ): SessionSpec {
    const { tenant, event } = delivery;
    const complete: SessionSpec = {
      ...spec,
      createdBy: { user: this.#options.operator },
      trigger: {
        ...spec.trigger,
        source: tenant.source,
        ...(event === undefined ? {} : { event }),
        payload: excerptOf(delivery.payload).payload,
        ...(delivery.id === undefined ? {} : { delivery: delivery.id }),
        received: {
          ...(tenant.keyId === undefined ? {} : { key: tenant.keyId }),
          digest: payload.digest,
          sizeBytes: payload.size,
          artifact: PAYLOAD_ARTIFACT,
        },
      },
    };
    if (!sessionSpec.Check(complete))
      throw new AmbientError('invalid_payload', `the session ${problemsOf(sessionSpec, complete)}`);
    return complete;
  }

  async #create(
    delivery: Delivery,
    { name, spec, trigger }: { name: string; spec: SessionSpec; trigger: string },
  ): Promise<{ session: Session; isRepeated: boolean }> {
    const { namespace } = delivery.tenant;
    const { signal } = delivery;
    const { client } = this.#options;
    const session: Session = {
      apiVersion: API_VERSION,
      kind: 'Session',
      metadata: { name, namespace },
      spec,
    };
    const details = { trigger, delivery: delivery.id };
    await this.#record(delivery, 'sessions', 'allowed', details, name);
    try {
      const made = await client.create(sessions, session, { signal, fieldValidation: 'Strict' });
      return { session: made, isRepeated: false };
    } catch (error) {
      if (isAlreadyExists(error))
        return {
          session: await client.get(sessions, { namespace, name }, { signal }).catch((cause: unknown) => {
            throw isNotFound(cause) ? deletedNow(cause) : saidOf(cause);
          }),
          isRepeated: true,
        };
      const said = saidOf(error);
      await this.#record(
        delivery,
        'sessions',
        isAmbientError(said, 'policy_violation') ? 'denied' : 'failed',
        { ...details, code: isAmbientError(said) ? said.code : 'internal' },
        name,
      );
      throw said;
    }
  }

  /** Of a session that was there, only when it is missing: somebody died in between. */
  async #keep(session: Session, payload: Payload, isRepeated: boolean): Promise<void> {
    if (isRepeated) {
      const isTheSame = session.spec.trigger?.received?.digest === payload.digest;
      // Of one that is over, retention may have taken it away since.
      if (isTerminal(session.status?.phase) || !isTheSame || (await this.#options.payloads.has(session)))
        return;
    }
    await this.#options.payloads.keep(session, payload);
  }

  #outlook(session: Session, spec: SessionSpec): Outlook {
    const { metadata } = session;
    const policy = this.#options.policies.of(metadata.namespace ?? '');
    return outlookOf(session, this.#options.sessions.list(metadata.namespace ?? ''), {
      maxSessions: policy.maxSessions,
      needsApproval: policy.approval.required || spec.policy?.approvalRequired === true,
      now: this.#options.now(),
    });
  }

  async #record(
    { tenant, event, traceId }: Delivery,
    resource: string,
    outcome: 'allowed' | 'denied' | 'failed',
    details: Record<string, unknown>,
    session?: string,
  ): Promise<void> {
    await this.#options.audit.record({
      namespace: tenant.namespace,
      ...(session === undefined ? {} : { sessionId: session }),
      actor: senderOf(tenant),
      action: 'create',
      resource,
      outcome,
      details: {
        door: 'webhooks',
        source: tenant.source,
        ...(event === undefined ? {} : { event }),
        ...details,
      },
      traceId,
    });
  }
}

const sessionNameOf = ({ namespace, source }: Tenant, deliveryId: string, trigger: string): string =>
  derivedUuid('delivery', namespace, source, deliveryId, trigger);

const allRefused = (refused: readonly Refusal[]): AmbientError =>
  violated(refused.flatMap(({ violations }) => violations));

const deletedBefore = (): AmbientError =>
  new AmbientError('gone', 'the session of this delivery was started before, and deleted');

const deletedNow = (cause: unknown): AmbientError =>
  new AmbientError('unavailable', 'the session of this delivery was deleted this very moment', { cause });

/** What the API server answered, as far as it is the sender's business. */
function saidOf(error: unknown): unknown {
  if (!(error instanceof KubeError)) return error;
  const { causeCode, status, message, kubeStatus } = error;
  if (causeCode === 'policy_violation') {
    const violations = (kubeStatus?.details?.causes ?? []).slice(1);
    return new AmbientError('policy_violation', message, { details: { violations }, cause: error });
  }
  if (status === 422 || status === 400)
    return new AmbientError('invalid_payload', `the API server does not take the session: ${message}`, {
      cause: error,
    });
  if (status === 413) return new AmbientError('too_large', 'the session is too large', { cause: error });
  if (causeCode === 'NamespaceTerminating' || status === 404)
    return new AmbientError('gone', 'the namespace is being deleted', { cause: error });
  return new AmbientError('unavailable', 'the API server does not serve the operator', { cause: error });
}
