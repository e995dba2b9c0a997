/** What the editor offers and tells while an object is written: thin, the knowledge comes on first use. */
import * as vscode from 'vscode';
import type { KubeObject } from '../../common/api/kubernetes.ts';
import type { Notify } from '../ide/notify.ts';
import type { ObjectFiles } from './object-files.ts';
import type { ObjectKind } from './object-kind.ts';
import type { Schema } from './schema.ts';

/** After the last key. */
const CHECK_MS = 250;

export function registerObjectLanguage<T extends KubeObject>(
  kind: ObjectKind<T>,
  files: ObjectFiles<T>,
  { notify }: { notify: Notify },
): vscode.Disposable {
  const { scheme } = kind;
  const selector: vscode.DocumentSelector = { scheme };
  const timers = new Map<string, NodeJS.Timeout>();
  const check = async (document: vscode.TextDocument): Promise<void> => {
    const place = kind.place(document.uri);
    if (place === undefined || document.isClosed) return;
    const text = document.getText();
    const parsed = await kind.parse(text, place);
    // What has been typed meanwhile is checked anew.
    if (document.isClosed || document.getText() !== text) return;
    files.showProblems(document.uri, text, parsed.ok ? parsed.mistakes : parsed.problems);
  };
  const checkSoon = (document: vscode.TextDocument, ms: number): void => {
    if (document.uri.scheme !== scheme) return;
    const key = document.uri.toString();
    clearTimeout(timers.get(key));
    timers.set(
      key,
      setTimeout(() => notify.background('checking YAML', check(document)), ms),
    );
  };
  return vscode.Disposable.from(
    vscode.workspace.onDidOpenTextDocument((document) => checkSoon(document, 0)),
    vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
      // Saving reports no change of content, and must not wipe what the cluster said.
      if (contentChanges.length > 0) checkSoon(document, CHECK_MS);
    }),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => {
      if (uri.scheme !== scheme) return;
      clearTimeout(timers.get(uri.toString()));
      files.showProblems(uri, '', []);
    }),
    vscode.languages.registerCompletionItemProvider(
      selector,
      { provideCompletionItems: (document, position) => complete(kind, document, position) },
      ':',
      ' ',
      '-',
    ),
    vscode.languages.registerHoverProvider(selector, {
      provideHover: async (document, position) => {
        const [schema, { toldAt }] = await Promise.all([kind.schema(), import('./yaml-cursor.ts')]);
        const told = toldAt(schema, document.getText(), document.offsetAt(position));
        if (told === undefined) return undefined;
        const range = new vscode.Range(document.positionAt(told.from), document.positionAt(told.to));
        return new vscode.Hover(new vscode.MarkdownString(told.text), range);
      },
    }),
    { dispose: () => timers.forEach((timer) => clearTimeout(timer)) },
  );
}

async function complete(
  kind: { schema: () => Promise<Schema> },
  document: vscode.TextDocument,
  position: vscode.Position,
): Promise<vscode.CompletionItem[]> {
  const [schema, { offersAt }] = await Promise.all([kind.schema(), import('./yaml-cursor.ts')]);
  const { offers, from } = offersAt(schema, document.getText(), document.offsetAt(position));
  const range = new vscode.Range(document.positionAt(from), position);
  return offers.map(({ label, insert, kind, documentation }) => {
    const { Property, Value } = vscode.CompletionItemKind;
    const item = new vscode.CompletionItem(label, kind === 'key' ? Property : Value);
    item.insertText = insert;
    item.range = range;
    item.documentation = new vscode.MarkdownString(documentation);
    return item;
  });
}
