/** One attempt to POST a notification to a webhook. Nothing of the answer counts but its status. */
import { errorCode } from '../../../common/kube/errors.ts';
import { failed, refused } from './delivery.ts';
import type { Attempt } from './delivery.ts';
import type { Notification } from './events.ts';
import { fillIn, SIGNING_KEY } from './placeholders.ts';
import type { SecretReference } from './placeholders.ts';
import { judge, Poster } from './poster.ts';
import type { PosterOptions } from './poster.ts';
import { SecretProblem } from './secrets.ts';
import { signatureOf } from './signature.ts';
import type { Webhook } from './targets.ts';

const USER_AGENT = 'ambient-operator';

/** RFC 9110 §5.6.2. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
/** Printable ASCII and tabs: nothing that could begin another header. */
const HEADER_VALUE = /^[\t\x20-\x7e]*$/;
const RESERVED =
  /^(?:host|content-length|content-type|transfer-encoding|connection|upgrade|te|trailer|expect|keep-alive|proxy-.*|x-ambient-.*)$/i;

export interface WebhookOptions extends PosterOptions {
  now: () => number;
}

export interface WebhookCall {
  webhook: Webhook;
  notification: Notification;
  /** Of the tenant's namespace. Throws SecretProblem. */
  secret: (reference: SecretReference) => Promise<Buffer>;
  signal: AbortSignal;
}

export class WebhookSender {
  readonly #options: WebhookOptions;
  readonly #poster: Poster;

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.#poster = new Poster(options);
  }

  /** Never throws but when the signal aborts. */
  async send(call: WebhookCall): Promise<Attempt> {
    const { webhook, signal } = call;
    const url = this.#poster.urlOf(webhook.url);
    if (!(url instanceof URL)) return url;
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
    const posted = await this.#poster.post(url, headers, body, signal);
    return posted.kind === 'answered' ? judge(posted, this.#options.now()) : posted.attempt;
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
}

/** Its message is for the tenant: the name of a header, never its value. */
class HeaderProblem extends Error {
  override readonly name = 'HeaderProblem';
}
