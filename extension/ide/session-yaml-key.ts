/** Keeps the context key `ambient.isSessionYaml` true while the active editor holds the YAML of a Session. */
import * as vscode from 'vscode';
import { setContextKey } from './context-keys.ts';
import type { Notify } from './notify.ts';

/** A Session says so in its first lines; a large file need not be read to its end. */
const LOOKED_AT = 4000;

export function followSessionYaml(notify: Notify): vscode.Disposable {
  let known: boolean | undefined;
  const look = (): void => {
    const document = vscode.window.activeTextEditor?.document;
    const value = document !== undefined && isSessionYaml(document);
    if (value === known) return;
    known = value;
    notify.background('setting a context key', setContextKey('ambient.isSessionYaml', value));
  };
  look();
  return vscode.Disposable.from(
    vscode.window.onDidChangeActiveTextEditor(look),
    vscode.workspace.onDidChangeTextDocument(({ document }) => {
      if (document === vscode.window.activeTextEditor?.document) look();
    }),
  );
}

function isSessionYaml(document: vscode.TextDocument): boolean {
  if (document.languageId !== 'yaml') return false;
  const end = document.positionAt(LOOKED_AT);
  const text = document.getText(new vscode.Range(new vscode.Position(0, 0), end));
  return /^apiVersion:\s*['"]?ambient\.ai\//m.test(text) && /^kind:\s*['"]?Session['"]?\s*$/m.test(text);
}
