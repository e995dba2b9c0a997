/** Cluster and namespace, asked for where nothing says them. */
import * as vscode from 'vscode';
import { listNamespaces } from '../clusters/namespaces.ts';
import { pinnedIn } from '../clusters/pinned.ts';
import { NoNamespaces } from '../clusters/problem.ts';
import { plain } from '../ide/plain-text.ts';
import { settings } from '../ide/settings.ts';
import { checkNamespace } from '../sessions/input-checks.ts';
import type { CommandContext } from './context.ts';
import { pickContext } from './pick-context.ts';

export async function pickNamespace(
  context: Pick<CommandContext, 'clusters'>,
  title: string,
): Promise<{ cluster: string; namespace: string } | undefined> {
  const cluster = await pickContext(context, title);
  const names = await namesIn(context, cluster);
  const namespace =
    names.length > 0
      ? await vscode.window.showQuickPick(names, {
          title,
          placeHolder: `Which namespace of ${plain(cluster)}?`,
        })
      : await vscode.window.showInputBox({
          title,
          prompt: `Name of the namespace in ${plain(cluster)}`,
          ignoreFocusOut: true,
          validateInput: checkNamespace,
        });
  return namespace === undefined ? undefined : { cluster, namespace };
}

/** Empty where none can be listed: then the name is typed in. */
async function namesIn({ clusters }: Pick<CommandContext, 'clusters'>, cluster: string): Promise<string[]> {
  try {
    const contextNamespace = (await clusters.contexts()).find(({ name }) => name === cluster)?.namespace;
    const pinned = pinnedIn(settings.namespaces(), cluster);
    const client = await clusters.client(cluster);
    const listing = await listNamespaces(client, { pinned, contextNamespace, empty: 'show' });
    return listing.incomplete ? [] : listing.shown.map(({ name }) => name);
  } catch (error) {
    if (error instanceof NoNamespaces) return [];
    throw error;
  }
}
