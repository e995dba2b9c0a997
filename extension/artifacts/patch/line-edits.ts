/** The smallest edits, in whole lines, that make one text of another: so that cursors, folds and breakpoints stay. */

export interface LineEdit {
  /** Offsets in the old text, in UTF-16 units. */
  from: number;
  to: number;
  text: string;
}

/** What a comparison may take, in ms; beyond, one edit replaces all that differs. */
const COMPARE_MS = 500;

export async function lineEdits(before: string, after: string): Promise<LineEdit[]> {
  const { diffArrays } = await import('diff');
  const [old, fresh] = [linesOf(before), linesOf(after)];
  const parts = diffArrays(old, fresh, { timeout: COMPARE_MS });
  if (parts === undefined) return [enclosingEdit(before, after)];
  const edits: LineEdit[] = [];
  let at = 0;
  for (const { added, removed, value } of parts) {
    const text = value.join('');
    const last = edits.at(-1);
    if (!added && !removed) at += text.length;
    else {
      const edit = last?.to === at ? last : { from: at, to: at, text: '' };
      if (edit !== last) edits.push(edit);
      if (added) edit.text += text;
      else at = edit.to += text.length;
    }
  }
  return edits;
}

function enclosingEdit(before: string, after: string): LineEdit {
  const shortest = Math.min(before.length, after.length);
  let start = 0;
  while (start < shortest && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < shortest - start && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  return { from: start, to: before.length - end, text: after.slice(start, after.length - end) };
}

const linesOf = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+/g) ?? [];
