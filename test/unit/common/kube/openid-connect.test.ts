import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeError } from '../../../../common/kube/errors.ts';
import { openIdConnect } from '../../../../common/kube/openid-connect.ts';
import { writeCertificates } from '../../../cluster/certificates.ts';

const never = new AbortController().signal;

/** A token nobody signed: only the API server would look at that. */
const tokenUntil = (seconds: number, more: object = {}): string =>
  ['{}', JSON.stringify({ exp: Math.floor(seconds), ...more }), 'signature']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');

describe('an OpenID Connect sign-in in a kubeconfig', function () {
  this.timeout(20_000);
  let directory: string;
  let server: Server;
  let issuer: string;
  let ca: string;
  let asked: string[];
  let isRefused: boolean;
  let wantsForm: boolean;
  let shown: string[];

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'openid-'));
    await writeCertificates(directory, ['127.0.0.1'], 'node', new Date());
    const pem = (name: string) => readFile(join(directory, name));
    ca = (await pem('ca.crt')).toString('base64');
    // An identity provider, as far as a client that renews its token sees it.
    server = createServer(
      { cert: await pem('apiserver.crt'), key: await pem('apiserver.key') },
      (request, response) => {
        let body = '';
        request.on('data', (data: Buffer) => (body += data.toString()));
        request.on('end', () => {
          response.setHeader('content-type', 'application/json');
          if (request.url?.includes('.well-known') === true) {
            response.end(
              JSON.stringify({ issuer, token_endpoint: `${issuer}/token`, authorization_endpoint: issuer }),
            );
            return;
          }
          const form = new URLSearchParams(body);
          shown.push(
            request.headers.authorization ?? `${form.get('client_id')} ${form.get('client_secret')}`,
          );
          if (wantsForm && request.headers.authorization !== undefined) {
            response.statusCode = 401;
            response.end(JSON.stringify({ error: 'invalid_client' }));
            return;
          }
          asked.push(form.get('refresh_token') ?? '');
          if (isRefused) {
            response.statusCode = 400;
            response.end(JSON.stringify({ error: 'invalid_grant', error_description: 'signed out' }));
            return;
          }
          const now = Date.now() / 1000;
          const claims = { iss: issuer, aud: 'me', sub: 'jane', iat: Math.floor(now), round: asked.length };
          const tokens = {
            token_type: 'bearer',
            access_token: 'unused',
            expires_in: 300,
            id_token: tokenUntil(now + 300, claims),
            refresh_token: `refresh-${asked.length}`,
          };
          response.end(JSON.stringify(tokens));
        });
      },
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    issuer = `https://localhost:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    asked = [];
    isRefused = false;
    wantsForm = false;
    shown = [];
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true, force: true });
  });

  const config = (more: Record<string, string>): Record<string, string> => ({
    'client-id': 'me',
    'idp-issuer-url': issuer,
    'idp-certificate-authority-data': ca,
    ...more,
  });
  const failsWith = (says: RegExp) => (error: unknown) =>
    error instanceof KubeError && error.reason === 'CredentialsFailed' && says.test(error.message);

  it('uses the token as long as it is valid', async () => {
    const token = tokenUntil(Date.now() / 1000 + 300);
    const { authorization } = openIdConnect('jane', config({ 'id-token': token, 'refresh-token': 'r' }));
    assert.equal(await authorization?.(never), `Bearer ${token}`);
    assert.deepEqual(asked, []);
  });

  it('renews it once for all when it has expired, and again with the refresh token it got then', async () => {
    const expired = tokenUntil(Date.now() / 1000 - 1);
    let time = Date.now();
    const { authorization } = openIdConnect(
      'jane',
      config({ 'id-token': expired, 'refresh-token': 'r' }),
      () => time,
    );
    const ask = async (): Promise<unknown> => {
      const value = (await authorization?.(never)) ?? '';
      const claims = Buffer.from(value.split('.')[1] ?? '', 'base64url').toString();
      return (JSON.parse(claims) as { round: unknown }).round;
    };
    assert.deepEqual(await Promise.all([ask(), ask(), ask()]), [1, 1, 1]);
    assert.equal(await ask(), 1);
    assert.deepEqual(asked, ['r']);
    time += 291_000;
    assert.equal(await ask(), 2);
    assert.deepEqual(asked, ['r', 'refresh-1']);
  });

  it('shows its client secret in the way the provider knows', async () => {
    wantsForm = true;
    const expired = tokenUntil(Date.now() / 1000 - 1);
    const secret = { 'id-token': expired, 'refresh-token': 'r', 'client-secret': 's&cret' };
    assert.ok(await openIdConnect('jane', config(secret)).authorization?.(never));
    assert.deepEqual(shown, [`Basic ${Buffer.from('me:s%26cret').toString('base64')}`, 'me s&cret']);
  });

  it('says so when it cannot be renewed', async () => {
    const expired = tokenUntil(Date.now() / 1000 - 1);
    const without = openIdConnect('user "jane" in /k', config({ 'id-token': expired }));
    await assert.rejects(
      async () => without.authorization?.(never),
      failsWith(/user "jane" in \/k has expired and cannot/),
    );
    const insecure = openIdConnect('jane', {
      ...config({ 'refresh-token': 'r' }),
      'idp-issuer-url': 'http://i',
    });
    await assert.rejects(async () => insecure.authorization?.(never), failsWith(/not an https address/));
    isRefused = true;
    const refused = openIdConnect('jane', config({ 'id-token': expired, 'refresh-token': 'r' }));
    await assert.rejects(
      async () => refused.authorization?.(never),
      failsWith(/could not be renewed: invalid_grant: signed out/),
    );
  });
});
