/** ambient.listWebhookKeys: which keys let events into a namespace; one that is chosen can be revoked. */
import * as vscode from 'vscode';
import { plain } from '../ide/plain-text.ts';
import { keyRows, rowText, withoutKey } from '../policies/webhook-keys.ts';
import { createKeyAction } from './ask.ts';
import { policyOf, setPolicy } from './policy-in-cluster.ts';
import type { WebhookCommand } from './webhook-command.ts';

const REVOKE = 'Revoke';

export const listKeys: WebhookCommand = async (deps, ref) => {
  const { rights, notify } = deps;
  const { cluster, namespace } = ref;
  const seeing = await rights.refusal(cluster, namespace, 'viewPolicy');
  if (seeing !== undefined) return notify.warn(seeing);
  const rows = keyRows(await policyOf(deps, ref), Date.now());
  if (rows.length === 0) return notify.info(`No key lets events into ${namespace}.`, [createKeyAction(ref)]);
  const refusal = await rights.refusal(cluster, namespace, 'editPolicy');
  const chosen = await vscode.window.showQuickPick(
    rows.map((row) => ({
      label: `$(${row.isExpired ? 'warning' : 'key'}) ${plain(row.label, 63)}`,
      description: rowText(row),
      row,
    })),
    {
      title: `Webhook Keys of ${plain(namespace, 63)}`,
      placeHolder: refusal ?? 'Choose one to revoke it',
      matchOnDescription: true,
    },
  );
  if (chosen === undefined) return;
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
  await setPolicy(deps, ref, (policy) => withoutKey(policy, row.ref));
  notify.info(`Key ${row.label} of ${namespace} is revoked.`);
};
