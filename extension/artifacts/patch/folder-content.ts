/** A folder as the editor sees it: files on disk, and in place of them what is unsaved in an editor. */
import { lstat, stat } from 'node:fs/promises';
import * as vscode from 'vscode';
import type { KindAt } from './paths.ts';
import type { FolderContent } from './plan.ts';

export class EditorFolder implements FolderContent {
  readonly #folder: vscode.Uri;

  constructor(folder: vscode.Uri) {
    this.#folder = folder;
  }

  uri(path: string): vscode.Uri {
    return vscode.Uri.joinPath(this.#folder, path);
  }

  async read(path: string): Promise<Buffer | undefined> {
    const uri = this.uri(path);
    const unsaved = this.#unsaved(path);
    if (unsaved !== undefined)
      return Buffer.from(await vscode.workspace.encode(unsaved.getText(), { encoding: unsaved.encoding }));
    try {
      const { type } = await vscode.workspace.fs.stat(uri);
      if ((type & vscode.FileType.Directory) !== 0) throw new Error('is a folder here');
      return Buffer.from(await vscode.workspace.fs.readFile(uri));
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  isUnsaved(path: string): boolean {
    return this.#unsaved(path) !== undefined;
  }

  async isExecutable(path: string): Promise<boolean | undefined> {
    const uri = this.uri(path);
    if (uri.scheme !== 'file' || process.platform === 'win32') return undefined;
    return ((await stat(uri.fsPath)).mode & 0o100) !== 0;
  }

  /** Links are not followed, where the file system tells. */
  readonly kindAt: KindAt = async (path) => {
    const uri = this.uri(path);
    try {
      if (uri.scheme === 'file') {
        const info = await lstat(uri.fsPath);
        return info.isSymbolicLink() ? 'link' : info.isDirectory() ? 'folder' : 'file';
      }
      const { type } = await vscode.workspace.fs.stat(uri);
      if ((type & vscode.FileType.SymbolicLink) !== 0) return 'link';
      return (type & vscode.FileType.Directory) !== 0 ? 'folder' : 'file';
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  };

  #unsaved(path: string): vscode.TextDocument | undefined {
    const address = this.uri(path).toString();
    return vscode.workspace.textDocuments.find(({ uri, isDirty }) => isDirty && uri.toString() === address);
  }
}

/** Not there, or something above it is a file. */
function isAbsent(error: unknown): boolean {
  const code: unknown = Reflect.get(Object(error), 'code');
  return code === 'FileNotFound' || code === 'ENOENT' || code === 'ENOTDIR' || code === 'FileNotADirectory';
}
