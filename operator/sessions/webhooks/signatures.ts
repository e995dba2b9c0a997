/**
 * How each source signs what it sends: HMAC-SHA256 with a shared secret over the raw body, as it came. What is signed before the
 * body, and how old it may be, differs.
 *   GitHub https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
 *   Jira   https://developer.atlassian.com/cloud/jira/platform/webhooks/#secure-admin-webhooks
 *   Slack  https://docs.slack.dev/authentication/verifying-requests-from-slack
 *   generic: as our own notifications are signed (operator/record/notifications/signature.ts)
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Hmac } from 'node:crypto';
import { AmbientError } from '../../../common/errors.ts';
import type { WebhookSource } from '../../../common/api/session.ts';
import type { Headers } from '../../../common/rules/webhooks/delivery.ts';

/** What a request claims about its body. */
export interface Claim {
  /** Signed before the body. */
  prefix: string;
  digest: Buffer;
}

/** In either direction: a clock that is fast is as wrong as one that is slow. */
export const SIGNATURE_AGE_MAX_MS = 5 * 60_000;

/** The same for everything that is wrong, so that nobody learns which ids there are. */
export const badSignature = (): AmbientError =>
  new AmbientError('invalid_signature', 'the signature is missing, wrong or too old, or its key is unknown');

/** Throws invalid_signature for what can be no valid signature, whatever the secret. */
export function claimOf(source: WebhookSource, headers: Headers, now: number): Claim {
  switch (source) {
    case 'github':
      return { prefix: '', digest: digestIn(headers['x-hub-signature-256'], 'sha256=') };
    case 'jira':
      return { prefix: '', digest: digestIn(headers['x-hub-signature'], 'sha256=') };
    case 'slack': {
      const timestamp = freshTime(headers['x-slack-request-timestamp'], now);
      return { prefix: `v0:${timestamp}:`, digest: digestIn(headers['x-slack-signature'], 'v0=') };
    }
    case 'generic': {
      const timestamp = freshTime(headers['x-ambient-timestamp'], now);
      const id = headers['x-ambient-delivery'] ?? '';
      return { prefix: `${timestamp}.${id}.`, digest: digestIn(headers['x-ambient-signature'], 'v1=') };
    }
  }
}

/** Over the body that is to come. */
export const signing = (secret: Buffer, { prefix }: Claim): Hmac =>
  createHmac('sha256', secret).update(prefix);

export const isSigned = (hmac: Hmac, { digest }: Claim): boolean => timingSafeEqual(hmac.digest(), digest);

function digestIn(header: string | undefined, prefix: string): Buffer {
  if (header?.startsWith(prefix) !== true) throw badSignature();
  const hex = header.slice(prefix.length);
  if (!/^[0-9a-fA-F]{64}$/.test(hex)) throw badSignature();
  return Buffer.from(hex, 'hex');
}

/** Seconds since the epoch, as they were sent. */
function freshTime(text: string | undefined, now: number): string {
  if (text === undefined || !/^\d{1,12}$/.test(text)) throw badSignature();
  if (Math.abs(now - Number(text) * 1000) > SIGNATURE_AGE_MAX_MS) throw badSignature();
  return text;
}
