/** Does what a plan says, by one edit of the workspace, which one undo takes back. */
import { isUtf8 } from 'node:buffer';
import { chmod, stat } from 'node:fs/promises';
import * as vscode from 'vscode';
import { AmbientError } from '../../../common/errors.ts';
import type { EditorFolder } from './folder-content.ts';
import { lineEdits } from './line-edits.ts';
import type { FileChange } from './plan.ts';

export interface Applied {
  /** Paths that were changed. */
  paths: string[];
  /** Those that are left unsaved, since the person had unsaved changes in them. */
  unsaved: string[];
}

/** Throws when the editor refuses the edit; then nothing was changed. */
export async function applyChanges(
  folder: EditorFolder,
  changes: readonly FileChange[],
  saveFiles: boolean,
): Promise<Applied> {
  const edit = new vscode.WorkspaceEdit();
  const texts: vscode.Uri[] = [];
  const unsaved = changes.filter(({ path }) => folder.isUnsaved(path)).map(({ path }) => path);
  const replaced: FileChange[] = [];
  for (const change of changes) {
    const { path, before, after } = change;
    const uri = folder.uri(path);
    if (after !== undefined && before !== undefined) {
      if (before.equals(after)) continue;
      const edits = await textEdits(uri, before, after);
      if (edits === undefined && folder.isUnsaved(path))
        throw new AmbientError('conflict', `${path} has unsaved changes; save it first. Nothing was applied`);
      if (edits === undefined) replaced.push(change);
      else {
        texts.push(uri);
        edit.set(uri, edits);
      }
      continue;
    }
    if (after === undefined) edit.deleteFile(uri, { ignoreIfNotExists: true });
  }
  for (const { path, after } of [...replaced, ...changes.filter(({ before }) => before === undefined)]) {
    if (after === undefined) continue;
    const uri = folder.uri(path);
    // Deleted and made again, a file comes back by undo; overwritten it would not.
    if (replaced.some((change) => change.path === path)) edit.deleteFile(uri);
    edit.createFile(uri, { contents: after, overwrite: false });
  }
  if (edit.size > 0 && !(await vscode.workspace.applyEdit(edit)))
    throw new AmbientError('conflict', 'the editor did not accept the changes; nothing was applied');
  if (saveFiles) await saveAll(texts.filter((uri) => !unsaved.some((path) => isSame(folder.uri(path), uri))));
  await setModes(folder, changes);
  return { paths: changes.map(({ path }) => path), unsaved };
}

/** Undefined when edits of a text would not give these bytes: other encodings, other line endings, no text at all. */
async function textEdits(
  uri: vscode.Uri,
  before: Buffer,
  after: Buffer,
): Promise<vscode.TextEdit[] | undefined> {
  if (before.includes(0) || after.includes(0) || !isUtf8(before) || !isUtf8(after)) return undefined;
  let document: vscode.TextDocument;
  try {
    document = await vscode.workspace.openTextDocument(uri);
  } catch {
    return undefined;
  }
  const mark = before.toString('utf8').startsWith('\ufeff') ? '\ufeff' : '';
  const [old, fresh] = [before.toString('utf8'), after.toString('utf8')];
  if (!fresh.startsWith(mark)) return undefined;
  const text = fresh.slice(mark.length);
  const isFaithful = mark + document.getText() === old && hasOnly(document.eol, text);
  // What is unsaved cannot be replaced on disk, so there the editor's line endings win.
  if (!isFaithful && !document.isDirty) return undefined;
  return (await lineEdits(document.getText(), text)).map(
    ({ from, to, text: replacement }) =>
      new vscode.TextEdit(new vscode.Range(document.positionAt(from), document.positionAt(to)), replacement),
  );
}

/** The editor writes one kind of line ending throughout. */
const hasOnly = (eol: vscode.EndOfLine, text: string): boolean =>
  eol === vscode.EndOfLine.CRLF ? !/(^|[^\r])\n|\r(?!\n)/.test(text) : !text.includes('\r');

async function saveAll(uris: readonly vscode.Uri[]): Promise<void> {
  const documents = await Promise.all(uris.map((uri) => vscode.workspace.openTextDocument(uri)));
  await Promise.all(documents.map((document) => document.save()));
}

/** Permissions are no part of an edit, nor of undo. */
async function setModes(folder: EditorFolder, changes: readonly FileChange[]): Promise<void> {
  if (process.platform === 'win32') return;
  for (const { path, executable, after } of changes) {
    const uri = folder.uri(path);
    if (executable === undefined || after === undefined || uri.scheme !== 'file') continue;
    const { mode } = await stat(uri.fsPath);
    // Whoever may read may run, as git does it.
    const wanted = executable ? mode | ((mode & 0o444) >> 2) : mode & ~0o111;
    if (wanted !== mode) await chmod(uri.fsPath, wanted & 0o777);
  }
}

const isSame = (a: vscode.Uri, b: vscode.Uri): boolean => a.toString() === b.toString();
