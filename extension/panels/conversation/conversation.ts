/** The records of a log as a conversation: one entry for what belongs together. Pure, bounded; text stays as it came. */
import { QUESTION_WITHDRAWN } from '../../../common/api/log.ts';
import type { LogRecord } from '../../../common/api/log.ts';
import type {
  ConversationEntry,
  ConversationUpdate,
  OutputEntry,
  SaidEntry,
  ToolEntry,
} from '../../../common/api/panels.ts';
import { changedFiles } from './changed-files.ts';
import type { ChangedFiles } from './changed-files.ts';
import { UsageSums } from './usage.ts';

export interface ConversationOptions {
  /** Entries and characters kept; the oldest go first. */
  maxEntries?: number;
  maxCharacters?: number;
}

/** Entries that a page is given at once: more are a click away. */
export const PAGE_ENTRIES = 200;

const MAX_ENTRIES = 20_000;
const MAX_CHARACTERS = 16 * 1024 * 1024;
/** UTF-16 units of one entry: the log has it whole. */
const TEXT_MAX = 32 * 1024;
/** Of a command's own lines only the last are of use beside what an agent says. */
const OUTPUT_MAX = 4 * 1024;
const OPTIONS_MAX = 20;
const OPTION_MAX = 200;

type Kind = ConversationEntry['kind'];
type SaidKind = SaidEntry['kind'];

const SAID: ReadonlySet<string> = new Set<SaidKind>([
  'assistant',
  'thinking',
  'question',
  'error',
  'status',
  'user',
]);
const isSaid = (type: LogRecord['type']): type is SaidKind => SAID.has(type);
/** What only agents and people do. */
const TALK: ReadonlySet<Kind> = new Set<Kind>([
  'assistant',
  'thinking',
  'question',
  'user',
  'tool',
  'change',
]);

export class Conversation {
  readonly #maxEntries: number;
  readonly #maxCharacters: number;
  #entries: ConversationEntry[] = [];
  #first = 0;
  #characters = 0;
  #last = 0;
  #hasTalk = false;
  #heard = 0;
  readonly #changed = new Set<number>();
  /** The page was given the entries from here on. */
  #shownFrom = 0;
  /** Calls that wait for their result, by id; without an id, the last one. */
  readonly #calls = new Map<string, ToolEntry>();
  /** Not answered yet. */
  #questions: { id: string | undefined; entry: SaidEntry }[] = [];
  /** The entry whose text goes on in the next record of its type. */
  #open: { type: LogRecord['type']; entry: ConversationEntry } | undefined;
  readonly #files: ChangedFiles = changedFiles();
  readonly #usage = new UsageSums();

  constructor({ maxEntries = MAX_ENTRIES, maxCharacters = MAX_CHARACTERS }: ConversationOptions = {}) {
    this.#maxEntries = maxEntries;
    this.#maxCharacters = maxCharacters;
  }

