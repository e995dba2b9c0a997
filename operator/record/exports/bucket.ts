/**
 * The bucket of a tenant that a session's artifacts are delivered to. Server, keys and the locations they are good for stand in a
 * Secret that the tenant lets the operator read; a session names only the Secret and a place within.
 */
import { isIP } from 'node:net';
import type { SessionSpec } from '../../../common/api/session.ts';
import type { ArtifactStore } from '../../store/store.ts';
import type { AddressRules } from '../notifications/addresses.ts';
import { isAllowedAddress } from '../notifications/addresses.ts';
import { checkedLookup } from '../notifications/checked-lookup.ts';
import type { Resolve } from '../notifications/checked-lookup.ts';
import type { SecretReference } from '../notifications/placeholders.ts';
import { SecretProblem } from '../notifications/secrets.ts';

export type Storage = NonNullable<NonNullable<SessionSpec['artifacts']>['storage']>;

export interface BucketOptions {
  /** Throws SecretProblem, and what the API server's absence throws. */
  read: (namespace: string, reference: SecretReference) => Promise<Buffer>;
  rules: AddressRules;
  resolve: Resolve;
}

export interface Bucket extends Disposable {
  store: Pick<ArtifactStore, 'stat' | 'put'>;
  /** s3://bucket/prefix/ */
  location: string;
}

/** Its message is for the tenant. */
export class ExportProblem extends Error {
  override readonly name = 'ExportProblem';
}

const LOCATION = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/;

/** Throws ExportProblem. */
export async function openBucket(
  { read, rules, resolve }: BucketOptions,
  namespace: string,
  { credentials: name = '', location }: Storage,
): Promise<Bucket> {
  const value = async (key: string): Promise<string> =>
    (await read(namespace, { name, key })).toString('utf8').trim();
  const optional = async (key: string): Promise<string | undefined> => {
    try {
      return await value(key);
    } catch (error) {
      if (error instanceof SecretProblem && error.cause === undefined) return undefined;
      throw error;
    }
  };
  try {
    const allowed = asFolder(await value('url'));
    const wanted = location === undefined ? allowed : asFolder(location);
    if (!wanted.startsWith(allowed))
      throw new ExportProblem(`Secret ${name} is for ${allowed}, not for ${wanted}`);
    const [, bucket, prefix = ''] = LOCATION.exec(wanted) ?? [];
    if (bucket === undefined) throw new ExportProblem(`${wanted} is no location such as s3://BUCKET/PREFIX`);
    const endpoint = await optional('AWS_ENDPOINT_URL');
    if (endpoint !== undefined) assertAllowed(endpoint, rules);
    const sessionToken = await optional('AWS_SESSION_TOKEN');
    const { S3Store } = await import('../../store/s3/store.ts');
    const store = new S3Store({
      bucket,
      prefix,
      endpoint,
      region: (await optional('AWS_REGION')) ?? 'us-east-1',
      pathStyle: endpoint !== undefined,
      credentials: {
        accessKeyId: await value('AWS_ACCESS_KEY_ID'),
        secretAccessKey: await value('AWS_SECRET_ACCESS_KEY'),
        ...(sessionToken === undefined ? {} : { sessionToken }),
      },
      lookup: checkedLookup(rules, resolve, (address) => forbidden(address)),
    });
    return { store, location: wanted, [Symbol.dispose]: () => store.close() };
  } catch (error) {
    if (error instanceof SecretProblem) throw new ExportProblem(error.message, { cause: error });
    throw error;
  }
}

const asFolder = (location: string): string => (location.endsWith('/') ? location : `${location}/`);

function assertAllowed(endpoint: string, rules: AddressRules): void {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url?.protocol !== 'https:' && !(url?.protocol === 'http:' && rules.plainHttp))
    throw new ExportProblem('AWS_ENDPOINT_URL must be an https:// URL');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !isAllowedAddress(host, rules)) throw forbidden(host);
}

const forbidden = (address: string): ExportProblem =>
  new ExportProblem(
    `${address} is no address of the public internet; the operator's administrator can allow its network with --notify-allow`,
  );
