/** What the store knows of an object beyond its bytes, in the metadata of S3: one request writes both. */
import { AmbientError } from '../../../common/errors.ts';
import type { ObjectInfo, PutOptions } from '../store.ts';

const DIGEST = 'sha256';
const CREATED = 'created';
/** Headers are case-insensitive, and servers change the case. */
const NAME = /^[a-z0-9-]{1,64}$/;
/** Of all names and values, as S3 has it; and some room. */
const BYTES_MAX = 1800;
const PREFIX = 'sha256:';

export interface Head {
  ContentType?: string | undefined;
  Metadata?: Record<string, string> | undefined;
}

/** Throws invalid_request. */
export function metadataOf(
  options: PutOptions,
  written: { digest: string; createdAt: Date },
): Record<string, string> {
  const all: Record<string, string> = {
    [DIGEST]: written.digest.slice(PREFIX.length),
    [CREATED]: written.createdAt.toISOString(),
  };
  for (const [name, value] of Object.entries(options.metadata ?? {})) {
    if (!NAME.test(name) || name in all)
      throw new AmbientError('invalid_request', `metadata cannot be named ${JSON.stringify(name)}`);
    all[name] = encodeURIComponent(value);
  }
  const bytes = Object.entries(all).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (bytes + options.contentType.length > BYTES_MAX)
    throw new AmbientError('invalid_request', 'content type and metadata of an object are too long');
  return all;
}

/** Undefined for what somebody else has put into the bucket. */
export function infoOf(key: string, size: number, head: Head): ObjectInfo | undefined {
  const { [DIGEST]: digest, [CREATED]: created, ...metadata } = head.Metadata ?? {};
  if (digest === undefined || created === undefined) return undefined;
  for (const [name, value] of Object.entries(metadata)) metadata[name] = decoded(value);
  return {
    key,
    size,
    contentType: head.ContentType ?? 'application/octet-stream',
    digest: `${PREFIX}${digest}`,
    createdAt: new Date(created),
    metadata,
  };
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
