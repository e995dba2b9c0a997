/** The kubeconfig's own OpenID Connect auth-provider: a token in the file, renewed with its refresh token. */
import type { RequestOptions } from 'node:https';
import { messageOf } from '../errors.ts';
import type { Credentials } from './connection.ts';
import { KubeError } from './errors.ts';

type AuthorizationOf = () => Promise<string | undefined>;

/** `owner` is for messages. Throws, when asked for authorization, KubeError CredentialsFailed. */
export function openIdConnect(
  owner: string,
  config: Record<string, string>,
): Pick<Credentials, 'authorization'> {
  let provider: Promise<AuthorizationOf> | undefined;
  let renewing: Promise<string | undefined> | undefined;
  const failed = (what: string, cause?: unknown) =>
    new KubeError(`the sign-in of ${owner} ${what}`, {
      status: 0,
      reason: 'CredentialsFailed',
      remedy: 'Sign in again with the tool that wrote the kubeconfig.',
      cause,
    });
  const renew = async () => (await (provider ??= load(config)))();
  return {
    authorization: async () => {
      let value: string | undefined;
      try {
        renewing ??= renew().finally(() => (renewing = undefined));
        value = await renewing;
      } catch (error) {
        throw failed(`could not be renewed: ${messageOf(error)}`, error);
      }
      if (value === undefined) throw failed('has expired and cannot be renewed');
      return value;
    },
  };
}

/** client-node is loaded here, at the first request that needs it: that takes some tenths of a second. */
async function load(config: Record<string, string>): Promise<AuthorizationOf> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const kubeconfig = new KubeConfig();
  kubeconfig.loadFromOptions({
    clusters: [{ name: 'any', server: 'https://localhost', skipTLSVerify: false }],
    // The provider keeps renewed tokens in this object.
    users: [{ name: 'user', authProvider: { name: 'oidc', config: { ...config } } }],
    contexts: [{ name: 'context', cluster: 'any', user: 'user' }],
    currentContext: 'context',
  });
  return async () => {
    const options: RequestOptions = {};
    await kubeconfig.applyToHTTPSOptions(options);
    const headers = options.headers as Record<string, unknown> | undefined;
    const value = headers?.['Authorization'];
    return typeof value === 'string' ? value : undefined;
  };
}
