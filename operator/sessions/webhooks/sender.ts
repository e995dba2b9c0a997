/** As whom a delivery stands in the audit log. */
import type { Tenant } from './keys.ts';

/** No user of Kubernetes has such a name. */
export const senderOf = ({ source, keyId }: Pick<Tenant, 'source' | 'keyId'>): string =>
  keyId === undefined ? `ambient:webhook:${source}` : `ambient:webhook:${source}:${keyId}`;
