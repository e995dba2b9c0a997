/** Log records as the lines of a document, with what belongs together: pure, append-only, bounded. */
import type { LogRecord } from '../../common/api/log.ts';
import { cut, visible } from './visible-text.ts';

export type LineKind = Exclude<LogRecord['type'], 'output'> | 'stdout' | 'stderr' | 'note';

export interface LogLine {
  /** As the document has it. */
  text: string;
  kind: LineKind;
  /** Begins a record; others continue the one above. */
  first: boolean;
}

/** Lines that belong to one step. Numbers count all lines of the log from 0, also those no longer kept. */
export interface LogSection {
  kind: 'step' | 'tool' | 'text';
  /** Plain, for outlines. */
  title: string;
  detail: string;
  first: number;
  last: number;
  failed: boolean;
}

export interface LogLinesOptions {
  /** The time of a record as shown, or '' to leave it out. */
  formatTime(iso: string): string;
  /** Lines and characters kept; the oldest go first. */
  maxLines?: number;
  maxCharacters?: number;
}

/** Editors stop drawing lines at 10,000 characters, and slow down long before. */
export const LINE_MAX = 4000;
/** VS Code gives up colours above 300,000 lines or 20 MB. */
const MAX_LINES = 200_000;
const MAX_CHARACTERS = 16 * 1024 * 1024;
/** Lines of one record: a record has 16 KiB of text at most, which could all be line ends. */
const RECORD_LINES_MAX = 2000;
const SECTIONS_MAX = 20_000;

/** One character each, in a column of their own, so that the eye and a search find them. */
export const TAGS: Readonly<Record<LineKind, string>> = {
  stdout: ' ',
  stderr: '!',
  status: '•',
  error: '✖',
  assistant: '»',
  thinking: '~',
  'tool-call': '▶',
  'tool-result': '◀',
  'file-change': '±',
  usage: '$',
  question: '?',
  user: '«',
  note: '…',
};

export class LogLines {
  readonly #options: LogLinesOptions;
  readonly #maxLines: number;
  readonly #maxCharacters: number;
  #lines: LogLine[] = [];
  #dropped = 0;
  #characters = 0;
  readonly #sections: LogSection[] = [];
  #step: LogSection | undefined;
  /** Tool calls that wait for their result, by id; without an id, the last one. */
  readonly #calls = new Map<string, LogSection>();
  /** The start of a line that goes on in the next record, by record type and stream. */
  readonly #open = new Map<string, { text: string; length: number; isCut: boolean }>();

  constructor(options: LogLinesOptions) {
    this.#options = options;
    this.#maxLines = options.maxLines ?? MAX_LINES;
    this.#maxCharacters = options.maxCharacters ?? MAX_CHARACTERS;
  }

  /** All lines so far, also those no longer kept. */
  get total(): number {
    return this.#dropped + this.#lines.length;
  }

  /** So many lines at the start are no longer kept. */
  get dropped(): number {
    return this.#dropped;
  }

  get characters(): number {
    return this.#characters;
  }

  /** Lines from number `from` (counted over all) on. */
  since(from: number): readonly LogLine[] {
    return this.#lines.slice(Math.max(0, from - this.#dropped));
  }

  get sections(): readonly LogSection[] {
    return this.#sections;
  }

