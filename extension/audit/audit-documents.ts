/** `ambient-audit:` documents: who did what to a session, read-only, as of when it was opened. */
import { posix } from 'node:path';
import * as vscode from 'vscode';
import type { SessionRef } from '../sessions/session-ref.ts';

export const AUDIT_SCHEME = 'ambient-audit';

export const auditUri = ({ cluster, namespace, name }: SessionRef): vscode.Uri =>
  vscode.Uri.from({
    scheme: AUDIT_SCHEME,
    path: posix.join('/', namespace, `${name} audit`),
    query: cluster,
  });

const refOfUri = (uri: vscode.Uri): SessionRef => {
  const [, namespace = '', file = ''] = uri.path.split('/');
  return { cluster: uri.query, namespace, name: file.replace(/ audit$/, '') };
};

export class AuditDocuments implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #read: (ref: SessionRef) => Promise<string>;
  readonly #texts = new Map<string, string>();
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly #subscriptions: vscode.Disposable[];

  readonly onDidChange = this.#changed.event;

  /** `read` gives the text, also where the records cannot be had. */
  constructor(read: (ref: SessionRef) => Promise<string>) {
    this.#read = read;
    this.#subscriptions = [
      this.#changed,
      vscode.workspace.registerTextDocumentContentProvider(AUDIT_SCHEME, this),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => this.#texts.delete(uri.toString())),
    ];
  }

  /** After a restart of VS Code the document is there again without anybody having asked for it. */
  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    return this.#texts.get(uri.toString()) ?? (await this.#read(refOfUri(uri)));
  }

  async show(ref: SessionRef, text: string): Promise<void> {
    const uri = auditUri(ref);
    this.#texts.set(uri.toString(), text);
    this.#changed.fire(uri);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, { preview: true });
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
  }
}
