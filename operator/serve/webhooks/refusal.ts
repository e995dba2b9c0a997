/** How the door says no: the body of every error of REST, and what else a sender needs to know. */
import { AmbientError, isAmbientError } from '../../../common/errors.ts';
import { KubeError } from '../../../common/kube/errors.ts';

export interface ErrorBody {
  error: string;
  message: string;
  details: Record<string, unknown>;
  traceId: string;
}

export interface Answer {
  status: number;
  body: object;
  headers: Record<string, string>;
}

const RETRY_AFTER_S = 5;

/** What the API server said about us, the operator, is not what a sender may be told. */
export function catalogued(error: unknown): AmbientError {
  if (error instanceof KubeError)
    return new AmbientError('unavailable', 'the API server does not serve the operator', { cause: error });
  if (isAmbientError(error)) return error;
  const { statusCode, message } = error as { statusCode?: unknown; message?: unknown };
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500)
    return new AmbientError('invalid_request', String(message), { cause: error });
  return new AmbientError('internal', 'something unexpected went wrong', { cause: error });
}

export function refusalOf(error: AmbientError, traceId: string, isDryRun: boolean): Answer {
  const { retryAfterSeconds, ...details } = error.details;
  // Whoever asked what would happen is told, not refused.
  const status = isDryRun && error.code === 'policy_violation' ? 400 : error.status;
  const body: ErrorBody = {
    error: error.code,
    message: error.message,
    details: { remedy: error.remedy, ...details },
    traceId,
  };
  const verdict = isDryRun && status === 400 ? { valid: false, violations: details['violations'] ?? [] } : {};
  const isLater = status === 429 || status === 503 || status === 507;
  const seconds = typeof retryAfterSeconds === 'number' ? Math.ceil(retryAfterSeconds) : RETRY_AFTER_S;
  return {
    status,
    body: { ...verdict, ...body },
    headers: isLater ? { 'retry-after': String(seconds) } : {},
  };
}
