/** The end of a session's log, as text. */
import Type from 'typebox';
import { livePaths } from '../../common/api/live.ts';
import type { LogRecord } from '../../common/api/log.ts';
import { recordsOf } from '../logs/ndjson-records.ts';
import { cut, visible } from '../logs/visible-text.ts';
import { quoted, sessionFields, whereOf } from './place.ts';
import type { SessionInput } from './place.ts';
import type { SessionTool } from './tool.ts';

interface LogInput extends SessionInput {
  since?: number;
  records?: number;
}

const RECORDS = 200;
/** UTF-16 units of one record and of all: more is more than a model reads. */
const RECORD_MAX = 2000;
const ALL_MAX = 60_000;

export const logTool: SessionTool<LogInput> = {
  name: 'ambient_read_session_log',
  title: 'Read the Log of an Ambient Session',
  description:
    'Reads the end of the log of an AI agent session: what the agent said, its tool calls with results, file changes, output and errors. Each line begins with the number of its record; give the last number as `since` to read on.',
  input: Type.Object(
    {
      ...sessionFields,
      since: Type.Optional(
        Type.Integer({ minimum: 0, description: 'Only records after this number.', default: 0 }),
      ),
      records: Type.Optional(
        Type.Integer({ minimum: 1, maximum: 1000, description: 'The last so many.', default: RECORDS }),
      ),
    },
    { additionalProperties: false },
  ),
  isReadOnly: true,
  run: async ({ cluster, namespace, session, since = 0, records = RECORDS }, world, signal) => {
    const place = await world.place(cluster, namespace);
    const path = livePaths.log(place.namespace, session, { since, follow: false });
    const { body } = await place.client.connection.stream(path, { signal, accept: 'application/x-ndjson' });
    let last: LogRecord[] = [];
    for await (const piece of recordsOf(body)) {
      for (const record of piece) if (record !== undefined) last.push(record);
      if (last.length > 2 * records) last = last.slice(-records);
    }
    const lines: string[] = [];
    let size = 0;
    for (const record of last.slice(-records).reverse()) {
      const line = lineOf(record);
      size += line.length;
      if (size > ALL_MAX && lines.length > 0) break;
      lines.unshift(line);
    }
    if (lines.length === 0)
      return `Session ${session} in ${whereOf(place)} has written nothing after record ${since}.`;
    return quoted(`The end of the log of session ${session} in ${whereOf(place)}`, lines.join('\n'));
  },
};

function lineOf({ seq, type, name, stream, text }: LogRecord): string {
  const what = type === 'output' ? (stream ?? 'output') : type;
  const words = text.split('\n').map(visible).join('\n');
  return `${seq} ${what}${name === undefined ? '' : ` ${visible(name)}`}: ${cut(words, RECORD_MAX)}${words.length > RECORD_MAX ? ' … (cut)' : ''}`;
}
