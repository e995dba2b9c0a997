/** The read-only file system `ambient-log:`: each log is one file, whose content is what its feed has when it is opened. */
import * as vscode from 'vscode';
import type { LogFeeds } from './log-feeds.ts';
import { logPlace } from './log-uri.ts';

/** A document opens with what came in this time; the rest is appended. */
const PATIENCE_MS = 3000;

export class LogFiles implements vscode.FileSystemProvider {
  readonly #feeds: LogFeeds;
  readonly #changed = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  readonly onDidChangeFile = this.#changed.event;

  constructor(feeds: LogFeeds) {
    this.#feeds = feeds;
  }

  watch(): vscode.Disposable {
    // Documents are appended to in place (log-document.ts): reading them again would cost a copy of the whole log.
    return new vscode.Disposable(() => undefined);
  }

  stat(uri: vscode.Uri): vscode.FileStat {
    if (logPlace(uri) === undefined) throw vscode.FileSystemError.FileNotFound(uri);
    return {
      type: vscode.FileType.File,
      ctime: 0,
      // Never the same, lest a reopened document be taken from a cache.
      mtime: Date.now(),
      size: 0,
      permissions: vscode.FilePermission.Readonly,
    };
  }

  readDirectory(): [string, vscode.FileType][] {
    return [];
  }

  async readFile(uri: vscode.Uri): Promise<Uint8Array> {
    const ref = logPlace(uri);
    if (ref === undefined) throw vscode.FileSystemError.FileNotFound(uri);
    const [held, { documentText }] = await Promise.all([
      this.#feeds.acquire(ref),
      import('./document-text.ts'),
    ]);
    try {
      let patience: NodeJS.Timeout | undefined;
      const enough = new Promise<void>((resolve) => {
        patience = setTimeout(resolve, PATIENCE_MS);
      });
      await Promise.race([held.feed.loaded, enough]);
      clearTimeout(patience);
      return Buffer.from(documentText(held.feed.lines));
    } finally {
      // It lingers until the document that now opens takes hold of it.
      held.dispose();
    }
  }

  createDirectory(uri: vscode.Uri): never {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  writeFile(uri: vscode.Uri): never {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  delete(uri: vscode.Uri): never {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  rename(uri: vscode.Uri): never {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  dispose(): void {
    this.#changed.dispose();
  }
}
