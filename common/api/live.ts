/**
 * The aggregated API live.ambient.ai/v1alpha1: what a session does now, beside what it is.
 * Kubernetes decides every verb by RBAC on `sessions/<subresource>` before the operator sees the request.
 *
 *   GET    …/sessions/{name}/log?since=SEQ&follow=BOOL&format=events|text
 *            events (default): application/x-ndjson of LogRecord with seq > since; text: the same rendered as plain text.
 *            With follow the answer ends when the session is finished and everything was sent; blank lines keep it alive.
 *   GET    …/sessions/{name}/artifacts                  ArtifactList, ordered by path
 *   GET    …/sessions/{name}/artifacts/{path}           the bytes; Range, ETag, Content-Type; HEAD too. Each path segment percent-encoded
 *   GET    …/sessions/{name}/source                     SourceState
 *   PUT    …/sessions/{name}/source?offset=BYTES        appends a chunk (≤ SOURCE_CHUNK_BYTES), answers SourceState; 409 with the state when offset is not `received`
 *   POST   …/sessions/{name}/stop   StopRequest         202 StopAccepted
 *   POST   …/sessions/{name}/approve ApproveRequest     200 ApprovalDecision; 409 when it was decided, needs none or has ended
 *   POST   …/sessions/{name}/reject  RejectRequest      200 ApprovalDecision; the session ends as Failed, reason Rejected
 *   POST   …/sessions/{name}/budget  BudgetRequest      200 BudgetRaised; 403 when the namespace has not so much free, 409 when it has ended
 *   POST   …/sessions/{name}/message MessageRequest     202 MessageAccepted; the same id again answers the same; 409 while it does not run or takes none
 *   POST   …/sessions/{name}/interrupt InterruptRequest 202 MessageAccepted; numbered among the messages
 *   POST   …/sessions/{name}/resume  ResumeRequest      201 Resumed: a new session that goes on from this one, which has ended
 *   GET    …/sessions/{name}/audit                      application/x-ndjson of the session's audit records, oldest first
 *   GET    …/namespacepolicies/policy/retention?within=7d   RetentionForecast: what retention takes of the namespace until then
 *
 * kube-apiserver cuts every proxied request after 60 s but `log` and watches, so bytes move in ranges and chunks.
 * Refusals are metav1.Status with the catalogue code of common/errors.ts in details.causes[0].reason.
 */
import Type from 'typebox';
import { APPROVAL_DECISIONS, GeneratedArtifact, MESSAGE_BYTES_MAX } from './session.ts';
import { LIVE_API_VERSION, POLICY_NAME } from './names.ts';

export const SOURCE_CHUNK_BYTES = 8 * 1024 * 1024;
/** How long the API server lets a proxied request live that is not `log`. */
export const PROXY_CUT_SECONDS = 60;

const sessionPath = (namespace: string, name: string): string =>
  `/apis/${LIVE_API_VERSION}/namespaces/${encodeURIComponent(namespace)}/sessions/${encodeURIComponent(name)}`;

export const livePaths = {
  log: (
    namespace: string,
    name: string,
    query: { since?: number; follow?: boolean; format?: 'events' | 'text' } = {},
  ) => {
    const search = new URLSearchParams();
    for (const [key, value] of Object.entries(query)) if (value !== undefined) search.set(key, String(value));
    return `${sessionPath(namespace, name)}/log${search.size > 0 ? `?${search}` : ''}`;
  },
  artifacts: (namespace: string, name: string) => `${sessionPath(namespace, name)}/artifacts`,
  artifact: (namespace: string, name: string, path: string) =>
    `${sessionPath(namespace, name)}/artifacts/${path.split('/').map(encodeURIComponent).join('/')}`,
  source: (namespace: string, name: string, offset?: number) =>
    `${sessionPath(namespace, name)}/source${offset === undefined ? '' : `?offset=${offset}`}`,
  stop: (namespace: string, name: string) => `${sessionPath(namespace, name)}/stop`,
  approve: (namespace: string, name: string) => `${sessionPath(namespace, name)}/approve`,
  reject: (namespace: string, name: string) => `${sessionPath(namespace, name)}/reject`,
  budget: (namespace: string, name: string) => `${sessionPath(namespace, name)}/budget`,
  message: (namespace: string, name: string) => `${sessionPath(namespace, name)}/message`,
  interrupt: (namespace: string, name: string) => `${sessionPath(namespace, name)}/interrupt`,
  resume: (namespace: string, name: string) => `${sessionPath(namespace, name)}/resume`,
  audit: (namespace: string, name: string) => `${sessionPath(namespace, name)}/audit`,
  retention: (namespace: string, within?: string) =>
    `/apis/${LIVE_API_VERSION}/namespaces/${encodeURIComponent(namespace)}/namespacepolicies/${POLICY_NAME}/retention` +
    (within === undefined ? '' : `?within=${encodeURIComponent(within)}`),
};

export const Artifact = Type.Object({
  path: Type.String({ description: 'Relative, / between segments, never . or .. or empty segments.' }),
  type: GeneratedArtifact.properties.type,
  size: Type.Integer({ minimum: 0 }),
  contentType: Type.String(),
  createdAt: Type.String({ format: 'date-time' }),
  digest: Type.String({ pattern: '^sha256:[0-9a-f]{64}$' }),
});
export type Artifact = Type.Static<typeof Artifact>;

export const ArtifactList = Type.Object({
  kind: Type.Literal('ArtifactList'),
  apiVersion: Type.Literal(LIVE_API_VERSION),
  metadata: Type.Object({}),
  items: Type.Array(Artifact),
});
export type ArtifactList = Type.Static<typeof ArtifactList>;

