/** Refusals of the REST API: the one error body, the status, and the headers that belong to it. */
import type { ErrorBody } from '../../../common/api/rest/error.ts';
import { AmbientError } from '../../../common/errors.ts';
import type { ErrorCode } from '../../../common/errors.ts';
import { catalogued } from '../http/exchange.ts';
import type { Exchange } from '../http/exchange.ts';

export interface Refusal {
  error: AmbientError;
  status: number;
  headers: Record<string, string>;
  body: ErrorBody;
}

const RETRY_SECONDS = 1;

/** Of anything thrown while a request was served. */
export function refusalOf(
  thrown: unknown,
  { traceId, signal, closing }: Pick<Exchange, 'traceId' | 'signal' | 'closing'>,
): Refusal {
  const error = frameworkError(thrown) ?? catalogued(thrown, { signal, closing });
  const { status } = error;
  const { retryAfterSeconds, allow, size, ...details } = error.details;
  const headers: Record<string, string> = {};
  if (status === 401) headers['www-authenticate'] = 'Bearer realm="ambient"';
  const waitSeconds = typeof retryAfterSeconds === 'number' ? retryAfterSeconds : RETRY_SECONDS;
  if (status === 429 || status === 503) headers['retry-after'] = String(waitSeconds);
  if (typeof allow === 'string') headers['allow'] = allow;
  if (error.code === 'range_not_satisfiable') headers['content-range'] = `bytes */${String(size)}`;
  return { error, status, headers, body: bodyOf(error, traceId, details) };
}

export const bodyOf = (
  error: AmbientError,
  traceId: string,
  details: Record<string, unknown> = error.details,
): ErrorBody => ({
  error: error.code,
  message: error.message,
  details: { remedy: error.remedy, ...details },
  traceId,
});

const CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
};
const MESSAGES: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'the body is too large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'the body must be application/json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'the body is empty, but must be JSON',
  FST_ERR_CTP_INVALID_JSON_BODY: 'the body is not JSON',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'the body is not as long as Content-Length says',
  FST_ERR_BAD_URL: 'the path is not percent-encoded UTF-8',
  FST_ERR_MAX_PARAM_LENGTH: 'a part of the path is too long',
};

/** What fastify itself refuses; undefined for everything else. */
function frameworkError(thrown: unknown): AmbientError | undefined {
  if (!(thrown instanceof Error) || thrown instanceof AmbientError || !('statusCode' in thrown))
    return undefined;
  const { statusCode } = thrown;
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode >= 500) return undefined;
  const code = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : '';
  const message = MESSAGES[code] ?? 'the request cannot be read';
  return new AmbientError(CODES[code] ?? 'invalid_request', message, { cause: thrown });
}

export const methodNotAllowed = (methods: readonly string[]): AmbientError =>
  new AmbientError('method_not_allowed', `this address takes ${methods.join(' and ')} only`, {
    details: { allow: methods.join(', ') },
  });

export const noSuchPath = (): AmbientError => new AmbientError('not_found', 'the REST API has no such path');
