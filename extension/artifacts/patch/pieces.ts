/** A patch in the pieces that can be taken or left: hunks of changed files, and other files as a whole. Pure. */
import type { FilePatch, Hunk } from './parse.ts';

export interface Piece {
  file: FilePatch;
  /** Undefined: the file as a whole. */
  hunk: Hunk | undefined;
  path: string;
  /** Of the first line it changes, in the old file; undefined for a whole file. */
  line: number | undefined;
  /** The first thing it adds or takes away. */
  gist: string;
  added: number;
  removed: number;
}

export function piecesOf(files: readonly FilePatch[]): Piece[] {
  return files.flatMap((file): Piece[] =>
    // Half a new, deleted or moved file is none.
    file.kind === 'change' && file.binary === undefined && file.hunks.length > 0
      ? file.hunks.map((hunk) => pieceOf(file, hunk, [hunk]))
      : [pieceOf(file, undefined, file.hunks)],
  );
}

function pieceOf(file: FilePatch, hunk: Hunk | undefined, hunks: readonly Hunk[]): Piece {
  const lines = hunks.flatMap((each) => each.lines);
  const changed = lines.filter(({ kind }) => kind !== ' ');
  const first = hunk?.lines.findIndex(({ kind }) => kind !== ' ') ?? -1;
  return {
    file,
    hunk,
    path: file.newPath,
    line: hunk === undefined ? undefined : Math.max(1, hunk.oldStart + Math.max(0, first)),
    gist:
      changed.length === 0
        ? ''
        : `${changed[0]?.kind ?? ''} ${Buffer.from(changed[0]?.text ?? '', 'latin1')
            .toString('utf8')
            .trim()}`,
    added: changed.filter(({ kind }) => kind === '+').length,
    removed: changed.filter(({ kind }) => kind === '-').length,
  };
}

/** The patch with these pieces only; a file of which none is left is not in it. */
export function onlyPieces(files: readonly FilePatch[], chosen: readonly Piece[]): FilePatch[] {
  const hunks = new Set(chosen.map(({ hunk }) => hunk));
  const whole = new Set(chosen.filter(({ hunk }) => hunk === undefined).map(({ file }) => file));
  return files.flatMap((file) => {
    if (whole.has(file)) return [file];
    const kept = file.hunks.filter((hunk) => hunks.has(hunk));
    return kept.length === 0 ? [] : [kept.length === file.hunks.length ? file : { ...file, hunks: kept }];
  });
}