export const SourceState = Type.Object({
  kind: Type.Literal('SourceState'),
  apiVersion: Type.Literal(LIVE_API_VERSION),
  received: Type.Integer({ minimum: 0, description: 'Bytes stored so far: where the next chunk begins.' }),
  sizeBytes: Type.Integer({ minimum: 0 }),
  complete: Type.Boolean({ description: 'All bytes are there and the digest matches.' }),
});
export type SourceState = Type.Static<typeof SourceState>;

export const StopRequest = Type.Object(
  {
    reason: Type.Optional(Type.String({ maxLength: 1024 })),
    gracePeriodSeconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 600 })),
  },
  { additionalProperties: false },
);
export type StopRequest = Type.Static<typeof StopRequest>;

export const StopAccepted = Type.Object({
  kind: Type.Literal('StopAccepted'),
  apiVersion: Type.Literal(LIVE_API_VERSION),
  requestedAt: Type.String({ format: 'date-time' }),
  requestedBy: Type.String(),
  gracePeriodSeconds: Type.Integer(),
});
export type StopAccepted = Type.Static<typeof StopAccepted>;

const MessageId = Type.Optional(
  Type.String({
    pattern: '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$',
    description: "The sender's own: sent again with it, a message is taken once. Absent, one is made.",
  }),
);

export const MessageRequest = Type.Object(
  {
    id: MessageId,
    text: Type.String({
      minLength: 1,
      maxLength: MESSAGE_BYTES_MAX,
      pattern: '\\S',
      description: `What is said to the agent; at most ${MESSAGE_BYTES_MAX} bytes of UTF-8.`,
      examples: ['Go on with the tests.'],
    }),
  },
  { additionalProperties: false },
);
export type MessageRequest = Type.Static<typeof MessageRequest>;

export const InterruptRequest = Type.Object({ id: MessageId }, { additionalProperties: false });
export type InterruptRequest = Type.Static<typeof InterruptRequest>;

export const MessageAccepted = Type.Object({
  kind: Type.Literal('MessageAccepted'),
  apiVersion: Type.Literal(LIVE_API_VERSION),
  seq: Type.Integer({ minimum: 1, description: 'Its number among what was said to the session.' }),
  id: Type.String(),
  by: Type.String(),
  at: Type.String({ format: 'date-time' }),
});
export type MessageAccepted = Type.Static<typeof MessageAccepted>;

export const ResumeRequest = Type.Object(
  {
    id: MessageId,
    displayName: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    config: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        maxProperties: 100,
        description:
          "Fields of spec.framework.config that are to be others than the old session's: a new prompt.",
      }),
    ),
  },
  { additionalProperties: false },
);
export type ResumeRequest = Type.Static<typeof ResumeRequest>;

export const Resumed = Type.Object({
  kind: Type.Literal('Resumed'),
  apiVersion: Type.Literal(LIVE_API_VERSION),
  name: Type.String({ description: 'Of the new session, in the same namespace.' }),
  uid: Type.String(),
});
export type Resumed = Type.Static<typeof Resumed>;

export const ApproveRequest = Type.Object(
  { reason: Type.Optional(Type.String({ maxLength: 1024 })) },
  { additionalProperties: false },
);
export type ApproveRequest = Type.Static<typeof ApproveRequest>;

export const RejectRequest = Type.Object(
  {
    reason: Type.String({
      minLength: 1,
      maxLength: 1024,
      pattern: '\\S',
      description: 'Shown to whoever launched it.',
      examples: ['It would write to production.'],
    }),
  },
  { additionalProperties: false },
);
export type RejectRequest = Type.Static<typeof RejectRequest>;

export const ApprovalDecision = Type.Object({
  kind: Type.Literal('ApprovalDecision'),
  apiVersion: Type.Literal(LIVE_API_VERSION),
  decision: Type.Enum([...APPROVAL_DECISIONS]),
  by: Type.String(),
  at: Type.String({ format: 'date-time' }),
  reason: Type.Optional(Type.String()),
});
export type ApprovalDecision = Type.Static<typeof ApprovalDecision>;

export const BudgetRequest = Type.Object(
  {
    limit: Type.String({
      pattern: '^[0-9]{1,9}\\.[0-9]{2}$',
      maxLength: 12,
      description: 'USD that the session may spend in all; more than before.',
      examples: ['5.00'],
    }),
  },
  { additionalProperties: false },
);
export type BudgetRequest = Type.Static<typeof BudgetRequest>;

export const BudgetRaised = Type.Object({
  kind: Type.Literal('BudgetRaised'),
  apiVersion: Type.Literal(LIVE_API_VERSION),
  limit: Type.String(),
  by: Type.String(),
  at: Type.String({ format: 'date-time' }),
});
export type BudgetRaised = Type.Static<typeof BudgetRaised>;

export const RetentionForecast = Type.Object({
  kind: Type.Literal('RetentionForecast'),
  apiVersion: Type.Literal(LIVE_API_VERSION),
  metadata: Type.Object({}),
  now: Type.String({ format: 'date-time' }),
  within: Type.String({ description: 'A period as in the policy.' }),
  retention: Type.Object({ sessions: Type.String(), artifacts: Type.String(), auditLogs: Type.String() }),
  items: Type.Array(
    Type.Object({
      session: Type.String(),
      what: Type.Enum(['artifacts', 'session'], {
        description: 'artifacts: log and artifacts; session: the object and all of its data.',
      }),
      due: Type.String({ format: 'date-time' }),
      overdue: Type.Boolean({ description: 'It is due now.' }),
      bytes: Type.Integer({ minimum: 0, description: 'Of its artifacts, and of what is kept beside them.' }),
    }),
  ),
});
export type RetentionForecast = Type.Static<typeof RetentionForecast>;
