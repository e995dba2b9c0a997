/** Where the operator keeps logs, artifacts and records: the options that say so, and the store they lead to. */
import { readFile } from 'node:fs/promises';
import { AmbientError } from '../common/errors.ts';
import { DirectoryStore } from './store/directory.ts';
import type { S3ClientOptions, S3Place } from './store/s3/client.ts';
import type { ArtifactStore } from './store/store.ts';

const KINDS = ['directory', 's3'] as const;

export const STORE_OPTIONS = {
  store: {
    kind: 'choice',
    default: 'directory',
    about: `Where logs, artifacts and sources are kept: ${KINDS.join(' or ')}.`,
  },
  'store-dir': { kind: 'text', default: '/var/lib/ambient', about: 'The directory; it must exist.' },
  's3-bucket': { kind: 'text', about: 'The bucket, when the store is s3; it must exist.' },
  's3-prefix': {
    kind: 'text',
    about: 'What all names in the bucket begin with, such as team/ambient. Nothing else may use it.',
  },
  's3-endpoint': { kind: 'text', about: "URL of the S3 server. Default: Amazon's for the region." },
  's3-region': { kind: 'text', about: 'Default: AWS_REGION, or us-east-1.' },
  's3-path-style': {
    kind: 'switch',
    about: 'The bucket in the path, not in the host name. Default: true with an endpoint of its own.',
  },
  's3-credentials-dir': {
    kind: 'text',
    about:
      'A mounted Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, read again when it changes. Default: the environment, or the identity of the pod.',
  },
  's3-ca-file': { kind: 'text', about: 'PEM file of whom to trust at the endpoint.' },
} as const;

export type StoreOptionName = keyof typeof STORE_OPTIONS;

export type StoreConfig =
  | { kind: 'directory'; root: string }
  | { kind: 's3'; place: S3Place; credentialsDir: string | undefined; caFile: string | undefined };

type Environment = Readonly<Record<string, string | undefined>>;

/** `text` gives what was set for an option, `wrong` is told of each mistake. */
export function readStoreConfig(
  text: (name: StoreOptionName) => string | undefined,
  wrong: (name: StoreOptionName, value: string, expected: string) => void,
  env: Environment,
): StoreConfig {
  const kind = text('store') ?? STORE_OPTIONS.store.default;
  if (kind !== 's3') {
    if (kind !== 'directory') wrong('store', kind, `one of ${KINDS.join(', ')}`);
    return { kind: 'directory', root: text('store-dir') ?? STORE_OPTIONS['store-dir'].default };
  }
  const bucket = text('s3-bucket') ?? '';
  if (!/^[a-zA-Z0-9._:-]{3,255}$/.test(bucket)) wrong('s3-bucket', bucket, 'the name of a bucket');
  const endpoint = text('s3-endpoint');
  if (endpoint !== undefined && !(URL.canParse(endpoint) && /^https?:\/\//.test(endpoint)))
    wrong('s3-endpoint', endpoint, 'an https:// URL');
  const pathStyle = text('s3-path-style') ?? String(endpoint !== undefined);
  if (!['true', 'false'].includes(pathStyle)) wrong('s3-path-style', pathStyle, 'true or false');
  const prefix = (text('s3-prefix') ?? '').replace(/^\/+|\/+$/g, '');
  if (!/^[\w.=-]*(\/[\w.=-]+)*$/.test(prefix) || prefix.length > 200)
    wrong('s3-prefix', prefix, 'letters, digits and . _ = - with / in between');
  return {
    kind: 's3',
    place: {
      bucket,
      prefix: prefix === '' ? '' : `${prefix}/`,
      endpoint,
      region: text('s3-region') ?? env['AWS_REGION'] ?? 'us-east-1',
      pathStyle: pathStyle === 'true',
    },
    credentialsDir: text('s3-credentials-dir'),
    caFile: text('s3-ca-file'),
  };
}

/** For commands beside the operator: as its environment says, unless a directory is named. Throws invalid_request. */
export function storeConfigOf(env: Environment, directory: string | undefined): StoreConfig {
  if (directory !== undefined) return { kind: 'directory', root: directory };
  const variable = (name: string): string => `AMBIENT_${name.toUpperCase().replaceAll('-', '_')}`;
  const wrong = (name: string, value: string, expected: string): void => {
    const is = `${variable(name)} is ${JSON.stringify(value)}`;
    throw new AmbientError('invalid_request', `${is}, but must be ${expected}`);
  };
  return readStoreConfig((name) => env[variable(name)] || undefined, wrong, env);
}

/** The client of S3 is a megabyte of code that is not even loaded for a directory. */
export async function openStore(
  config: StoreConfig,
  onRequest?: S3ClientOptions['onRequest'],
): Promise<ArtifactStore> {
  if (config.kind === 'directory') return new DirectoryStore({ root: config.root });
  const { place, credentialsDir, caFile } = config;
  const { S3Store } = await import('./store/s3/store.ts');
  const { credentialsFrom } = await import('./store/s3/credentials.ts');
  return new S3Store({
    ...place,
    ...(credentialsDir === undefined
      ? {}
      : { credentials: credentialsFrom(credentialsDir, () => new Date()) }),
    ...(caFile === undefined ? {} : { ca: await readFile(caFile, 'utf8') }),
    ...(onRequest === undefined ? {} : { onRequest }),
  });
}
