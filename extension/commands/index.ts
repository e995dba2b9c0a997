/** Which command is which: ids as in package.json's contributions, which a test compares. */
import * as vscode from 'vscode';
import type { Command, CommandContext } from './context.ts';
import { copyName } from './copy-name.ts';
import { approve, reject } from './decide.ts';
import { deleteSession } from './delete.ts';
import { copyInstallCommand, install } from './install.ts';
import { launch } from './launch.ts';
import { launchFromYaml } from './launch-from-yaml.ts';
import { openKubeconfig } from './open-kubeconfig.ts';
import { openShell } from './open-shell.ts';
import { openYaml } from './open-yaml.ts';
import { pinNamespace, unpinNamespace } from './pin-namespace.ts';
import { reconnect, refresh } from './refresh.ts';
import { selectContexts } from './select-contexts.ts';
import { showMore, showOutput, showProblem } from './show.ts';
import { stop } from './stop.ts';

export const COMMANDS: Readonly<Record<string, Command>> = {
  'ambient.launch': launch,
  'ambient.launchFromYaml': launchFromYaml,
  'ambient.stop': stop,
  'ambient.approve': approve,
  'ambient.reject': reject,
  'ambient.delete': deleteSession,
  'ambient.copyName': copyName,
  'ambient.openYaml': openYaml,
  'ambient.openShell': openShell,
  'ambient.refresh': refresh,
  'ambient.reconnect': reconnect,
  'ambient.pinNamespace': pinNamespace,
  'ambient.unpinNamespace': unpinNamespace,
  'ambient.selectContexts': selectContexts,
  'ambient.install': install,
  'ambient.copyInstallCommand': copyInstallCommand,
  'ambient.openKubeconfig': openKubeconfig,
  'ambient.showOutput': showOutput,
  'ambient.showProblem': showProblem,
  'ambient.showMore': showMore,
};

/** What a person started and failed is told to them; launch with all answers rejects instead, for its caller. */
export function registerCommands(context: CommandContext): vscode.Disposable {
  return vscode.Disposable.from(
    ...Object.entries(COMMANDS).map(([id, command]) => {
      const run = command(context);
      return vscode.commands.registerCommand(id, async (...args: unknown[]) => {
        if (id === 'ambient.launch') return await run(...args);
        try {
          return await run(...args);
        } catch (error) {
          context.notify.failed('do that', error, clusterOf(args[0]));
          return undefined;
        }
      });
    }),
  );
}

const clusterOf = (argument: unknown): string | undefined => {
  const cluster: unknown = Reflect.get(Object(argument), 'cluster');
  return typeof cluster === 'string' ? cluster : undefined;
};
