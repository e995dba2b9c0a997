/** Paths of artifacts come from agents: what is let into the store, and out to a browser or a disk. */
import { AmbientError } from '../../common/errors.ts';

/** UTF-8 bytes; also the longest key an S3 server takes. */
export const ARTIFACT_PATH_MAX = 1024;

/** The same path. Throws unsafe_path unless it is relative, of Unicode, without empty, `.` and `..` segments and zero bytes. */
export function safeArtifactPath(path: string): string {
  const refuse = (why: string): never => {
    throw new AmbientError('unsafe_path', `${JSON.stringify(path.slice(0, 200))} ${why}`);
  };
  if (path === '') refuse('is empty');
  if (Buffer.byteLength(path) > ARTIFACT_PATH_MAX) refuse(`… has more than ${ARTIFACT_PATH_MAX} bytes`);
  if (!path.isWellFormed()) refuse('is not Unicode');
  if (path.includes('\0')) refuse('has a zero byte');
  for (const segment of path.split('/')) {
    if (segment === '') refuse('has an empty segment');
    if (segment === '.' || segment === '..') refuse(`has the segment ${segment}`);
  }
  return path;
}
