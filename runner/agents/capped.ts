/** Keeps what an agent says within what a record may hold. */
import type { AgentEvent } from './event.ts';
import { isObject, parseObject } from './json.ts';
import type { JsonObject } from './json.ts';

/** Bytes of JSON that `data` of one record may take, without the raw line. */
export const RECORD_DATA_MAX = 16 * 1024;
/** Bytes of JSON that the line an event came from may take in its record. */
export const RAW_MAX = 8 * 1024;
const NAME_MAX = 256;
/** Characters of each text within data that is too large. */
const TEXT_MAX = 1000;
const DEPTH_MAX = 32;

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

export const cappedName = (name: string): string => name.slice(0, NAME_MAX).toWellFormed();

/** As it is, else with its long texts cut, else only how large it was. */
export function cappedData(data: JsonObject): JsonObject {
  const bytes = bytesOf(data);
  if (bytes <= RECORD_DATA_MAX) return data;
  const cut = withTextsCut(data, 0);
  return isObject(cut) && bytesOf(cut) < RECORD_DATA_MAX - 32
    ? { ...cut, truncated: true, bytes }
    : { truncated: true, bytes };
}

function withTextsCut(value: unknown, depth: number): unknown {
  if (typeof value === 'string')
    return value.length <= TEXT_MAX ? value : `${value.slice(0, TEXT_MAX).toWellFormed()}…`;
  if (depth > DEPTH_MAX) return '…';
  if (Array.isArray(value)) return value.map((item) => withTextsCut(item, depth + 1));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, withTextsCut(item, depth + 1)]),
  );
}

/** What is read of one line; its first event keeps the line itself, cut where it is long. Undefined: not of the format. */
export function eventsOf(
  line: string,
  read: (line: JsonObject) => readonly AgentEvent[] | undefined,
): AgentEvent[] | undefined {
  const parsed = parseObject(line);
  const events = parsed && read(parsed);
  return events?.map((event, index) => ({
    ...event,
    ...(event.id === undefined ? {} : { id: cappedName(event.id) }),
    ...(event.name === undefined ? {} : { name: cappedName(event.name) }),
    ...(event.data === undefined && index > 0
      ? {}
      : { data: { ...cappedData(event.data ?? {}), ...(index === 0 ? rawOf(line) : {}) } }),
  }));
}

function rawOf(line: string): { raw: string; rawBytes?: number } {
  if (line.length <= RAW_MAX && bytesOf(line) <= RAW_MAX) return { raw: line };
  let end = RAW_MAX;
  while (end > 0 && bytesOf(line.slice(0, end)) > RAW_MAX) end -= Math.max(64, Math.floor(end / 8));
  return { raw: line.slice(0, Math.max(0, end)).toWellFormed(), rawBytes: Buffer.byteLength(line) };
}
