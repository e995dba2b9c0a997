/** Every operation, for people and for tools: what routes, document and tests are made of. */
import Type from 'typebox';
import { operation } from './operation.ts';
import type { Operation } from './operation.ts';
import {
  ArtifactPage,
  Decision,
  NamespaceList,
  NewSession,
  PERMISSIONS,
  RaisedBudget,
  ResumedSession,
  Said,
  SESSION_STATES,
  SessionDetail,
  SessionPage,
  StopWish,
} from './session.ts';
import {
  ApproveRequest,
  BudgetRequest,
  InterruptRequest,
  MessageRequest,
  RejectRequest,
  ResumeRequest,
  StopRequest,
} from '../live.ts';
import { receiveWebhook, validateWebhook } from './webhooks.ts';
import { ARTIFACT_TYPES } from '../session.ts';

const closed = { additionalProperties: false } as const;
const None = Type.Object({}, closed);

const Namespace = Type.String({
  minLength: 1,
  maxLength: 63,
  pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
  description: 'Name of a namespace.',
});
const Id = Type.String({
  minLength: 1,
  maxLength: 253,
  pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$',
  description: 'Id of a session.',
});
const inNamespace = Type.Object({ namespace: Namespace });
const inSession = Type.Object({ namespace: Namespace, id: Id });

const page = {
  limit: Type.Integer({ minimum: 1, maximum: 100, default: 20, description: 'Entries of a page.' }),
  offset: Type.Integer({ minimum: 0, maximum: 1_000_000, default: 0, description: 'Entries before it.' }),
};
const conditional = Type.Object({
  'if-none-match': Type.Optional(
    Type.String({ maxLength: 4096, description: 'An ETag: answered with 304 while nothing has changed.' }),
  ),
});
const etag = { ETag: 'Changes whenever what is shown has changed.' };
const unchanged = { 304: { description: 'What If-None-Match names is still so.' } };
const flag = (description: string) => Type.Boolean({ default: true, description });

export const listSessions = operation({
  id: 'listSessions',
  method: 'GET',
  path: '/namespaces/{namespace}/sessions',
  tag: 'Sessions',
  summary: 'Sessions of a namespace, newest first',
  access: 'bearer',
  params: inNamespace,
  query: Type.Object(
    {
      status: Type.Optional(Type.Enum([...SESSION_STATES], { description: 'Only these.' })),
      ...page,
      after: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 512,
          pattern: '^[A-Za-z0-9_-]+$',
          description:
            '`next` of a page: begin behind its last session. Unlike an offset it neither skips nor repeats a session when others are launched or deleted meanwhile.',
        }),
      ),
    },
    closed,
  ),
  headers: conditional,
  answers: { 200: { description: 'A page of them.', schema: SessionPage, headers: etag }, ...unchanged },
  refusals: [400, 401, 403, 404],
});

export const createSession = operation({
  id: 'createSession',
  method: 'POST',
  path: '/namespaces/{namespace}/sessions',
  tag: 'Sessions',
  summary: 'Launch a session',
  description:
    'The session is launched by the person who sends this, under the policy of the namespace. With an Idempotency-Key the same request again answers with the session that is there; it holds as long as that session does.',
  access: 'bearer',
  params: inNamespace,
  query: None,
  headers: Type.Object({
    'idempotency-key': Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        pattern: '^[!-+\\--~]+$',
        description: 'Anything unique to this launch, such as a UUID: ASCII without spaces and commas.',
      }),
    ),
  }),
  body: NewSession,
  answers: {
    201: {
      description: 'It was launched, now or by the same request before.',
      schema: SessionDetail,
      headers: { ...etag, Location: 'Address of the session.' },
    },
  },
  refusals: [400, 401, 403, 404, 409, 413, 415],
});

export const getSession = operation({
  id: 'getSession',
  method: 'GET',
  path: '/namespaces/{namespace}/sessions/{id}',
  tag: 'Sessions',
  summary: 'One session',
  access: 'bearer',
  params: inSession,
  query: Type.Object(
    { includeHistory: flag('With its history.'), includeArtifacts: flag('With what it made.') },
    closed,
  ),
  headers: conditional,
  answers: { 200: { description: 'The session.', schema: SessionDetail, headers: etag }, ...unchanged },
  refusals: [400, 401, 403, 404],
});

