/** How the door says no: as every refusal of REST, and to whoever asked what would happen, as an answer. */
import { refusalOf as restRefusal } from '../rest/errors.ts';
import type { Refusal } from '../rest/errors.ts';
import type { Exchange } from '../http/exchange.ts';

export function refusalOf(
  thrown: unknown,
  exchange: Pick<Exchange, 'traceId' | 'signal' | 'closing'>,
  isDryRun: boolean,
): Omit<Refusal, 'body'> & { body: object } {
  const { error, headers, body, ...refusal } = restRefusal(thrown, exchange);
  // No token is of any use here.
  delete headers['www-authenticate'];
  const status = isDryRun && error.code === 'policy_violation' ? 400 : refusal.status;
  if (!isDryRun || status !== 400) return { error, headers, status, body };
  return {
    error,
    headers,
    status,
    body: { valid: false, violations: body.details['violations'] ?? [], ...body },
  };
}
