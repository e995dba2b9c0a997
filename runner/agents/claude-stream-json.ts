/**
 * Claude Code's stream: `claude -p --output-format stream-json --verbose`, with or without `--input-format stream-json`.
 * Its messages are those of the Messages API, one line a content block; the tokens of an answer are complete only in the
 * `result` line at the end of a turn.
 */
import { BoundedMap } from '../../common/bounded-map.ts';
import { QUESTION_WITHDRAWN } from '../../common/api/log.ts';
import type { AgentEvent } from './event.ts';
import { eventsOf } from './capped.ts';
import { isObject, numberIn, objectIn, objectsIn, stringIn } from './json.ts';
import type { JsonObject } from './json.ts';
import { UsageTeller } from './tokens.ts';
import type { Translator, TranslatorOptions } from './translator.ts';
import { PERMISSION_ANSWERS } from './permission.ts';
import { callText, shortPath } from './wording.ts';

/** Calls whose result has not come; the oldest are forgotten. */
const CALLS_MAX = 1000;
const PATCH_MAX = 8000;
/** Of a request as JSON, which is needed for its answer and must not be cut with the rest. */
const REQUEST_MAX = 6000;
const WRITERS: ReadonlySet<string> = new Set(['Write', 'Edit', 'MultiEdit', 'NotebookEdit']);
/** Pieces of what comes whole as well, and signs of life. */
const PASSING: ReadonlySet<string> = new Set([
  'stream_event',
  'tool_progress',
  'keep_alive',
  'control_response',
]);
const PASSING_SYSTEM: ReadonlySet<string> = new Set(['thinking_tokens', 'permission_denied']);

interface Call {
  name: string;
  path: string | undefined;
}

export class ClaudeStream implements Translator {
  readonly #workspace: string;
  readonly #usage: UsageTeller;
  readonly #calls = new BoundedMap<string, Call>(CALLS_MAX);
  /** The answer of which lines come now: its tokens stand in each of them. */
  #answer = '';

  constructor({ workspace, costs }: TranslatorOptions) {
    this.#workspace = workspace;
    this.#usage = new UsageTeller(costs);
  }

  line(text: string): AgentEvent[] | undefined {
    return eventsOf(text, (line) => this.#events(line));
  }

  #events(line: JsonObject): AgentEvent[] | undefined {
    const type = stringIn(line, 'type') ?? '';
    if (PASSING.has(type)) return [];
    const message = objectIn(line, 'message');
    switch (type) {
      case 'system':
        return this.#system(line);
      case 'assistant':
        return isObject(line['message']) ? this.#assistant(line, message) : undefined;
      case 'user':
        return isObject(line['message']) ? this.#user(line, message) : undefined;
      case 'result':
        return this.#result(line);
      case 'control_request':
        return controlRequest(line, this.#workspace);
      case 'control_cancel_request':
        return withdrawal(line);
      default:
        return undefined;
    }
  }

  #system(line: JsonObject): AgentEvent[] | undefined {
    const subtype = stringIn(line, 'subtype');
    if (subtype === undefined) return undefined;
    if (PASSING_SYSTEM.has(subtype)) return [];
    if (subtype !== 'init') {
      const text = stringIn(line, 'message') ?? stringIn(line, 'status') ?? '';
      return [{ type: 'status', name: 'agent', text: `${subtype.replaceAll('_', ' ')} ${text}`.trim() }];
    }
    const [model, version] = [stringIn(line, 'model'), stringIn(line, 'claude_code_version')];
    const conversation = stringIn(line, 'session_id');
    return [
      {
        type: 'status',
        name: 'agent',
        text: `Claude Code ${version ?? ''} with model ${model ?? 'unknown'}`,
        data: {
          ...(conversation === undefined ? {} : { conversation }),
          ...(model === undefined ? {} : { model }),
          ...(Array.isArray(line['tools']) ? { tools: line['tools'] as unknown[] } : {}),
        },
      },
    ];
  }