export const listArtifacts = operation({
  id: 'listArtifacts',
  method: 'GET',
  path: '/namespaces/{namespace}/sessions/{id}/artifacts',
  tag: 'Artifacts',
  summary: 'What a session made, by path',
  access: 'bearer',
  params: inSession,
  query: Type.Object(
    {
      type: Type.Optional(Type.Enum([...ARTIFACT_TYPES], { description: 'Only these.' })),
      include: Type.Optional(
        Type.Enum(['operator'], {
          description:
            'operator: also what is kept beside them below .ambient/, as the statement of provenance.',
        }),
      ),
      ...page,
    },
    closed,
  ),
  headers: conditional,
  answers: { 200: { description: 'A page of them.', schema: ArtifactPage, headers: etag }, ...unchanged },
  refusals: [400, 401, 403, 404],
});

export const listNamespaces = operation({
  id: 'listNamespaces',
  method: 'GET',
  path: '/user/namespaces',
  tag: 'Namespaces',
  summary: 'Namespaces whose sessions the caller may see',
  access: 'bearer',
  params: None,
  query: Type.Object(
    {
      permission: Type.Optional(
        Type.Enum([...PERMISSIONS], { description: 'Only those with this permission.' }),
      ),
      search: Type.Optional(
        Type.String({ maxLength: 63, description: 'Only those whose name contains this.' }),
      ),
      include: Type.Optional(Type.Enum(['stats'], { description: 'stats: how many sessions there are.' })),
    },
    closed,
  ),
  headers: conditional,
  answers: { 200: { description: 'By name.', schema: NamespaceList, headers: etag }, ...unchanged },
  refusals: [400, 401],
});

const resumable = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({
      maxLength: 64,
      description: 'Id of the last event that was received: what came later is sent.',
    }),
  ),
});
const ended = {
  204: { description: 'It has ended, and everything was received: there is no need to ask again.' },
};

export const streamLog = operation({
  id: 'streamLog',
  method: 'GET',
  path: '/namespaces/{namespace}/sessions/{id}/log',
  tag: 'Streams',
  summary: 'The log of a session, as it grows',
  description:
    'Server-sent events `record`, whose data is a log record and whose id its number; `end` when the session is over and everything was sent; `refused`, with an error body, when the right was taken away. Comments keep the connection alive.',
  access: 'bearer',
  streams: true,
  params: inSession,
  query: Type.Object(
    {
      since: Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        default: 0,
        description: 'Number of the record after which to begin; Last-Event-ID wins over it.',
      }),
      follow: Type.Boolean({ default: true, description: 'false: only what there is now.' }),
    },
    closed,
  ),
  headers: resumable,
  answers: { 200: { description: 'Events.', contentType: 'text/event-stream' }, ...ended },
  refusals: [400, 401, 403, 404],
});

export const streamState = operation({
  id: 'streamState',
  method: 'GET',
  path: '/namespaces/{namespace}/sessions/{id}/events',
  tag: 'Streams',
  summary: 'The state of a session, as it changes',
  description:
    'Server-sent events `state`, whose data is a SessionSummary: one at once, and one for each change; `end` after the last one, `deleted` when the session was deleted; `refused`, with an error body, when the right was taken away.',
  access: 'bearer',
  streams: true,
  params: inSession,
  query: None,
  headers: resumable,
  answers: { 200: { description: 'Events.', contentType: 'text/event-stream' }, ...ended },
  refusals: [400, 401, 403, 404],
});

export const downloadArtifact = operation({
  id: 'downloadArtifact',
  method: 'GET',
  path: '/namespaces/{namespace}/sessions/{id}/artifacts/{path+}',
  tag: 'Artifacts',
  summary: 'The bytes of an artifact',
  description:
    'With a token, or at the address that a list gave as `downloadUrl`. A part of it with Range; HEAD for its size alone.',
  access: 'link',
  params: Type.Object({
    ...inSession.properties,
    path: Type.String({
      minLength: 1,
      maxLength: 4096,
      description: 'Path of the artifact, with its slashes.',
    }),
  }),
  query: Type.Object(
    {
      expires: Type.Optional(
        Type.Integer({ minimum: 0, maximum: 99_999_999_999, description: 'Of a signed address.' }),
      ),
      grant: Type.Optional(Type.String({ maxLength: 65_536, description: 'Of a signed address.' })),
      signature: Type.Optional(Type.String({ maxLength: 128, description: 'Of a signed address.' })),
    },
    closed,
  ),
  headers: Type.Object({
    ...conditional.properties,
    'if-match': Type.Optional(
      Type.String({ maxLength: 4096, description: 'An ETag: refused with 412 once it is another artifact.' }),
    ),
    range: Type.Optional(Type.String({ maxLength: 256, description: 'One range of bytes.' })),
    'if-range': Type.Optional(
      Type.String({
        maxLength: 256,
        description: 'The ETag that the range is of: of another artifact all is sent.',
      }),
    ),
  }),
  answers: {
    200: { description: 'All of it.', contentType: '*/*', headers: etag },
    206: { description: 'The range.', contentType: '*/*', headers: etag },
    ...unchanged,
  },
  refusals: [400, 401, 403, 404, 412, 416],
});

