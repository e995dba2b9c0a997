/** ambient.selectContexts: which clusters the tree shows. The kubeconfig's current context is never changed. */
import * as vscode from 'vscode';
import { plain } from '../ide/plain-text.ts';
import { settings, updateSetting } from '../ide/settings.ts';
import type { Command } from './context.ts';

export const selectContexts: Command =
  ({ clusters, notify }) =>
  async () => {
    const kubeconfig = await clusters.kubeconfig();
    if (kubeconfig.contexts.length === 0) {
      notify.warn(`No context is defined in ${kubeconfig.files.join(', ')}.`, [
        { title: 'Open kubeconfig', command: 'ambient.openKubeconfig' },
      ]);
      return;
    }
    const shown = settings.contexts();
    const picked = await vscode.window.showQuickPick(
      kubeconfig.contexts.map(({ name, server, isCurrent, problem }) => ({
        label: plain(name),
        description: [isCurrent ? 'current' : '', server ?? ''].filter(Boolean).join(' · '),
        ...(problem === undefined ? {} : { detail: `$(warning) ${plain(problem.message)}` }),
        picked: shown.length === 0 ? isCurrent : shown.includes(name),
        name,
      })),
      {
        title: 'Clusters in Ambient Sessions',
        placeHolder: 'Which contexts to show? None: the current one.',
        canPickMany: true,
        ignoreFocusOut: true,
      },
    );
    if (picked !== undefined)
      await updateSetting(
        'contexts',
        picked.map(({ name }) => name),
      );
  };
