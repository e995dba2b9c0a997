/**
 * One call to a provider, as the tenant's policy names it. Addresses are checked as those of notifications are: after the name was
 * resolved, and the connection goes to that very address. No redirect is followed.
 */
import { isIP } from 'node:net';
import { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import { AmbientError, messageOf } from '../../../common/errors.ts';
import { errorCode } from '../../../common/kube/errors.ts';
import { isAllowedAddress } from '../../record/notifications/addresses.ts';
import type { AddressRules } from '../../record/notifications/addresses.ts';
import { checkedLookup, resolveAll } from '../../record/notifications/checked-lookup.ts';
import type { Resolve } from '../../record/notifications/checked-lookup.ts';

export interface UpstreamOptions {
  rules: AddressRules;
  resolve?: Resolve;
}

export interface UpstreamAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Readable;
}

/** `wasSent` false: the provider has certainly not seen it. */
export class UpstreamProblem extends Error {
  override readonly name = 'UpstreamProblem';
  readonly wasSent: boolean;

  constructor(message: string, wasSent: boolean, cause: unknown) {
    super(message, { cause });
    this.wasSent = wasSent;
  }
}

const CONNECT_MS = 10_000;
/** Models may think for minutes before they say anything, and between two words. */
const SILENCE_MS = 900_000;
/** Of a connection that nobody uses: shorter than providers keep theirs. */
const IDLE_MS = 15_000;

const NEVER_SENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_INVALID_ARG',
  'AMBIENT_ADDRESS',
]);

class BlockedAddress extends Error {
  readonly code = 'AMBIENT_ADDRESS';
}

export class Upstream implements AsyncDisposable {
  readonly #options: UpstreamOptions;
  readonly #agent: Agent;

  constructor(options: UpstreamOptions) {
    const { rules, resolve = resolveAll } = options;
    this.#options = options;
    this.#agent = new Agent({
      connect: {
        lookup: checkedLookup(rules, resolve, (address) => new BlockedAddress(forbidden(address))),
        timeout: CONNECT_MS,
      },
      keepAliveTimeout: IDLE_MS,
      headersTimeout: SILENCE_MS,
      bodyTimeout: SILENCE_MS,
    });
  }

  /** Throws UpstreamProblem, forbidden for an address that is not allowed, and the signal's reason. */
  async send(
    url: URL,
    headers: Record<string, string>,
    body: Buffer,
    signal: AbortSignal,
  ): Promise<UpstreamAnswer> {
    this.#check(url);
    try {
      const answer = await request(url, {
        method: 'POST',
        headers: { ...headers, 'content-length': String(body.length) },
        // As a stream, so that it is not kept until the answer has ended.
        body: Readable.from(body),
        signal,
        dispatcher: this.#agent,
      });
      return { status: answer.statusCode, headers: answer.headers, body: answer.body };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof BlockedAddress) throw new AmbientError('forbidden', error.message);
      const code = errorCode(error);
      const isTls = /^(CERT_|DEPTH_ZERO_|ERR_TLS|SELF_SIGNED|UNABLE_TO_|ERR_SSL)/.test(code);
      const said = code === '' ? messageOf(error).slice(0, 100) : code;
      throw new UpstreamProblem(
        `${url.host} does not answer (${said})`,
        !(NEVER_SENT.has(code) || isTls),
        error,
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  #check({ protocol, hostname }: URL): void {
    const { rules } = this.#options;
    if (protocol !== 'https:' && !(protocol === 'http:' && rules.plainHttp))
      throw new AmbientError('forbidden', 'only https:// providers are allowed here');
    const host = hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0 && !isAllowedAddress(host, rules))
      throw new AmbientError('forbidden', forbidden(host));
  }
}

const forbidden = (address: string): string =>
  `The provider's address ${address} is not one of the public internet; the operator's administrator can allow it with --models-allow.`;
