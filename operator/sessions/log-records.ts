/** Log records from outside: parsed, checked and cut down to the fields of the contract. */
import { Compile } from 'typebox/compile';
import { LogRecord, QUESTION_WITHDRAWN, RECORD_TEXT_MAX } from '../../common/api/log.ts';
import { AmbientError } from '../../common/errors.ts';
import { problemsOf } from './validate.ts';

/** UTF-8 bytes of one record as JSON. */
export const RECORD_BYTES_MAX = 128 * 1024;

const validator = Compile(LogRecord);

/** A record and its one line of JSON. */
export interface RecordLine {
  seq: number;
  line: string;
  /** `data` of a usage record. */
  usage?: Readonly<Record<string, unknown>>;
  /** Text of a question. */
  question?: string;
  /** It takes a question back. */
  isWithdrawal?: true;
}

/** Throws AmbientError invalid_request naming the line, from 1, that is no record. Blank lines are skipped. */
export function parseRecords(ndjson: string): RecordLine[] {
  const records: RecordLine[] = [];
  let number = 0;
  for (const line of ndjson.split('\n')) {
    number++;
    if (line.trim() === '') continue;
    const record = parseRecord(line, number);
    const previous = records.at(-1);
    if (previous !== undefined && record.seq !== previous.seq + 1) {
      throw new AmbientError(
        'invalid_request',
        `line ${number}: record ${record.seq} follows ${previous.seq}`,
      );
    }
    records.push(record);
  }
  return records;
}

function parseRecord(line: string, number: number): RecordLine {
  const refuse = (why: string): never => {
    throw new AmbientError('invalid_request', `line ${number} is no log record: ${why}`);
  };
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return refuse('it is not JSON');
  }
  if (!validator.Check(value)) return refuse(problemsOf(validator, value));
  if (Buffer.byteLength(value.text) > RECORD_TEXT_MAX)
    return refuse(`text has more than ${RECORD_TEXT_MAX} bytes`);
  const { seq, time, type, text, stream, partial, id, name, data } = value;
  const clean = JSON.stringify({
    seq,
    time,
    type,
    text,
    stream,
    partial,
    id,
    name,
    data,
  } satisfies LoggedFields);
  if (Buffer.byteLength(clean) > RECORD_BYTES_MAX)
    return refuse(`it has more than ${RECORD_BYTES_MAX} bytes`);
  return {
    seq,
    line: clean,
    ...(type === 'usage' && data !== undefined ? { usage: data } : {}),
    ...(type === 'question' ? { question: text } : {}),
    ...(type === 'status' && name === QUESTION_WITHDRAWN ? { isWithdrawal: true } : {}),
  };
}

/** Every field of a record, so that one added to the contract cannot be forgotten here. */
type LoggedFields = { [K in keyof Required<LogRecord>]: LogRecord[K] | undefined };
