/** ambient.copyName: the object's name, for kubectl. */
import * as vscode from 'vscode';
import { chosenSessions } from './chosen-sessions.ts';
import type { Command } from './context.ts';

export const copyName: Command =
  (context) =>
  async (...args) => {
    const refs = await chosenSessions(context, args, {
      placeholder: 'Copy the name of which session?',
      nothing: 'There is no session yet.',
    });
    if (refs.length > 0) await vscode.env.clipboard.writeText(refs.map(({ name }) => name).join('\n'));
  };
