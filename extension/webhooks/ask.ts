/** What the commands about webhooks ask people alike. Undefined: the person went away. */
import * as vscode from 'vscode';
import type { PolicyRef } from '../../common/api/panels.ts';
import { WEBHOOK_SOURCES } from '../../common/api/session.ts';
import type { WebhookSource } from '../../common/api/session.ts';
import type { ProblemAction } from '../clusters/problem.ts';
import { plain } from '../ide/plain-text.ts';
import { rememberRestUrl, settings } from '../ide/settings.ts';
import { rowText } from '../policies/webhook-keys.ts';
import type { KeyRow } from '../policies/webhook-keys.ts';
import { baseProblem } from './address.ts';

const WORDS: Record<WebhookSource, string> = {
  github: 'GitHub',
  jira: 'Jira',
  slack: 'Slack',
  generic: 'Any tool that can send X-API-Key',
};

export async function askSource(title: string): Promise<WebhookSource | undefined> {
  const rows = WEBHOOK_SOURCES.map((source) => ({ label: source, description: WORDS[source], source }));
  const row = await vscode.window.showQuickPick(rows, { title, placeHolder: 'Who sends the events?' });
  return row?.source;
}

/** The base address of the REST API of this cluster: from the settings, else asked for and kept there. */
export async function askBase(title: string, cluster: string): Promise<string | undefined> {
  const known = settings.restUrl(cluster);
  if (known !== undefined && baseProblem(known) === undefined) return known;
  const given = await vscode.window.showInputBox({
    title,
    prompt: `Where is the REST API of ${plain(cluster, 60)}? As senders reach it.`,
    placeHolder: 'https://ambient.example.com',
    value: known ?? '',
    ignoreFocusOut: true,
    validateInput: baseProblem,
  });
  if (given === undefined) return undefined;
  await rememberRestUrl(cluster, given);
  return given;
}

/** Not asked for where there is only one. */
export async function askKey(title: string, rows: readonly KeyRow[]): Promise<KeyRow | undefined> {
  const [only, ...more] = rows;
  if (more.length === 0) return only;
  const items = rows.map((row) => ({ label: plain(row.label, 63), description: rowText(row), row }));
  const chosen = await vscode.window.showQuickPick(items, { title, placeHolder: 'With which key?' });
  return chosen?.row;
}

export const createKeyAction = ({ cluster, namespace }: PolicyRef): ProblemAction => ({
  title: 'Create Webhook Key',
  command: 'ambient.createWebhookKey',
  arguments: [{ cluster, namespace }],
});
