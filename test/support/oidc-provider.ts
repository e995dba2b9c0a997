/** A real OpenID Connect provider on this machine, over TLS: signs tokens for whom a test names, and exchanges its keys. */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair } from 'jose';
import type { JWK } from 'jose';
import { Provider } from 'oidc-provider';
import type { TestCertificates } from './certificates.ts';
import { ask } from './https.ts';

export interface TestProvider extends AsyncDisposable {
  readonly issuer: string;
  /** An ID token as the provider signs it, for the client `ambient` unless told otherwise. */
  idToken(claims: Record<string, unknown>, options?: { client?: string }): Promise<string>;
  /** New keys; the old ones are no longer published. */
  rotate(): Promise<void>;
  /** Requests for the keys so far. */
  keysRead(): number;
  /** Answers nobody any more, or again. */
  away(isAway: boolean): void;
}

const GRANT = 'urn:test:sign';
const SECRET = 'secret-of-a-test-client';

export async function oidcProvider(certificates: TestCertificates): Promise<TestProvider> {
  let isAway = false;
  let keysRead = 0;
  let answer: ReturnType<Provider['callback']> | undefined;
  const server = createServer({ ...certificates.current }, (request, response) => {
    if (request.url?.startsWith('/jwks') === true) keysRead++;
    if (isAway || answer === undefined) response.writeHead(500).end();
    else answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  // What is signed next: the provider takes it from here when its token endpoint is asked.
  let claims: Record<string, unknown> = {};
  const rotate = async (): Promise<void> => {
    const provider = new Provider(issuer, {
      clients: ['ambient', 'somebody-else'].map((client_id) => ({
        client_id,
        client_secret: SECRET,
        grant_types: [GRANT],
        redirect_uris: [],
        response_types: [],
      })),
      jwks: { keys: [await newKey()] },
      claims: { openid: ['sub', 'groups', 'email', 'email_verified', 'name'] },
      conformIdTokenClaims: false,
      features: { devInteractions: { enabled: false } },
      ttl: { IdToken: 600 },
    });
    provider.registerGrantType(GRANT, async (ctx) => {
      const { IdToken } = ctx.oidc.provider;
      const token = new IdToken({}, { ctx, client: ctx.oidc.client });
      for (const [name, value] of Object.entries(claims)) token.set(name, value);
      ctx.body = { access_token: await token.issue({ use: 'idtoken' }), token_type: 'Bearer' };
    });
    answer = provider.callback();
  };
  await rotate();
  return {
    issuer,
    rotate,
    keysRead: () => keysRead,
    away: (value) => {
      isAway = value;
    },
    idToken: async (wanted, { client = 'ambient' } = {}) => {
      claims = wanted;
      const target = { port: Number(new URL(issuer).port), ca: certificates.ca };
      const { status, json, text } = await ask(target, '/token', {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          authorization: `Basic ${Buffer.from(`${client}:${SECRET}`).toString('base64')}`,
        },
        body: new URLSearchParams({ grant_type: GRANT }).toString(),
      });
      const { access_token: token } = (json ?? {}) as { access_token?: string };
      if (token === undefined) throw new Error(`the provider answered with ${status}: ${text}`);
      return token;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function newKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  return { ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig', kid: crypto.randomUUID() };
}
