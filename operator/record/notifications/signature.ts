/** How a receiver knows that a webhook is ours and fresh: HMAC-SHA256 over `timestamp.id.body` with the tenant's own key. */
import { createHmac } from 'node:crypto';

/** @param timestamp seconds since the epoch */
export const signatureOf = (key: string | Buffer, timestamp: number, id: string, body: string): string =>
  `v1=${createHmac('sha256', key).update(`${timestamp}.${id}.${body}`).digest('hex')}`;
