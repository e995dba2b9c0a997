/**
 * Which command is which: ids as in package.json's contributions, which a test compares. What a command does loads when
 * it is run for the first time.
 */
import * as vscode from 'vscode';
import type { Command, CommandContext } from './context.ts';
import { Cancelled } from './progress.ts';

/** What each does, to complete “Could not …”, and what loads it. */
const COMMANDS: Readonly<Record<string, readonly [doing: string, load: () => Promise<Command>]>> = {
  'ambient.launch': ['launch the session', async () => (await import('./launch.ts')).launch],
  'ambient.launchFromYaml': [
    'launch the session',
    async () => (await import('./launch-from-yaml.ts')).launchFromYaml,
  ],
  'ambient.stop': ['stop the session', async () => (await import('./stop.ts')).stop],
  'ambient.message': ['send the message', async () => (await import('./talk.ts')).message],
  'ambient.interrupt': ['interrupt the agent', async () => (await import('./talk.ts')).interrupt],
  'ambient.resume': ['resume the session', async () => (await import('./resume.ts')).resume],
  'ambient.openResult': ['open the result', async () => (await import('./open-result.ts')).openResult],
  'ambient.raiseBudget': ['raise the budget', async () => (await import('./raise-budget.ts')).raiseBudget],
  'ambient.approve': ['approve the session', async () => (await import('./decide.ts')).approve],
  'ambient.reject': ['reject the session', async () => (await import('./decide.ts')).reject],
  'ambient.delete': ['delete the session', async () => (await import('./delete.ts')).deleteSession],
  'ambient.copyName': ['copy the name', async () => (await import('./copy-name.ts')).copyName],
  'ambient.openYaml': ['open the YAML', async () => (await import('./open-yaml.ts')).openYaml],
  'ambient.openShell': ['open a shell', async () => (await import('./open-shell.ts')).openShell],
  'ambient.refresh': ['read the kubeconfig again', async () => (await import('./refresh.ts')).refresh],
  'ambient.reconnect': ['connect again', async () => (await import('./refresh.ts')).reconnect],
  'ambient.pinNamespace': [
    'pin the namespace',
    async () => (await import('./pin-namespace.ts')).pinNamespace,
  ],
  'ambient.unpinNamespace': [
    'unpin the namespace',
    async () => (await import('./pin-namespace.ts')).unpinNamespace,
  ],
  'ambient.selectContexts': [
    'offer the contexts',
    async () => (await import('./select-contexts.ts')).selectContexts,
  ],
  'ambient.install': ['offer the install command', async () => (await import('./install.ts')).install],
  'ambient.copyInstallCommand': [
    'copy the install command',
    async () => (await import('./install.ts')).copyInstallCommand,
  ],
  'ambient.openKubeconfig': [
    'open the kubeconfig',
    async () => (await import('./open-kubeconfig.ts')).openKubeconfig,
  ],
  'ambient.showOutput': ['show the log', async () => (await import('./show.ts')).showOutput],
  'ambient.showProblem': ['show the problem', async () => (await import('./show.ts')).showProblem],
  'ambient.showMore': ['show more', async () => (await import('./show.ts')).showMore],
};

/** What a person started and failed is told to them; launch with all answers rejects instead, for its caller. */
export function registerCommands(context: CommandContext): vscode.Disposable {
  return vscode.Disposable.from(
    ...Object.entries(COMMANDS).map(([id, [doing, load]]) => {
      const run = async (...args: unknown[]): Promise<unknown> => await (await load())(context)(...args);
      return vscode.commands.registerCommand(id, async (...args: unknown[]) => {
        if (id === 'ambient.launch') return await run(...args);
        try {
          return await run(...args);
        } catch (error) {
          if (error instanceof Cancelled) return undefined;
          context.notify.failed(doing, error, clusterOf(args[0]));
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
