/** ambient.listWebhookKeys: which keys let events into a namespace; one that is chosen can be revoked. */
import * as vscode from 'vscode';
import { plain } from '../ide/plain-text.ts';
import { changePolicy, readPolicy } from './change-policy.ts';
import type { WebhookCommand } from './index.ts';
import { keyRows, rowText, withoutKey } from './policy-keys.ts';

const REVOKE = 'Revoke';
const ASK_MS = 15_000;
const CHANGE_MS = 30_000;

export const listKeys: WebhookCommand = async (
  { clusters, rights, policies, notify },
  { cluster, namespace },
) => {
  const seeing = await rights.refusal(cluster, namespace, 'viewPolicy');
  if (seeing !== undefined) return notify.warn(seeing);
  const client = await clusters.client(cluster);
  const rows = keyRows(await readPolicy(client, namespace, AbortSignal.timeout(ASK_MS)), Date.now());
  if (rows.length === 0)
    return notify.info(`No key lets events into ${namespace}.`, [
      {
        title: 'Create Webhook Key',
        command: 'ambient.createWebhookKey',
        arguments: [{ cluster, namespace }],
      },
    ]);
  const chosen = await vscode.window.showQuickPick(
    rows.map((row) => ({ label: plain(row.label, 63), description: rowText(row), row })),
    {
      title: `Webhook Keys of ${plain(namespace, 63)}`,
      placeHolder: 'Choose one to revoke it',
      matchOnDescription: true,
    },
  );
  if (chosen === undefined) return;
  const refusal = await rights.refusal(cluster, namespace, 'editPolicy');
  if (refusal !== undefined) return notify.warn(refusal);
  const { row } = chosen;
  const answer = await vscode.window.showWarningMessage(
    `Revoke key ${plain(row.label, 63)} of ${plain(namespace, 63)}?`,
    {
      modal: true,
      detail: `Events that ${row.source} sends with it are refused from now on. It cannot be brought back; sessions that run go on.${row.isSigning ? ' Its Secret stays: delete it yourself.' : ''}`,
    },
    REVOKE,
  );
  if (answer !== REVOKE) return;
  await changePolicy(
    client,
    namespace,
    (policy) => withoutKey(policy, row.ref),
    AbortSignal.timeout(CHANGE_MS),
  );
  policies.forget(cluster, namespace);
  notify.info(`Key ${row.label} of ${namespace} is revoked.`);
};
