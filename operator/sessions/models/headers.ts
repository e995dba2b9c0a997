/**
 * Which headers pass. From an agent only those that are known to be of use to a provider: keys, cookies and whose account is charged
 * are not for it to choose. From a provider all but those that belong to the connection, or would set something in the agent.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { ModelProvider } from '../../../common/api/models.ts';

const TO_PROVIDER: ReadonlySet<string> = new Set([
  'accept',
  'anthropic-beta',
  'anthropic-version',
  'content-type',
  'idempotency-key',
  'openai-beta',
  'originator',
  'user-agent',
  'x-app',
  'x-client-request-id',
  'x-goog-api-client',
]);
/** What the providers' own libraries tell of themselves. */
const TO_PROVIDER_PREFIX = 'x-stainless-';

/** https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1, and what concerns the provider's own host. */
const NOT_TO_AGENT: ReadonlySet<string> = new Set([
  'alt-svc',
  'authorization',
  'connection',
  'keep-alive',
  'location',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'set-cookie',
  'strict-transport-security',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'www-authenticate',
  'x-api-key',
  'x-goog-api-key',
]);

export function headersToProvider(
  sent: IncomingHttpHeaders,
  provider: ModelProvider,
  key: string,
): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(sent))
    if (typeof value === 'string' && (TO_PROVIDER.has(name) || name.startsWith(TO_PROVIDER_PREFIX)))
      passed[name] = value;
  // What is packed could not be read for its cost.
  passed['accept-encoding'] = 'identity';
  passed['content-type'] ??= 'application/json';
  switch (provider) {
    case 'anthropic':
      passed['x-api-key'] = key;
      break;
    case 'openai':
      passed['authorization'] = `Bearer ${key}`;
      break;
    case 'gemini':
      passed['x-goog-api-key'] = key;
      break;
  }
  return passed;
}

export function headersToAgent(
  answered: Record<string, string | string[] | undefined>,
): Record<string, string | string[]> {
  const named = String(answered['connection'] ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim());
  const passed: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(answered))
    if (value !== undefined && !NOT_TO_AGENT.has(name) && !named.includes(name)) passed[name] = value;
  return passed;
}
