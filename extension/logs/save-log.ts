/** Writes a whole log to a file: every record, uncut, whatever the editor had to leave out. Loaded on first use. */
import type { LogRecord } from '../../common/api/log.ts';
import type { LogSource } from './follow-records.ts';
import { recordsOf } from './ndjson-records.ts';
import { visible, withoutSequences } from './visible-text.ts';

export interface SaveLogOptions {
  source: LogSource;
  /** Takes the text piece by piece; resolves when there is room for more. */
  write: (text: string) => Promise<void>;
  signal: AbortSignal;
  onProgress?: (records: number) => void;
  /** Answers that broke off and brought nothing, before giving up. */
  tries?: number;
}

const TRIES = 5;

/** Everything stored now. Returns how many records. Throws what the API server says, or the signal's reason. */
export async function saveLog(options: SaveLogOptions): Promise<number> {
  const { source, write, signal, onProgress, tries = TRIES } = options;
  const text = new RecordText();
  let last = 0;
  for (let failures = 0; ;) {
    const before = last;
    try {
      const body = await source.open({ since: last, follow: false }, signal);
      for await (const records of recordsOf(body)) {
        let piece = '';
        for (const record of records) {
          if (record === undefined || record.seq <= last) continue;
          piece += text.of(record);
          last = record.seq;
        }
        if (piece !== '') await write(piece);
        onProgress?.(last);
      }
      // An answer may have been cut without a sign: it was whole when nothing follows it.
      if (last === before) return last;
    } catch (error) {
      signal.throwIfAborted();
      failures = last === before ? failures + 1 : 1;
      if (source.verdict(error) !== 'retry' || failures >= tries) throw error;
    }
  }
}

/** A record as text with its time; a line that went over several records is one line again. */
class RecordText {
  #open: string | undefined;

  of(record: LogRecord): string {
    const key = `${record.type}/${record.stream ?? ''}`;
    const text = withoutSequences(record.text)
      .split('\n')
      .map((line) => visible(line))
      .join('\n');
    const goesOn = this.#open === key;
    const start = goesOn ? '' : `${this.#open === undefined ? '' : '\n'}${record.time} ${labelOf(record)}`;
    this.#open = record.partial === true ? key : undefined;
    return `${start}${text}${record.partial === true ? '' : '\n'}`;
  }
}

function labelOf({ type, stream, name }: LogRecord): string {
  const called = name === undefined ? '' : ` ${visible(name)}`;
  if (type === 'output') return stream === 'stderr' ? '[stderr] ' : '';
  return `[${type}${called}] `;
}
