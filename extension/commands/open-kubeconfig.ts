/** ambient.openKubeconfig: the file, to look what is wrong; the setting where there is none. */
import { access } from 'node:fs/promises';
import * as vscode from 'vscode';
import type { Command } from './context.ts';

export const openKubeconfig: Command =
  ({ clusters }) =>
  async () => {
    const { files } = await clusters.kubeconfig();
    for (const file of files)
      try {
        await access(file);
        await vscode.window.showTextDocument(vscode.Uri.file(file));
        return;
      } catch {
        continue;
      }
    await vscode.commands.executeCommand('workbench.action.openSettings', 'ambient.kubeconfig');
  };
