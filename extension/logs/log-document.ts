/** One open log document: kept equal to its feed by edits at its end, and scrolled along while it is followed. */
import * as vscode from 'vscode';
import type { SessionRef } from '../sessions/session-ref.ts';
import { nextEdit, placeOf } from './document-text.ts';
import type { DocumentPlace } from './document-text.ts';
import type { FeedState } from './log-feed.ts';
import type { HeldFeed } from './log-feeds.ts';
import type { LogLines } from './log-lines.ts';

export interface LogDocumentOptions {
  document: vscode.TextDocument;
  ref: SessionRef;
  held: HeldFeed;
  /** State, followed or lines have changed. */
  onChange: () => void;
  /** Waiting will not help. */
  onUnreadable: (error: unknown) => void;
  onError: (error: unknown) => void;
}

const SETTLE_MS = 500;
/** Instead of a line to reach. */
const REACHED = -1;
/** Between two scrollings along: each undoes that of a person of which VS Code has not told yet. */
const REVEAL_MS = 250;
const REFUSALS_MAX = 50;
const REFUSED_PAUSE_MS = 50;

const EMPTY_TEXT: Readonly<Record<FeedState['phase'], string>> = {
  loading: 'Reading the log…',
  following: 'Nothing yet. What the session writes appears here.',
  reconnecting: 'Trying to reach the cluster…',
  ended: 'The session ended without writing anything.',
  gone: 'The session was deleted, and its log with it.',
  failed: 'The log cannot be read.',
};

/** What stands in an empty document. */
const placeholder = vscode.window.createTextEditorDecorationType({});

export class LogDocument {
  readonly document: vscode.TextDocument;
  readonly ref: SessionRef;
  readonly #held: HeldFeed;
  readonly #options: LogDocumentOptions;
  readonly #subscriptions: { dispose(): unknown }[];
  /** The first and the last line in view of each editor when last seen. */
  readonly #views = new WeakMap<vscode.TextEditor, { top: number; bottom: number }>();
  /**
   * The line each editor that is scrolled along was told to show first; REACHED once it did. Before that VS Code moves it, too: after
   * a reload it puts editors where they were.
   */
  readonly #toReach = new WeakMap<vscode.TextEditor, number>();
  #followed = true;
  /** When somebody scrolled up last. */
  #leftAt = -Infinity;
  #syncing: Promise<void> | undefined;
  #revealedAt = -Infinity;
  #revealing: NodeJS.Timeout | undefined;
  #again = false;
  #disposed = false;
  #edits = 0;

  constructor(options: LogDocumentOptions) {
    this.#options = options;
    this.document = options.document;
    this.ref = options.ref;
    this.#held = options.held;
    const { feed } = options.held;
    this.#subscriptions = [feed.onAppend(() => this.sync()), feed.onState((state) => this.#onState(state))];
    this.sync();
    this.#showPlaceholder();
    if (feed.state.phase === 'failed') options.onUnreadable(feed.state.error);
  }

  get state(): FeedState {
    return this.#held.feed.state;
  }

  get lines(): LogLines {
    return this.#held.feed.lines;
  }

  get place(): DocumentPlace {
    return placeOf(this.document.lineCount, this.document.lineAt(0).text);
  }

  get followed(): boolean {
    return this.#followed;
  }

