/** Launching a session for somebody whom a door has authenticated: the operator creates the object in that person's name. */
import { createHash } from 'node:crypto';
import type { Framework } from '../../common/api/framework.ts';
import { API_VERSION, GROUP, LABEL_MANAGED_BY } from '../../common/api/names.ts';
import type { Session, SessionSpec } from '../../common/api/session.ts';
import { AmbientError } from '../../common/errors.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { isAlreadyExists, isForbidden, isInvalid, isNotFound, KubeError } from '../../common/kube/errors.ts';
import { sessions } from '../../common/kube/resource.ts';
import { admit } from '../../common/rules/admission.ts';
import { canonicalJson } from '../../common/rules/audit-chain.ts';
import type { AuditTrail } from '../record/audit.ts';
import { stampOf } from './admission.ts';
import type { Requester } from './admission.ts';
import { derivedUuid } from './derived-uuid.ts';
import { judge, violated, violationDetails } from './judgement.ts';
import type { SessionLookup } from './lookup.ts';
import type { Namespaces } from './namespaces.ts';
import { isPayloadLeftOut } from './payload.ts';
import type { Policies } from './policies.ts';

export interface LaunchOptions {
  client: KubeClient;
  sessions: SessionLookup;
  namespaces: Pick<Namespaces, 'exists'>;
  policies: Pick<Policies, 'of'>;
  /** All of the cluster's registry. */
  frameworks: () => readonly Framework[];
  audit: AuditTrail;
  newName: () => string;
}

export interface LaunchRequest {
  namespace: string;
  spec: Omit<SessionSpec, 'createdBy'>;
  labels?: Readonly<Record<string, string>>;
  annotations?: Readonly<Record<string, string>>;
  by: Requester;
  /** The same key by the same person is the same launch. */
  key?: string | undefined;
  /** Through which the request came. */
  door: string;
  traceId: string;
  signal?: AbortSignal | undefined;
}

/** Of a session that was launched with a key: digest of what was asked for. */
export const ANNOTATION_REQUEST = `${GROUP}/request-digest`;

export class Launches {
  readonly #options: LaunchOptions;

  constructor(options: LaunchOptions) {
    this.#options = options;
  }

  /**
   * Throws not_found for a namespace that does not exist, policy_violation with `violations` in its details, invalid_request,
   * conflict for a key that was used for something else, audit_unavailable, and KubeError.
   */
  async launch(request: LaunchRequest): Promise<Session> {
    const { namespace, key, by, signal } = request;
    const { client, namespaces, newName } = this.#options;
    if (!(await namespaces.exists(namespace, signal)))
      throw new AmbientError('not_found', `there is no namespace ${namespace}`);
    const digest = digestOf(request);
    const name = key === undefined ? newName() : derivedUuid('launch', namespace, by.name, key);
    if (key !== undefined) {
      const standing = this.#options.sessions.get(namespace, name);
      if (standing !== undefined) return await this.#whole(same(standing, digest, by), signal);
    }
    const session = objectOf(request, name, key === undefined ? undefined : digest);
    await this.#judge(request, session);
    await this.#record(request, session, 'allowed');
    try {
      return await client.create(sessions, session, { fieldValidation: 'Strict', signal });
    } catch (error) {
      if (key !== undefined && isAlreadyExists(error)) {
        const standing = await this.#options.sessions.fetch(namespace, name, signal);
        if (standing !== undefined) return same(standing, digest, by);
      }
      throw refusalOf(error, request);
    }
  }

  /** With the event that caused it, which is not kept in memory. */
  async #whole(session: Session, signal: AbortSignal | undefined): Promise<Session> {
    if (!isPayloadLeftOut(session)) return session;
    const { namespace = '', name } = session.metadata;
    return (await this.#options.sessions.fetch(namespace, name, signal)) ?? session;
  }