  #assistant(line: JsonObject, message: JsonObject): AgentEvent[] {
    const parent = parentOf(line);
    const refused = line['is_api_error_message'] === true || line['isApiErrorMessage'] === true;
    const events = objectsIn(message, 'content').flatMap((block) =>
      refused && block['type'] === 'text'
        ? [{ type: 'error', name: 'agent', text: stringIn(block, 'text') ?? '' } as const]
        : this.#block(block, parent),
    );
    const id = stringIn(message, 'id') ?? '';
    if (id === this.#answer || refused) return events;
    this.#answer = id;
    const usage = objectIn(message, 'usage');
    // Output is only begun here.
    const used = {
      input: numberIn(usage, 'input_tokens') ?? 0,
      cacheRead: numberIn(usage, 'cache_read_input_tokens') ?? 0,
      cacheWrite: numberIn(usage, 'cache_creation_input_tokens') ?? 0,
    };
    return [...events, ...this.#usage.more(stringIn(message, 'model'), used)];
  }

  #block(block: JsonObject, parent: { parent?: string }): AgentEvent[] {
    const data = Object.keys(parent).length === 0 ? {} : { data: parent };
    const type = stringIn(block, 'type') ?? '';
    switch (type) {
      case 'text':
        return [{ type: 'assistant', text: stringIn(block, 'text') ?? '', ...data }];
      case 'thinking':
        return [{ type: 'thinking', text: stringIn(block, 'thinking') ?? '', ...data }];
      case 'redacted_thinking':
        return [{ type: 'thinking', text: '', data: { ...parent, redacted: true } }];
      case 'tool_use':
      case 'server_tool_use':
        return this.#call(block, parent);
      default:
        // Results of the provider's own tools, as web_search_tool_result.
        return type.endsWith('_tool_result')
          ? this.#toolResult(block, {}, parent)
          : [{ type: 'output', text: JSON.stringify(block) }];
    }
  }

  #call(block: JsonObject, parent: { parent?: string }): AgentEvent[] {
    const [id, name] = [stringIn(block, 'id') ?? '', stringIn(block, 'name') ?? 'tool'];
    const input = objectIn(block, 'input');
    const path = stringIn(input, 'file_path') ?? stringIn(input, 'notebook_path');
    this.#calls.set(id, { name, path });
    const call: AgentEvent = {
      ...{ type: 'tool-call', id, name, text: callText(input, this.#workspace) },
      data: { input, ...parent },
    };
    if (name !== 'AskUserQuestion') return [call];
    const questions = objectsIn(input, 'questions');
    const text = questions.map((question) => stringIn(question, 'question') ?? '').join('\n');
    return [call, { type: 'question', id, name, text, data: { questions } }];
  }

  #user(line: JsonObject, message: JsonObject): AgentEvent[] {
    const { content } = message;
    const parent = parentOf(line);
    // What a person wrote, or what an agent told its own helper.
    if (typeof content === 'string')
      return parent.parent === undefined ? [{ type: 'status', name: 'message', text: content }] : [];
    return objectsIn(message, 'content').flatMap((block): AgentEvent[] => {
      if (block['type'] === 'tool_result') return this.#toolResult(block, line, parent);
      if (parent.parent !== undefined) return [];
      return [
        {
          ...{ type: 'status', name: 'message' },
          text: stringIn(block, 'text') ?? `(${stringIn(block, 'type') ?? 'unknown'})`,
        },
      ];
    });
  }

  #toolResult(block: JsonObject, line: JsonObject, parent: { parent?: string }): AgentEvent[] {
    const id = stringIn(block, 'tool_use_id') ?? '';
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    const isError = block['is_error'] === true;
    const result: AgentEvent = {
      ...{ type: 'tool-result', id, text: resultText(block['content']) },
      ...(call === undefined ? {} : { name: call.name }),
      data: { ...(isError ? { isError } : {}), ...parent },
    };
    if (isError || call === undefined || !WRITERS.has(call.name)) return [result];
    const told = objectIn(line, 'tool_use_result');
    const path = stringIn(told, 'filePath') ?? call.path;
    if (path === undefined) return [result];
    const kind = told['type'] === 'create' ? 'add' : 'update';
    const short = shortPath(path, this.#workspace);
    const patch = patchOf(told);
    return [
      result,
      {
        ...{ type: 'file-change', id, name: kind, text: short },
        data: { path: short, kind, ...(patch === '' ? {} : { patch }) },
      },
    ];
  }