  set followed(followed: boolean) {
    if (this.#followed === followed) return;
    this.#followed = followed;
    if (followed) this.#revealEnd();
    this.#options.onChange();
  }

  /** Edits so far, for tests. */
  get edits(): number {
    return this.#edits;
  }

  retry(): void {
    this.#held.feed.retry();
  }

  /** Brings the document up to the feed; calls while that is under way are taken together. */
  sync(): void {
    this.#again = true;
    this.#syncing ??= this.#syncAll()
      .catch(this.#options.onError)
      .finally(() => (this.#syncing = undefined));
  }

  /** Scrolling up ends following; coming back to the end begins it again. */
  scrolled(editor: vscode.TextEditor, ranges: readonly vscode.Range[]): void {
    const top = ranges[0]?.start.line;
    const bottom = ranges.at(-1)?.end.line;
    if (top === undefined || bottom === undefined) return;
    const before = this.#views.get(editor);
    this.#views.set(editor, { top, bottom });
    const toReach = this.#toReach.get(editor);
    if (toReach !== undefined && bottom >= toReach - 1) this.#toReach.set(editor, REACHED);
    // Not only the one: that is the editor becoming larger or smaller.
    const isUp = before !== undefined && top < before.top && bottom < before.bottom;
    if (isUp && (toReach === REACHED || !this.#followed)) {
      this.#toReach.delete(editor);
      this.#leftAt = performance.now();
      this.followed = false;
    } else if (bottom >= this.document.lineCount - 2 && performance.now() - this.#leftAt > SETTLE_MS)
      // Sooner it is a reveal that was already on its way when somebody scrolled up.
      this.followed = true;
  }

  /** An editor came to show the document. */
  shown(): void {
    this.#showPlaceholder();
    if (this.#followed) this.#revealEnd();
  }

  dispose(): void {
    this.#disposed = true;
    clearTimeout(this.#revealing);
    for (const subscription of this.#subscriptions) subscription.dispose();
    this.#held.dispose();
  }

  #onState({ phase, error }: FeedState): void {
    this.#showPlaceholder();
    if (phase === 'failed') this.#options.onUnreadable(error);
    this.#options.onChange();
  }

  async #syncAll(): Promise<void> {
    let refused = 0;
    while (this.#again && !this.#disposed && !this.document.isClosed) {
      this.#again = false;
      const wasEmpty = this.document.lineCount === 1;
      const edit = nextEdit(this.lines, this.place);
      if (edit === undefined) continue;
      const change = new vscode.WorkspaceEdit();
      const { uri } = this.document;
      if (edit.gone > 0 || edit.head !== '') {
        // Lines move up: that is not somebody scrolling.
        for (const editor of this.#editors()) {
          this.#views.delete(editor);
          this.#toReach.delete(editor);
        }
        change.replace(uri, new vscode.Range(0, 0, edit.gone, 0), edit.head);
      }
      // Read-only is meant for people: edits through the API arrive and leave the document clean.
      if (edit.tail !== '')
        change.insert(uri, new vscode.Position(this.document.lineCount - 1, 0), edit.tail);
      if (!(await vscode.workspace.applyEdit(change))) {
        // VS Code has just read the file again, or closes it: what is to be done then is worked out anew.
        refused += 1;
        if (refused > REFUSALS_MAX) throw new Error(`the document ${uri.path} takes no more lines`);
        await new Promise((resolve) => setTimeout(resolve, REFUSED_PAUSE_MS));
        this.#again = true;
        continue;
      }
      refused = 0;
      this.#edits += 1;
      if (this.#followed) this.#revealSoon();
      if (wasEmpty) this.#showPlaceholder();
      this.#options.onChange();
    }
  }

  #editors(): vscode.TextEditor[] {
    return vscode.window.visibleTextEditors.filter(({ document }) => document === this.document);
  }

  #revealSoon(): void {
    this.#revealing ??= setTimeout(
      () => {
        this.#revealing = undefined;
        if (this.#followed) this.#revealEnd();
      },
      Math.max(0, this.#revealedAt + REVEAL_MS - performance.now()),
    );
  }

  #revealEnd(): void {
    this.#revealedAt = performance.now();
    const end = Math.max(0, this.document.lineCount - 1);
    for (const editor of this.#editors()) {
      if (!this.#toReach.has(editor)) this.#toReach.set(editor, end);
      editor.revealRange(new vscode.Range(end, 0, end, 0));
    }
  }

  #showPlaceholder(): void {
    const isEmpty = this.document.lineCount === 1 && this.document.lineAt(0).text === '';
    const contentText = EMPTY_TEXT[this.state.phase];
    const after = { contentText, color: new vscode.ThemeColor('editorGhostText.foreground') };
    const options = isEmpty ? [{ range: new vscode.Range(0, 0, 0, 0), renderOptions: { after } }] : [];
    for (const editor of this.#editors()) editor.setDecorations(placeholder, options);
  }
}
