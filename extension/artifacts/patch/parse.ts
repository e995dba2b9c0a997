/**
 * Reads what `git diff --binary` writes, and plain unified diffs. Byte for byte: contents are strings with one character a
 * byte (latin1), so that files in any encoding, with any line endings, come out as the patch has them.
 * https://git-scm.com/docs/diff-format#generate_patch_text_with_p
 */
import { AmbientError } from '../../../common/errors.ts';
import type { BinaryBlock } from './binary.ts';
import { headerNames, lineName } from './names.ts';

export interface HunkLine {
  /** Kept, taken away, added. */
  kind: ' ' | '-' | '+';
  /** With its line feed, unless it is the last line of a file that ends without one. */
  text: string;
}

export interface Hunk {
  oldStart: number;
  oldLines: number;
  newStart: number;
  newLines: number;
  lines: HunkLine[];
}

export interface FilePatch {
  kind: 'change' | 'add' | 'delete' | 'rename' | 'copy';
  /** Where the content comes from; the same as newPath but for renames and copies. */
  oldPath: string;
  newPath: string;
  /** Octal, as git writes it: 100644, 100755, 120000 (symbolic link), 160000 (submodule). */
  oldMode?: string;
  newMode?: string;
  /** Git's object ids of the contents, possibly abbreviated. */
  oldId?: string;
  newId?: string;
  hunks: Hunk[];
  /** `missing`: the patch says only that binary files differ. */
  binary?: BinaryBlock | 'missing';
}

/** Prose before, between and after the files, as in mails, is passed over. Throws invalid_request naming the line. */
export function parsePatch(patch: Buffer): FilePatch[] {
  return new PatchReader(patch.toString('latin1').split('\n')).files();
}

const HUNK = /^@@ -(\d{1,10})(?:,(\d{1,10}))? \+(\d{1,10})(?:,(\d{1,10}))? @@/;

class PatchReader {
  readonly #lines: readonly string[];
  #at = 0;

  constructor(lines: readonly string[]) {
    this.#lines = lines;
  }

