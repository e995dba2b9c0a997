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
  /** Those that undo does not bring back. */
  lasting: string[];
}

/** Throws when the editor refuses the edit; then nothing was changed. */
export async function applyChanges(
  folder: EditorFolder,
  changes: readonly FileChange[],
  saveFiles: boolean,
): Promise<Applied> {
  const unsaved = changes.filter(({ path }) => folder.isUnsaved(path)).map(({ path }) => path);
  const sorted = await sortChanges(folder, changes);
  // A file that is replaced is deleted and made again: overwritten, undo would delete it. Undo does the file operations
  // that stand side by side in their own order, not in reverse, so edits of texts have to stand between the two.
  const isUndoable = sorted.texts.length > 0;
  const edit = new vscode.WorkspaceEdit();
  for (const { path } of sorted.deleted) edit.deleteFile(folder.uri(path), { ignoreIfNotExists: true });
  if (isUndoable) for (const { path } of sorted.replaced) edit.deleteFile(folder.uri(path));
  for (const { path, edits } of sorted.texts) edit.set(folder.uri(path), edits);
  for (const { path, after } of [...sorted.created, ...(isUndoable ? sorted.replaced : [])])
    edit.createFile(folder.uri(path), { contents: after });
  if (edit.size > 0 && !(await vscode.workspace.applyEdit(edit)))
    throw new AmbientError('conflict', 'the editor did not accept the changes; nothing was applied');
  if (!isUndoable)
    for (const { path, after } of sorted.replaced)
      await vscode.workspace.fs.writeFile(folder.uri(path), after);
  if (saveFiles)
    await saveAll(
      sorted.texts.filter(({ path }) => !unsaved.includes(path)).map(({ path }) => folder.uri(path)),
    );
  await setModes(folder, changes);
  const lasting = isUndoable ? [] : sorted.replaced.map(({ path }) => path);
  return { paths: changes.map(({ path }) => path), unsaved, lasting };
}

interface Content {
  path: string;
  after: Buffer;
}

interface SortedChanges {
  deleted: { path: string }[];
  texts: { path: string; edits: vscode.TextEdit[] }[];
  created: Content[];
  /** What edits of a text cannot do. */
  replaced: Content[];
}

async function sortChanges(folder: EditorFolder, changes: readonly FileChange[]): Promise<SortedChanges> {
  const sorted: SortedChanges = { deleted: [], texts: [], created: [], replaced: [] };
  for (const { path, before, after } of changes) {
    if (after === undefined) sorted.deleted.push({ path });
    else if (before === undefined) sorted.created.push({ path, after });
    else if (!before.equals(after)) {
      const edits = await textEdits(folder.uri(path), before, after);
      if (edits !== undefined) sorted.texts.push({ path, edits });
      else if (!folder.isUnsaved(path)) sorted.replaced.push({ path, after });
      else
        throw new AmbientError('conflict', `${path} has unsaved changes; save it first. Nothing was applied`);
    }
  }
  return sorted;
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
