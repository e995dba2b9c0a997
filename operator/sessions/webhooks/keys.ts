/**
 * Which keys the policies of all namespaces hold. The store of policies finds them by index: however many tenants there are,
 * a sender costs one look.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { NamespacePolicy, WebhookKey } from '../../../common/api/namespace-policy.ts';
import type { ObjectStore } from '../../../common/kube/object-store.ts';
import type { WebhookSource } from '../../../common/api/session.ts';

/** Indexes that the store of policies must have been made with. */
export const WEBHOOK_HASH_INDEX = 'webhookHash';
export const WEBHOOK_ID_INDEX = 'webhookId';

export const byWebhookHash = ({ spec }: NamespacePolicy): string[] => [
  ...new Set([
    ...Object.values(spec.webhookAuth?.apiKeys ?? {}),
    ...(spec.webhookAuth?.keys ?? []).flatMap(({ hash }) => hash ?? []),
  ]),
];
export const byWebhookId = ({ spec }: NamespacePolicy): string[] =>
  (spec.webhookAuth?.keys ?? []).flatMap(({ id, signing }) => (signing === undefined ? [] : [id]));

/** Whose key it is. */
export interface Tenant {
  namespace: string;
  source: WebhookSource;
  /** Undefined for a key that has no name. */
  keyId: string | undefined;
}

export interface Signer extends Tenant {
  keyId: string;
  signing: NonNullable<WebhookKey['signing']>;
}

/** Who else chooses an id that is not random is asked too, up to here: the oldest policies first. */
const SIGNERS_MAX = 8;

export class WebhookKeys {
  readonly #policies: ObjectStore<NamespacePolicy>;
  readonly #now: () => number;

  constructor(policies: ObjectStore<NamespacePolicy>, now: () => number) {
    this.#policies = policies;
    this.#now = now;
  }

  /** Undefined for a key that is unknown, of another source, expired, or in the policies of two namespaces. */
  ofApiKey(source: WebhookSource, presented: string): Tenant | undefined {
    const hash = `sha256:${createHash('sha256').update(presented).digest('hex')}`;
    const holders = this.#policies.byIndex(WEBHOOK_HASH_INDEX, hash);
    const [holder] = holders;
    // Nobody may be let into one of two namespaces by chance.
    if (holder === undefined || holders.length > 1) return undefined;
    const { apiKeys = {}, keys = [] } = holder.spec.webhookAuth ?? {};
    const { namespace = '' } = holder.metadata;
    const named = keys.find(
      (key) => key.source === source && isSame(key.hash ?? '', hash) && !this.#isOver(key),
    );
    if (named !== undefined) return { namespace, source, keyId: named.id };
    const own = Object.hasOwn(apiKeys, source) ? apiKeys[source] : undefined;
    return own !== undefined && isSame(own, hash) ? { namespace, source, keyId: undefined } : undefined;
  }

  /** Whose secret may have signed what came under this id: usually one. */
  signers(source: WebhookSource, id: string): Signer[] {
    return this.#policies
      .byIndex(WEBHOOK_ID_INDEX, id)
      .toSorted((a, b) => age(a).localeCompare(age(b)))
      .flatMap(({ metadata, spec }): Signer[] => {
        const key = spec.webhookAuth?.keys?.find((each) => each.id === id);
        if (key?.signing === undefined || key.source !== source || this.#isOver(key)) return [];
        return [{ namespace: metadata.namespace ?? '', source, keyId: id, signing: key.signing }];
      })
      .slice(0, SIGNERS_MAX);
  }

  #isOver({ expiresAt }: WebhookKey): boolean {
    // A time that cannot be read is over: `!(>)`, not `<=`.
    return expiresAt !== undefined && !(Date.parse(expiresAt) > this.#now());
  }
}

const age = ({ metadata }: NamespacePolicy): string =>
  `${metadata.creationTimestamp ?? ''} ${metadata.namespace ?? ''}`;

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
