/** ambient.openYaml: the Session object as the cluster has it, read-only and live. */
import * as vscode from 'vscode';
import { yamlUri } from '../sessions/yaml-documents.ts';
import { chosenSessions } from './chosen-sessions.ts';
import type { Command } from './context.ts';

export const openYaml: Command =
  (context) =>
  async (...args) => {
    for (const ref of await chosenSessions(context, args, {
      placeholder: 'Open the YAML of which session?',
      nothing: 'There is no session yet.',
    })) {
      const document = await vscode.workspace.openTextDocument(yamlUri(ref));
      await vscode.languages.setTextDocumentLanguage(document, 'yaml');
      await vscode.window.showTextDocument(document, { preview: true });
    }
  };
