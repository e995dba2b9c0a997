/** What a command about the webhooks of a namespace is given. */
import type { PolicyRef } from '../../common/api/panels.ts';
import type { Clusters } from '../clusters/clusters.ts';
import type { Rights } from '../clusters/rights.ts';
import type { InNamespaceDeps } from '../commands/in-namespace.ts';
import type { Notify } from '../ide/notify.ts';
import type { Policies } from '../policies/policies.ts';
import type { PreviewDocuments } from '../sessions/preview-documents.ts';

export interface WebhooksDeps extends InNamespaceDeps {
  clusters: Pick<Clusters, 'client'>;
  rights: Pick<Rights, 'refusal' | 'forget'>;
  policies: Pick<Policies, 'of' | 'forget'>;
  previews: PreviewDocuments;
  notify: Notify;
}

export type WebhookCommand = (deps: WebhooksDeps, ref: PolicyRef) => Promise<void>;
