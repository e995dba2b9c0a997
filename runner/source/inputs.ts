/** Brings inputs from elsewhere, before the agent runs and with credentials that it is never given. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import type { RunDescription } from '../../common/api/runner.ts';
import { messageOf } from '../../common/errors.ts';
import type { Locations } from '../locations.ts';
import { S3Reader } from './s3-get.ts';
import { SourceError } from './source-error.ts';

type Input = NonNullable<RunDescription['inputs']>[number];

/** Throws SourceError that names the input. */
export async function bringInputs(
  inputs: readonly Input[],
  locations: Pick<Locations, 'inputs' | 'inputCredentials'>,
  signal: AbortSignal,
): Promise<void> {
  for (const input of inputs) {
    const target = join(locations.inputs, input.name);
    try {
      if (input.kind === 's3') await fromS3(input, target, locations.inputCredentials, signal);
      else await fromUrl(input, target, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw new SourceError(`the input ${input.name} cannot be had: ${messageOf(error)}`);
    }
  }
}

async function fromUrl({ url = '', digest }: Input, target: string, signal: AbortSignal): Promise<void> {
  const response = await fetch(url, { signal }).catch((error: unknown) => {
    const { cause } = error as { cause?: { message?: string } };
    throw new SourceError(`${new URL(url).host} cannot be reached: ${cause?.message ?? messageOf(error)}`);
  });
  if (!response.ok || response.body === null)
    throw new SourceError(`${new URL(url).host} answered with status ${response.status}`);
  const actual = await write(Readable.fromWeb(response.body as ReadableStream), target, signal);
  if (digest !== undefined && digest !== actual)
    throw new SourceError(`it has the digest ${actual}, not ${digest}`);
}

async function fromS3(
  { bucket = '', key = '', credentials = '' }: Input,
  target: string,
  secrets: string,
  signal: AbortSignal,
): Promise<void> {
  const reader = await readerOf(bucket, key, join(secrets, credentials), credentials);
  if (key !== '' && !key.endsWith('/')) {
    await write(await reader.get(key, signal), target, signal);
    return;
  }
  await mkdir(target, { recursive: true });
  for (const name of await reader.list(key, signal)) {
    const path = name.slice(key.length);
    // Folders that some tools make, and names that lead elsewhere.
    if (path === '' || path.endsWith('/')) continue;
    if (path.split('/').some((segment) => segment === '' || segment === '.' || segment === '..'))
      throw new SourceError(`s3://${bucket}/${name} is no path for a file`);
    const file = join(target, path);
    await mkdir(dirname(file), { recursive: true });
    await write(await reader.get(name, signal), file, signal);
  }
}

async function readerOf(bucket: string, key: string, folder: string, secret: string): Promise<S3Reader> {
  const read = async (name: string): Promise<string | undefined> => {
    try {
      return (await readFile(join(folder, name), 'utf8')).trim();
    } catch {
      return undefined;
    }
  };
  const lacks = (what: string): SourceError => new SourceError(`the Secret ${secret} ${what}`);
  const [accessKeyId, secretAccessKey, allowed] = await Promise.all(
    ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'url'].map(read),
  );
  if (accessKeyId === undefined && allowed === undefined) throw lacks('is not there or is empty');
  if (accessKeyId === undefined || secretAccessKey === undefined)
    throw lacks('has no AWS_ACCESS_KEY_ID or no AWS_SECRET_ACCESS_KEY');
  if (allowed === undefined) throw lacks('does not say in url which locations it is for');
  const prefix = allowed.endsWith('/') ? allowed : `${allowed}/`;
  if (!`s3://${bucket}/${key}`.startsWith(prefix))
    throw lacks(`is for ${prefix}, not for s3://${bucket}/${key}`);
  const access = {
    accessKeyId,
    secretAccessKey,
    sessionToken: await read('AWS_SESSION_TOKEN'),
    region: (await read('AWS_REGION')) ?? 'us-east-1',
    endpoint: await read('AWS_ENDPOINT_URL'),
    bucket,
  };
  return new S3Reader(access, () => new Date());
}

/** The digest of what was written. */
async function write(body: Readable, file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const counted = new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(body, counted, createWriteStream(file, { mode: 0o644 }), { signal });
  return `sha256:${hash.digest('hex')}`;
}
