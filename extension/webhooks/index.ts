/** Keys of those who send events, their address, and a test event. What the commands do loads when one is run. */
import * as vscode from 'vscode';
import type { PolicyRef } from '../../common/api/panels.ts';
import type { Clusters } from '../clusters/clusters.ts';
import type { Rights } from '../clusters/rights.ts';
import type { Notify } from '../ide/notify.ts';
import type { Policies } from '../policies/policies.ts';
import { policyRefOf } from '../policies/policy-ref.ts';
import type { PreviewDocuments } from '../sessions/preview-documents.ts';

export interface WebhooksDeps {
  clusters: Pick<Clusters, 'client'>;
  rights: Pick<Rights, 'refusal' | 'forget'>;
  policies: Pick<Policies, 'of' | 'forget'>;
  previews: PreviewDocuments;
  notify: Notify;
  /** Asks for cluster and namespace; undefined when cancelled. */
  pickNamespace: () => Promise<PolicyRef | undefined>;
}

export type WebhookCommand = (deps: WebhooksDeps, ref: PolicyRef) => Promise<void>;

const COMMANDS: Readonly<Record<string, () => Promise<WebhookCommand>>> = {
  'ambient.createWebhookKey': async () => (await import('./create-key.ts')).createKey,
  'ambient.listWebhookKeys': async () => (await import('./list-keys.ts')).listKeys,
  'ambient.copyWebhookAddress': async () => (await import('./copy-address.ts')).copyAddress,
  'ambient.sendTestEvent': async () => (await import('./send-test-event.ts')).sendTestEvent,
};

export function registerWebhooks(deps: WebhooksDeps): vscode.Disposable {
  return vscode.Disposable.from(
    ...Object.entries(COMMANDS).map(([id, load]) =>
      vscode.commands.registerCommand(id, async (given: unknown) => {
        const ref = policyRefOf(given) ?? (await deps.pickNamespace());
        if (ref === undefined) return;
        try {
          await (
            await load()
          )(deps, ref);
        } catch (error) {
          deps.rights.forget(ref.cluster, ref.namespace);
          deps.notify.failed('do that', error, ref.cluster);
        }
      }),
    ),
  );
}
