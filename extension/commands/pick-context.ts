/** One of the clusters shown, asked for only when there are several. Undefined: there is none. Rejects with Cancelled. */
import * as vscode from 'vscode';
import { settings } from '../ide/settings.ts';
import { chosenContexts } from '../tree/root-node.ts';
import type { CommandContext } from './context.ts';
import { Cancelled } from './progress.ts';

export async function pickContext(
  { clusters }: Pick<CommandContext, 'clusters'>,
  title: string,
): Promise<string | undefined> {
  const names = chosenContexts(await clusters.kubeconfig(), settings.contexts()).map(({ name }) => name);
  if (names.length <= 1) return names[0];
  const picked = await vscode.window.showQuickPick(names, { title, placeHolder: 'In which cluster?' });
  if (picked === undefined) throw new Cancelled();
  return picked;
}
