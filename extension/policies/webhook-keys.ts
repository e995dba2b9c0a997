/** The keys that stand in a policy: as rows for people, and the policy with one more or one less. Pure. */
import type { NamespacePolicy, WebhookKey } from '../../common/api/namespace-policy.ts';
import { API_VERSION, POLICY_NAME } from '../../common/api/names.ts';
import type { WebhookSource } from '../../common/api/session.ts';

/** `unnamed`: in the map of sources, one each. */
export type KeyRef = { kind: 'named'; id: string } | { kind: 'unnamed'; source: string };

export interface KeyRow {
  ref: KeyRef;
  /** The id, or the source of one that has none. */
  label: string;
  source: string;
  /** Signs; else it is sent as X-API-Key. */
  isSigning: boolean;
  createdAt: string | undefined;
  expiresAt: string | undefined;
  isExpired: boolean;
}

export function keyRows(policy: NamespacePolicy | undefined, now: number): KeyRow[] {
  const { apiKeys = {}, keys = [] } = policy?.spec.webhookAuth ?? {};
  return [
    ...keys.map(({ id, source, signing, createdAt, expiresAt }): KeyRow => ({
      ref: { kind: 'named', id },
      label: id,
      source,
      isSigning: signing !== undefined,
      createdAt,
      expiresAt,
      isExpired: expiresAt !== undefined && Date.parse(expiresAt) <= now,
    })),
    ...Object.keys(apiKeys).map((source): KeyRow => ({
      ref: { kind: 'unnamed', source },
      label: source,
      source,
      isSigning: false,
      createdAt: undefined,
      expiresAt: undefined,
      isExpired: false,
    })),
  ];
}

/** `github · X-API-Key · created 2030-01-01 · expires 2030-04-01` */
export const rowText = ({ source, isSigning, createdAt, expiresAt, isExpired }: KeyRow): string =>
  [
    source,
    isSigning ? 'signs' : 'X-API-Key',
    createdAt === undefined ? '' : `created ${createdAt.slice(0, 10)}`,
    expiresAt === undefined
      ? 'does not expire'
      : `${isExpired ? 'expired' : 'expires'} ${expiresAt.slice(0, 10)}`,
  ]
    .filter(Boolean)
    .join(' · ');

/** Those of a source that senders may use now. */
export const usableKeys = (
  policy: NamespacePolicy | undefined,
  source: WebhookSource,
  now: number,
): KeyRow[] => keyRows(policy, now).filter((row) => row.source === source && !row.isExpired);

/** A namespace without a policy gets one that says nothing else: all its defaults hold as before. */
export function withKey(
  policy: NamespacePolicy | undefined,
  namespace: string,
  key: WebhookKey,
): NamespacePolicy {
  if (policy === undefined)
    return {
      apiVersion: API_VERSION,
      kind: 'NamespacePolicy',
      metadata: { name: POLICY_NAME, namespace },
      spec: { webhookAuth: { keys: [key] } },
    };
  const { webhookAuth } = policy.spec;
  const keys = [...(webhookAuth?.keys ?? []), key];
  return { ...policy, spec: { ...policy.spec, webhookAuth: { ...webhookAuth, keys } } };
}

/** Undefined when it is not there. */
export function withoutKey(policy: NamespacePolicy | undefined, ref: KeyRef): NamespacePolicy | undefined {
  const { webhookAuth } = policy?.spec ?? {};
  if (policy === undefined || webhookAuth === undefined) return undefined;
  const { keys = [], apiKeys = {} } = webhookAuth;
  if (ref.kind === 'named') {
    const left = keys.filter(({ id }) => id !== ref.id);
    if (left.length === keys.length) return undefined;
    return { ...policy, spec: { ...policy.spec, webhookAuth: { ...webhookAuth, keys: left } } };
  }
  if (!Object.hasOwn(apiKeys, ref.source)) return undefined;
  const { [ref.source]: _, ...left } = apiKeys;
  return { ...policy, spec: { ...policy.spec, webhookAuth: { ...webhookAuth, apiKeys: left } } };
}
