/** The NDJSON of a log answer as records, checked: what another version or a broken proxy sends must not get further. */
import { RECORD_TYPES } from '../../common/api/log.ts';
import type { LogRecord } from '../../common/api/log.ts';

/** Longer lines are no record: 16 KiB of text, every character of it escaped, and 16 KiB of data. */
const LINE_MAX = 1024 * 1024;
const TYPES: ReadonlySet<string> = new Set(RECORD_TYPES);

/**
 * Records of one piece of an answer at a time, none for a sign of life. A line that is no record becomes `undefined`. Throws
 * at the end when that is in the middle of a line.
 */
export async function* recordsOf(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<(LogRecord | undefined)[], void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  let tooLong = false;
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    const records: (LogRecord | undefined)[] = [];
    for (const line of lines) {
      if (tooLong) records.push(undefined);
      else if (line !== '') records.push(parseRecord(line));
      tooLong = false;
    }
    if (rest.length > LINE_MAX) {
      tooLong = true;
      rest = '';
    }
    yield records;
  }
  if (rest.trim() !== '') throw new Error('the answer broke off in the middle of a line');
}

/** By hand: this is the path of every line of every log, and the schema's own check costs ten times as much. */
export function parseRecord(line: string): LogRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  return isRecord(value) ? value : undefined;
}

function isRecord(value: unknown): value is LogRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { seq, time, type, text, stream, partial, id, name, data } = value as Partial<LogRecord>;
  return (
    Number.isSafeInteger(seq) &&
    typeof time === 'string' &&
    typeof type === 'string' &&
    TYPES.has(type) &&
    typeof text === 'string' &&
    (stream === undefined || stream === 'stdout' || stream === 'stderr') &&
    (partial === undefined || typeof partial === 'boolean') &&
    (id === undefined || typeof id === 'string') &&
    (name === undefined || typeof name === 'string') &&
    (data === undefined || (typeof data === 'object' && data !== null))
  );
}
