/** The webhook door: what it takes and answers. Its refusals are those of every operation of REST. */
import Type from 'typebox';
import { WEBHOOK_SOURCES } from '../session.ts';
import { ErrorBody } from './error.ts';
import { operation } from './operation.ts';

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

const Trigger = () => Type.String({ description: 'Name of the rule.' });
const Refused = () =>
  Type.Array(Type.Object({ trigger: Trigger(), violations: Type.Array(PolicyViolation) }), {
    description: 'Rules whose sessions the policy forbids.',
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
        trigger: Trigger(),
        status: Status(),
        estimatedStartTime: StartTime(),
      }),
      { description: 'All of them, when there are several.' },
    ),
  ),
  refused: Type.Optional(Refused()),
});
export type WebhookAccepted = Type.Static<typeof WebhookAccepted>;

/** 200: it was heard, and starts nothing. */
export const WebhookHeard = Type.Object({
  status: Type.Enum(['ignored', 'ok'], { description: 'ok: a source that only asked whether we are here.' }),
  namespace: Type.String(),
  reasons: Type.Array(Type.String(), { description: 'Why no rule matched.' }),
});
export type WebhookHeard = Type.Static<typeof WebhookHeard>;

/** 200 for Slack, which asks before it sends anything. */
export const WebhookChallenge = Type.Object({ challenge: Type.String({ description: 'As it was sent.' }) });

/** 200 of a dry run: it would start at least one session, or be heard. */
export const WebhookValid = Type.Object({
  valid: Type.Literal(true),
  namespace: Type.String(),
  framework: Type.Union([Type.String(), Type.Null()], { description: 'null: it would start nothing.' }),
  estimatedCost: Type.String({ description: 'USD that would be held for all it would start.' }),
  sessions: Type.Optional(
    Type.Array(
      Type.Object({
        trigger: Trigger(),
        framework: Type.String(),
        estimatedCost: Type.String({ description: 'USD that would be held for this one.' }),
      }),
      { description: 'All that it would start, when there are several.' },
    ),
  ),
  refused: Type.Optional(Refused()),
  warnings: Type.Array(Type.String()),
});
export type WebhookValid = Type.Static<typeof WebhookValid>;

/** 400 of a dry run: it would be refused, and start nothing. */
export const WebhookInvalid = Type.Object({
  valid: Type.Literal(false),
  violations: Type.Array(PolicyViolation, { description: "Of the namespace's policy." }),
  ...ErrorBody.properties,
});

const header = (description: string) => Type.Optional(Type.String({ maxLength: 1024, description }));
const asked = {
  method: 'POST',
  tag: 'Webhooks',
  access: 'key',
  params: Type.Object({
    source: Type.Enum([...WEBHOOK_SOURCES], { description: 'Who sends the event.' }),
  }),
  query: Type.Object({
    key: Type.Optional(
      Type.String({ description: 'Id of the key whose secret signs the body, where no X-API-Key is sent.' }),
    ),
  }),
  headers: Type.Object({
    'x-api-key': header('An API key whose hash stands in the policy of a namespace, for this source.'),
    'idempotency-key': header('Names the delivery where its source has no id of its own.'),
    'x-hub-signature-256': header('GitHub: sha256= and the HMAC-SHA256 of the body.'),
    'x-hub-signature': header('Jira: likewise.'),
    'x-slack-signature': header('Slack: v0= and the HMAC-SHA256 of v0:timestamp:body.'),
    'x-slack-request-timestamp': header('Slack: seconds since 1970, at most five minutes off.'),
    'x-ambient-signature': header('generic: v1= and the HMAC-SHA256 of timestamp.delivery.body.'),
    'x-ambient-timestamp': header('generic: seconds since 1970, at most five minutes off.'),
    'x-ambient-delivery': header('generic: names the delivery.'),
  }),
  body: Type.Unknown({ description: 'The event, as its source sends it: JSON or a form, up to 25 MiB.' }),
  refusals: [400, 401, 403, 404, 408, 410, 413, 415, 429, 507],
} as const;

export const receiveWebhook = operation({
  ...asked,
  id: 'receiveWebhook',
  path: '/webhooks/{source}',
  summary: 'Take an event',
  description:
    'The namespace is that of the key or of the secret that signed. Its SessionTriggers say what is started; with an API key, `framework` in the body may say it instead. Sent again, a delivery is answered with the session that it has started.',
  answers: {
    200: {
      description:
        'It was heard, and starts nothing. To a signed Slack command also what is 202 for others, and what is refused, with text for Slack.',
      schema: Type.Union([WebhookHeard, WebhookChallenge, WebhookAccepted, ErrorBody]),
    },
    202: {
      description: 'A session was started, now or by the same delivery before.',
      schema: WebhookAccepted,
    },
  },
});

export const validateWebhook = operation({
  ...asked,
  id: 'validateWebhook',
  path: '/webhooks/{source}/validate',
  summary: 'Tell what an event would start',
  description:
    'Valid is what would be taken when it is sent: also where the policy forbids some of several sessions, which `refused` names.',
  answers: {
    200: {
      description: 'It would be taken.',
      schema: Type.Union([WebhookValid, WebhookChallenge]),
    },
    400: { description: 'It would be refused, and start nothing.', schema: WebhookInvalid },
  },
});
