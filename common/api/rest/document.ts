/** The OpenAPI 3.1 document of the REST API, made of the very schemas that requests are checked against. https://spec.openapis.org/oas/v3.1.1 */
import type { TSchema } from 'typebox';
import { ErrorBody } from './error.ts';
import { REST_BASE } from './operation.ts';
import type { Answer, Operation } from './operation.ts';
import {
  ArtifactPage,
  NamespaceEntry,
  NamespaceList,
  NewSession,
  SessionArtifact,
  SessionDetail,
  SessionPage,
  SessionSummary,
} from './session.ts';

/** Said once, and referred to by name. */
const NAMED: Readonly<Record<string, TSchema>> = {
  Error: ErrorBody,
  SessionSummary,
  SessionDetail,
  SessionPage,
  SessionArtifact,
  ArtifactPage,
  NewSession,
  NamespaceEntry,
  NamespaceList,
};

/** What any operation may answer with. */
const ALWAYS = [406, 408, 429, 431, 500, 503] as const;

const MEANING: Readonly<Record<number, string>> = {
  400: 'The request is not as described; the message says what is wrong.',
  401: 'There is no token, or nobody knows it.',
  403: 'The caller may not, or the policy of the namespace forbids it (policy_violation). A namespace that does not exist is answered in the same way.',
  404: 'There is no such thing, and the caller would be allowed to see it.',
  406: 'No media type that is accepted can be answered with.',
  408: 'The request came too slowly.',
  409: 'It contradicts what is there.',
  412: 'The artifact is another one than If-Match names.',
  413: 'The body is too large.',
  415: 'The body is of another media type.',
  416: 'The artifact has no such range.',
  429: 'Too many requests; Retry-After says when to come again.',
  431: 'The headers are too large.',
  500: 'A fault of the server; its log has more under the traceId.',
  503: 'The operator or the API server cannot answer now; Retry-After says when to come again.',
};

/** That come with a refusal, by its status. */
const REFUSAL_HEADERS: Readonly<Record<number, Answer['headers']>> = {
  401: { 'WWW-Authenticate': 'Bearer.' },
  416: { 'Content-Range': 'How many bytes there are.' },
  429: { 'Retry-After': 'Seconds after which to come again.' },
  503: { 'Retry-After': 'Seconds after which to come again.' },
};

interface Info {
  version: string;
}

export function openApiDocument(operations: readonly Operation[], { version }: Info): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of operations) {
    const path = operation.path.replace(/\{(\w+)\+\}/g, '{$1}');
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: operationObject(operation) };
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Ambient Sessions',
      version,
      description:
        'Sessions of AI agents on Kubernetes, for people and tools without a kubeconfig. Rights are Kubernetes RBAC, the same as with kubectl.',
      license: { name: 'Apache 2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: REST_BASE }],
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: Object.fromEntries(
        Object.entries(NAMED).map(([name, schema]) => [name, schemaObject(schema, true)]),
      ),
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'A token of the cluster (kubectl create token), or of its OpenID Connect provider.',
        },
        apiKey: {
          type: 'apiKey',
          in: 'header',
          name: 'X-API-Key',
          description: 'A key of the policy of a namespace.',
        },
      },
    },
  };
}

function operationObject(operation: Operation): object {
  const { id, tag, summary, description, access, params, query, headers, body, answers, refusals } =
    operation;
  const isRequired = operation.isBodyOptional !== true;
  const statuses = [...new Set([...refusals, ...ALWAYS])].sort();
  const responses: Record<string, object> = {};
  for (const [status, answer] of Object.entries(answers)) responses[status] = responseObject(answer);
  for (const status of statuses)
    responses[status] ??= responseObject({
      description: MEANING[status] ?? 'Refused.',
      schema: ErrorBody,
      headers: REFUSAL_HEADERS[status],
    });
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    security: SECURITY[access],
    parameters: [
      ...parameters('path', params),
      ...parameters('query', query),
      ...parameters('header', headers),
    ],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: isRequired,
            content: { 'application/json': { schema: schemaObject(body) } },
          },
        }),
    responses,
  };
}

const SECURITY: Readonly<Record<Operation['access'], object[]>> = {
  bearer: [{ bearer: [] }],
  link: [{ bearer: [] }, {}],
  key: [{ apiKey: [] }, {}],
  open: [],
};

function responseObject({ description, schema, contentType = 'application/json', headers }: Answer): object {
  const hasBody = schema !== undefined || contentType !== 'application/json';
  const body = schema === undefined ? { type: 'string' } : schemaObject(schema);
  return {
    description,
    ...(headers === undefined
      ? {}
      : {
          headers: Object.fromEntries(
            Object.entries(headers).map(([name, meaning]) => [
              name,
              { description: meaning, schema: { type: 'string' } },
            ]),
          ),
        }),
    ...(hasBody ? { content: { [contentType]: { schema: body } } } : {}),
  };
}

function parameters(place: 'path' | 'query' | 'header', schema: TSchema): object[] {
  const { properties = {}, required = [] } = schema as {
    properties?: Record<string, { description?: string; default?: unknown }>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    // What has a default is there in every request that is handled, and in none that must be sent.
    required: place === 'path' || (required.includes(name) && rest.default === undefined),
    ...(description === undefined ? {} : { description }),
    schema: schemaObject(rest),
  }));
}

/** As JSON Schema has it; what is Kubernetes' own is left out, what has a name is referred to. */
function schemaObject(schema: unknown, isDefinition = false): unknown {
  if (Array.isArray(schema)) return schema.map((each) => schemaObject(each));
  if (typeof schema !== 'object' || schema === null) return schema;
  const name = isDefinition ? undefined : Object.keys(NAMED).find((each) => NAMED[each] === schema);
  if (name !== undefined) return { $ref: `#/components/schemas/${name}` };
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key.startsWith('x-kubernetes-')) continue;
    if (key === 'properties')
      result['properties'] = Object.fromEntries(
        Object.entries(value as Record<string, unknown>).map(([field, each]) => [field, schemaObject(each)]),
      );
    // How TypeBox writes a record.
    else if (key === 'patternProperties')
      result['additionalProperties'] = schemaObject(Object.values(value as Record<string, unknown>)[0]);
    else result[key] = schemaObject(value);
  }
  if (Array.isArray(result['enum']) && result['type'] === undefined) result['type'] = 'string';
  return result;
}
