/** All open log documents: which are followed, what the status bar says, outline and folding. */
import * as vscode from 'vscode';
import { count } from '../../common/rules/wording.ts';
import { setContextKey } from '../ide/context-keys.ts';
import { plain } from '../ide/plain-text.ts';
import { messageOf } from '../../common/errors.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { LogDocument } from './log-document.ts';
import type { LogFeeds } from './log-feeds.ts';
import { logPlace } from './log-uri.ts';

export interface LogDocumentsOptions {
  feeds: LogFeeds;
  /** A log that somebody opened cannot be read, and waiting will not help. */
  onUnreadable: (ref: SessionRef, error: unknown) => void;
  onError: (doing: string, error: unknown) => void;
}

const STATUS_MS = 200;

export class LogDocuments implements vscode.Disposable {
  readonly #options: LogDocumentsOptions;
  readonly #open = new Map<vscode.TextDocument, Promise<LogDocument | undefined>>();
  readonly #ready = new Map<vscode.TextDocument, LogDocument>();
  readonly #status: vscode.StatusBarItem;
  readonly #subscriptions: vscode.Disposable[];
  #followed = false;
  #showingStatus: NodeJS.Timeout | undefined;

  constructor(options: LogDocumentsOptions) {
    this.#options = options;
    this.#status = vscode.window.createStatusBarItem('ambient.log', vscode.StatusBarAlignment.Right, 100);
    this.#status.name = 'Ambient Session Log';
    this.#subscriptions = [
      this.#status,
      vscode.workspace.onDidOpenTextDocument((document) => this.#opened(document)),
      vscode.workspace.onDidCloseTextDocument((document) => this.#closed(document)),
      vscode.window.onDidChangeActiveTextEditor(() => this.#showStatus()),
      vscode.window.onDidChangeVisibleTextEditors((editors) => {
        for (const { document } of editors) this.#ready.get(document)?.shown();
      }),
      vscode.window.onDidChangeTextEditorVisibleRanges(({ textEditor, visibleRanges }) =>
        this.#ready.get(textEditor.document)?.scrolled(textEditor, visibleRanges),
      ),
    ];
    for (const document of vscode.workspace.textDocuments) this.#opened(document);
    this.#showStatus();
  }

  /** Waits for a log that is just being opened: editors ask for its outline once, and again only when it has changed. */
  async get(document: vscode.TextDocument): Promise<LogDocument | undefined> {
    this.#opened(document);
    return await this.#open.get(document)?.catch(() => undefined);
  }

  /** The log in the active editor. */
  get active(): LogDocument | undefined {
    const document = vscode.window.activeTextEditor?.document;
    return document === undefined ? undefined : this.#ready.get(document);
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
    for (const document of [...this.#open.keys()]) this.#closed(document);
    clearTimeout(this.#showingStatus);
  }

  #opened(document: vscode.TextDocument): void {
    const ref = logPlace(document.uri);
    if (ref === undefined || document.isClosed || this.#open.has(document)) return;
    const opening = this.#options.feeds.acquire(ref).then((held) => {
      if (this.#open.get(document) !== opening) {
        held.dispose();
        return undefined;
      }
      const log = new LogDocument({
        document,
        ref,
        held,
        onChange: () => {
          if (this.active === log) this.#showStatusSoon();
        },
        onUnreadable: (error) => this.#options.onUnreadable(ref, error),
        onError: (error) => this.#options.onError('showing a log', error),
      });
      this.#ready.set(document, log);
      log.shown();
      this.#showStatus();
      return log;
    });
    this.#open.set(document, opening);
    opening.catch((error: unknown) => this.#options.onError('opening a log', error));
  }

  #closed(document: vscode.TextDocument): void {
    this.#open.delete(document);
    this.#ready.get(document)?.dispose();
    this.#ready.delete(document);
    this.#showStatus();
  }

  #showFollowed(followed: boolean): void {
    if (followed === this.#followed) return;
    this.#followed = followed;
    setContextKey('ambient.logFollowed', followed).catch((error: unknown) =>
      this.#options.onError('setting a context key', error),
    );
  }

  /** The number of lines need not be right to the millisecond; drawing it for each line would hold up the lines. */
  #showStatusSoon(): void {
    this.#showingStatus ??= setTimeout(() => this.#showStatus(), STATUS_MS);
  }

  #showStatus(): void {
    clearTimeout(this.#showingStatus);
    this.#showingStatus = undefined;
    const log = this.active;
    this.#showFollowed(log?.followed === true);
    if (log === undefined) {
      this.#status.hide();
      return;
    }
    const { text, tooltip, command } = statusOf(log);
    this.#status.text = text;
    this.#status.tooltip = tooltip;
    this.#status.command = command;
    this.#status.show();
  }
}

interface Status {
  text: string;
  tooltip: string;
  command: string | undefined;
}

function statusOf(log: LogDocument): Status {
  const lines = count(log.lines.total, 'line').replace(/^\d+/, (digits) =>
    Number(digits).toLocaleString('en'),
  );
  const { phase, error } = log.state;
  const why = error === undefined ? '' : plain(messageOf(error), 300);
  const toggle = log.followed ? 'ambient.log.unfollow' : 'ambient.log.follow';
  switch (phase) {
    case 'loading':
      return {
        text: '$(loading~spin) Reading log…',
        tooltip: 'Reading what was written so far',
        command: undefined,
      };
    case 'following':
      return log.followed
        ? {
            text: `$(eye) Following log · ${lines}`,
            tooltip: 'New lines are scrolled to as they come',
            command: toggle,
          }
        : {
            text: `$(eye-closed) Log goes on · ${lines}`,
            tooltip: 'Scroll to new lines as they come',
            command: toggle,
          };
    case 'reconnecting':
      return {
        text: `$(debug-disconnect) Log reconnecting… · ${lines}`,
        tooltip: `Nothing is lost: it goes on where it was. ${why}`.trim(),
        command: 'ambient.log.retry',
      };
    case 'ended':
      return {
        text: `$(check) Log ended · ${lines}`,
        tooltip: 'The session is over and this is its whole log',
        command: toggle,
      };
    case 'gone':
      return {
        text: `$(trash) Log of a deleted session · ${lines}`,
        tooltip: 'What was read stays here until it is closed',
        command: undefined,
      };
    case 'failed':
      return {
        text: '$(error) Log cannot be read',
        tooltip: `${why} Click to try again.`,
        command: 'ambient.log.retry',
      };
  }
}
