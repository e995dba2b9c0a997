/** One of the clusters shown, asked for only when there are several. */
import * as vscode from 'vscode';
import { settings } from '../ide/settings.ts';
import { chosenContexts } from '../tree/root-node.ts';
import type { CommandContext } from './context.ts';

export async function pickContext(
  { clusters }: Pick<CommandContext, 'clusters'>,
  title: string,
): Promise<string | undefined> {
  const names = chosenContexts(await clusters.kubeconfig(), settings.contexts()).map(({ name }) => name);
  if (names.length <= 1) return names[0];
  return await vscode.window.showQuickPick(names, { title, placeHolder: 'In which cluster?' });
}
