/**
 * Codex's stream: `codex exec --json`. A thread has turns, a turn has items, and an item is told when it starts, changes and
 * is complete. Tools are named as the model knows them, so that a record and the policy speak of the same.
 */
import type { AgentEvent } from './event.ts';
import { eventsOf } from './capped.ts';
import { isObject, numberIn, objectIn, objectsIn, parseObject, stringIn } from './json.ts';
import type { JsonObject } from './json.ts';
import { UsageTeller } from './tokens.ts';
import type { Translator, TranslatorOptions } from './translator.ts';
import { callText, shortPath } from './wording.ts';

const STARTED_MAX = 1000;
/** Items that are told whole when they are complete. */
const WHOLE: ReadonlySet<string> = new Set(['agent_message', 'reasoning', 'error']);

export class CodexEvents implements Translator {
  readonly #workspace: string;
  readonly #usage: UsageTeller;
  readonly #started = new Set<string>();
  #lastError = '';

  constructor({ workspace, costs }: TranslatorOptions) {
    this.#workspace = workspace;
    this.#usage = new UsageTeller(costs);
  }

  line(text: string): AgentEvent[] | undefined {
    return eventsOf(text, (line) => this.#events(line));
  }

  #events(line: JsonObject): AgentEvent[] | undefined {
    switch (stringIn(line, 'type')) {
      case 'thread.started': {
        const conversation = stringIn(line, 'thread_id');
        const data = conversation === undefined ? {} : { data: { conversation } };
        return [{ type: 'status', name: 'agent', text: 'Codex', ...data }];
      }
      case 'turn.started':
        return [];
      case 'turn.completed':
        return this.#turnCompleted(objectIn(line, 'usage'));
      case 'turn.failed':
        return this.#error(stringIn(objectIn(line, 'error'), 'message') ?? 'the turn failed');
      case 'error':
        return this.#error(stringIn(line, 'message') ?? 'unknown error');
      case 'item.started':
        return isObject(line['item']) ? this.#itemStarted(line['item']) : undefined;
      case 'item.updated':
        return isObject(line['item']) ? this.#itemUpdated(line['item']) : undefined;
      case 'item.completed':
        return isObject(line['item']) ? this.#itemCompleted(line['item']) : undefined;
      default:
        return undefined;
    }
  }

  #turnCompleted(usage: JsonObject): AgentEvent[] {
    const cacheRead = numberIn(usage, 'cached_input_tokens') ?? 0;
    const cacheWrite = numberIn(usage, 'cache_write_input_tokens') ?? 0;
    const told = this.#usage.total(undefined, {
      // What came from the cache is part of what it calls input.
      input: Math.max(0, (numberIn(usage, 'input_tokens') ?? 0) - cacheRead - cacheWrite),
      output: numberIn(usage, 'output_tokens') ?? 0,
      cacheRead,
      cacheWrite,
      thinking: numberIn(usage, 'reasoning_output_tokens') ?? 0,
    });
    return [{ type: 'status', name: 'agent', text: 'done' }, ...told];
  }

  /** The failure of a turn repeats the error before it. */
  #error(message: string): AgentEvent[] {
    const text = providersWords(message);
    if (text === this.#lastError) return [];
    this.#lastError = text;
    return [{ type: 'error', name: 'agent', text }];
  }

  #itemStarted(item: JsonObject): AgentEvent[] | undefined {
    const type = stringIn(item, 'type') ?? '';
    if (WHOLE.has(type)) return [];
    return this.#call(type, item);
  }

  #itemUpdated(item: JsonObject): AgentEvent[] | undefined {
    const type = stringIn(item, 'type') ?? '';
    if (type === 'todo_list')
      return [{ type: 'tool-result', ...idOf(item), name: 'update_plan', text: planText(item) }];
    return WHOLE.has(type) || toolOf(type, item) !== undefined ? [] : undefined;
  }

  #itemCompleted(item: JsonObject): AgentEvent[] | undefined {
    const type = stringIn(item, 'type') ?? '';
    const text = stringIn(item, 'text') ?? '';
    switch (type) {
      case 'agent_message':
        return [{ type: 'assistant', text }];
      case 'reasoning':
        return [{ type: 'thinking', text }];
      case 'error':
        return this.#error(stringIn(item, 'message') ?? 'unknown error');
      default: {
        const called = this.#started.delete(stringIn(item, 'id') ?? '') ? [] : this.#call(type, item);
        return called && [...called, ...this.#outcome(type, item)];
      }
    }
  }

  #call(type: string, item: JsonObject): AgentEvent[] | undefined {
    const name = toolOf(type, item);
    if (name === undefined) return undefined;
    const id = stringIn(item, 'id') ?? '';
    if (this.#started.size < STARTED_MAX) this.#started.add(id);
    const input = inputOf(type, item);
    const text =
      type === 'file_change'
        ? this.#changes(item)
            .map(({ path }) => path)
            .join(', ')
        : type === 'todo_list'
          ? planText(item)
          : callText(input, this.#workspace);
    return [{ type: 'tool-call', id, name, text, data: { input } }];
  }

  #outcome(type: string, item: JsonObject): AgentEvent[] {
    const name = toolOf(type, item) ?? type;
    const status = stringIn(item, 'status');
    const failed = status === 'failed' || status === 'declined';
    const exitCode = numberIn(item, 'exit_code');
    const result: AgentEvent = {
      ...{ type: 'tool-result', ...idOf(item), name, text: outcomeText(type, item) },
      data: { ...(failed ? { isError: true } : {}), ...(exitCode === undefined ? {} : { exitCode }) },
    };
    if (type !== 'file_change' || failed) return [result];
    const changes = this.#changes(item).map(({ path, kind }): AgentEvent => ({
      ...{ type: 'file-change', ...idOf(item), name: kind, text: path },
      data: { path, kind },
    }));
    return [result, ...changes];
  }

  #changes(item: JsonObject): { path: string; kind: string }[] {
    return objectsIn(item, 'changes').map((change) => ({
      path: shortPath(stringIn(change, 'path') ?? '', this.#workspace),
      kind: stringIn(change, 'kind') ?? 'update',
    }));
  }
}

