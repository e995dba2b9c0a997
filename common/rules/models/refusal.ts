/** How a provider itself would say no, so that its own clients show the reason. */
import type { ModelProvider } from '../../api/models.ts';

export interface Refusal {
  status: 400 | 401 | 403 | 404 | 405 | 413 | 415 | 429 | 500 | 502 | 503 | 504;
  message: string;
}

const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  500: 'api_error',
  502: 'api_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};
const OPENAI_TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
  500: 'server_error',
  502: 'server_error',
  503: 'server_error',
  504: 'server_error',
};
/** https://cloud.google.com/apis/design/errors */
const GEMINI_STATUSES: Readonly<Record<number, string>> = {
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};
const BAD = 'invalid_request_error';

export function refusalBody(
  provider: ModelProvider,
  { status, message }: Refusal,
  code: string,
  traceId: string,
): object {
  switch (provider) {
    case 'anthropic':
      return { type: 'error', error: { type: ANTHROPIC_TYPES[status] ?? BAD, message }, request_id: traceId };
    case 'openai':
      return { error: { message, type: OPENAI_TYPES[status] ?? BAD, param: null, code } };
    case 'gemini':
      return { error: { code: status, message, status: GEMINI_STATUSES[status] ?? 'INVALID_ARGUMENT' } };
  }
}
