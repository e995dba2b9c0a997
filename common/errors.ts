/** The one catalogue of errors: a stable code, the HTTP status, and what the person who meets it can do. */

interface CatalogueEntry {
  status: number;
  /** metav1.Status reason for doors that speak Kubernetes. */
  reason: string;
  remedy: string;
}

export const CATALOGUE = {
  invalid_request: { status: 400, reason: 'BadRequest', remedy: 'Correct the request as the message says.' },
  unsafe_path: { status: 400, reason: 'BadRequest', remedy: 'Use a relative path without . or .. segments.' },
  missing_api_key: {
    status: 400,
    reason: 'BadRequest',
    remedy:
      'Send the key as X-API-Key, or let the source sign and use the address with ?key= and the id of the key.',
  },
  invalid_payload: { status: 400, reason: 'BadRequest', remedy: 'Correct the body as the message says.' },
  invalid_api_key: {
    status: 401,
    reason: 'Unauthorized',
    remedy: 'Ask an administrator of the namespace for a new key; a key is good for one source only.',
  },
  invalid_signature: {
    status: 401,
    reason: 'Unauthorized',
    remedy:
      "Check the key id in the address, that source and operator have the same secret, and the sender's clock.",
  },
  unauthenticated: { status: 401, reason: 'Unauthorized', remedy: 'Sign in again, or renew the token.' },
  forbidden: {
    status: 403,
    reason: 'Forbidden',
    remedy: 'Ask an administrator of the namespace for the right named in the message.',
  },
  policy_violation: {
    status: 403,
    reason: 'Forbidden',
    remedy: "Change the request so that the namespace's policy allows it.",
  },
  budget_exceeded: {
    status: 403,
    reason: 'Forbidden',
    remedy: 'Raise the budget, or launch again with a higher one.',
  },
  not_found: { status: 404, reason: 'NotFound', remedy: 'Check the name; it may have been deleted.' },
  method_not_allowed: {
    status: 405,
    reason: 'MethodNotAllowed',
    remedy: 'Use one of the methods that the message names.',
  },
  not_acceptable: {
    status: 406,
    reason: 'NotAcceptable',
    remedy: 'Accept a media type that the message names.',
  },
  too_slow: { status: 408, reason: 'Timeout', remedy: 'Send it faster, or less.' },
  conflict: { status: 409, reason: 'Conflict', remedy: 'Read the current state and try again.' },
  already_finished: { status: 409, reason: 'Conflict', remedy: 'The session has ended; launch a new one.' },
  gone: { status: 410, reason: 'Expired', remedy: 'Start again from the beginning.' },
  precondition_failed: {
    status: 412,
    reason: 'Conflict',
    remedy: 'Read the current state, with its ETag, and try again.',
  },
  too_large: { status: 413, reason: 'RequestEntityTooLarge', remedy: 'Send less.' },
  unsupported_media_type: {
    status: 415,
    reason: 'UnsupportedMediaType',
    remedy: 'Send a media type that the message names.',
  },
  range_not_satisfiable: {
    status: 416,
    reason: 'BadRequest',
    remedy: 'Ask for a range inside the artifact.',
  },
  digest_mismatch: {
    status: 422,
    reason: 'Invalid',
    remedy: 'Send the bytes again; they were damaged on the way.',
  },
  invalid: { status: 422, reason: 'Invalid', remedy: 'Correct the fields named in the message.' },
  rate_limit_exceeded: {
    status: 429,
    reason: 'TooManyRequests',
    remedy: 'Wait as long as Retry-After says, then send it again.',
  },
  too_many_requests: { status: 429, reason: 'TooManyRequests', remedy: 'Wait and try again.' },
  internal: { status: 500, reason: 'InternalError', remedy: 'Look in the operator log for the traceId.' },
  provider_unavailable: {
    status: 502,
    reason: 'InternalError',
    remedy: "Check the provider's status and the address in spec.models.providers of the policy.",
  },
  unavailable: { status: 503, reason: 'ServiceUnavailable', remedy: 'Try again shortly.' },
  unreachable: {
    status: 503,
    reason: 'ServiceUnavailable',
    remedy: 'Check that the cluster runs and can be reached from here.',
  },
  timeout: { status: 504, reason: 'Timeout', remedy: 'Try again; the server took too long.' },
  storage_full: {
    status: 507,
    reason: 'InternalError',
    remedy: 'Free space in the artifact store or enlarge it.',
  },
  audit_unavailable: {
    status: 503,
    reason: 'ServiceUnavailable',
    remedy: 'Nothing is decided while it cannot be recorded. Check the audit store, then try again.',
  },
  approval_forbidden: {
    status: 403,
    reason: 'Forbidden',
    remedy: "Ask one of the approvers that the namespace's policy names.",
  },
  storage_unavailable: { status: 503, reason: 'ServiceUnavailable', remedy: 'Check the artifact store.' },
  kubeconfig_invalid: { status: 400, reason: 'BadRequest', remedy: 'Correct the kubeconfig file.' },
  credentials_failed: {
    status: 401,
    reason: 'Unauthorized',
    remedy: 'Run the credential helper of the kubeconfig by hand, or sign in again.',
  },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof CATALOGUE;

/** An error of the catalogue. `message` says what happened, `remedy` what to do; `cause` is for logs only. */
export class AmbientError extends Error {
  readonly code: ErrorCode;
  readonly details: Record<string, unknown>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; details?: Record<string, unknown> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AmbientError';
    this.code = code;
    this.details = options.details ?? {};
  }

  get status(): number {
    return CATALOGUE[this.code].status;
  }

  get remedy(): string {
    return CATALOGUE[this.code].remedy;
  }
}

export const isAmbientError = (error: unknown, ...codes: ErrorCode[]): error is AmbientError =>
  error instanceof AmbientError && (codes.length === 0 || codes.includes(error.code));

/** The message of anything thrown, for people. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
