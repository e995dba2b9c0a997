/** What a Kubernetes API server (or the way to it) answered instead of success, typed by status and reason. */
import { AmbientError, messageOf } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { KubeStatus } from '../api/kubernetes.ts';

/** Reasons of failures in which no API server answered; all others are metav1.StatusReason. */
export type NoAnswerReason = 'Unreachable' | 'TlsError' | 'Timeout' | 'CredentialsFailed' | 'Closed';

const CODE_BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_request',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  409: 'conflict',
  410: 'gone',
  413: 'too_large',
  422: 'invalid',
  429: 'too_many_requests',
  502: 'unavailable',
  503: 'unavailable',
  504: 'timeout',
};

const CODE_BY_REASON: Readonly<Record<NoAnswerReason, ErrorCode>> = {
  Unreachable: 'unreachable',
  TlsError: 'unreachable',
  Timeout: 'timeout',
  CredentialsFailed: 'credentials_failed',
  Closed: 'unavailable',
};

const REMEDY_BY_REASON: Readonly<Record<string, string>> = {
  TlsError:
    'Check certificate-authority, client certificate and tls-server-name of this cluster in the kubeconfig.',
  Timeout: 'Check that the cluster runs and can be reached from here, then try again.',
};

export interface KubeErrorOptions {
  /** HTTP status; 0 when no API server answered. */
  status: number;
  reason: string;
  kubeStatus?: KubeStatus;
  /** From Retry-After or details.retryAfterSeconds. */
  retryAfterSeconds?: number;
  remedy?: string;
  cause?: unknown;
}

export class KubeError extends AmbientError {
  readonly #status: number;
  readonly #remedy: string | undefined;
  /** metav1.StatusReason, or a NoAnswerReason. */
  readonly reason: string;
  readonly kubeStatus?: KubeStatus;
  /** details.causes[0].reason: where the live API puts the code of the error catalogue. */
  readonly causeCode?: string;
  readonly retryAfterSeconds?: number;

  constructor(message: string, options: KubeErrorOptions) {
    const { status, reason, kubeStatus, cause } = options;
    super(codeOf(status, reason), message, {
      cause,
      details: { status, reason, ...(kubeStatus?.details === undefined ? {} : { ...kubeStatus.details }) },
    });
    this.name = 'KubeError';
    this.#status = status;
    this.#remedy = options.remedy ?? REMEDY_BY_REASON[reason];
    this.reason = reason;
    if (kubeStatus !== undefined) this.kubeStatus = kubeStatus;
    const causeCode = kubeStatus?.details?.causes?.[0]?.reason;
    if (causeCode !== undefined) this.causeCode = causeCode;
    const retryAfter = options.retryAfterSeconds ?? kubeStatus?.details?.retryAfterSeconds;
    if (retryAfter !== undefined) this.retryAfterSeconds = retryAfter;
  }

  /** The HTTP status the API server gave; 0 when none answered. */
  override get status(): number {
    return this.#status;
  }

  override get remedy(): string {
    return this.#remedy ?? super.remedy;
  }
}

function codeOf(status: number, reason: string): ErrorCode {
  if (status === 0) return CODE_BY_REASON[reason as NoAnswerReason] ?? 'unreachable';
  return CODE_BY_STATUS[status] ?? (status < 500 ? 'invalid_request' : 'internal');
}

