/** What the operating system says about a volume, in terms of the catalogue. */
import { AmbientError, messageOf } from '../../common/errors.ts';

const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
/** Code of an error thrown by the operating system; '' of any other. */
export const systemCode = (error: unknown): string =>
  typeof error === 'object' &&
  error !== null &&
  'code' in error &&
  'syscall' in error &&
  typeof error.code === 'string'
    ? error.code
    : '';

export const isAbsent = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(systemCode(error));

/** The error to throw instead: storage_full, storage_unavailable, or the same when no file system is to blame. */
export function storageError(error: unknown): unknown {
  const code = systemCode(error);
  if (code === '') return error;
  if (FULL.has(code)) {
    return new AmbientError('storage_full', 'the artifact store is full', { cause: error });
  }
  return new AmbientError('storage_unavailable', `the artifact store cannot be used: ${code}`, {
    cause: error,
    details: { reason: messageOf(error).slice(0, 200) },
  });
}

export const digestMismatch = (expected: string, actual: string): AmbientError =>
  new AmbientError('digest_mismatch', `the bytes have the digest ${actual}, not ${expected}`, {
    details: { expected, actual },
  });
