/** `ambient-event:` documents: what triggered a session, read-only. A session's spec never changes, so neither do they. */
import { posix } from 'node:path';
import * as vscode from 'vscode';
import type { SessionRef } from '../sessions/session-ref.ts';

export const EVENT_SCHEME = 'ambient-event';
const SUFFIX = ' event.jsonc';

const eventUri = ({ cluster, namespace, name }: SessionRef): vscode.Uri =>
  vscode.Uri.from({
    scheme: EVENT_SCHEME,
    path: posix.join('/', namespace, `${name}${SUFFIX}`),
    query: cluster,
  });

const refOfUri = (uri: vscode.Uri): SessionRef => {
  const [, namespace = '', file = ''] = uri.path.split('/');
  return { cluster: uri.query, namespace, name: file.slice(0, -SUFFIX.length) };
};

export class EventDocuments implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #read: (ref: SessionRef) => Promise<string>;
  readonly #texts = new Map<string, string>();
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly #subscriptions: vscode.Disposable[];

  readonly onDidChange = this.#changed.event;

  /** `read` gives the text, also where the session cannot be had. */
  constructor(read: (ref: SessionRef) => Promise<string>) {
    this.#read = read;
    this.#subscriptions = [
      this.#changed,
      vscode.workspace.registerTextDocumentContentProvider(EVENT_SCHEME, this),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => this.#texts.delete(uri.toString())),
    ];
  }

  /** After a restart of VS Code the document is there again without anybody having asked for it. */
  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    return this.#texts.get(uri.toString()) ?? (await this.#read(refOfUri(uri)));
  }

  async show(ref: SessionRef, text: string): Promise<void> {
    const uri = eventUri(ref);
    this.#texts.set(uri.toString(), text);
    this.#changed.fire(uri);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.languages.setTextDocumentLanguage(document, 'jsonc');
    await vscode.window.showTextDocument(document, { preview: true });
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
  }
}
