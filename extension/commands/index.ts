/**
 * Which command is which: ids as in package.json's contributions, which a test compares. What a command does loads when
 * it is run for the first time.
 */
import * as vscode from 'vscode';
import type { Command, CommandContext } from './context.ts';
import { Cancelled } from './progress.ts';

const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  'ambient.launch': async () => (await import('./launch.ts')).launch,
  'ambient.launchFromYaml': async () => (await import('./launch-from-yaml.ts')).launchFromYaml,
  'ambient.stop': async () => (await import('./stop.ts')).stop,
  'ambient.message': async () => (await import('./talk.ts')).message,
  'ambient.interrupt': async () => (await import('./talk.ts')).interrupt,
  'ambient.resume': async () => (await import('./resume.ts')).resume,
  'ambient.openResult': async () => (await import('./open-result.ts')).openResult,
  'ambient.raiseBudget': async () => (await import('./raise-budget.ts')).raiseBudget,
  'ambient.approve': async () => (await import('./decide.ts')).approve,
  'ambient.reject': async () => (await import('./decide.ts')).reject,
  'ambient.delete': async () => (await import('./delete.ts')).deleteSession,
  'ambient.copyName': async () => (await import('./copy-name.ts')).copyName,
  'ambient.openYaml': async () => (await import('./open-yaml.ts')).openYaml,
  'ambient.openShell': async () => (await import('./open-shell.ts')).openShell,
  'ambient.refresh': async () => (await import('./refresh.ts')).refresh,
  'ambient.reconnect': async () => (await import('./refresh.ts')).reconnect,
  'ambient.pinNamespace': async () => (await import('./pin-namespace.ts')).pinNamespace,
  'ambient.unpinNamespace': async () => (await import('./pin-namespace.ts')).unpinNamespace,
  'ambient.selectContexts': async () => (await import('./select-contexts.ts')).selectContexts,
  'ambient.install': async () => (await import('./install.ts')).install,
  'ambient.copyInstallCommand': async () => (await import('./install.ts')).copyInstallCommand,
  'ambient.openKubeconfig': async () => (await import('./open-kubeconfig.ts')).openKubeconfig,
  'ambient.showOutput': async () => (await import('./show.ts')).showOutput,
  'ambient.showProblem': async () => (await import('./show.ts')).showProblem,
  'ambient.showMore': async () => (await import('./show.ts')).showMore,
};

/** What a person started and failed is told to them; launch with all answers rejects instead, for its caller. */
export function registerCommands(context: CommandContext): vscode.Disposable {
  return vscode.Disposable.from(
    ...Object.entries(COMMANDS).map(([id, load]) => {
      const run = async (...args: unknown[]): Promise<unknown> => await (await load())(context)(...args);
      return vscode.commands.registerCommand(id, async (...args: unknown[]) => {
        if (id === 'ambient.launch') return await run(...args);
        try {
          return await run(...args);
        } catch (error) {
          if (error instanceof Cancelled) return undefined;
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
