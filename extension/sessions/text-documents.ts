/** Read-only documents about one session, of a kind that has a scheme of its own: a text as of when it was opened. */
import { posix } from 'node:path';
import * as vscode from 'vscode';
import { messageOf } from '../../common/errors.ts';
import type { SessionRef } from './session-ref.ts';

export interface SessionTextKind {
  scheme: string;
  /** What a tab shows behind the session's name: `audit`, `event.jsonc`. */
  title: string;
  /** Where VS Code does not see it from the title. */
  language?: string;
  /** Begins a comment in that language: why there is nothing to read is said in one. */
  comment: string;
}

export class SessionTextDocuments implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #kind: SessionTextKind;
  readonly #read: (ref: SessionRef) => Promise<string>;
  readonly #texts = new Map<string, string>();
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly #subscriptions: vscode.Disposable[];

  readonly onDidChange = this.#changed.event;

  constructor(kind: SessionTextKind, read: (ref: SessionRef) => Promise<string>) {
    this.#kind = kind;
    this.#read = read;
    this.#subscriptions = [
      this.#changed,
      vscode.workspace.registerTextDocumentContentProvider(kind.scheme, this),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => this.#texts.delete(uri.toString())),
    ];
  }

  /** After a restart of VS Code the document is there again without anybody having asked for it. */
  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const known = this.#texts.get(uri.toString());
    if (known !== undefined) return known;
    return await this.#read(this.refOf(uri)).catch(
      (error: unknown) => `${this.#kind.comment} ${messageOf(error)}\n`,
    );
  }

  /** Reads and shows it. Throws what reading throws. */
  async show(ref: SessionRef): Promise<void> {
    const uri = this.#uriOf(ref);
    this.#texts.set(uri.toString(), await this.#read(ref));
    this.#changed.fire(uri);
    const document = await vscode.workspace.openTextDocument(uri);
    const { language } = this.#kind;
    if (language !== undefined) await vscode.languages.setTextDocumentLanguage(document, language);
    await vscode.window.showTextDocument(document, { preview: true });
  }

  /** Whom a document of this kind is about. */
  refOf(uri: vscode.Uri): SessionRef {
    const [, namespace = '', file = ''] = uri.path.split('/');
    return { cluster: uri.query, namespace, name: file.slice(0, -this.#kind.title.length - 1) };
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #uriOf({ cluster, namespace, name }: SessionRef): vscode.Uri {
    const path = posix.join('/', namespace, `${name} ${this.#kind.title}`);
    return vscode.Uri.from({ scheme: this.#kind.scheme, path, query: cluster });
  }
}