export const stopSession = operation({
  id: 'stopSession',
  method: 'POST',
  path: '/namespaces/{namespace}/sessions/{id}/stop',
  tag: 'Sessions',
  summary: 'Ask a session to end',
  access: 'bearer',
  params: inSession,
  query: None,
  headers: Type.Object({}),
  body: StopRequest,
  isBodyOptional: true,
  answers: { 202: { description: 'It is asked to; the first wish stands.', schema: StopWish } },
  refusals: [400, 401, 403, 404, 409, 413, 415],
});

const decide = (id: string, verb: 'approve' | 'reject', summary: string) => ({
  id,
  method: 'POST' as const,
  path: `/namespaces/{namespace}/sessions/{id}/${verb}`,
  tag: 'Sessions',
  summary,
  description: 'The first decision stands; the same one by the same person again changes nothing.',
  access: 'bearer' as const,
  params: inSession,
  query: None,
  headers: Type.Object({}),
  answers: { 200: { description: 'The decision that stands.', schema: Decision } },
  refusals: [400, 401, 403, 404, 409, 413, 415],
});

export const approveSession = operation({
  ...decide('approveSession', 'approve', 'Let a session start that waits for approval'),
  body: ApproveRequest,
  isBodyOptional: true,
});

export const rejectSession = operation({
  ...decide('rejectSession', 'reject', 'Let a session that waits for approval not start'),
  body: RejectRequest,
});

export const raiseBudget = operation({
  id: 'raiseBudget',
  method: 'POST',
  path: '/namespaces/{namespace}/sessions/{id}/budget',
  tag: 'Sessions',
  summary: 'Raise the budget of a session that goes on',
  description:
    'By who may approve it, and never beyond what its namespace has free this month. A session that is paused for want of money goes on.',
  access: 'bearer',
  params: inSession,
  query: None,
  headers: Type.Object({}),
  body: BudgetRequest,
  answers: { 200: { description: 'What it may spend now.', schema: RaisedBudget } },
  refusals: [400, 401, 403, 404, 409, 413, 415],
});

const say = (id: string, verb: 'message' | 'interrupt', summary: string) => ({
  id,
  method: 'POST' as const,
  path: `/namespaces/{namespace}/sessions/{id}/${verb}`,
  tag: 'Sessions',
  summary,
  description:
    'Only while it runs, and where its framework takes messages. With an id, the same again is taken once.',
  access: 'bearer' as const,
  params: inSession,
  query: None,
  headers: Type.Object({}),
  answers: { 202: { description: 'It is on its way; the log tells when the agent has it.', schema: Said } },
  refusals: [400, 401, 403, 404, 409, 413, 415],
});

export const messageSession = operation({
  ...say('messageSession', 'message', 'Say something to a running session'),
  body: MessageRequest,
});

export const interruptSession = operation({
  ...say('interruptSession', 'interrupt', 'Interrupt what a running session does, without ending it'),
  body: InterruptRequest,
  isBodyOptional: true,
});

export const resumeSession = operation({
  id: 'resumeSession',
  method: 'POST',
  path: '/namespaces/{namespace}/sessions/{id}/resume',
  tag: 'Sessions',
  summary: 'Go on from a session that has ended, as a new one',
  description:
    'The new session begins with the source of the old one, what it changed and what was said. It is launched by the person who sends this, under the policy of today.',
  access: 'bearer',
  params: inSession,
  query: None,
  headers: Type.Object({}),
  body: ResumeRequest,
  isBodyOptional: true,
  answers: { 201: { description: 'The new session.', schema: ResumedSession } },
  refusals: [400, 401, 403, 404, 409, 413, 415],
});

export const OPERATIONS: readonly Operation[] = [
  listSessions,
  createSession,
  getSession,
  stopSession,
  approveSession,
  rejectSession,
  raiseBudget,
  messageSession,
  interruptSession,
  resumeSession,
  streamLog,
  streamState,
  listArtifacts,
  downloadArtifact,
  listNamespaces,
  receiveWebhook,
  validateWebhook,
];
