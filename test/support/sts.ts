/**
 * A security token service on this machine, as far as web identity needs it: AssumeRoleWithWebIdentity for one role, of tokens that
 * the cluster has signed. https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createLocalJWKSet, jwtVerify } from 'jose';
import type { JSONWebKeySet } from 'jose';

export interface TrustPolicy {
  role: string;
  issuer: string;
  audience: string;
  subject: string;
  /** Of the issuer. */
  keys: JSONWebKeySet;
}

export interface SecurityTokenServiceOptions {
  trust: TrustPolicy;
  /** What an S3 server takes: no token of a session goes with them, since the server that tests use takes none. */
  credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** How long they hold, to whom asks; the S3 server minds no time. */
  lifetimeSeconds: number;
}

export interface SecurityTokenService extends AsyncDisposable {
  readonly endpoint: string;
  /** How it answered so far: `ok`, or the code of the refusal. */
  readonly answers: string[];
  /** Whether something holds that it has given. */
  holds(): boolean;
  /** Trusts nobody any more, or again. */
  trusts(isTrusting: boolean): void;
}

export async function startSecurityTokenService(
  options: SecurityTokenServiceOptions,
): Promise<SecurityTokenService> {
  const { trust, credentials, lifetimeSeconds } = options;
  const keys = createLocalJWKSet(trust.keys);
  const answers: string[] = [];
  let isTrusting = true;
  let until = 0;

  const refusalOf = async (asked: URLSearchParams): Promise<string | undefined> => {
    if (asked.get('Action') !== 'AssumeRoleWithWebIdentity') return 'InvalidAction';
    const { issuer, audience, subject, role } = trust;
    try {
      await jwtVerify(asked.get('WebIdentityToken') ?? '', keys, { issuer, audience, subject });
    } catch {
      return 'InvalidIdentityToken';
    }
    return isTrusting && asked.get('RoleArn') === role ? undefined : 'AccessDenied';
  };

  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      const refusal = await refusalOf(new URLSearchParams(await text(request)));
      answers.push(refusal ?? 'ok');
      if (refusal === undefined) until = Date.now() + lifetimeSeconds * 1000;
      const expiration = new Date(until).toISOString();
      response.writeHead(refusal === undefined ? 200 : refusal === 'AccessDenied' ? 403 : 400, {
        'content-type': 'text/xml',
      });
      response.end(
        refusal === undefined
          ? `<AssumeRoleWithWebIdentityResponse xmlns="${NAMESPACE}"><AssumeRoleWithWebIdentityResult><Credentials>
             <AccessKeyId>${credentials.accessKeyId}</AccessKeyId>
             <SecretAccessKey>${credentials.secretAccessKey}</SecretAccessKey>
             <Expiration>${expiration}</Expiration>
             </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`
          : `<ErrorResponse xmlns="${NAMESPACE}"><Error><Type>Sender</Type><Code>${refusal}</Code>
             <Message>refused</Message></Error></ErrorResponse>`,
      );
    };
    answer().catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answers,
    holds: () => Date.now() < until,
    trusts(now) {
      isTrusting = now;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';
