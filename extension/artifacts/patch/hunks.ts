/** Fits hunks into a text as `git apply` does: context must match exactly, lines may have moved, nothing is guessed. */
import type { Hunk } from './parse.ts';

export interface HunkResult {
  /** With all hunks that fit. */
  text: string;
  /** Indexes of hunks that do not fit. */
  failed: number[];
  /** None fits, but all stand there already. */
  isAlreadyThere: boolean;
}

/** All texts with one character a byte. */
export function applyHunks(text: string, hunks: readonly Hunk[]): HunkResult {
  const adapted = withLineEndingsOf(text, hunks);
  const forward = fit(text, adapted);
  if (forward.failed.length === 0 || forward.failed.length < hunks.length)
    return { ...forward, isAlreadyThere: false };
  return { ...forward, isAlreadyThere: fit(text, adapted.map(reversed)).failed.length === 0 };
}

function fit(text: string, hunks: readonly Hunk[]): { text: string; failed: number[] } {
  const lines = linesOf(text);
  const result: string[] = [];
  const failed: number[] = [];
  // Lines before `done` are in the result.
  let done = 0;
  let moved = 0;
  for (const [index, hunk] of hunks.entries()) {
    const before = hunk.lines.filter(({ kind }) => kind !== '+').map((line) => line.text);
    const after = hunk.lines.filter(({ kind }) => kind !== '-').map((line) => line.text);
    // A hunk without old lines names the line it stands after.
    const expected = (hunk.oldLines === 0 ? hunk.oldStart : hunk.oldStart - 1) + moved;
    const at = place(lines, before, expected, done, {
      // As git has it: such hunks were made at the beginning or at the end of the file.
      atStart: hunk.oldStart <= 1,
      atEnd: hunk.lines.at(-1)?.kind !== ' ',
    });
    const isEnd = at !== undefined && at + before.length === lines.length;
    // Only the last line of a file may lack its line feed.
    if (at === undefined || (!isEnd && after.some((line) => !line.endsWith('\n')))) {
      failed.push(index);
      continue;
    }
    for (; done < at; done += 1) result.push(lines[done] ?? '');
    for (const line of after) result.push(line);
    done = at + before.length;
    moved += at - expected;
  }
  for (; done < lines.length; done += 1) result.push(lines[done] ?? '');
  return { text: result.join(''), failed };
}

/** Where `wanted` stands, nearest to `expected` and not before `from`. */
function place(
  lines: readonly string[],
  wanted: readonly string[],
  expected: number,
  from: number,
  must: { atStart: boolean; atEnd: boolean },
): number | undefined {
  const last = lines.length - wanted.length;
  const fits = (at: number): boolean => {
    if (at < from || at > last || (must.atStart && at !== 0) || (must.atEnd && at !== last)) return false;
    return wanted.every((line, i) => lines[at + i] === line);
  };
  if (must.atStart) return fits(0) ? 0 : undefined;
  if (must.atEnd) return fits(last) ? last : undefined;
  for (let distance = 0; distance <= Math.max(expected - from, last - expected, 0); distance += 1) {
    if (fits(expected - distance)) return expected - distance;
    if (fits(expected + distance)) return expected + distance;
  }
  return undefined;
}

export const linesOf = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+/g) ?? [];

const reversed = (hunk: Hunk): Hunk => ({
  oldStart: hunk.newStart,
  oldLines: hunk.newLines,
  newStart: hunk.oldStart,
  newLines: hunk.oldLines,
  lines: hunk.lines.map(({ kind, text }) => ({ kind: kind === '+' ? '-' : kind === '-' ? '+' : ' ', text })),
});

/**
 * A checkout on Windows may have CRLF where the session's clone had LF, or the other way round. Only where text and
 * patch each have one kind of line ending throughout.
 */
function withLineEndingsOf(text: string, hunks: readonly Hunk[]): readonly Hunk[] {
  const ending = endingOf(linesOf(text));
  const patched = endingOf(hunks.flatMap(({ lines }) => lines.map((line) => line.text)));
  if (ending === undefined || patched === undefined || ending === patched) return hunks;
  const convert = (line: string): string => line.replace(/\r?\n$/, ending);
  return hunks.map((hunk) => ({
    ...hunk,
    lines: hunk.lines.map(({ kind, text: line }) => ({ kind, text: convert(line) })),
  }));
}

/** Undefined when mixed, or when there is none. */
function endingOf(lines: readonly string[]): '\n' | '\r\n' | undefined {
  let found: '\n' | '\r\n' | undefined;
  for (const line of lines) {
    if (!line.endsWith('\n')) continue;
    const ending = line.endsWith('\r\n') ? '\r\n' : '\n';
    if (found !== undefined && found !== ending) return undefined;
    found = ending;
  }
  return found;
}