  #result(line: JsonObject): AgentEvent[] {
    const events = Object.entries(objectIn(line, 'modelUsage')).flatMap(([model, usage]) =>
      isObject(usage)
        ? this.#usage.total(model, {
            input: numberIn(usage, 'inputTokens') ?? 0,
            output: numberIn(usage, 'outputTokens') ?? 0,
            cacheRead: numberIn(usage, 'cacheReadInputTokens') ?? 0,
            cacheWrite: numberIn(usage, 'cacheCreationInputTokens') ?? 0,
            thinking: numberIn(usage, 'thinkingTokens') ?? 0,
            cost: numberIn(usage, 'costUSD') ?? 0,
          })
        : [],
    );
    const turns = numberIn(line, 'num_turns') ?? 0;
    const subtype = stringIn(line, 'subtype') ?? '';
    const ended = `${turns} ${turns === 1 ? 'turn' : 'turns'}`;
    if (line['is_error'] !== true && subtype === 'success')
      return [{ type: 'status', name: 'agent', text: `done after ${ended}` }, ...events];
    const why = stringIn(line, 'result') ?? subtype.replaceAll('_', ' ');
    return [{ type: 'error', name: 'agent', text: `ended after ${ended}: ${why}` }, ...events];
  }
}

const parentOf = (line: JsonObject): { parent?: string } => {
  const parent = stringIn(line, 'parent_tool_use_id');
  return parent === undefined ? {} : { parent };
};

/** Asks whoever holds its standard input, for example whether it may use a tool. */
function controlRequest(line: JsonObject, workspace: string): AgentEvent[] {
  const request = objectIn(line, 'request');
  const input = objectIn(request, 'input');
  const subtype = stringIn(request, 'subtype');
  const isLong = JSON.stringify(request).length > REQUEST_MAX;
  const [id, name] = [stringIn(line, 'request_id'), stringIn(request, 'tool_name')];
  const questions = objectsIn(input, 'questions').map((question) => stringIn(question, 'question') ?? '');
  return [
    {
      type: 'question',
      ...(id === undefined ? {} : { id }),
      ...(name === undefined ? {} : { name }),
      text: questions.join('\n') || mayIt(name ?? subtype ?? 'this', callText(input, workspace)),
      data: {
        ...(name === undefined ? {} : { options: [...PERMISSION_ANSWERS] }),
        request: isLong ? { subtype, tool_name: name, truncated: true } : request,
      },
    },
  ];
}

/** Nobody need answer any more: what it asked for was decided in another way, or is not wanted any more. */
function withdrawal(line: JsonObject): AgentEvent[] {
  const id = stringIn(line, 'request_id');
  if (id === undefined) return [];
  return [{ type: 'status', name: QUESTION_WITHDRAWN, id, text: 'the agent takes its question back' }];
}

const mayIt = (name: string, what: string): string => `May it use ${name}${what === '' ? '' : ` (${what})`}?`;

function resultText(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return content === undefined ? '' : JSON.stringify(content);
  return content
    .filter(isObject)
    .map((block) => stringIn(block, 'text') ?? `(${stringIn(block, 'type') ?? 'unknown'})`)
    .join('\n');
}

/** The hunks as a unified diff has them, without its file names. */
function patchOf(told: JsonObject): string {
  const number = (hunk: JsonObject, name: string): number => numberIn(hunk, name) ?? 0;
  return objectsIn(told, 'structuredPatch')
    .map((hunk) => {
      const lines = Array.isArray(hunk['lines'])
        ? hunk['lines'].filter((one) => typeof one === 'string')
        : [];
      const before = `${number(hunk, 'oldStart')},${number(hunk, 'oldLines')}`;
      const after = `${number(hunk, 'newStart')},${number(hunk, 'newLines')}`;
      return [`@@ -${before} +${after} @@`, ...lines].join('\n');
    })
    .join('\n')
    .slice(0, PATCH_MAX);
}
