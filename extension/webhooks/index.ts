/** Keys of those who send events, their address, and a test event. What the commands do loads when one is run. */
import * as vscode from 'vscode';
import type { PolicyRef } from '../../common/api/panels.ts';
import type { Clusters } from '../clusters/clusters.ts';
import type { Rights } from '../clusters/rights.ts';
import { inNamespace } from '../commands/in-namespace.ts';
import type { InNamespaceDeps } from '../commands/in-namespace.ts';
import type { Notify } from '../ide/notify.ts';
import type { Policies } from '../policies/policies.ts';
import { policyRefOf } from '../policies/policy-ref.ts';
import type { PreviewDocuments } from '../sessions/preview-documents.ts';

export interface WebhooksDeps extends InNamespaceDeps {
  clusters: Pick<Clusters, 'client'>;
  rights: Pick<Rights, 'refusal' | 'forget'>;
  policies: Pick<Policies, 'of' | 'forget'>;
  previews: PreviewDocuments;
  notify: Notify;
}

export type WebhookCommand = (deps: WebhooksDeps, ref: PolicyRef) => Promise<void>;

/** By what they do, in words that complete "Could not …". */
const COMMANDS: Readonly<Record<string, readonly [doing: string, load: () => Promise<WebhookCommand>]>> = {
  'ambient.createWebhookKey': [
    'create a webhook key',
    async () => (await import('./create-key.ts')).createKey,
  ],
  'ambient.listWebhookKeys': [
    'list or revoke webhook keys',
    async () => (await import('./list-keys.ts')).listKeys,
  ],
  'ambient.copyWebhookAddress': [
    'copy the webhook address',
    async () => (await import('./copy-address.ts')).copyAddress,
  ],
  'ambient.sendTestEvent': [
    'send a test event',
    async () => (await import('./send-test-event.ts')).sendTestEvent,
  ],
};

export function registerWebhooks(deps: WebhooksDeps): vscode.Disposable {
  return vscode.Disposable.from(
    ...Object.entries(COMMANDS).map(([id, [doing, load]]) =>
      vscode.commands.registerCommand(id, (given: unknown) =>
        inNamespace(deps, doing, policyRefOf(given), async (ref) => (await load())(deps, ref)),
      ),
    ),
  );
}
