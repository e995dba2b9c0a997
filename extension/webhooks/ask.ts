/** What the commands about webhooks ask alike. Undefined: the person went away. */
import * as vscode from 'vscode';
import { WEBHOOK_SOURCES } from '../../common/api/session.ts';
import type { WebhookSource } from '../../common/api/session.ts';
import { plain } from '../ide/plain-text.ts';
import { rememberRestUrl, settings } from '../ide/settings.ts';
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
