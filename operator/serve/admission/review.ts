/**
 * AdmissionReview, as the API server sends and expects it.
 * https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-request-and-response
 */
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { KubeStatus } from '../../../common/api/kubernetes.ts';
import { AmbientError } from '../../../common/errors.ts';
import { problemsOf } from '../../sessions/validate.ts';

const REVIEW = 'admission.k8s.io/v1';
const Text = () => Type.String({ maxLength: 4096 });

const AdmissionReview = Type.Object({
  apiVersion: Type.Literal(REVIEW),
  kind: Type.Literal('AdmissionReview'),
  request: Type.Object({
    uid: Type.String({ minLength: 1, maxLength: 128 }),
    operation: Type.Enum(['CREATE', 'UPDATE', 'DELETE', 'CONNECT']),
    resource: Type.Object({ group: Text(), version: Text(), resource: Text() }),
    subResource: Type.Optional(Text()),
    namespace: Type.Optional(Text()),
    name: Type.Optional(Text()),
    dryRun: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
    userInfo: Type.Object({
      username: Type.Optional(Type.String()),
      uid: Type.Optional(Type.String()),
      groups: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
    }),
    object: Type.Optional(Type.Unknown()),
    oldObject: Type.Optional(Type.Unknown()),
  }),
});

export type ReviewRequest = Type.Static<typeof AdmissionReview>['request'];

const validator = Compile(AdmissionReview);

/** Throws invalid_request. */
export function parseReview(body: unknown): ReviewRequest {
  if (!validator.Check(body))
    throw new AmbientError(
      'invalid_request',
      `the body is no AdmissionReview of ${REVIEW}: ${problemsOf(validator, body)}`,
    );
  return body.request;
}

export interface JsonPatchAdd {
  op: 'add';
  path: string;
  value: unknown;
}

export interface Decision {
  /** Refused, and how the API server shall say so. */
  refusal?: KubeStatus;
  patch?: JsonPatchAdd[];
  /** For whoever asked. */
  warnings?: readonly string[];
}

const WARNINGS_MAX = 16;

export function reviewOf(uid: string, { refusal, patch, warnings = [] }: Decision): object {
  const shown = warnings.slice(0, WARNINGS_MAX);
  if (warnings.length > shown.length) shown.push(`and ${warnings.length - shown.length} more`);
  return {
    apiVersion: REVIEW,
    kind: 'AdmissionReview',
    response: {
      uid,
      allowed: refusal === undefined,
      ...(refusal === undefined ? {} : { status: refusal }),
      ...(patch === undefined
        ? {}
        : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }),
      ...(shown.length === 0 ? {} : { warnings: shown }),
    },
  };
}

/** An object's own field, whatever the object is. */
export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}
