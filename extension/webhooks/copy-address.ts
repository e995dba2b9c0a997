/** ambient.copyWebhookAddress: where a source sends its events to, with the public id of a key that signs. */
import * as vscode from 'vscode';
import { usableKeys } from '../policies/webhook-keys.ts';
import { webhookAddress } from './address.ts';
import { askBase, askKey, askSource, createKeyAction } from './ask.ts';
import { policyOf } from './policy-in-cluster.ts';
import type { WebhookCommand } from './webhook-command.ts';

const TITLE = 'Copy Webhook Address';

export const copyAddress: WebhookCommand = async (deps, ref) => {
  const { rights, notify } = deps;
  const { cluster, namespace } = ref;
  const refusal = await rights.refusal(cluster, namespace, 'viewPolicy');
  if (refusal !== undefined) return notify.warn(refusal);
  const source = await askSource(TITLE);
  if (source === undefined) return;
  const rows = usableKeys(await policyOf(deps, ref), source, Date.now());
  const key = await askKey(TITLE, rows);
  if (rows.length > 0 && key === undefined) return;
  const base = await askBase(TITLE, cluster);
  if (base === undefined) return;
  const address = webhookAddress(base, source, key?.isSigning === true ? key.label : undefined);
  await vscode.env.clipboard.writeText(address);
  if (key === undefined)
    notify.warn(`Copied ${address}. No key of ${source} lets events into ${namespace} yet.`, [
      createKeyAction(ref),
    ]);
  else notify.info(`Copied ${address}`);
};
