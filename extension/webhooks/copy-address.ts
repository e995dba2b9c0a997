/** ambient.copyWebhookAddress: where a source sends its events to, with the public id of a key that signs. */
import * as vscode from 'vscode';
import { plain } from '../ide/plain-text.ts';
import { webhookAddress } from './address.ts';
import { askBase, askSource } from './ask.ts';
import { readPolicy } from './change-policy.ts';
import type { WebhookCommand } from './index.ts';
import { rowText, usableKeys } from './policy-keys.ts';
import type { KeyRow } from './policy-keys.ts';

const TITLE = 'Copy Webhook Address';
const ASK_MS = 15_000;

export const copyAddress: WebhookCommand = async ({ clusters, rights, notify }, { cluster, namespace }) => {
  const refusal = await rights.refusal(cluster, namespace, 'viewPolicy');
  if (refusal !== undefined) return notify.warn(refusal);
  const source = await askSource(TITLE);
  if (source === undefined) return;
  const client = await clusters.client(cluster);
  const policy = await readPolicy(client, namespace, AbortSignal.timeout(ASK_MS));
  const rows = usableKeys(policy, source, Date.now());
  const key = rows.length > 1 ? await askKey(rows) : rows[0];
  if (rows.length > 1 && key === undefined) return;
  const base = await askBase(TITLE, cluster);
  if (base === undefined) return;
  const address = webhookAddress(base, source, key?.isSigning === true ? key.label : undefined);
  await vscode.env.clipboard.writeText(address);
  const create = {
    title: 'Create Webhook Key',
    command: 'ambient.createWebhookKey',
    arguments: [{ cluster, namespace }],
  };
  if (key === undefined)
    notify.warn(`Copied ${address}. No key of ${source} lets events into ${namespace} yet.`, [create]);
  else notify.info(`Copied ${address}`);
};

async function askKey(rows: readonly KeyRow[]): Promise<KeyRow | undefined> {
  const items = rows.map((row) => ({ label: plain(row.label, 63), description: rowText(row), row }));
  const chosen = await vscode.window.showQuickPick(items, { title: TITLE, placeHolder: 'With which key?' });
  return chosen?.row;
}
