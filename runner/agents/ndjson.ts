/** The vocabulary itself: an agent that writes records of the log, one JSON object a line. */
import { RECORD_TYPES } from '../../common/api/log.ts';
import { cappedData, cappedName } from './capped.ts';
import type { AgentEvent } from './event.ts';
import { isObject, parseObject } from './json.ts';
import type { Translator, TranslatorOptions } from './translator.ts';

/** The runner itself speaks as these, and for people: an agent's line of that type stays output. */
const RUNNERS_OWN: ReadonlySet<string> = new Set(['output', 'status', 'error', 'user']);
const AGENT_TYPES: ReadonlySet<string> = new Set(RECORD_TYPES.filter((type) => !RUNNERS_OWN.has(type)));

const isAgentType = (value: unknown): value is AgentEvent['type'] =>
  typeof value === 'string' && AGENT_TYPES.has(value);

export class NdjsonEvents implements Translator {
  readonly #costs: boolean;

  constructor({ costs }: Pick<TranslatorOptions, 'costs'>) {
    this.#costs = costs;
  }

  line(text: string): AgentEvent[] | undefined {
    const event = parseEvent(text);
    if (event === undefined) return undefined;
    if (this.#costs || event.data?.['costUsd'] === undefined) return [event];
    const { costUsd: _costUsd, ...data } = event.data;
    return [{ ...event, data }];
  }
}

function parseEvent(line: string): AgentEvent | undefined {
  const value = parseObject(line);
  if (value === undefined || !isAgentType(value.type)) return undefined;
  // without either it is another vocabulary that happens to use the same word
  if (typeof value.text !== 'string' && !isObject(value.data)) return undefined;
  return {
    type: value.type,
    text: typeof value.text === 'string' ? value.text : '',
    ...(typeof value.id === 'string' && { id: cappedName(value.id) }),
    ...(typeof value.name === 'string' && { name: cappedName(value.name) }),
    ...(isObject(value.data) && { data: cappedData(value.data) }),
  };
}
