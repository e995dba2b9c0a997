/**
 * OpenAI Responses. https://platform.openai.com/docs/api-reference/responses: the last event of a stream carries the whole
 * response with its usage; `input_tokens` includes cached ones, `output_tokens` includes reasoning.
 */
import { at, bytesOf, limitAt, listAt, modelAt, surcharge, textAt, tokensAt, visit } from './fields.ts';
import { NO_USAGE } from './protocol.ts';
import type { Protocol, Usage } from './protocol.ts';

/** Tools that the caller runs; every other is run by the provider. */
const CLIENT_TOOLS: ReadonlySet<string> = new Set([
  'function',
  'custom',
  'local_shell',
  'apply_patch',
  'computer_use_preview',
  'computer',
]);
const LAST: ReadonlySet<string> = new Set(['response.completed', 'response.incomplete', 'response.failed']);
/** Fields by which a request means something that is not in it. */
const REFERENCES = ['previous_response_id', 'conversation', 'prompt'];

export const openaiResponses: Protocol = {
  request(body) {
    const tools: string[] = [];
    const serverTools: string[] = [];
    const offer = (list: readonly unknown[]): void => {
      for (const tool of list) {
        const type = textAt(tool, 'type') ?? 'function';
        if (type === 'namespace') offer(listAt(tool, 'tools'));
        // A shell whose environment is a container of the provider's is run by the provider.
        else if (
          CLIENT_TOOLS.has(type) ||
          (type === 'shell' && textAt(tool, 'environment', 'type') === 'local')
        )
          tools.push(textAt(tool, 'name') ?? type);
        else serverTools.push(textAt(tool, 'server_label') ?? type);
      }
    };
    offer(listAt(body, 'tools'));
    return {
      model: modelAt(body),
      isStream: at(body, 'stream') === true,
      maxOutput: limitAt(body, 'max_output_tokens'),
      answers: 1,
      tools,
      serverTools,
      cache: 'none',
      ...openaiInput(body),
      surcharges: [
        ...surcharge(body, 'service_tier', ['default', 'auto', 'flex']),
        ...(at(body, 'background') === true ? ['background: true'] : []),
        ...listAt(body, 'context_management').map(
          (edit) => `context_management: ${textAt(edit, 'type') ?? 'unknown'}`,
        ),
      ],
    };
  },

  usageOf,

  next(reading, event) {
    const type = textAt(event, 'type') ?? '';
    if (LAST.has(type)) {
      const usage = usageOf(at(event, 'response'));
      return usage === undefined ? reading : { ...reading, usage, isStarted: true, isFinal: true };
    }
    if (!type.endsWith('.delta')) return reading;
    return { ...reading, generatedBytes: reading.generatedBytes + bytesOf(at(event, 'delta')) };
  },
};

export function openaiInput(body: unknown): { images: number; isOpenEnded: boolean } {
  const found = { images: 0, isOpenEnded: REFERENCES.some((name) => (at(body, name) ?? null) !== null) };
  visit([at(body, 'input'), at(body, 'messages')], (object) => {
    const type = textAt(object, 'type');
    const url = textAt(object, 'image_url') ?? textAt(object, 'image_url', 'url');
    if (url?.startsWith('data:') === true) found.images++;
    else if (type === 'input_image' || type === 'image_url' || type === 'item_reference')
      found.isOpenEnded = true;
    else if (['input_file', 'file', 'input_audio', 'audio'].includes(type ?? '')) found.isOpenEnded = true;
  });
  return found;
}

function usageOf(body: unknown): Usage | undefined {
  return openaiUsage(body, 'input_tokens', 'output_tokens');
}

/** Both of OpenAI's languages tell the same, under names of their own for what went in and what came out. */
export function openaiUsage(body: unknown, inputName: string, outputName: string): Usage | undefined {
  const usage = at(body, 'usage');
  const input = tokensAt(usage, inputName);
  const output = tokensAt(usage, outputName);
  if (input === undefined || output === undefined) return undefined;
  const cacheRead = Math.min(input, tokensAt(usage, `${inputName}_details`, 'cached_tokens') ?? 0);
  return {
    ...NO_USAGE,
    input: input - cacheRead,
    cacheRead,
    output,
    thinking: tokensAt(usage, `${outputName}_details`, 'reasoning_tokens') ?? 0,
  };
}
