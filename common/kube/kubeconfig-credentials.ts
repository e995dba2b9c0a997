/** From the cluster and user entries of a kubeconfig to what a connection needs. */
import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, resolve } from 'node:path';
import { messageOf } from '../errors.ts';
import type { ClientCertificate, Credentials } from './credentials.ts';
import { KubeError } from './errors.ts';
import { ExecPlugin } from './exec-plugin.ts';
import type { ExecConfig } from './exec-plugin.ts';
import { FileToken } from './file-token.ts';
import type { ClusterEntry, Sourced, UserEntry } from './kubeconfig-file.ts';
import { openIdConnect } from './openid-connect.ts';
import { proxyFromEnvironment } from './proxy-environment.ts';

export interface CredentialsSource {
  clusterName: string;
  cluster: Sourced<ClusterEntry>;
  userName: string;
  user: Sourced<UserEntry>;
  env: Readonly<Record<string, string | undefined>>;
  execTimeoutMs: number;
}

type Identity = Pick<Credentials, 'authorization' | 'clientCertificate' | 'invalidate' | 'close'>;

/** The key under which client-go looks for a cluster's configuration of exec plugins. */
const EXEC_EXTENSION = 'client.authentication.k8s.io/exec';

/** Throws KubeError CredentialsFailed when certificates cannot be read. Runs no plugin yet. */
export async function credentialsOf(from: CredentialsSource): Promise<Credentials> {
  const { cluster, env } = from;
  const { entry, source } = cluster;
  const server = entry.server ?? '';
  const ca = await pem(
    source,
    entry['certificate-authority-data'],
    entry['certificate-authority'],
    'certificate-authority',
  );
  const proxy =
    entry['proxy-url'] !== undefined && entry['proxy-url'] !== ''
      ? entry['proxy-url']
      : proxyFromEnvironment(server, env);
  const headers = impersonation(from.user.entry);
  return {
    server,
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(entry['tls-server-name'] === undefined ? {} : { serverName: entry['tls-server-name'] }),
      ...(entry['insecure-skip-tls-verify'] === true ? { insecure: true } : {}),
    },
    ...(await identityOf(from, ca)),
    ...(headers === undefined ? {} : { headers }),
    ...(proxy === undefined ? {} : { proxy }),
  };
}

/** The order is client-go's: certificates always; then tokenFile, token, basic, exec, auth-provider. */
async function identityOf(from: CredentialsSource, ca: string | undefined): Promise<Identity> {
  const { entry, source } = from.user;
  const certificate = () => certificateOf(entry, source);
  const hasCertificate = (await certificate()) !== undefined;
  // Read again whenever connections are opened, so that a renewed file is taken up.
  const identity: Identity = hasCertificate ? { clientCertificate: certificate } : {};
  if (entry.tokenFile !== undefined && entry.tokenFile !== '') {
    const token = new FileToken(beside(source, entry.tokenFile));
    return { ...identity, authorization: () => token.authorization(), invalidate: () => token.invalidate() };
  }
  if (entry.token !== undefined && entry.token !== '')
    return { ...identity, ...fixed(`Bearer ${entry.token}`) };
  if (entry.username !== undefined && entry.username !== '') {
    const basic = Buffer.from(`${entry.username}:${entry.password ?? ''}`).toString('base64');
    return { ...identity, ...fixed(`Basic ${basic}`) };
  }
  if (entry.exec !== undefined && entry.exec !== null) {
    const plugin = execPlugin(from, entry.exec, ca);
    return {
      authorization: (signal) => plugin.authorization(signal),
      clientCertificate: async (signal) => (await plugin.certificate(signal)) ?? (await certificate()),
      invalidate: (used) => plugin.invalidate(used),
      close: () => plugin.close(),
    };
  }
  const provider = entry['auth-provider'];
  if (provider !== undefined && provider !== null) {
    if (provider.name === 'oidc')
      return { ...identity, ...openIdConnect(ownerOf(from), provider.config ?? {}) };
    throw new KubeError(
      `${ownerOf(from)} uses the auth-provider ${JSON.stringify(provider.name)}, which Kubernetes has removed`,
      {
        status: 0,
        reason: 'CredentialsFailed',
        remedy:
          'Let the tool of your cloud write the kubeconfig again; it will use a credential plugin instead.',
      },
    );
  }
  return hasCertificate ? { ...identity, invalidate: () => true } : identity;
}

