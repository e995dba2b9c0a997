/**
 * The kubeconfig's own OpenID Connect auth-provider: a token in the file, renewed with its refresh token. Renewed
 * tokens are kept in memory and never written into the user's file.
 * https://openid.net/specs/openid-connect-core-1_0.html#RefreshTokens
 */
import { readFile } from 'node:fs/promises';
import { messageOf } from '../errors.ts';
import { abortable } from './abortable.ts';
import type { Credentials } from './credentials.ts';
import { KubeError } from './errors.ts';
import { Agent } from './undici.ts';

/** Fields of `auth-provider.config`, as kubectl names them. */
type Config = Readonly<Record<string, string | undefined>>;

interface Tokens {
  id_token?: unknown;
  refresh_token?: unknown;
  error?: unknown;
  error_description?: unknown;
}

/** A token this close to its end would expire on the way. */
const LEEWAY_MS = 10_000;
const TIMEOUT_MS = 15_000;

/** `owner` is for messages; `now` in milliseconds since the epoch. Gives, or throws KubeError CredentialsFailed. */
export function openIdConnect(
  owner: string,
  config: Config,
  now: () => number = Date.now,
): Pick<Credentials, 'authorization'> {
  const failed = (what: string, cause?: unknown) =>
    new KubeError(`the sign-in of ${owner} ${what}`, {
      status: 0,
      reason: 'CredentialsFailed',
      remedy: 'Sign in again with the tool that wrote the kubeconfig.',
      cause,
    });
  let token = config['id-token'];
  let refreshToken = config['refresh-token'];
  let renewing: Promise<string> | undefined;
  const renew = async (): Promise<string> => {
    if (refreshToken === undefined || refreshToken === '') throw failed('has expired and cannot be renewed');
    let tokens: Tokens;
    try {
      tokens = await refresh(config, refreshToken);
    } catch (error) {
      throw failed(`could not be renewed: ${messageOf(error)}`, error);
    }
    if (typeof tokens.id_token !== 'string')
      throw failed('could not be renewed: the provider gave no id_token');
    token = tokens.id_token;
    // Many providers take each refresh token only once.
    if (typeof tokens.refresh_token === 'string') refreshToken = tokens.refresh_token;
    return `Bearer ${token}`;
  };
  return {
    authorization: async (signal) => {
      if (token !== undefined && expiryOf(token) - LEEWAY_MS > now()) return `Bearer ${token}`;
      renewing ??= renew().finally(() => (renewing = undefined));
      return await abortable(renewing, signal);
    },
  };
}

/** Milliseconds since the epoch; 0 for what is no JSON web token. The server verifies it, this only plans ahead. */
function expiryOf(token: string): number {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
      exp?: unknown;
    };
    return typeof claims.exp === 'number' ? claims.exp * 1000 : 0;
  } catch {
    return 0;
  }
}

async function refresh(config: Config, refreshToken: string): Promise<Tokens> {
  const issuer = URL.parse(config['idp-issuer-url'] ?? '');
  const clientId = config['client-id'] ?? '';
  if (issuer?.protocol !== 'https:' || clientId === '') {
    throw new Error('idp-issuer-url is not an https address, or client-id is missing');
  }
  const data = config['idp-certificate-authority-data'];
  const file = config['idp-certificate-authority'];
  const ca =
    data !== undefined && data !== '' ? Buffer.from(data, 'base64') : file ? await readFile(file) : undefined;
  const agent = new Agent({ allowH2: false, connect: ca === undefined ? {} : { ca } });
  const ask = async (
    url: URL,
    options: { method?: 'POST'; headers?: Record<string, string>; body?: string } = {},
  ) => {
    const response = await agent.request({
      method: 'GET',
      ...options,
      origin: url.origin,
      path: url.pathname + url.search,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await response.body.text();
    try {
      return {
        status: response.statusCode,
        answer: JSON.parse(text) as Tokens & { token_endpoint?: unknown },
      };
    } catch {
      throw new Error(`${url.origin} answered with status ${response.statusCode} and no JSON`);
    }
  };
  try {
    const base = issuer.href.endsWith('/') ? issuer.href : `${issuer.href}/`;
    const { answer: discovered } = await ask(new URL('.well-known/openid-configuration', base));
    const endpoint = URL.parse(String(discovered.token_endpoint));
    if (endpoint?.protocol !== 'https:') throw new Error(`${issuer.href} names no https token_endpoint`);
    const secret = config['client-secret'] ?? '';
    const form = { grant_type: 'refresh_token', refresh_token: refreshToken };
    const post = (fields: Record<string, string>, headers: Record<string, string>) =>
      ask(endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: new URLSearchParams(fields).toString(),
      });
    const basic = `${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`;
    // RFC 6749 §2.3.1 wants Basic; some providers know only the form, and clients without a secret have no other way.
    let result =
      secret === ''
        ? await post({ ...form, client_id: clientId }, {})
        : await post(form, { authorization: `Basic ${Buffer.from(basic).toString('base64')}` });
    if (secret !== '' && result.answer.error === 'invalid_client') {
      result = await post({ ...form, client_id: clientId, client_secret: secret }, {});
    }
    if (result.status !== 200) {
      const { error, error_description: description } = result.answer;
      throw new Error(
        [error, description].filter((each) => typeof each === 'string').join(': ') ||
          `status ${result.status}`,
      );
    }
    return result.answer;
  } finally {
    await agent.destroy();
  }
}
