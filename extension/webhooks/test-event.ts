/** A sample event as a request that its sender could have made: with its key, or signed over the very bytes that are sent. */
import { createHmac } from 'node:crypto';
import type { WebhookSource } from '../../common/api/session.ts';
import { webhookAddress } from './address.ts';
import type { SampleEvent } from './sample-events.ts';
import type { TestAnswer } from './test-answer.ts';

export interface TestEvent {
  base: string;
  source: WebhookSource;
  sample: SampleEvent;
  /** The key, or the secret of the key `keyId`, with which the body is signed. */
  credential: { kind: 'key'; key: string } | { kind: 'secret'; secret: string; keyId: string };
  isDryRun: boolean;
  /** Nobody has sent an event of this id before. */
  deliveryId: string;
  now: number;
}

export interface TestRequest {
  url: string;
  headers: Record<string, string>;
  body: string;
}

export function testRequest({
  base,
  source,
  sample,
  credential,
  isDryRun,
  deliveryId,
  now,
}: TestEvent): TestRequest {
  const keyId = credential.kind === 'secret' ? credential.keyId : undefined;
  const url = new URL(webhookAddress(base, source, keyId));
  if (isDryRun) url.pathname += '/validate';
  const payload = source === 'slack' ? { ...sample.payload, event_id: `Ev${deliveryId}` } : sample.payload;
  const body = JSON.stringify(payload);
  const headers: Record<string, string> = {
    'Content-Type': 'application/json',
    'User-Agent': 'ambient-vscode',
    ...sample.headers,
    ...idHeaders(source, deliveryId),
    ...(credential.kind === 'key'
      ? { 'X-API-Key': credential.key }
      : signature(source, credential.secret, body, { deliveryId, now })),
  };
  return { url: url.toString(), headers, body };
}

function idHeaders(source: WebhookSource, id: string): Record<string, string> {
  switch (source) {
    case 'github':
      return { 'X-GitHub-Delivery': id };
    case 'jira':
      return { 'X-Atlassian-Webhook-Identifier': id };
    case 'slack':
      return {};
    case 'generic':
      return { 'Idempotency-Key': id };
  }
}

function signature(
  source: WebhookSource,
  secret: string,
  body: string,
  { deliveryId, now }: { deliveryId: string; now: number },
): Record<string, string> {
  const over = (text: string): string => createHmac('sha256', secret).update(text).digest('hex');
  const seconds = String(Math.floor(now / 1000));
  switch (source) {
    case 'github':
      return { 'X-Hub-Signature-256': `sha256=${over(body)}` };
    case 'jira':
      return { 'X-Hub-Signature': `sha256=${over(body)}` };
    case 'slack':
      return {
        'X-Slack-Request-Timestamp': seconds,
        'X-Slack-Signature': `v0=${over(`v0:${seconds}:${body}`)}`,
      };
    case 'generic':
      return {
        'X-Ambient-Timestamp': seconds,
        'X-Ambient-Delivery': deliveryId,
        'X-Ambient-Signature': `v1=${over(`${seconds}.${deliveryId}.${body}`)}`,
      };
  }
}

const ANSWER_MAX = 256 * 1024;

/** Throws what keeps an answer from coming. */
export async function send(
  { url, headers, body }: TestRequest,
  signal: AbortSignal,
  fetchIt: typeof fetch = fetch,
): Promise<TestAnswer> {
  // A redirect would take the key somewhere else.
  const response = await fetchIt(url, { method: 'POST', headers, body, signal, redirect: 'error' });
  const text = await beginningOf(response);
  try {
    return { status: response.status, body: JSON.parse(text) as unknown };
  } catch {
    return { status: response.status, body: text };
  }
}

/** Whoever answers, and however much: what the operator says is short. */
async function beginningOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    chunks.push(chunk);
    size += chunk.byteLength;
    if (size > ANSWER_MAX) break;
  }
  return Buffer.concat(chunks).subarray(0, ANSWER_MAX).toString();
}
