/** Every operation, for people and for tools: what routes, document and tests are made of. */
import Type from 'typebox';
import { operation } from './operation.ts';
import type { Operation } from './operation.ts';
import {
  ArtifactPage,
  NamespaceList,
  NewSession,
  PERMISSIONS,
  SESSION_STATES,
  SessionDetail,
  SessionPage,
} from './session.ts';
import { receiveWebhook, validateWebhook } from './webhooks.ts';
import { ARTIFACT_TYPES } from '../session.ts';

const closed = { additionalProperties: false } as const;
const None = Type.Object({}, closed);

const Namespace = Type.String({ minLength: 1, maxLength: 63, description: 'Name of a namespace.' });
const Id = Type.String({ minLength: 1, maxLength: 253, description: 'Id of a session.' });
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
    { status: Type.Optional(Type.Enum([...SESSION_STATES], { description: 'Only these.' })), ...page },
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
    { type: Type.Optional(Type.Enum([...ARTIFACT_TYPES], { description: 'Only these.' })), ...page },
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
  headers: None,
  answers: { 200: { description: 'By name.', schema: NamespaceList } },
  refusals: [400, 401],
});

export const OPERATIONS: readonly Operation[] = [
  listSessions,
  createSession,
  getSession,
  listArtifacts,
  listNamespaces,
  receiveWebhook,
  validateWebhook,
];
