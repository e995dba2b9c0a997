/** What is wrong with the notifications of a NamespacePolicy. Whether a target may be reached at all is decided when it is. */
import { NOTIFICATION_EVENTS } from '../../api/namespace-policy.ts';
import type { NamespacePolicySpec } from '../../api/namespace-policy.ts';
import { formatList } from '../wording.ts';
import { entries, error, warning } from './mistake.ts';
import type { PolicyMistake } from './mistake.ts';

type Notifications = NonNullable<NamespacePolicySpec['notifications']>;
type Webhook = NonNullable<Notifications['webhooks']>[number];

/** https://www.rfc-editor.org/rfc/rfc9110#name-field-names */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Set by whoever sends; a policy that sets them would break or forge a notification. */
const RESERVED = /^(host|content-length|content-type|transfer-encoding|connection|x-ambient-.*)$/i;
/** A Secret's name: https://www.rfc-editor.org/rfc/rfc1123 */
const SECRET_NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

export function notificationMistakes(spec: NamespacePolicySpec['notifications']): PolicyMistake[] {
  const { webhooks = [], email } = spec ?? {};
  const found = webhooks.flatMap((each, index) => webhook(`spec.notifications.webhooks[${index}]`, each));
  for (const [index, { url }] of webhooks.entries()) {
    const first = webhooks.findIndex((other) => other.url === url);
    if (first === index) continue;
    const message = `the same URL stands at [${first}], so it is told twice. Put the events together.`;
    found.push(warning(`spec.notifications.webhooks[${index}].url`, message));
  }
  return email === undefined ? found : [...found, ...mail('spec.notifications.email', email)];
}

function webhook(path: string, { url, events: wanted, headers = {}, secret }: Webhook): PolicyMistake[] {
  const found = target(`${path}.url`, url);
  found.push(...events(`${path}.events`, wanted));
  if (wanted.length === 0)
    found.push(warning(`${path}.events`, 'is empty, so nothing is ever sent. List events.'));
  for (const [name, value] of Object.entries(headers)) {
    const at = `${path}.headers[${JSON.stringify(name)}]`;
    if (!HEADER_NAME.test(name)) found.push(error(at, 'is no name of an HTTP header.'));
    else if (RESERVED.test(name)) found.push(error(at, 'is set by the operator itself. Remove it.'));
    if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(value))
      found.push(error(at, 'has a value with control characters, which no HTTP header can carry.'));
  }
  if (secret === undefined)
    found.push(
      warning(`${path}.secret`, 'is missing, so the receiver cannot tell who sent it. Name a Secret.'),
    );
  else if (!SECRET_NAME.test(secret))
    found.push(error(`${path}.secret`, `"${secret}" is no name of a Secret. Name one of this namespace.`));
  return found;
}

function target(path: string, text: string): PolicyMistake[] {
  if (!URL.canParse(text)) return [error(path, 'is no URL. Write one as https://hooks.example.com/path.')];
  const url = new URL(text);
  const found: PolicyMistake[] = [];
  if (url.username !== '' || url.password !== '') {
    const message =
      'holds credentials, which everybody who may see the policy can read. Put them into a header from a Secret.';
    found.push(error(path, message));
  }
  if (url.protocol === 'http:')
    found.push(warning(path, 'is not encrypted: what is sent can be read on the way. Use https://.'));
  else if (url.protocol !== 'https:') found.push(error(path, 'must begin with https://.'));
  if (url.hash !== '') found.push(warning(path, 'has a part behind #, which is never sent. Remove it.'));
  return found;
}

function mail(
  path: string,
  { enabled = false, recipients, events: wanted }: NonNullable<Notifications['email']>,
) {
  const found = [...entries(`${path}.recipients`, recipients), ...events(`${path}.events`, wanted)];
  for (const [index, address] of (recipients ?? []).entries())
    if (!/^[^\s@,;<>"]+@[^\s@,;<>"]+$/.test(address))
      found.push(
        error(`${path}.recipients[${index}]`, `"${address}" is no address. Write one as ann@example.com.`),
      );
  if (!enabled) return found;
  if (recipients === undefined || recipients.length === 0)
    found.push(error(`${path}.recipients`, 'is empty while email is enabled. Name somebody.'));
  if (wanted === undefined || wanted.length === 0)
    found.push(warning(`${path}.events`, 'is empty, so no mail is ever sent. List events.'));
  return found;
}

/** Of a list of events: what the schema would not have taken, too, as objects may be older than it. */
const events = (path: string, list: readonly string[] | undefined): PolicyMistake[] => [
  ...entries(path, list),
  ...(list ?? []).flatMap((event, index) =>
    (NOTIFICATION_EVENTS as readonly string[]).includes(event)
      ? []
      : [
          error(
            `${path}[${index}]`,
            `there is no event "${event}". Known: ${formatList(NOTIFICATION_EVENTS)}.`,
          ),
        ],
  ),
];
