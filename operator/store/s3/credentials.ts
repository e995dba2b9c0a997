/** Keys of S3 from the files of a mounted Secret, read again when they may have changed. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AmbientError } from '../../../common/errors.ts';
import { isAbsent } from '../storage-errors.ts';

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** Names that Secrets for S3 usually have: as the environment variables are called, or in Kubernetes' own manner. */
const NAMES = {
  accessKeyId: ['AWS_ACCESS_KEY_ID', 'access-key-id'],
  secretAccessKey: ['AWS_SECRET_ACCESS_KEY', 'secret-access-key'],
  sessionToken: ['AWS_SESSION_TOKEN', 'session-token'],
} as const;

const READ_AGAIN_MS = 10_000;

/** Throws storage_unavailable when a key is missing. `value` gives what stands under a name of the Secret. */
export async function credentialsOf(
  value: (name: string) => Promise<string | undefined> | string | undefined,
  where: string,
): Promise<S3Credentials> {
  const find = async (names: readonly string[]): Promise<string | undefined> => {
    for (const name of names) {
      const found = (await value(name))?.trim();
      if (found !== undefined && found !== '') return found;
    }
    return undefined;
  };
  const need = async (names: readonly string[]): Promise<string> => {
    const found = await find(names);
    if (found !== undefined) return found;
    throw new AmbientError('storage_unavailable', `${where} has no ${names.join(' or ')}`);
  };
  const sessionToken = await find(NAMES.sessionToken);
  return {
    accessKeyId: await need(NAMES.accessKeyId),
    secretAccessKey: await need(NAMES.secretAccessKey),
    ...(sessionToken === undefined ? {} : { sessionToken }),
  };
}

/** For the client, which asks before each request. */
export function credentialsFrom(
  folder: string,
  now: () => Date,
): () => Promise<S3Credentials & { expiration: Date }> {
  let known: { credentials: Promise<S3Credentials>; readAt: number } | undefined;
  const read = async (name: string): Promise<string | undefined> => {
    try {
      return await readFile(join(folder, name), 'utf8');
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  };
  return async () => {
    const at = now();
    if (known === undefined || at.getTime() - known.readAt >= READ_AGAIN_MS) {
      known = { credentials: credentialsOf(read, folder), readAt: at.getTime() };
      // What failed is tried again at once.
      known.credentials.catch(() => (known = undefined));
    }
    // Already over: or the client would keep them itself.
    return { ...(await known.credentials), expiration: at };
  };
}
