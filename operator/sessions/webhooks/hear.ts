/** From what came in to what is to be answered: greetings are returned, dry runs foretold, all else leads to sessions. */
import type { WebhookSource } from '../../../common/api/session.ts';
import { AmbientError } from '../../../common/errors.ts';
import { at } from '../../../common/rules/triggers/read.ts';
import { deliveryIdOf, eventOf, greetingOf, isDeliveryId } from '../../../common/rules/webhooks/delivery.ts';
import type { Headers } from '../../../common/rules/webhooks/delivery.ts';
import type { Deliveries, Delivery, Forecast, Outcome } from './deliveries.ts';
import type { Tenant } from './keys.ts';
import type { Received } from './receive.ts';

export interface Heard {
  tenant: Tenant;
  /** In lower case. */
  headers: Headers;
  received: Received;
  /** Only to tell what would be. */
  isDryRun: boolean;
  /** The sender may say itself what to start. */
  mayAsk: boolean;
  traceId: string;
  signal: AbortSignal;
}

export type Reply =
  | { kind: 'challenge'; challenge: string }
  | { kind: 'greeted' }
  | { kind: 'forecast'; forecast: Forecast }
  | { kind: 'outcome'; outcome: Outcome };

/** Throws invalid_payload, invalid_request, policy_violation, and what `Deliveries.accept` throws. */
export async function hear(
  deliveries: Deliveries,
  { tenant, headers, received, isDryRun, mayAsk, traceId, signal }: Heard,
): Promise<Reply> {
  const { source } = tenant;
  const payload = received.payload();
  const greeting = greetingOf(source, headers, payload);
  if (greeting?.kind === 'challenge') return greeting;
  if (greeting !== undefined && !isDryRun) return { kind: 'greeted' };
  const id = deliveryIdOf(source, headers, payload);
  if (id !== undefined && !isDeliveryId(id))
    throw new AmbientError('invalid_request', 'the id of the delivery is too long, or not printable ASCII');
  const event = eventOf(source, headers, payload);
  const delivery: Delivery = { tenant, event, id, headers, payload, mayAsk, traceId, signal };
  if (isDryRun) return { kind: 'forecast', forecast: await deliveries.forecast(delivery) };
  const { size, digest, body, contentType } = received;
  const outcome = await deliveries.accept(delivery, { contentType, digest, size, body });
  return { kind: 'outcome', outcome };
}

/** What a person typed in Slack, who sees the answer. */
export function isCommand(source: WebhookSource, received: Received): boolean {
  if (source !== 'slack') return false;
  try {
    return typeof at(received.payload(), 'command') === 'string';
  } catch {
    // It is refused for what is wrong with it.
    return false;
  }
}