const idOf = (item: JsonObject): { id?: string } => {
  const id = stringIn(item, 'id');
  return id === undefined ? {} : { id };
};

/** Undefined for an item that is no tool, or one not known here. */
function toolOf(type: string, item: JsonObject): string | undefined {
  switch (type) {
    case 'command_execution':
      return 'exec_command';
    case 'file_change':
      return 'apply_patch';
    case 'web_search':
      return 'web_search';
    case 'todo_list':
      return 'update_plan';
    case 'mcp_tool_call':
      return `mcp__${stringIn(item, 'server') ?? ''}__${stringIn(item, 'tool') ?? ''}`;
    case 'collab_tool_call':
      return stringIn(item, 'tool') ?? 'collab';
    default:
      return undefined;
  }
}

function inputOf(type: string, item: JsonObject): JsonObject {
  switch (type) {
    case 'command_execution':
      return { command: stringIn(item, 'command') ?? '' };
    case 'file_change':
      return { changes: objectsIn(item, 'changes') };
    case 'web_search':
      return { query: stringIn(item, 'query') ?? '' };
    case 'mcp_tool_call':
      return objectIn(item, 'arguments');
    case 'todo_list':
      return { items: objectsIn(item, 'items') };
    default:
      return {};
  }
}

function outcomeText(type: string, item: JsonObject): string {
  switch (type) {
    case 'command_execution':
      return stringIn(item, 'aggregated_output') ?? '';
    case 'todo_list':
      return planText(item);
    case 'mcp_tool_call': {
      const problem = stringIn(objectIn(item, 'error'), 'message');
      const parts = objectsIn(objectIn(item, 'result'), 'content');
      return (
        problem ??
        parts.map((part) => stringIn(part, 'text') ?? `(${stringIn(part, 'type') ?? ''})`).join('\n')
      );
    }
    default:
      return stringIn(item, 'status') ?? '';
  }
}

const planText = (item: JsonObject): string =>
  objectsIn(item, 'items')
    .map((step) => `${step['completed'] === true ? '[x]' : '[ ]'} ${stringIn(step, 'text') ?? ''}`)
    .join('\n');

/** It passes on the body of a refusal as it came; the message in it is what a person can read. */
function providersWords(message: string): string {
  const body = message.startsWith('{') ? parseObject(message) : undefined;
  return (body && stringIn(objectIn(body, 'error'), 'message')) ?? message;
}
