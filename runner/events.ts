/** What a line of NDJSON output means: a typed event of an agent, when it is one. */
import { RECORD_TYPES } from '../common/api/log.ts';
import type { LogRecord } from '../common/api/log.ts';

/** Longest line that is tried as an event; UTF-8 bytes. */
export const EVENT_LINE_MAX = 1024 * 1024;
/** Bytes of JSON that `data` of one record may take. */
export const RECORD_DATA_MAX = 16 * 1024;
const NAME_MAX = 256;

export type AgentEvent = Pick<LogRecord, 'type' | 'text' | 'id' | 'name' | 'data'>;

/** The runner itself speaks as these, and for people: an agent's line of that type stays output. */
const RUNNERS_OWN: ReadonlySet<string> = new Set(['output', 'status', 'error', 'user']);
const AGENT_TYPES: ReadonlySet<string> = new Set(RECORD_TYPES.filter((type) => !RUNNERS_OWN.has(type)));

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isAgentType = (value: unknown): value is AgentEvent['type'] =>
  typeof value === 'string' && AGENT_TYPES.has(value);

/** Undefined when the line is no event of the vocabulary; it is then output like any other. */
export function parseEvent(line: string): AgentEvent | undefined {
  if (!line.startsWith('{')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isObject(value) || !isAgentType(value.type)) return undefined;
  // without either it is another vocabulary that happens to use the same word
  if (typeof value.text !== 'string' && !isObject(value.data)) return undefined;
  return {
    type: value.type,
    text: typeof value.text === 'string' ? value.text : '',
    ...(typeof value.id === 'string' && { id: value.id.slice(0, NAME_MAX).toWellFormed() }),
    ...(typeof value.name === 'string' && { name: value.name.slice(0, NAME_MAX).toWellFormed() }),
    ...(isObject(value.data) && { data: capped(value.data) }),
  };
}

function capped(data: Record<string, unknown>): Record<string, unknown> {
  const bytes = Buffer.byteLength(JSON.stringify(data));
  return bytes <= RECORD_DATA_MAX ? data : { truncated: true, bytes };
}
