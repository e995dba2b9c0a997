/** ambient.install and ambient.copyInstallCommand: the command that installs operator and CRDs, offered but never run. */
import * as vscode from 'vscode';
import { installCommand } from '../clusters/problem.ts';
import { settings } from '../ide/settings.ts';
import type { Command, CommandContext } from './context.ts';
import { pickContext } from './pick-context.ts';

const commandFor = async (context: CommandContext, cluster: unknown): Promise<string> =>
  installCommand(
    settings.installCommand(),
    typeof cluster === 'string' ? cluster : await pickContext(context, 'Install Ambient Sessions'),
  );

/** Typed into a terminal; whether to press Enter is the person's decision. */
export const install: Command = (context) => async (cluster) => {
  const command = await commandFor(context, cluster);
  const terminal = vscode.window.createTerminal({ name: 'Install Ambient Sessions' });
  terminal.show();
  terminal.sendText(command, false);
};

export const copyInstallCommand: Command = (context) => async (cluster) => {
  await vscode.env.clipboard.writeText(await commandFor(context, cluster));
  context.notify.info('The install command is in the clipboard.');
};