  files(): FilePatch[] {
    const files: FilePatch[] = [];
    while (this.#at < this.#lines.length) {
      if (this.#line().startsWith('diff --git ')) files.push(this.#gitFile());
      else if (this.#isPlainHeader()) files.push(this.#plainFile());
      else this.#at += 1;
    }
    return files;
  }

  /** Headers only: git quotes names that end in a carriage return, so it comes from a patch that was stored with CRLF. */
  #line(ahead = 0): string {
    return (this.#lines[this.#at + ahead] ?? '').replace(/\r$/, '');
  }

  #isPlainHeader(): boolean {
    return this.#line().startsWith('--- ') && this.#line(1).startsWith('+++ ') && HUNK.test(this.#line(2));
  }

  #gitFile(): FilePatch {
    const started = this.#at;
    const header = headerNames(this.#line().slice('diff --git '.length));
    this.#at += 1;
    const extended = this.#extendedHeaders();
    const file: FilePatch = { kind: 'change', oldPath: '', newPath: '', hunks: [], ...extended.fields };
    let marks: { old: string | undefined; new: string | undefined } | undefined;
    if (this.#line().startsWith('--- ') && this.#line(1).startsWith('+++ ')) {
      marks = { old: lineName(this.#line().slice(4)), new: lineName(this.#line(1).slice(4)) };
      this.#at += 2;
    }
    const { from, to } = extended;
    const names =
      from !== undefined && to !== undefined ? { old: from, new: to } : (header ?? strippedMarks(marks));
    if (names === undefined) throw this.#error(started, 'the name of the file cannot be told');
    if (!isNamed(marks?.old, names.old) || !isNamed(marks?.new, names.new))
      throw this.#error(started, 'its headers name different files');
    file.oldPath = names.old;
    file.newPath = names.new;
    if (HUNK.test(this.#line())) this.#hunksInto(file.hunks);
    else if (this.#line() === 'GIT binary patch') file.binary = this.#binary();
    else if (/^Binary files .* differ$/.test(this.#line())) {
      file.binary = 'missing';
      this.#at += 1;
    }
    return file;
  }

  #extendedHeaders(): { fields: Partial<FilePatch>; from?: string; to?: string } {
    const fields: Partial<FilePatch> = {};
    let from: string | undefined;
    let to: string | undefined;
    for (; ; this.#at += 1) {
      const line = this.#line();
      const [, key = '', value = ''] =
        /^(old mode|new mode|deleted file mode|new file mode|(?:copy|rename) (?:from|to)|(?:dis)?similarity index|index) (.*)$/s.exec(
          line,
        ) ?? [];
      switch (key) {
        case '':
          return { fields, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
        case 'old mode':
          fields.oldMode = value;
          break;
        case 'new mode':
          fields.newMode = value;
          break;
        case 'deleted file mode':
          fields.kind = 'delete';
          fields.oldMode = value;
          break;
        case 'new file mode':
          fields.kind = 'add';
          fields.newMode = value;
          break;
        case 'copy from':
        case 'rename from':
          fields.kind = key === 'copy from' ? 'copy' : 'rename';
          from = lineName(value);
          break;
        case 'copy to':
        case 'rename to':
          to = lineName(value);
          break;
        case 'index': {
          const [, oldId, newId, mode] = /^([0-9a-f]+)\.\.([0-9a-f]+)(?: (\d+))?$/.exec(value) ?? [];
          if (oldId !== undefined) fields.oldId = oldId;
          if (newId !== undefined) fields.newId = newId;
          if (mode !== undefined) fields.oldMode = fields.newMode = mode;
          break;
        }
        default:
          break;
      }
    }
  }

  /** What `diff -u` writes: names as they are, or below a/ and b/. */
  #plainFile(): FilePatch {
    const started = this.#at;
    const marks = { old: lineName(this.#line().slice(4)), new: lineName(this.#line(1).slice(4)) };
    this.#at += 2;
    const isPrefixed = (marks.old?.startsWith('a/') ?? true) && (marks.new?.startsWith('b/') ?? true);
    const names = isPrefixed
      ? strippedMarks(marks)
      : { old: marks.old ?? marks.new ?? '', new: marks.new ?? marks.old ?? '' };
    if (names === undefined) throw this.#error(started, 'the name of the file cannot be told');
    const hunks: Hunk[] = [];
    this.#hunksInto(hunks);
    // Without git, `x.orig` and `x` are the same file before and after.
    const path = marks.new === undefined ? names.old : names.new;
    const kind = marks.old === undefined ? 'add' : marks.new === undefined ? 'delete' : 'change';
    return { kind, oldPath: path, newPath: path, hunks };
  }

  #hunksInto(hunks: Hunk[]): void {
    for (;;) {
      const match = HUNK.exec(this.#line());
      if (match === null) return;
      const hunk: Hunk = {
        oldStart: Number(match[1]),
        oldLines: Number(match[2] ?? 1),
        newStart: Number(match[3]),
        newLines: Number(match[4] ?? 1),
        lines: [],
      };
      const started = this.#at;
      this.#at += 1;
      this.#hunkLinesInto(hunk, started);
      hunks.push(hunk);
    }
  }

  #hunkLinesInto(hunk: Hunk, started: number): void {
    let [old, fresh] = [0, 0];
    while (old < hunk.oldLines || fresh < hunk.newLines) {
      const line = this.#lines[this.#at];
      // A split text ends with an empty piece that is no line.
      if (line === undefined || (line === '' && this.#at === this.#lines.length - 1))
        throw this.#error(started, 'the patch ends in the middle of this change');
      // Mailers strip the blank of empty lines.
      const kind = line === '' || line === '\r' ? ' ' : line.charAt(0);
      if (kind === '\\') {
        this.#endWithoutLineFeed(hunk);
        continue;
      }
      if (kind !== ' ' && kind !== '-' && kind !== '+')
        throw this.#error(this.#at, 'neither a kept, a removed nor an added line');
      hunk.lines.push({ kind, text: `${line === '\r' ? line : line.slice(1)}\n` });
      if (kind !== '+') old += 1;
      if (kind !== '-') fresh += 1;
      this.#at += 1;
    }
    if (old !== hunk.oldLines || fresh !== hunk.newLines)
      throw this.#error(started, 'the numbers of lines do not fit what follows');
    if (this.#lines[this.#at]?.startsWith('\\')) this.#endWithoutLineFeed(hunk);
  }

  /** `\ No newline at end of file`, in whatever language. */
  #endWithoutLineFeed(hunk: Hunk): void {
    const last = hunk.lines.at(-1);
    if (last === undefined) throw this.#error(this.#at, 'there is no line before this');
    last.text = last.text.replace(/\n$/, '');
    this.#at += 1;
  }

  /** The way forward; the way back, which follows it, is passed over. */
  #binary(): BinaryBlock {
    this.#at += 1;
    const forward = this.#binaryBlock();
    if (forward === undefined) throw this.#error(this.#at, 'neither a literal nor a delta');
    this.#binaryBlock();
    return forward;
  }

  #binaryBlock(): BinaryBlock | undefined {
    const [, kind, size] = /^(literal|delta) (\d{1,12})$/.exec(this.#line()) ?? [];
    if (kind === undefined) return undefined;
    const lines: string[] = [];
    this.#at += 1;
    for (; this.#line() !== ''; this.#at += 1) lines.push(this.#line());
    this.#at += 1;
    return { kind: kind === 'delta' ? 'delta' : 'literal', size: Number(size), lines };
  }

  #error(index: number, what: string): AmbientError {
    return new AmbientError('invalid_request', `the patch cannot be read: line ${index + 1}: ${what}`);
  }
}

/** Whether a `--- ` or `+++ ` line, prefixed or not, speaks of this file. */
const isNamed = (mark: string | undefined, name: string): boolean =>
  mark === undefined || mark === name || mark.slice(mark.indexOf('/') + 1) === name;

/** Without the first segment, as of `a/name`. */
function strippedMarks(
  marks: { old: string | undefined; new: string | undefined } | undefined,
): { old: string; new: string } | undefined {
  const [old, fresh] = [marks?.old, marks?.new].map((name) => name?.slice(name.indexOf('/') + 1));
  if (old === undefined && fresh === undefined) return undefined;
  return { old: old ?? fresh ?? '', new: fresh ?? old ?? '' };
}