  add(record: LogRecord): void {
    const key = `${record.type}/${record.stream ?? ''}`;
    const open = this.#open.get(key);
    const piece = record.text;
    if (record.partial === true) {
      if (open === undefined) this.#open.set(key, { text: piece, length: piece.length, isCut: false });
      else {
        open.length += piece.length;
        if (!open.isCut) open.text += piece;
      }
      const now = this.#open.get(key);
      // Shown as soon as it is longer than a line may be: its end may never come.
      if (now !== undefined && !now.isCut && now.text.length > LINE_MAX) {
        now.isCut = true;
        this.#record(record, now.text, true);
        now.text = '';
      }
      return;
    }
    this.#open.delete(key);
    if (open?.isCut === true) {
      const characters = (open.length + piece.length).toLocaleString('en');
      this.#push(
        'note',
        `the ${record.stream ?? record.type} line cut above has ${characters} characters`,
        '',
        true,
      );
    } else this.#record(record, (open?.text ?? '') + piece, false);
    this.#trim();
  }

  /** A line of ours, not of the session. */
  note(text: string): void {
    this.#push('note', text, '', true);
    this.#trim();
  }

  #record(record: LogRecord, text: string, goesOn: boolean): void {
    const kind: LineKind = record.type === 'output' ? (record.stream ?? 'stdout') : record.type;
    const at = this.total;
    const time = this.#options.formatTime(record.time);
    const name =
      record.name === undefined || kind === 'stdout' || kind === 'stderr' ? '' : visible(record.name);
    const parts = text.replace(/\r\n/g, '\n').split('\n', RECORD_LINES_MAX + 1);
    // Text that ends with a line end does not begin another line.
    if (parts.length > 1 && parts.length <= RECORD_LINES_MAX && parts.at(-1) === '') parts.pop();
    for (const [index, part] of parts.entries()) {
      if (index === RECORD_LINES_MAX) this.#push('note', 'more lines were left out', '', true);
      else
        this.#push(
          kind,
          shortened(index === 0 && name !== '' ? `${name}  ${part}` : part, goesOn),
          time,
          index === 0,
        );
    }
    this.#structure(record, kind, name, parts[0] ?? '', at);
  }

  #push(kind: LineKind, text: string, time: string, first: boolean): void {
    const column = first ? time : ' '.repeat(time.length);
    const tag = first ? TAGS[kind] : ' ';
    const start = `${column}${column === '' ? '' : ' '}${tag}`;
    const line = text === '' ? start.trimEnd() : `${start} ${text}`;
    this.#lines.push({ text: line, kind, first });
    this.#characters += line.length + 1;
    if (this.#step !== undefined) this.#step.last = this.total - 1;
  }

  #structure(record: LogRecord, kind: LineKind, name: string, firstLine: string, at: number): void {
    const last = this.total - 1;
    const detail = cut(visible(firstLine), 120);
    switch (kind) {
      case 'status':
      case 'error': {
        if (kind === 'status' && (this.#step === undefined || name === '' || this.#step.title !== name)) {
          if (this.#step !== undefined) this.#step.last = at - 1;
          this.#step = this.#begin({
            kind: 'step',
            title: name || 'status',
            detail,
            first: at,
            last,
            failed: false,
          });
        } else if (kind === 'error' && this.#step !== undefined) this.#step.failed = true;
        return;
      }
      case 'tool-call':
        this.#calls.set(
          record.id ?? '',
          this.#begin({ kind: 'tool', title: name || 'tool', detail, first: at, last, failed: false }),
        );
        return;
      case 'tool-result': {
        const call = this.#calls.get(record.id ?? '');
        this.#calls.delete(record.id ?? '');
        if (call !== undefined) {
          call.last = last;
          call.failed = record.data?.['isError'] === true || record.data?.['is_error'] === true;
        } else if (last > at)
          this.#begin({ kind: 'text', title: name || 'tool result', detail, first: at, last, failed: false });
        return;
      }
      default:
        if (last > at && kind !== 'stdout' && kind !== 'stderr')
          this.#begin({ kind: 'text', title: kind, detail, first: at, last, failed: false });
    }
  }

  #begin(section: LogSection): LogSection {
    this.#sections.push(section);
    if (this.#sections.length > SECTIONS_MAX) this.#sections.splice(0, SECTIONS_MAX / 10);
    return section;
  }

  /** In large steps: each costs every reader an edit. */
  #trim(): void {
    if (this.#lines.length <= this.#maxLines && this.#characters <= this.#maxCharacters) return;
    let characters = this.#characters;
    let gone = 0;
    while (
      gone < this.#lines.length - 1 &&
      (this.#lines.length - gone > this.#maxLines * 0.8 || characters > this.#maxCharacters * 0.8)
    ) {
      characters -= (this.#lines[gone]?.text.length ?? 0) + 1;
      gone += 1;
    }
    this.#lines = this.#lines.slice(gone);
    this.#dropped += gone;
    this.#characters = characters;
    const kept = this.#sections.findIndex(({ last }) => last >= this.#dropped);
    this.#sections.splice(0, kept < 0 ? this.#sections.length : kept);
  }
}

function shortened(text: string, goesOn: boolean): string {
  // Cut first: what is made visible takes more room, and a line can be as long as it likes.
  const shown = visible(cut(text, LINE_MAX));
  if (goesOn) return `${shown} … (line cut here)`;
  return text.length <= LINE_MAX
    ? shown
    : `${shown} … (line cut here, it has ${text.length.toLocaleString('en')} characters)`;
}

/** `09:50:13.120` in the time zone of whoever reads; `??:??:??.???` for what is no time. */
export function clockTime(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return '??:??:??.???';
  const two = (number: number): string => String(number).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
