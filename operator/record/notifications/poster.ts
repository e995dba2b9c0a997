/**
 * One request to an address that a tenant has named. The address is checked after the name was resolved, and the connection goes
 * to that very address; no redirect is followed.
 */
import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import { messageOf } from '../../../common/errors.ts';
import { errorCode } from '../../../common/kube/errors.ts';
import { isAllowedAddress } from './addresses.ts';
import type { AddressRules } from './addresses.ts';
import { checkedLookup, resolveAll } from './checked-lookup.ts';
import type { Resolve } from './checked-lookup.ts';
import { failed, refused } from './delivery.ts';
import type { Attempt } from './delivery.ts';

export interface PosterOptions {
  rules: AddressRules;
  timeoutMs?: number;
  resolve?: Resolve;
  /** Bytes of the answer that count; default none, however slowly they come. */
  answerBytes?: number;
}

export interface Answered {
  kind: 'answered';
  status: number;
  /** As it was sent; '' when it was not. */
  retryAfter: string;
  /** The beginning of the body. */
  said: string;
}
export type Posted = Answered | { kind: 'attempt'; attempt: Attempt };

const TIMEOUT_MS = 10_000;

const attempted = (attempt: Attempt): Posted => ({ kind: 'attempt', attempt });

export class Poster {
  readonly #options: Required<PosterOptions>;

  constructor(options: PosterOptions) {
    this.#options = { timeoutMs: TIMEOUT_MS, resolve: resolveAll, answerBytes: 0, ...options };
  }

  /** Or why nothing is sent there. */
  urlOf(text: string): URL | Attempt {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const problem = this.#problemOf(url);
    return url === undefined || problem !== undefined ? refused(problem ?? 'the URL cannot be read') : url;
  }

  #problemOf(url: URL | undefined): string | undefined {
    const { rules } = this.#options;
    if (url === undefined) return undefined;
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && rules.plainHttp))
      return 'only https:// is allowed here';
    if (url.username !== '' || url.password !== '')
      return 'the URL has credentials in it: put them into a header';
    const host = url.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0 && !isAllowedAddress(host, rules)) return forbidden(host);
    return undefined;
  }

  /** Never throws but when the signal aborts. */
  post(url: URL, headers: Record<string, string>, body: string, signal: AbortSignal): Promise<Posted> {
    return this.#send(url, { method: 'POST', headers, body }, signal);
  }

  /** Likewise. */
  get(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Posted> {
    return this.#send(url, { method: 'GET', headers }, signal);
  }

  async #send(
    url: URL,
    what: { method: 'GET' | 'POST'; headers: Record<string, string>; body?: string },
    signal: AbortSignal,
  ): Promise<Posted> {
    const { timeoutMs, rules, resolve } = this.#options;
    let blocked: string | undefined;
    const lookup = checkedLookup(rules, resolve, (address) => {
      blocked = address;
      return new Error('the address is not allowed');
    });
    const agent = new Agent({ connect: { lookup, timeout: timeoutMs }, pipelining: 0 });
    const deadline = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await request(url, {
        ...what,
        dispatcher: agent,
        signal: AbortSignal.any([signal, deadline]),
      });
      const said = await this.#said(answer.body);
      const { statusCode: status } = answer;
      return { kind: 'answered', status, retryAfter: String(answer.headers['retry-after'] ?? ''), said };
    } catch (error) {
      signal.throwIfAborted();
      if (blocked !== undefined) return attempted(refused(forbidden(blocked)));
      if (deadline.aborted) return attempted(failed(`no answer within ${timeoutMs / 1000} s`));
      return attempted(failed(`no answer (${errorCode(error) || messageOf(error).slice(0, 100)})`));
    } finally {
      await agent.destroy();
    }
  }

  async #said(body: Readable): Promise<string> {
    const { answerBytes } = this.#options;
    const chunks: Buffer[] = [];
    let left = answerBytes;
    body.on('error', () => undefined);
    if (left > 0)
      for await (const chunk of body as AsyncIterable<Buffer>) {
        chunks.push(chunk.subarray(0, left));
        left -= chunk.length;
        if (left <= 0) break;
      }
    body.destroy();
    return Buffer.concat(chunks).toString('utf8');
  }
}

const forbidden = (address: string): string =>
  `the address ${address} is not one of the public internet; the operator's administrator can allow it with --notify-allow`;

export function judge({ status, retryAfter }: Answered, now: number): Attempt {
  if (status >= 200 && status < 300) return { outcome: 'delivered' };
  const reason = `it answered ${status}`;
  if (status === 410) return refused(`${reason}: it wants no more`);
  if (status >= 300 && status < 400) return failed(`${reason}: redirects are not followed`);
  const afterMs = status === 429 || status === 503 ? waitOf(retryAfter, now) : undefined;
  return { outcome: 'failed', reason, ...(afterMs === undefined ? {} : { afterMs }) };
}

/** RFC 9110 §10.2.3: seconds or a date. */
function waitOf(text: string, now: number): number | undefined {
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isFinite(date) ? Math.max(0, date - now) : undefined;
}
