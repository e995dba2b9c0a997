/** Who asks, as the cluster knows them, and the token by which they say so. */
import { AmbientError } from '../../../common/errors.ts';

export interface Caller {
  name: string;
  uid?: string;
  groups: string[];
  extra: Record<string, string[]>;
}

/** Of every user that was authenticated; what the API server adds by itself. */
export const AUTHENTICATED = 'system:authenticated';
/** The API server's own limit on a header is not much more. */
const TOKEN_BYTES_MAX = 32 * 1024;
const BEARER = /^Bearer +([A-Za-z0-9\-._~+/]+=*) *$/i;

/** The token of an Authorization header. Throws unauthenticated. */
export function bearerOf(authorization: string | undefined): string {
  if (authorization === undefined)
    throw new AmbientError('unauthenticated', 'the header Authorization: Bearer TOKEN is missing');
  const token = BEARER.exec(authorization)?.[1];
  if (token === undefined || token.length > TOKEN_BYTES_MAX)
    throw new AmbientError('unauthenticated', 'the Authorization header holds no bearer token');
  return token;
}

/** What a JSON Web Token says of itself: believed by nobody, but it tells whom to ask. Empty for other tokens. */
export function unverifiedClaims(token: string): Record<string, unknown> {
  const parts = token.split('.');
  if (parts.length !== 3) return {};
  try {
    const claims: unknown = JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null ? { ...claims } : {};
  } catch {
    return {};
  }
}
