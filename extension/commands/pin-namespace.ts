/** ambient.pinNamespace and ambient.unpinNamespace: which namespaces stand first, and are shown without being listed. */
import * as vscode from 'vscode';
import { pin, unpin } from '../clusters/pinned.ts';
import { plain } from '../ide/plain-text.ts';
import { settings, updateSetting } from '../ide/settings.ts';
import { checkNamespace } from '../sessions/input-checks.ts';
import type { Command, CommandContext } from './context.ts';
import { textField } from './context.ts';
import { pickContext } from './pick-context.ts';

export const pinNamespace: Command = (context) => async (target) => {
  const where = await place(context, target, 'Pin a namespace');
  if (where === undefined) return;
  await updateSetting('namespaces', pin(settings.namespaces(), where.cluster, where.namespace));
};

export const unpinNamespace: Command = (context) => async (target) => {
  const where = await place(context, target, 'Unpin a namespace');
  if (where === undefined) return;
  await updateSetting('namespaces', unpin(settings.namespaces(), where.cluster, where.namespace));
};

async function place(
  context: CommandContext,
  target: unknown,
  title: string,
): Promise<{ cluster: string; namespace: string } | undefined> {
  const cluster = textField(target, 'cluster') ?? (await pickContext(context, title));
  const namespace =
    textField(target, 'namespace') ??
    (await vscode.window.showInputBox({
      title,
      prompt: `Name of the namespace in ${plain(cluster)}`,
      ignoreFocusOut: true,
      validateInput: checkNamespace,
    }));
  return namespace === undefined ? undefined : { cluster, namespace };
}
