/** Keys of those who send events, their address, and a test event. What the commands do loads when one is run. */
import * as vscode from 'vscode';
import { inNamespace } from '../commands/in-namespace.ts';
import { policyRefOf } from '../policies/policy-ref.ts';
import type { WebhookCommand, WebhooksDeps } from './webhook-command.ts';

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
