/** What the editor offers and tells while a policy is written: thin, the knowledge comes on first use. */
import * as vscode from 'vscode';
import type { PoliciesDeps } from './index.ts';
import type { PolicyFiles } from './policy-files.ts';
import { POLICY_SCHEME, policyPlace } from './policy-ref.ts';

const SELECTOR: vscode.DocumentSelector = { scheme: POLICY_SCHEME };
/** After the last key. */
const CHECK_MS = 250;

export function registerPolicyLanguage({ notify }: PoliciesDeps, files: PolicyFiles): vscode.Disposable {
  const timers = new Map<string, NodeJS.Timeout>();
  const check = async (document: vscode.TextDocument): Promise<void> => {
    const place = policyPlace(document.uri);
    if (place === undefined || document.isClosed) return;
    const text = document.getText();
    const { parsePolicy } = await import('./policy-yaml.ts');
    const parsed = parsePolicy(text, place.namespace);
    files.showProblems(document.uri, text, parsed.ok ? parsed.mistakes : parsed.problems);
  };
  const checkSoon = (document: vscode.TextDocument, ms: number): void => {
    if (document.uri.scheme !== POLICY_SCHEME) return;
    const key = document.uri.toString();
    clearTimeout(timers.get(key));
    timers.set(
      key,
      setTimeout(() => notify.background('checking a policy', check(document)), ms),
    );
  };
  return vscode.Disposable.from(
    vscode.workspace.onDidOpenTextDocument((document) => checkSoon(document, 0)),
    vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
      // Saving reports no change of content, and must not wipe what the cluster said.
      if (contentChanges.length > 0) checkSoon(document, CHECK_MS);
    }),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => {
      if (uri.scheme !== POLICY_SCHEME) return;
      clearTimeout(timers.get(uri.toString()));
      files.showProblems(uri, '', []);
    }),
    vscode.languages.registerCompletionItemProvider(
      SELECTOR,
      { provideCompletionItems: (document, position) => complete(document, position) },
      ':',
      ' ',
      '-',
    ),
    vscode.languages.registerHoverProvider(SELECTOR, {
      provideHover: async (document, position) => {
        const { toldAt } = await import('./policy-cursor.ts');
        const told = toldAt(document.getText(), document.offsetAt(position));
        if (told === undefined) return undefined;
        const range = new vscode.Range(document.positionAt(told.from), document.positionAt(told.to));
        return new vscode.Hover(new vscode.MarkdownString(told.text), range);
      },
    }),
    { dispose: () => timers.forEach((timer) => clearTimeout(timer)) },
  );
}

async function complete(
  document: vscode.TextDocument,
  position: vscode.Position,
): Promise<vscode.CompletionItem[]> {
  const { offersAt } = await import('./policy-cursor.ts');
  const { offers, from } = offersAt(document.getText(), document.offsetAt(position));
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
