/** Where senders of events send to. Pure. */
import type { WebhookSource } from '../../common/api/session.ts';

const API = '/api/v1';

/** What is wrong with a base address; undefined where nothing is. */
export function baseProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return 'That is no address. Write one as https://ambient.example.com.';
  const { protocol, username, password, search, hash } = new URL(text);
  if (protocol !== 'https:' && protocol !== 'http:') return 'The address must begin with https://.';
  if (username !== '' || password !== '') return 'Leave out the credentials: the address is shown to others.';
  if (search !== '' || hash !== '') return 'Leave out what stands behind ? and #.';
  return undefined;
}

/** @param base with or without /api/v1 @param keyId of a key that signs: such senders cannot send it in a header */
export function webhookAddress(base: string, source: WebhookSource, keyId?: string): string {
  const url = new URL(base);
  const path = url.pathname.replace(/\/+$/, '');
  url.pathname = `${path.endsWith(API) ? path : path + API}/webhooks/${source}`;
  if (keyId !== undefined) url.searchParams.set('key', keyId);
  return url.toString();
}

/** Nobody between here and there can read what is sent. */
export function isPrivate(base: string): boolean {
  const { protocol, hostname } = new URL(base);
  return protocol === 'https:' || /^(?:localhost|127(?:\.[0-9]+){3}|\[::1\])$/.test(hostname);
}
