/** Lets the person take some of a patch and leave the rest. */
import * as vscode from 'vscode';
import { count } from '../../../common/rules/wording.ts';
import { plain } from '../../ide/plain-text.ts';
import type { FilePatch } from './parse.ts';
import { onlyPieces, piecesOf } from './pieces.ts';
import type { Piece } from './pieces.ts';

interface Item extends vscode.QuickPickItem {
  piece?: Piece;
}

/** Undefined when the person gave up or chose nothing. */
export async function choosePieces(files: readonly FilePatch[]): Promise<FilePatch[] | undefined> {
  const items: Item[] = [];
  let path: string | undefined;
  for (const piece of piecesOf(files)) {
    if (piece.path !== path)
      items.push({ label: plain(piece.path, 120), kind: vscode.QuickPickItemKind.Separator });
    path = piece.path;
    items.push({
      label: piece.line === undefined ? wholeLabel(piece) : `Line ${piece.line}`,
      description: `+${piece.added} −${piece.removed}`,
      detail: plain(piece.gist, 160),
      picked: true,
      piece,
    });
  }
  const chosen = await vscode.window.showQuickPick(items, {
    canPickMany: true,
    matchOnDetail: true,
    title: `Which of ${count(items.filter(({ piece }) => piece !== undefined).length, 'change')} shall be applied?`,
    placeHolder: 'Unticked changes are left out',
  });
  const pieces = (chosen ?? []).flatMap(({ piece }) => piece ?? []);
  return pieces.length === 0 ? undefined : onlyPieces(files, pieces);
}

const WHOLE: Readonly<Record<FilePatch['kind'], string>> = {
  add: 'New file',
  delete: 'Deleted file',
  rename: 'Renamed file',
  copy: 'Copied file',
  change: 'Changed file',
};

const wholeLabel = ({ file }: Piece): string => WHOLE[file.kind];