  add(record: LogRecord): void {
    if (record.seq <= this.#last) return;
    this.#last = record.seq;
    const { type, text, time } = record;
    this.#heard = Math.max(this.#heard, saidNumber(record));
    const open = this.#open;
    this.#open = undefined;
    if (open?.type === type && this.#goesOn(open.entry, record)) {
      if (record.partial === true) this.#open = open;
      return;
    }
    if (type === 'usage') this.#usage.add(time, record.data ?? {});
    else if (type === 'output') this.#output(record);
    else if (type === 'tool-result') this.#result(record);
    else if (type === 'tool-call') {
      const entry: ToolEntry = {
        index: this.#next,
        time,
        kind: 'tool',
        name: record.name ?? 'tool',
        ...capped(text === '' ? inputOf(record.data) : text),
      };
      this.#calls.set(record.id ?? '', entry);
      this.#push(entry, record);
    } else if (type === 'file-change') {
      const path = pathOf(record);
      const how = record.name ?? 'changed';
      this.#files.add({ path, how, at: time });
      this.#push({ index: this.#next, time, kind: 'change', path: path.slice(0, TEXT_MAX), how }, record);
    } else if (isSaid(type)) this.#said(type, record);
    this.#trim();
  }

  /** What is new since the last update, of what a page shows. More than a page of it, and the page begins anew at the end. */
  update(): ConversationUpdate {
    const changed = [...this.#changed].filter((index) => index >= this.#shownFrom).sort((a, b) => a - b);
    if (changed.length > 2 * PAGE_ENTRIES) return this.whole();
    this.#changed.clear();
    return this.#answer(
      false,
      changed.flatMap((index) => this.#at(index) ?? []),
    );
  }

  /** The end, for a page that knows nothing yet. */
  whole(): ConversationUpdate {
    this.#changed.clear();
    this.#shownFrom = Math.max(this.#first, this.#next - PAGE_ENTRIES);
    return this.#answer(true, this.#entries.slice(-PAGE_ENTRIES));
  }

  /** The page of entries that stands before an entry. */
  earlier(before: number): ConversationUpdate {
    const end = Math.max(0, before - this.#first);
    const entries = this.#entries.slice(Math.max(0, end - PAGE_ENTRIES), end);
    this.#shownFrom = Math.min(this.#shownFrom, entries[0]?.index ?? this.#shownFrom);
    return this.#answer(false, entries);
  }

  get #next(): number {
    return this.#first + this.#entries.length;
  }

  #at(index: number): ConversationEntry | undefined {
    return this.#entries[index - this.#first];
  }

  #answer(reset: boolean, entries: readonly ConversationEntry[]): ConversationUpdate {
    const { rows, more } = this.#files.list();
    const usage = this.#usage.view();
    return {
      reset,
      // As they are now: what is sent must not change on its way.
      entries: entries.map((entry) => ({ ...entry })),
      first: this.#first,
      hasTalk: this.#hasTalk,
      heard: this.#heard,
      changes: rows,
      moreChanges: more,
      ...(usage === undefined ? {} : { usage }),
    };
  }

