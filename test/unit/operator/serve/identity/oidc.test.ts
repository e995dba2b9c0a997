/** Tokens of a real OpenID Connect provider, and those that only look like it. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { decodeJwt, exportJWK, exportSPKI, generateKeyPair, importJWK, SignJWT } from 'jose';
import type { JWTPayload } from 'jose';
import { isAmbientError } from '../../../../../common/errors.ts';
import { callerOf, OidcTokens } from '../../../../../operator/serve/identity/oidc.ts';
import type { OidcSettings } from '../../../../../operator/serve/identity/oidc.ts';
import { TestCertificates } from '../../../../support/certificates.ts';
import { oidcProvider } from '../../../../support/oidc-provider.ts';
import type { TestProvider } from '../../../../support/oidc-provider.ts';
import { ask } from '../../../../support/https.ts';

describe('tokens of an OpenID Connect provider', function () {
  this.timeout(30_000);
  let certificates: TestCertificates;
  let provider: TestProvider;
  let settings: OidcSettings;
  let tokens: OidcTokens;
  let now: Date;

  before(async () => {
    certificates = await TestCertificates.make();
    provider = await oidcProvider(certificates);
  });
  after(() => provider[Symbol.asyncDispose]());
  beforeEach(() => {
    now = new Date();
    settings = {
      issuer: provider.issuer,
      audiences: ['ambient'],
      usernameClaim: 'sub',
      usernamePrefix: 'oidc:',
      groupsClaim: 'groups',
      groupsPrefix: 'oidc:',
      ca: certificates.ca,
      algorithms: ['RS256'],
    };
    tokens = new OidcTokens({ settings, now: () => now, cooldownMs: 0 });
  });
  afterEach(() => tokens[Symbol.asyncDispose]());

  const refused = (token: string, message: RegExp, code = 'unauthenticated'): Promise<void> =>
    assert.rejects(tokens.callerOf(token), (error: unknown) => {
      assert.ok(isAmbientError(error) && error.code === code, String(error));
      assert.match(error.message, message);
      return true;
    });
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = (): JWTPayload => ({
    iss: provider.issuer,
    aud: 'ambient',
    sub: 'ann',
    exp: Math.floor(now.getTime() / 1000) + 600,
  });
  /** The key the provider publishes. */
  const published = async () => {
    const port = Number(new URL(provider.issuer).port);
    const { text } = await ask({ port, ca: certificates.ca }, '/jwks');
    const [key] = (JSON.parse(text) as { keys: { kid: string; n: string; e: string; kty: string }[] }).keys;
    assert.ok(key);
    return key;
  };

  it('name the user and the groups, with the prefixes of this cluster', async () => {
    const token = await provider.idToken({ sub: 'ann', groups: ['dev', 'ops'] });
    assert.deepEqual(await tokens.callerOf(token), {
      name: 'oidc:ann',
      groups: ['oidc:dev', 'oidc:ops', 'system:authenticated'],
      extra: {},
    });
    assert.equal(tokens.isOurs(decodeJwt(token)), true);
    assert.equal(tokens.isOurs({ iss: 'https://elsewhere.example' }), false);
  });

  it('are refused for another audience, when they have expired, and from another issuer', async () => {
    await refused(await provider.idToken({ sub: 'ann' }, { client: 'somebody-else' }), /claim aud/);
    const token = await provider.idToken({ sub: 'ann' });
    const { exp = 0 } = decodeJwt(token);
    now = new Date((exp + 60) * 1000);
    await refused(token, /has expired/);
    now = new Date();
    const other = await oidcProvider(certificates);
    try {
      await refused(await other.idToken({ sub: 'ann' }), /signature is not the provider's/);
    } finally {
      await other[Symbol.asyncDispose]();
    }
  });

  it('are refused without a signature, with a changed one, and when signed with what is public', async () => {
    const token = await provider.idToken({ sub: 'ann' });
    const [, payload = '', signature = ''] = token.split('.');
    await refused(`${encode({ alg: 'none' })}.${encode(claims())}.`, /signature is not the provider's/);
    const { kid } = await published();
    const admin = encode({ ...claims(), sub: 'root' });
    await refused(
      `${encode({ alg: 'RS256', kid })}.${admin}.${signature}`,
      /signature is not the provider's/,
    );
    const key = await importJWK({ ...(await published()) }, 'RS256', { extractable: true });
    assert.ok(!(key instanceof Uint8Array));
    const secret = await exportSPKI(key);
    const head = encode({ alg: 'HS256', kid });
    const forged = createHmac('sha256', secret).update(`${head}.${payload}`).digest('base64url');
    await refused(`${head}.${payload}.${forged}`, /signature is not the provider's/);
    const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
    const jwk = await exportJWK(publicKey);
    const own = await new SignJWT(claims()).setProtectedHeader({ alg: 'RS256', kid, jwk }).sign(privateKey);
    await refused(own, /signature is not the provider's/);
  });

  it('are refused without an end', async () => {
    const token = await provider.idToken({ sub: 'ann' });
    const { exp: _, ...endless } = decodeJwt(token);
    assert.throws(() => callerOf({ ...endless, sub: '' }, settings), /is no user name/);
    await refused(`${encode({ alg: 'RS256' })}.${encode(endless)}.`, /signature is not the provider's/);
  });

  it('go on when the provider exchanges its keys, and the old ones end', async () => {
    const before = await provider.idToken({ sub: 'ann' });
    assert.equal((await tokens.callerOf(before)).name, 'oidc:ann');
    await provider.rotate();
    const after = await provider.idToken({ sub: 'ben' });
    assert.equal((await tokens.callerOf(after)).name, 'oidc:ben');
    await refused(before, /signature is not the provider's/);
  });

  it('are checked with the keys that are known while the provider is away', async () => {
    const token = await provider.idToken({ sub: 'ann' });
    await tokens.callerOf(token);
    provider.away(true);
    try {
      assert.equal((await tokens.callerOf(token)).name, 'oidc:ann');
      await using fresh = new OidcTokens({ settings, now: () => now });
      await assert.rejects(fresh.callerOf(token), (error) => isAmbientError(error, 'unavailable'));
    } finally {
      provider.away(false);
    }
  });

  it('let the operator be led nowhere else: no redirection is followed, and no other issuer believed', async () => {
    const token = await provider.idToken({ sub: 'ann' });
    const asked: string[] = [];
    const keys = `${provider.issuer}/jwks`;
    const answers: ((response: ServerResponse) => void)[] = [
      (response) => response.writeHead(302, { location: '/inside' }).end(),
      (response) => response.end(JSON.stringify({ issuer: 'https://elsewhere.example', jwks_uri: keys })),
      (response) => response.end(JSON.stringify({ issuer, jwks_uri: 'http://127.0.0.1/inside' })),
      (response) => response.end('<html>'),
    ];
    const server = createServer({ ...certificates.current }, (request, response) => {
      asked.push(request.url ?? '');
      answers.shift()?.(response);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const issuer = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await using led = new OidcTokens({ settings: { ...settings, issuer }, now: () => now });
    try {
      const count = answers.length;
      for (let i = 0; i < count; i++)
        await assert.rejects(led.callerOf(token), (error) => isAmbientError(error, 'unavailable'));
      assert.deepEqual(asked, Array<string>(count).fill('/.well-known/openid-configuration'));
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  it('with keys that nobody knows do not make the operator ask all the time', async () => {
    await using patient = new OidcTokens({ settings, now: () => now, cooldownMs: 60_000 });
    await patient.callerOf(await provider.idToken({ sub: 'ann' }));
    const read = provider.keysRead();
    const { privateKey } = await generateKeyPair('RS256');
    for (let i = 0; i < 20; i++) {
      const header = { alg: 'RS256', kid: `made-up-${i}` };
      const token = await new SignJWT(claims()).setProtectedHeader(header).sign(privateKey);
      await assert.rejects(patient.callerOf(token), (error) => isAmbientError(error, 'unauthenticated'));
    }
    assert.equal(provider.keysRead(), read);
  });

  it('cannot make anybody one of the cluster’s own', () => {
    const bare = { ...settings, usernamePrefix: '', groupsPrefix: '' };
    assert.throws(() => callerOf({ sub: 'system:admin' }, bare), /the cluster's own/);
    assert.deepEqual(callerOf({ sub: 'ann', groups: ['system:masters', 'dev'] }, bare).groups, [
      'dev',
      'system:authenticated',
    ]);
    assert.deepEqual(callerOf({ sub: 'ann', groups: 'dev' }, bare).groups, ['dev', 'system:authenticated']);
    assert.throws(() => callerOf({ sub: 'ann', groups: [{}] }, bare), /no list of groups/);
    const byEmail = { ...bare, usernameClaim: 'email' };
    assert.throws(() => callerOf({ email: 'a@example.com', email_verified: false }, byEmail), /not verified/);
    assert.equal(callerOf({ email: 'a@example.com' }, byEmail).name, 'a@example.com');
  });
});
