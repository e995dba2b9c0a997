/** What is wrong with the keys of those who send events, and with how many they may send. */
import type { NamespacePolicySpec, WebhookKey } from '../../api/namespace-policy.ts';
import { WEBHOOK_SOURCES } from '../../api/session.ts';
import { formatList } from '../wording.ts';
import { error, warning } from './mistake.ts';
import type { PolicyMistake } from './mistake.ts';

const PATH = 'spec.webhookAuth';
/** Of which nobody has the like by chance: 64 bits as base 32 or longer. */
const RANDOM_ID_LENGTH = 13;
/** A Secret's name: https://www.rfc-editor.org/rfc/rfc1123 */
const SECRET_NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const SECRET_KEY = /^[-._a-zA-Z0-9]+$/;

/** @param now milliseconds since the epoch; absent where nobody knows, and then nothing has expired */
export function webhookMistakes(spec: NamespacePolicySpec['webhookAuth'], now?: number): PolicyMistake[] {
  const { apiKeys = {}, keys = [], rateLimit } = spec ?? {};
  const sources: readonly string[] = WEBHOOK_SOURCES;
  const found: PolicyMistake[] = [];
  /** Of a digest: where it stands, as people say it. */
  const owners = new Map<string, string>();
  const own = (digest: string, owner: string, at: string): void => {
    const other = owners.get(digest);
    if (other !== undefined)
      found.push(error(at, `is the same key as that of ${other}. Make a key for each source.`));
    else owners.set(digest, owner);
  };
  for (const [source, digest] of Object.entries(apiKeys)) {
    const at = `${PATH}.apiKeys[${JSON.stringify(source)}]`;
    if (!sources.includes(source))
      found.push(error(at, `no event comes from there. Known sources: ${formatList(sources)}.`));
    own(digest, JSON.stringify(source), at);
  }
  for (const [index, key] of keys.entries()) {
    const at = `${PATH}.keys[${index}]`;
    found.push(...ofKey(at, key, now));
    if (key.hash !== undefined) own(key.hash, JSON.stringify(key.id), `${at}.hash`);
  }
  const { requestsPerMinute = 10, burstSize = 20 } = rateLimit ?? {};
  if (rateLimit?.burstSize !== undefined && burstSize * 60 < requestsPerMinute) {
    const message = `${burstSize} at once are never as many as ${requestsPerMinute} a minute. Set at least ${Math.ceil(requestsPerMinute / 60)}.`;
    found.push(warning(`${PATH}.rateLimit.burstSize`, message));
  }
  return found;
}

function ofKey(
  at: string,
  { id, hash, signing, createdAt, expiresAt }: WebhookKey,
  now: number | undefined,
): PolicyMistake[] {
  const found: PolicyMistake[] = [];
  if (hash === undefined && signing === undefined)
    found.push(
      error(at, 'has neither hash nor signing, so nobody can use it. Set one of the two, or remove it.'),
    );
  if (signing !== undefined) {
    const { secretName, key } = signing;
    if (!SECRET_NAME.test(secretName)) {
      const message = `"${secretName}" is no name of a Secret. Name one of this namespace.`;
      found.push(error(`${at}.signing.secretName`, message));
    }
    if (!SECRET_KEY.test(key))
      found.push(error(`${at}.signing.key`, `"${key}" is no key that a Secret can have.`));
    if (id.length < RANDOM_ID_LENGTH) {
      const message = `"${id}" is short: when other namespaces choose it too, events may be refused. Use ${RANDOM_ID_LENGTH} random characters or more.`;
      found.push(warning(`${at}.id`, message));
    }
  }
  const expires = Date.parse(expiresAt ?? '');
  if (expires <= Date.parse(createdAt ?? ''))
    found.push(error(`${at}.expiresAt`, `is not after createdAt, so the key is never valid.`));
  else if (now !== undefined && expires <= now)
    found.push(warning(`${at}.expiresAt`, `the key has expired at ${expiresAt}, and is refused. Remove it.`));
  return found;
}
