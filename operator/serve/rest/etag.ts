/** ETags of JSON answers: https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3 */
import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';

/** Of everything that the answer depends on. */
export const etagOf = (...parts: unknown[]): string =>
  `"${createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 27)}"`;

/** Sets the ETag; true when the caller has this very answer, which then is 304 without a body. */
export function isUnchanged(reply: FastifyReply, etag: string, ifNoneMatch: string | undefined): boolean {
  reply.header('etag', etag).header('cache-control', 'private, no-cache');
  const named = ifNoneMatch?.split(',').map((each) => each.trim().replace(/^W\//, '')) ?? [];
  if (!named.includes(etag) && !named.includes('*')) return false;
  reply.code(304);
  return true;
}
