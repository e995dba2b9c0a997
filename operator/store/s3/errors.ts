/** What an S3 server, or the way to it, says in terms of the catalogue. */
import { AmbientError, messageOf } from '../../../common/errors.ts';
import { systemCode } from '../storage-errors.ts';

const FULL: ReadonlySet<string> = new Set([
  'InsufficientStorage',
  'QuotaExceeded',
  'XMinioStorageFull',
  'XMinioAdminBucketQuotaExceeded',
]);
const REFUSED: ReadonlySet<string> = new Set([
  'AccessDenied',
  'CredentialsProviderError',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidAccessKeyId',
  'InvalidIdentityToken',
  'InvalidIdentityTokenException',
  'InvalidToken',
  'SignatureDoesNotMatch',
  'UnrecognizedClientException',
]);
/** Servers that keep objects as files cannot have `a` and `a/b`. */
const IN_THE_WAY: ReadonlySet<string> = new Set([
  'ExistingObjectIsDirectory',
  'ObjectParentIsFile',
  'XMinioObjectExistsAsDirectory',
  'XMinioParentIsObject',
]);
const INSUFFICIENT_STORAGE = 507;
const FORBIDDEN = 403;
const NOT_FOUND = 404;
const PRECONDITION_FAILED = 412;

/** Of an answer; undefined when there was none. */
export const statusOf = (error: unknown): number | undefined =>
  error instanceof Error && '$metadata' in error
    ? (error.$metadata as { httpStatusCode?: number }).httpStatusCode
    : undefined;

export const codeOf = (error: unknown): string =>
  systemCode(error) || (error instanceof Error && error.name !== 'Error' ? error.name : '');

/** No object; an absent bucket is something else. */
export const isMissing = (error: unknown): boolean =>
  codeOf(error) !== 'NoSuchBucket' && statusOf(error) === NOT_FOUND;

/** Somebody else was faster where nothing was to be replaced. */
export const isTaken = (error: unknown): boolean =>
  statusOf(error) === PRECONDITION_FAILED || codeOf(error) === 'ConditionalRequestConflict';

/** The error to throw instead: the same when neither server nor network is to blame. */
export function s3Error(error: unknown, bucket: string): unknown {
  if (error instanceof AmbientError) return error;
  const status = statusOf(error);
  // An answer to HEAD has no words.
  const code = codeOf(error) === 'Unknown' ? `status ${status ?? ''}` : codeOf(error);
  const fail = (ambient: 'storage_full' | 'storage_unavailable', message: string): AmbientError =>
    new AmbientError(ambient, message, {
      cause: error,
      details: { reason: messageOf(error).slice(0, 200) },
    });
  if (FULL.has(code) || status === INSUFFICIENT_STORAGE)
    return fail('storage_full', 'the artifact store is full');
  if (REFUSED.has(code) || status === FORBIDDEN)
    return fail('storage_unavailable', `the artifact store refuses the operator's credentials: ${code}`);
  if (code === 'NoSuchBucket')
    return fail('storage_unavailable', `the artifact store's bucket ${bucket} does not exist`);
  if (code === 'KeyTooLongError')
    return new AmbientError('invalid_request', 'the key is too long for the artifact store', {
      cause: error,
    });
  if (IN_THE_WAY.has(code))
    return new AmbientError('conflict', 'this store cannot keep an object and others below its name', {
      cause: error,
    });
  const isOurs = status === undefined && systemCode(error) === '' && !NETWORK.has(code);
  return isOurs ? error : fail('storage_unavailable', `the artifact store cannot be used: ${code}`);
}

/** Named by the client library, without a code of the system. */
const NETWORK: ReadonlySet<string> = new Set(['TimeoutError', 'AbortError', 'NetworkingError']);