function fixed(value: string): Identity {
  const settled = Promise.resolve(value);
  return { authorization: () => settled };
}

const ownerOf = ({ userName, user }: CredentialsSource): string =>
  `user ${JSON.stringify(userName)} in ${user.source}`;

function execPlugin(from: CredentialsSource, config: ExecConfig, ca: string | undefined): ExecPlugin {
  const { cluster, user, env, execTimeoutMs } = from;
  const { command } = config;
  // A bare name is looked up on PATH; a path is relative to the kubeconfig.
  const isRelativePath = command !== undefined && /[/\\]/.test(command) && !isAbsolute(command);
  const { entry } = cluster;
  const extensions = Array.isArray(entry.extensions) ? entry.extensions : [];
  const extension = extensions.find((each) => each?.name === EXEC_EXTENSION)?.extension;
  return new ExecPlugin({
    config: isRelativePath ? { ...config, command: beside(user.source, command) } : config,
    owner: ownerOf(from),
    env,
    timeoutMs: execTimeoutMs,
    clusterInfo: {
      server: entry.server,
      'tls-server-name': entry['tls-server-name'],
      'insecure-skip-tls-verify': entry['insecure-skip-tls-verify'],
      'certificate-authority-data': ca === undefined ? undefined : Buffer.from(ca).toString('base64'),
      'proxy-url': entry['proxy-url'],
      config: extension ?? null,
    },
  });
}

async function certificateOf(entry: UserEntry, source: string): Promise<ClientCertificate | undefined> {
  const cert = await pem(
    source,
    entry['client-certificate-data'],
    entry['client-certificate'],
    'client-certificate',
  );
  const key = await pem(source, entry['client-key-data'], entry['client-key'], 'client-key');
  return cert === undefined || key === undefined ? undefined : { cert, key };
}

/** Data wins over a file, as in client-go. */
async function pem(
  source: string,
  data: string | undefined,
  path: string | undefined,
  field: string,
): Promise<string | undefined> {
  const failed = (what: string, cause?: unknown) =>
    new KubeError(`${field} in ${source} ${what}`, {
      status: 0,
      reason: 'CredentialsFailed',
      remedy: `Correct ${field} in the kubeconfig, or sign in again so that it is written.`,
      cause,
    });
  if (data !== undefined && data !== '') {
    const text = Buffer.from(String(data), 'base64').toString('utf8');
    if (!text.includes('-----BEGIN')) throw failed('is not PEM in base64');
    return text;
  }
  if (path === undefined || path === '') return undefined;
  try {
    return await readFile(beside(source, path), 'utf8');
  } catch (error) {
    throw failed(`cannot be read: ${messageOf(error)}`, error);
  }
}

/** A path in a kubeconfig is relative to the file it stands in. */
const beside = (source: string, path: string): string =>
  isAbsolute(path) ? path : resolve(dirname(source), path);

/** https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation */
function impersonation(user: UserEntry): Credentials['headers'] {
  if (user.as === undefined || user.as === '') return undefined;
  const headers: Record<string, string | string[]> = { 'impersonate-user': user.as };
  if (user['as-uid'] !== undefined) headers['impersonate-uid'] = user['as-uid'];
  if (user['as-groups'] !== undefined && user['as-groups'] !== null)
    headers['impersonate-group'] = user['as-groups'];
  for (const [name, values] of Object.entries(user['as-user-extra'] ?? {})) {
    headers[`impersonate-extra-${encodeURIComponent(name.toLowerCase())}`] = values;
  }
  return headers;
}