  #push(entry: ConversationEntry, { type, partial }: Pick<LogRecord, 'type' | 'partial'>): void {
    this.#entries.push(entry);
    this.#characters += sizeOf(entry);
    this.#changed.add(entry.index);
    this.#hasTalk ||= TALK.has(entry.kind);
    if (partial === true) this.#open = { type, entry };
  }

  #said(kind: SaidKind, record: LogRecord): void {
    const { text, time, id, name, data } = record;
    const entry: SaidEntry = { index: this.#next, time, kind, ...capped(text) };
    if (name !== undefined) entry.name = name;
    if (kind === 'question') {
      const options = optionsOf(data);
      if (options.length > 0) entry.options = options;
      this.#questions.push({ id, entry });
    }
    if (kind === 'user') {
      for (const question of this.#questions) {
        question.entry.isAnswered = true;
        this.#changed.add(question.entry.index);
      }
      this.#questions = [];
    }
    if (kind === 'status' && name === QUESTION_WITHDRAWN) this.#withdraw(id);
    this.#push(entry, record);
  }

  #withdraw(id: string | undefined): void {
    const index = this.#questions.findIndex((question) => question.id === id);
    const [withdrawn] = index < 0 ? [] : this.#questions.splice(index, 1);
    if (withdrawn === undefined) return;
    withdrawn.entry.isWithdrawn = true;
    this.#changed.add(withdrawn.entry.index);
  }

  #output(record: LogRecord): void {
    const { time, stream, partial } = record;
    const isError = stream === 'stderr';
    const last = this.#entries.at(-1);
    if (last?.kind === 'output') {
      this.#resize(last, () => {
        last.text = lastOf(`${last.text}\n${record.text}`);
        last.lines += 1;
        if (isError) last.hasErrors = true;
      });
      if (partial === true) this.#open = { type: 'output', entry: last };
      return;
    }
    const entry: OutputEntry = {
      index: this.#next,
      time,
      kind: 'output',
      text: lastOf(record.text),
      lines: 1,
    };
    if (isError) entry.hasErrors = true;
    this.#push(entry, record);
  }

  #result(record: LogRecord): void {
    const { id = '', time, name, data } = record;
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (call === undefined) {
      const { text, isCut } = capped(record.text);
      const entry: ToolEntry = { index: this.#next, time, kind: 'tool', name: name ?? 'tool', text: '' };
      this.#push(entry, record);
      this.#resize(entry, () => setResult(entry, text, isCut, data));
      return;
    }
    const { text, isCut } = capped(record.text);
    this.#resize(call, () => {
      setResult(call, text, isCut, data);
      const took = Date.parse(time) - Date.parse(call.time);
      if (took >= 0) call.tookMs = took;
    });
    if (record.partial === true) this.#open = { type: 'tool-result', entry: call };
  }

  /** The rest of a text that was too long for one record. False for entries that are gone. */
  #goesOn(entry: ConversationEntry, { type, text, data }: LogRecord): boolean {
    if (entry.index < this.#first) return false;
    this.#resize(entry, () => {
      if (entry.kind === 'output') entry.text = lastOf(entry.text + text);
      else if (entry.kind === 'tool' && type === 'tool-result') {
        const all = capped((entry.result ?? '') + text);
        setResult(entry, all.text, entry.isResultCut ?? all.isCut, data);
      } else if (entry.kind !== 'change') Object.assign(entry, capped(entry.text + text, entry.isCut));
    });
    return true;
  }

  #resize(entry: ConversationEntry, change: () => void): void {
    const before = sizeOf(entry);
    change();
    this.#characters += sizeOf(entry) - before;
    this.#changed.add(entry.index);
  }

  /** In large steps, so that a long log costs no copy an entry. */
  #trim(): void {
    if (this.#entries.length <= this.#maxEntries && this.#characters <= this.#maxCharacters) return;
    let gone = 0;
    let characters = this.#characters;
    while (
      gone < this.#entries.length - 1 &&
      (this.#entries.length - gone > this.#maxEntries * 0.8 || characters > this.#maxCharacters * 0.8)
    ) {
      const entry = this.#entries[gone];
      if (entry !== undefined) characters -= sizeOf(entry);
      gone += 1;
    }
    this.#entries = this.#entries.slice(gone);
    this.#first += gone;
    this.#characters = characters;
    for (const [id, call] of this.#calls) if (call.index < this.#first) this.#calls.delete(id);
    this.#questions = this.#questions.filter(({ entry }) => entry.index >= this.#first);
  }
}

const capped = (text: string, wasCut?: true): { text: string; isCut?: true } =>
  wasCut === true || text.length > TEXT_MAX ? { text: text.slice(0, TEXT_MAX), isCut: true } : { text };

const lastOf = (text: string): string => text.slice(-OUTPUT_MAX);

function setResult(entry: ToolEntry, text: string, isCut: true | undefined, data: LogRecord['data']): void {
  entry.result = text;
  if (isCut === true) entry.isResultCut = true;
  if (data?.['isError'] === true || data?.['is_error'] === true) entry.hasFailed = true;
}

function sizeOf(entry: ConversationEntry): number {
  switch (entry.kind) {
    case 'tool':
      return entry.text.length + (entry.result?.length ?? 0);
    case 'change':
      return entry.path.length;
    default:
      return entry.text.length;
  }
}

/** Of a record by which the runner tells that something said to the agent has reached it, or never will. */
function saidNumber({ type, name, data }: LogRecord): number {
  const isAbout = type === 'user' || name === 'interrupt' || name === 'message';
  const seq = isAbout && (type === 'user' || type === 'status' || type === 'error') ? data?.['seq'] : 0;
  return typeof seq === 'number' && Number.isSafeInteger(seq) ? seq : 0;
}

/** What a tool is called with, where the agent gives it as data only. */
function inputOf(data: LogRecord['data']): string {
  const input = data?.['input'] ?? data?.['arguments'];
  if (input === undefined) return '';
  return typeof input === 'string' ? input : JSON.stringify(input, null, 2);
}

/** `data.path` is the path alone, where the text is a sentence. */
function pathOf({ text, data }: LogRecord): string {
  const path = data?.['path'];
  return typeof path === 'string' && path !== '' ? path : text;
}

/** Of a single question; several cannot be answered by one word. */
function labelsOf(questions: unknown): unknown {
  const [only, ...more] = Array.isArray(questions) ? (questions as unknown[]) : [];
  const offered: unknown = more.length > 0 ? undefined : Reflect.get(Object(only), 'options');
  return Array.isArray(offered)
    ? offered.map(
        (option: unknown) =>
          (typeof option === 'string' ? option : Reflect.get(Object(option), 'label')) as unknown,
      )
    : undefined;
}

function optionsOf(data: LogRecord['data']): string[] {
  const options = data?.['options'] ?? labelsOf(data?.['questions']);
  if (!Array.isArray(options)) return [];
  return options
    .filter((option): option is string => typeof option === 'string' && option.trim() !== '')
    .slice(0, OPTIONS_MAX)
    .map((option) => option.slice(0, OPTION_MAX));
}
