/** What the webhook door answers. Its errors are those of every door of REST. */
import Type from 'typebox';

const SessionId = () => Type.String({ format: 'uuid', description: 'Name of the Session.' });
const StartTime = () => Type.String({ format: 'date-time', description: 'A guess; not before.' });
const Status = () =>
  Type.Enum(['accepted', 'queued'], { description: 'queued: it waits for others to end, or for approval.' });

export const PolicyViolation = Type.Object({
  rule: Type.String({ description: 'Path in the NamespacePolicy.' }),
  field: Type.String({ description: 'Path in the Session.' }),
  value: Type.Optional(Type.String()),
  allowed: Type.Optional(Type.Array(Type.String())),
  message: Type.String(),
});

/** 202: at least one session was started, now or by an earlier sending of the same delivery. */
export const WebhookAccepted = Type.Object({
  sessionId: SessionId(),
  namespace: Type.String(),
  status: Status(),
  estimatedStartTime: StartTime(),
  sessions: Type.Optional(
    Type.Array(
      Type.Object({
        sessionId: SessionId(),
        trigger: Type.String({ description: 'Name of the rule.' }),
        status: Status(),
        estimatedStartTime: StartTime(),
      }),
      { description: 'All of them, when there are several.' },
    ),
  ),
  refused: Type.Optional(
    Type.Array(Type.Object({ trigger: Type.String(), violations: Type.Array(PolicyViolation) }), {
      description: 'Rules whose sessions the policy forbids.',
    }),
  ),
});
export type WebhookAccepted = Type.Static<typeof WebhookAccepted>;

/** 200: it was heard, and starts nothing. */
export const WebhookHeard = Type.Object({
  status: Type.Enum(['ignored', 'ok'], { description: 'ok: a source that only asked whether we are here.' }),
  namespace: Type.String(),
  reasons: Type.Array(Type.String(), { description: 'Why no rule matched.' }),
});
export type WebhookHeard = Type.Static<typeof WebhookHeard>;

/** 200 of a dry run: it would be accepted, or heard. */
export const WebhookValid = Type.Object({
  valid: Type.Literal(true),
  namespace: Type.String(),
  framework: Type.Union([Type.String(), Type.Null()], { description: 'null: it would start nothing.' }),
  estimatedCost: Type.String({ description: 'USD that would be held for it.' }),
  warnings: Type.Array(Type.String()),
});
export type WebhookValid = Type.Static<typeof WebhookValid>;
