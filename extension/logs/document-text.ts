/** How the lines of a feed and the lines of its document go together. Pure. */
import type { LogLines } from './log-lines.ts';

/** Where a document stands in its log. */
export interface DocumentPlace {
  /** The document begins with a line that tells of lines left out. */
  head: 0 | 1;
  /** Number of the first line of the log that is shown. */
  base: number;
  /** So many lines of the log are shown. */
  shown: number;
}

/** Replaces the document's first `gone` lines by `head`, and appends `tail`; all whole lines with line ends. */
export interface DocumentEdit {
  gone: number;
  head: string;
  tail: string;
}

const NOTICE = /^… ([\d,]+) earlier lines are not shown/;

const notice = (lines: number): string =>
  `… ${lines.toLocaleString('en')} earlier lines are not shown; “Save Whole Log As…” has them all`;

const joined = (lines: readonly { text: string }[]): string =>
  lines.length === 0 ? '' : `${lines.map(({ text }) => text).join('\n')}\n`;

/** The whole document. */
export const documentText = (lines: LogLines): string =>
  `${lines.dropped === 0 ? '' : `${notice(lines.dropped)}\n`}${joined(lines.since(lines.dropped))}`;

/** From the document itself, so that it holds however the document came to be. */
export function placeOf(lineCount: number, firstLine: string): DocumentPlace {
  const base = Number(NOTICE.exec(firstLine)?.[1]?.replaceAll(',', '') ?? 0);
  const head = base > 0 ? 1 : 0;
  // Every line has a line end, so the last one of the document is empty.
  return { head, base, shown: Math.max(0, lineCount - 1 - head) };
}

/** Undefined when the document is as it should be. */
export function nextEdit(lines: LogLines, place: DocumentPlace): DocumentEdit | undefined {
  const { dropped, total } = lines;
  const end = place.base + place.shown;
  if (dropped === place.base && total === end) return undefined;
  const tail = joined(lines.since(Math.max(end, dropped)));
  if (dropped <= place.base) return { gone: 0, head: '', tail };
  const gone = place.head + Math.min(dropped - place.base, place.shown);
  return { gone, head: `${notice(dropped)}\n`, tail };
}

/** The document's line that shows a line of the log; negative when it is not shown. */
export const documentLine = ({ head, base }: DocumentPlace, line: number): number => line - base + head;
