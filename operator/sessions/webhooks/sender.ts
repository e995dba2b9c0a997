/** As whom a delivery acts. */
import type { Tenant } from './keys.ts';

/** No user of Kubernetes has such a name: an approver is never taken for the one who launched it. */
export const senderOf = ({ source, keyId }: Pick<Tenant, 'source' | 'keyId'>): string =>
  keyId === undefined ? `ambient:webhook:${source}` : `ambient:webhook:${source}:${keyId}`;