const REASON_BY_STATUS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** Characters of a body that is no Status (a proxy's HTML page, say) shown in the message. */
const EXCERPT_LENGTH = 300;

/** The error for a refusal: `body` is what came with it, a Status or not. */
export function refusal(
  status: number,
  body: string,
  context: { request: string; retryAfter?: string | undefined },
): KubeError {
  const kubeStatus = parseStatus(body);
  const seconds = Number(context.retryAfter);
  return new KubeError(kubeStatus?.message ?? describeBody(status, body, context.request), {
    status,
    reason: kubeStatus?.reason ?? REASON_BY_STATUS[status] ?? 'Unknown',
    ...(kubeStatus === undefined ? {} : { kubeStatus }),
    ...(context.retryAfter !== undefined && Number.isFinite(seconds) ? { retryAfterSeconds: seconds } : {}),
  });
}

/** The error for a Status that arrived by another way than as the body of a refusal: a watch's ERROR event. */
export const statusError = (status: KubeStatus): KubeError =>
  new KubeError(status.message ?? 'the API server reported an error without a message', {
    status: status.code ?? 500,
    reason: status.reason ?? REASON_BY_STATUS[status.code ?? 500] ?? 'Unknown',
    kubeStatus: status,
  });

function parseStatus(body: string): KubeStatus | undefined {
  if (!body.startsWith('{')) return undefined;
  try {
    const parsed = JSON.parse(body) as Partial<KubeStatus> | null;
    return parsed !== null && parsed.kind === 'Status' ? (parsed as KubeStatus) : undefined;
  } catch {
    return undefined;
  }
}

function describeBody(status: number, body: string, request: string): string {
  const text = body.replace(/\s+/g, ' ').trim();
  const excerpt = text.length > EXCERPT_LENGTH ? `${text.slice(0, EXCERPT_LENGTH)}…` : text;
  return `${request} was answered with status ${status}${excerpt === '' ? '' : `: ${excerpt}`}`;
}

const TIMEOUT_CODES: ReadonlySet<string> = new Set([
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);
const CLOSED_CODES: ReadonlySet<string> = new Set(['UND_ERR_DESTROYED', 'UND_ERR_CLOSED']);
/** OpenSSL's verification results, as Node reports them in `code`. */
const TLS_CODES: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'EPROTO',
]);

export function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** The error for a request that got no answer, or an answer that broke off. `server` names whom it was meant for. */
export function noAnswer(error: unknown, server: string): KubeError {
  if (error instanceof KubeError) return error;
  const code = errorCode(error);
  const detail = describeCause(error);
  if (CLOSED_CODES.has(code)) {
    return new KubeError(`the connection to ${server} was closed`, {
      status: 0,
      reason: 'Closed',
      cause: error,
    });
  }
  if (TIMEOUT_CODES.has(code)) {
    return new KubeError(`${server} did not answer in time: ${detail}`, {
      status: 0,
      reason: 'Timeout',
      cause: error,
    });
  }
  if (TLS_CODES.has(code) || /^ERR_(TLS|SSL|OSSL)/.test(code)) {
    return new KubeError(`no trusted connection to ${server}: ${detail}`, {
      status: 0,
      reason: 'TlsError',
      cause: error,
    });
  }
  return new KubeError(`${server} cannot be reached: ${detail}`, {
    status: 0,
    reason: 'Unreachable',
    cause: error,
  });
}

function describeCause(error: unknown): string {
  // Happy eyeballs joins one error per address; the joint message is empty.
  if (error instanceof AggregateError && error.errors.length > 0) {
    return [...new Set(error.errors.map((each) => messageOf(each)))].join('; ');
  }
  const message = messageOf(error);
  const code = errorCode(error);
  if (message === '') return code === '' ? 'no reason given' : code;
  return code === '' || code.startsWith('UND_ERR') || message.includes(code)
    ? message
    : `${message} (${code})`;
}

const hasStatus = (error: unknown, status: number): boolean =>
  error instanceof KubeError && error.status === status;

export const isNotFound = (error: unknown): boolean => hasStatus(error, 404);
/** A lost race for resourceVersion (not AlreadyExists, which shares the status). */
export const isConflict = (error: unknown): boolean =>
  hasStatus(error, 409) && (error as KubeError).reason !== 'AlreadyExists';
export const isAlreadyExists = (error: unknown): boolean =>
  hasStatus(error, 409) && (error as KubeError).reason === 'AlreadyExists';
export const isGone = (error: unknown): boolean => hasStatus(error, 410);
export const isForbidden = (error: unknown): boolean => hasStatus(error, 403);
export const isUnauthorized = (error: unknown): boolean =>
  hasStatus(error, 401) || (error instanceof KubeError && error.reason === 'CredentialsFailed');
export const isInvalid = (error: unknown): boolean => hasStatus(error, 422) || hasStatus(error, 400);
/** No API server answered: network, TLS or time. */
export const isUnreachable = (error: unknown): boolean =>
  error instanceof KubeError &&
  ['Unreachable', 'TlsError', 'Timeout'].includes(error.reason) &&
  error.status === 0;

const TRANSIENT_STATUS: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);
/** The same request may well succeed a little later. */
export const isTransient = (error: unknown): boolean =>
  error instanceof KubeError &&
  (error.status === 0
    ? error.reason === 'Unreachable' || error.reason === 'Timeout'
    : TRANSIENT_STATUS.has(error.status));
