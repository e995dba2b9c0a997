/**
 * OpenAI chat completions. https://platform.openai.com/docs/api-reference/chat: a stream tells its usage in its last chunk, and
 * only when asked to, so that a stream that is not asked is refused.
 */
import { at, bytesOf, limitAt, listAt, modelAt, surcharge, textAt } from './fields.ts';
import { openaiInput, openaiUsage } from './openai-responses.ts';
import { RequestProblem } from './protocol.ts';
import type { Protocol, Usage } from './protocol.ts';

export const openaiChat: Protocol = {
  request(body) {
    const isStream = at(body, 'stream') === true;
    if (isStream && at(body, 'stream_options', 'include_usage') !== true)
      throw new RequestProblem(
        'set stream_options.include_usage to true: what a stream costs is not told without',
      );
    const tools: string[] = [];
    const serverTools: string[] = [];
    for (const tool of listAt(body, 'tools')) {
      const type = textAt(tool, 'type') ?? 'function';
      if (type === 'function' || type === 'custom') tools.push(textAt(tool, type, 'name') ?? type);
      else serverTools.push(type);
    }
    for (const each of listAt(body, 'functions')) tools.push(textAt(each, 'name') ?? 'function');
    if ((at(body, 'web_search_options') ?? null) !== null) serverTools.push('web_search');
    return {
      model: modelAt(body),
      isStream,
      maxOutput: limitAt(body, 'max_completion_tokens') ?? limitAt(body, 'max_tokens'),
      answers: Math.max(1, limitAt(body, 'n') ?? 1),
      tools,
      serverTools,
      cache: 'none',
      ...openaiInput(body),
      surcharges: [
        ...surcharge(body, 'service_tier', ['default', 'auto', 'flex']),
        ...(at(body, 'audio') === undefined ? [] : ['audio']),
      ],
    };
  },

  usageOf,

  next(reading, event) {
    const usage = usageOf(event);
    if (usage !== undefined) return { ...reading, usage, isStarted: true, isFinal: true };
    let bytes = 0;
    for (const choice of listAt(event, 'choices')) {
      const delta = at(choice, 'delta');
      bytes += bytesOf(at(delta, 'content')) + bytesOf(at(delta, 'refusal'));
      for (const call of listAt(delta, 'tool_calls'))
        bytes += bytesOf(at(call, 'function', 'arguments')) + bytesOf(at(call, 'function', 'name'));
    }
    return bytes === 0 ? reading : { ...reading, generatedBytes: reading.generatedBytes + bytes };
  },
};

function usageOf(body: unknown): Usage | undefined {
  return openaiUsage(body, 'prompt_tokens', 'completion_tokens');
}