  /** Here, so that the answer can name everything; the API server asks admission once more. */
  async #judge(request: LaunchRequest, session: Session): Promise<void> {
    const { policies, frameworks } = this.#options;
    const registry = frameworks();
    const { spec } = session;
    const framework = registry.find(({ metadata }) => metadata.name === spec.framework.type);
    const { violations } = judge(spec, policies.of(request.namespace), framework);
    if (violations.length > 0) {
      await this.#record(request, session, 'denied', violationDetails(violations));
      throw violated(violations);
    }
    const bytes = Buffer.byteLength(JSON.stringify(session));
    const admission = admit(spec, bytes, registry);
    if (!admission.accepted)
      throw new AmbientError('invalid_request', admission.message, { details: { reason: admission.reason } });
  }

  async #record(
    { namespace, by, door, traceId }: LaunchRequest,
    { metadata, spec }: Session,
    outcome: 'allowed' | 'denied',
    more: Record<string, unknown> = {},
  ): Promise<void> {
    await this.#options.audit.record({
      namespace,
      sessionId: metadata.name,
      actor: by.name,
      action: 'create',
      resource: 'sessions',
      outcome,
      details: {
        door,
        framework: spec.framework.type,
        trigger: spec.trigger?.source ?? 'manual',
        ...more,
      },
      traceId,
    });
  }
}

function objectOf(request: LaunchRequest, name: string, digest: string | undefined): Session {
  const { namespace, spec, labels = {}, annotations = {}, by } = request;
  const own = Object.keys({ ...labels, ...annotations }).find(isOurs);
  if (own !== undefined)
    throw new AmbientError(
      'invalid_request',
      `labels and annotations of ${GROUP} are the operator's own: ${own}`,
    );
  const marked = digest === undefined ? annotations : { ...annotations, [ANNOTATION_REQUEST]: digest };
  return {
    apiVersion: API_VERSION,
    kind: 'Session',
    metadata: {
      name,
      namespace,
      ...(Object.keys(labels).length === 0 ? {} : { labels: { ...labels } }),
      ...(Object.keys(marked).length === 0 ? {} : { annotations: { ...marked } }),
    },
    spec: { ...spec, createdBy: stampOf(by) },
  };
}

const isOurs = (name: string): boolean =>
  name === LABEL_MANAGED_BY ||
  /^(.*\.)?ambient\.ai\//.test(name) ||
  /^(.*\.)?(kubernetes|k8s)\.io\//.test(name);

const digestOf = ({ spec, labels = {}, annotations = {} }: LaunchRequest): string =>
  `sha256:${createHash('sha256')
    .update(canonicalJson([spec, labels, annotations]))
    .digest('hex')}`;

function same(standing: Session, digest: string, by: Requester): Session {
  const { metadata, spec } = standing;
  if (metadata.annotations?.[ANNOTATION_REQUEST] === digest && spec.createdBy?.user === by.name)
    return standing;
  throw new AmbientError('conflict', 'this Idempotency-Key was used for another request', {
    details: { sessionId: metadata.name },
  });
}

/** What the API server refused is the caller's; that it did not answer is nobody's. */
function refusalOf(error: unknown, { namespace }: LaunchRequest): unknown {
  if (!(error instanceof KubeError)) return error;
  const causes = error.kubeStatus?.details?.causes ?? [];
  if (error.causeCode === 'policy_violation') {
    const [, ...rest] = causes;
    const violations = rest.flatMap(({ reason: rule, field, message = '' }) =>
      field === undefined ? [] : [{ rule, field, message }],
    );
    return new AmbientError('policy_violation', error.message, { cause: error, details: { violations } });
  }
  if (isNotFound(error) || error.causeCode === 'NamespaceTerminating')
    return new AmbientError('not_found', `there is no namespace ${namespace}`, { cause: error });
  if (isInvalid(error))
    return new AmbientError('invalid_request', error.message, {
      cause: error,
      details: { fields: causes.map(({ field, message }) => ({ field, message })) },
    });
  // Another admission of the cluster, or a quota, has refused it. That the operator itself may not is nobody's business.
  if (isForbidden(error) && !/cannot create resource/.test(error.message))
    return new AmbientError('forbidden', error.message, { cause: error });
  return error;
}
