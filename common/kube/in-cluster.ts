/** The connection of a pod to its own cluster, as its service account. */
import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { AmbientError } from '../errors.ts';
import { Connection } from './connection.ts';
import { FileToken } from './file-token.ts';

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface InClusterOptions {
  env?: Readonly<Record<string, string | undefined>>;
  /** Where token and ca.crt are mounted. */
  directory?: string;
  userAgent?: string;
}

/** Throws AmbientError unavailable outside a pod, or in one without a service account token. */
export async function connectInCluster(options: InClusterOptions = {}): Promise<Connection> {
  const { env = process.env, directory = SERVICE_ACCOUNT, userAgent } = options;
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT_HTTPS'] ?? env['KUBERNETES_SERVICE_PORT'];
  if (host === undefined || port === undefined) {
    throw new AmbientError('unavailable', 'not in a pod: KUBERNETES_SERVICE_HOST and _PORT are not set');
  }
  let ca: string;
  try {
    ca = await readFile(join(directory, 'ca.crt'), 'utf8');
  } catch (cause) {
    throw new AmbientError('unavailable', `no service account is mounted at ${directory}`, { cause });
  }
  const token = new FileToken(join(directory, 'token'));
  return new Connection({
    cluster: 'in-cluster',
    credentials: {
      server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
      tls: { ca },
      authorization: () => token.authorization(),
      invalidate: () => token.invalidate(),
    },
    ...(userAgent === undefined ? {} : { userAgent }),
  });
}
