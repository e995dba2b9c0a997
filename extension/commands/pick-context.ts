/**
 * One of the clusters shown, or of all where none is; asked for only when there are several. Rejects with Cancelled and
 * NoContexts.
 */
import * as vscode from 'vscode';
import { offeredContexts } from '../clusters/chosen-contexts.ts';
import { settings } from '../ide/settings.ts';
import type { CommandContext } from './context.ts';
import { Cancelled } from './progress.ts';

export async function pickContext(
  { clusters }: Pick<CommandContext, 'clusters'>,
  title: string,
): Promise<string> {
  const names = offeredContexts(await clusters.kubeconfig(), settings.contexts()).map(({ name }) => name);
  const [first, ...others] = names;
  if (first !== undefined && others.length === 0) return first;
  const picked = await vscode.window.showQuickPick(names, { title, placeHolder: 'In which cluster?' });
  if (picked === undefined) throw new Cancelled();
  return picked;
}
