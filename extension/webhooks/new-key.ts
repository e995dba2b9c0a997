/** A key that is made here: its id is public, it itself is shown once, and only its digest is kept. */
import { createHash } from 'node:crypto';
import type { WebhookKey } from '../../common/api/namespace-policy.ts';
import { OPERATOR_NAME, OPERATOR_NAMESPACE } from '../../common/api/names.ts';
import type { WebhookSource } from '../../common/api/session.ts';

export interface NewKey {
  /** For X-API-Key, or as the secret that the sender signs with. */
  key: string;
  /** The sender's own, not made here: nobody needs to be shown it. */
  isGiven: boolean;
  entry: WebhookKey;
}

/** `random` gives so many bytes that nobody can guess. */
type Random = (bytes: number) => Uint8Array;

const KEY_BYTES = 32;
/** Of which no other namespace has the like by chance. */
const ID_BYTES = 10;
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
const DAY_MS = 86_400_000;

export interface KeyWish {
  source: WebhookSource;
  /** Undefined: it does not expire. */
  days: number | undefined;
  now: number;
}

export function newApiKey(wish: KeyWish, random: Random): NewKey {
  const key = Buffer.from(random(KEY_BYTES)).toString('base64url');
  const hash = `sha256:${createHash('sha256').update(key).digest('hex')}`;
  return { key, isGiven: false, entry: { ...common(wish, random), hash } };
}

/** The Secret's name is the key's id. @param given what the sender signs with, where it takes no other */
export function newSigningKey(wish: KeyWish, random: Random, given?: string): NewKey {
  const entry = common(wish, random);
  return {
    key: given ?? Buffer.from(random(KEY_BYTES)).toString('hex'),
    isGiven: given !== undefined,
    entry: { ...entry, signing: { secretName: `ambient-webhook-${entry.id}`, key: 'secret' } },
  };
}

function common({ source, days, now }: KeyWish, random: Random): WebhookKey {
  const id = [...random(ID_BYTES)].flatMap((byte) => [BASE32[byte & 31], BASE32[(byte >> 3) & 31]]).join('');
  const at = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
  return {
    id: `${source}-${id}`,
    source,
    createdAt: at(now),
    ...(days === undefined ? {} : { expiresAt: at(now + days * DAY_MS) }),
  };
}

const SENDERS: Readonly<Record<WebhookSource, string>> = {
  github: 'GitHub',
  jira: 'Jira',
  slack: 'Slack',
  generic: 'the sender',
};

/** What to do with it, told once. */
export function keyText({ key, isGiven, entry: { source, signing } }: NewKey): string {
  if (signing === undefined)
    return `${key}\n\nThe sender sends it in the header X-API-Key.\n\nIt is shown this once: only its digest is kept in the policy.`;
  const applied = (what: string): string =>
    `Until the manifest is applied, which puts ${what} into Secret ${signing.secretName} and lets the operator read that, events are refused.`;
  return isGiven
    ? `Give the address to ${SENDERS[source]}. ${applied('the secret that you gave')}\n\nIt can be copied this once: only the name of the Secret is kept in the policy.`
    : `${key}\n\nGive it to ${SENDERS[source]} as the secret of the webhook, and the address with it. ${applied('it')}\n\nIt is shown this once: only the name of its Secret is kept in the policy.`;
}

/** What an administrator applies, so that the operator can read the secret of this key, and nothing else. */
export function signingManifest(namespace: string, { entry, key }: NewKey): object[] {
  const name = entry.signing?.secretName ?? '';
  const metadata = { name, namespace };
  const apiGroup = 'rbac.authorization.k8s.io';
  return [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata,
      stringData: { [entry.signing?.key ?? 'secret']: key },
    },
    {
      apiVersion: `${apiGroup}/v1`,
      kind: 'Role',
      metadata,
      rules: [{ apiGroups: [''], resources: ['secrets'], resourceNames: [name], verbs: ['get'] }],
    },
    {
      apiVersion: `${apiGroup}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup, kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name: OPERATOR_NAME, namespace: OPERATOR_NAMESPACE }],
    },
  ];
}
