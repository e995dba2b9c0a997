/**
 * One attempt to POST a notification to a webhook. The address is checked after the name was resolved, and the connection goes
 * to that very address; no redirect is followed, and nothing of the answer counts but its status.
 */
import { lookup as dnsLookup } from 'node:dns/promises';
import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import { Agent, request } from 'undici';
import { messageOf } from '../../../common/errors.ts';
import { errorCode } from '../../../common/kube/errors.ts';
import { isAllowedAddress } from './addresses.ts';
import type { AddressRules } from './addresses.ts';
import { failed, refused } from './delivery.ts';
import type { Attempt } from './delivery.ts';
import type { Notification } from './events.ts';
import { fillIn, SIGNING_KEY } from './placeholders.ts';
import type { SecretReference } from './placeholders.ts';
import { SecretProblem } from './secrets.ts';
import { signatureOf } from './signature.ts';
import type { Webhook } from './targets.ts';

const TIMEOUT_MS = 10_000;
const USER_AGENT = 'ambient-operator';

/** RFC 9110 §5.6.2. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
/** Printable ASCII and tabs: nothing that could begin another header. */
const HEADER_VALUE = /^[\t\x20-\x7e]*$/;
const RESERVED =
  /^(?:host|content-length|content-type|transfer-encoding|connection|upgrade|te|trailer|expect|keep-alive|proxy-.*|x-ambient-.*)$/i;

export interface WebhookOptions {
  rules: AddressRules;
  now: () => number;
  timeoutMs?: number;
  /** All addresses of a name. */
  resolve?: (host: string) => Promise<LookupAddress[]>;
}

export interface WebhookCall {
  webhook: Webhook;
  notification: Notification;
  /** Of the tenant's namespace. Throws SecretProblem. */
  secret: (reference: SecretReference) => Promise<Buffer>;
  signal: AbortSignal;
}

const resolveAll = (host: string): Promise<LookupAddress[]> => dnsLookup(host, { all: true, verbatim: true });

export class WebhookSender {
  readonly #options: Required<WebhookOptions>;

  constructor(options: WebhookOptions) {
    this.#options = { timeoutMs: TIMEOUT_MS, resolve: resolveAll, ...options };
  }

  /** Never throws but when the signal aborts. */
  async send(call: WebhookCall): Promise<Attempt> {
    const { webhook, signal } = call;
    const url = URL.canParse(webhook.url) ? new URL(webhook.url) : undefined;
    const problem = this.#problemOf(url);
    if (url === undefined || problem !== undefined) return refused(problem ?? 'the URL cannot be read');
    let headers: Record<string, string>;
    const body = JSON.stringify(call.notification);
    try {
      headers = await this.#headers(call, body);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof HeaderProblem || error instanceof RangeError) return refused(error.message);
      // A right, a Secret or the API server may come back.
      return failed(
        error instanceof SecretProblem ? error.message : `a Secret cannot be read: ${errorCode(error)}`,
      );
    }
    return await this.#post(url, headers, body, signal);
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

  async #headers(
    { webhook, notification, secret }: WebhookCall,
    body: string,
  ): Promise<Record<string, string>> {
    const headers: Record<string, string> = {};
    for (const [name, text] of Object.entries(webhook.headers ?? {})) {
      if (!HEADER_NAME.test(name))
        throw new HeaderProblem('a header of the webhook has a name that is not allowed');
      if (RESERVED.test(name)) throw new HeaderProblem(`the header ${name} is the operator's own`);
      const value = await fillIn(text, webhook.secret, async (reference) =>
        (await secret(reference)).toString('utf8').replace(/[\r\n]+$/, ''),
      );
      if (!HEADER_VALUE.test(value))
        throw new HeaderProblem(`the header ${name} has a character that is not allowed`);
      headers[name.toLowerCase()] = value;
    }
    const timestamp = Math.floor(this.#options.now() / 1000);
    const { id, event } = notification;
    Object.assign(headers, {
      'content-type': 'application/json',
      'user-agent': headers['user-agent'] ?? USER_AGENT,
      'x-ambient-event': event,
      'x-ambient-delivery': id,
      'x-ambient-timestamp': String(timestamp),
    });
    if (webhook.secret !== undefined) {
      const key = await secret({ name: webhook.secret, key: SIGNING_KEY });
      headers['x-ambient-signature'] = signatureOf(key, timestamp, id, body);
    }
    return headers;
  }

  async #post(
    url: URL,
    headers: Record<string, string>,
    body: string,
    signal: AbortSignal,
  ): Promise<Attempt> {
    const { timeoutMs } = this.#options;
    let blocked: string | undefined;
    const lookup = this.#lookup((address) => (blocked = address));
    const agent = new Agent({ connect: { lookup, timeout: timeoutMs }, pipelining: 0 });
    const deadline = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await request(url, {
        method: 'POST',
        headers,
        body,
        dispatcher: agent,
        signal: AbortSignal.any([signal, deadline]),
      });
      // What it says beside the status is of no interest, however slowly it comes.
      answer.body.on('error', () => undefined).destroy();
      return judge(answer.statusCode, answer.headers['retry-after'], this.#options.now());
    } catch (error) {
      signal.throwIfAborted();
      if (blocked !== undefined) return refused(forbidden(blocked));
      if (deadline.aborted) return failed(`no answer within ${timeoutMs / 1000} s`);
      return failed(`no answer (${errorCode(error) || messageOf(error).slice(0, 100)})`);
    } finally {
      await agent.destroy();
    }
  }

  /** What it hands out is where the connection goes: no second answer of the name server can change that. */
  #lookup(onBlocked: (address: string) => void): LookupFunction {
    const { resolve, rules } = this.#options;
    return (host, options, callback) => {
      resolve(host).then(
        (addresses) => {
          const bad = addresses.find(({ address }) => !isAllowedAddress(address, rules));
          const [first] = addresses;
          if (bad !== undefined) {
            onBlocked(bad.address);
            callback(new Error('the address is not allowed'), '', 0);
          } else if (first === undefined) callback(new Error('the name has no address'), '', 0);
          else if (options.all === true) callback(null, addresses);
          else callback(null, first.address, first.family);
        },
        (error: NodeJS.ErrnoException) => callback(error, '', 0),
      );
    };
  }
}

/** Its message is for the tenant: the name of a header, never its value. */
class HeaderProblem extends Error {
  override readonly name = 'HeaderProblem';
}

const forbidden = (address: string): string =>
  `the address ${address} is not one of the public internet; the operator's administrator can allow it with --notify-allow`;

function judge(status: number, retryAfter: string | string[] | undefined, now: number): Attempt {
  if (status >= 200 && status < 300) return { outcome: 'delivered' };
  const reason = `it answered ${status}`;
  if (status === 410) return refused(`${reason}: it wants no more`);
  if (status >= 300 && status < 400) return failed(`${reason}: redirects are not followed`);
  const afterMs = status === 429 || status === 503 ? waitOf(String(retryAfter ?? ''), now) : undefined;
  return { outcome: 'failed', reason, ...(afterMs === undefined ? {} : { afterMs }) };
}

/** RFC 9110 §10.2.3: seconds or a date. */
function waitOf(text: string, now: number): number | undefined {
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isFinite(date) ? Math.max(0, date - now) : undefined;
}
