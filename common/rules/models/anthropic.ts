/**
 * Anthropic Messages. https://platform.claude.com/docs/en/api/messages and …/build-with-claude/streaming: `message_start` tells
 * the input; each `message_delta` tells totals so far, the last one those that are billed.
 */
import { at, bytesOf, limitAt, listAt, modelAt, surcharge, textAt, tokensAt, visit } from './fields.ts';
import { NO_USAGE, RequestProblem } from './protocol.ts';
import type { ModelRequest, Protocol, Reading, Usage } from './protocol.ts';

/** Tools whose schema is Anthropic's and that the caller runs; every other typed tool is run by the provider. */
const CLIENT_TOOLS = /^(custom|bash_\d+|text_editor_\d+|computer_\d+|memory_\d+)$/;

export const anthropicMessages: Protocol = {
  request(body, path) {
    const model = modelAt(body);
    const maxOutput = limitAt(body, 'max_tokens');
    if (maxOutput === undefined && !path.endsWith('/count_tokens'))
      throw new RequestProblem('max_tokens is missing');
    const tools: string[] = [];
    const serverTools: string[] = [];
    for (const tool of listAt(body, 'tools')) {
      const type = textAt(tool, 'type') ?? 'custom';
      const name = textAt(tool, 'name') ?? textAt(tool, 'mcp_server_name') ?? type;
      (CLIENT_TOOLS.test(type) ? tools : serverTools).push(name);
    }
    for (const server of listAt(body, 'mcp_servers'))
      serverTools.push(textAt(server, 'name') ?? 'mcp_servers');
    if (at(body, 'container') !== undefined && at(body, 'container') !== null) serverTools.push('container');
    return {
      model,
      isStream: at(body, 'stream') === true,
      maxOutput,
      answers: 1,
      tools,
      serverTools,
      ...inputOf(body),
      surcharges: [
        ...surcharge(body, 'service_tier', ['standard_only', 'auto']),
        ...surcharge(body, 'speed', ['standard']),
        ...surcharge(body, 'inference_geo', ['global', 'not_available']),
        // A compaction is one more answer of the model, of a length nobody has asked for.
        ...listAt(body, 'context_management', 'edits')
          .map((edit) => textAt(edit, 'type') ?? '')
          .filter((type) => type.startsWith('compact'))
          .map((type) => `context_management: ${type}`),
      ],
    };
  },

  usageOf: (body) => (at(body, 'usage') === undefined ? undefined : merged(NO_USAGE, at(body, 'usage'))),

  next(reading, event) {
    switch (textAt(event, 'type')) {
      case 'message_start':
        return {
          ...reading,
          usage: merged(reading.usage, at(event, 'message', 'usage')),
          isStarted: tokensAt(event, 'message', 'usage', 'input_tokens') !== undefined,
        };
      case 'content_block_start':
        return grown(reading, bytesOf(JSON.stringify(at(event, 'content_block'))));
      case 'content_block_delta': {
        const delta = at(event, 'delta');
        const parts = ['text', 'thinking', 'partial_json', 'signature'].map((name) =>
          bytesOf(at(delta, name)),
        );
        return grown(reading, Math.max(...parts));
      }
      case 'message_delta':
        return {
          ...reading,
          usage: merged(reading.usage, at(event, 'usage')),
          isFinal: reading.isFinal || tokensAt(event, 'usage', 'output_tokens') !== undefined,
        };
      default:
        return reading;
    }
  },
};

const grown = (reading: Reading, bytes: number): Reading => ({
  ...reading,
  generatedBytes: reading.generatedBytes + bytes,
});

type Input = Pick<ModelRequest, 'cache' | 'images' | 'isOpenEnded'>;

function inputOf(body: unknown): Input {
  const found: Input = { cache: 'none', images: 0, isOpenEnded: false };
  visit(
    [at(body, 'system'), at(body, 'messages'), at(body, 'tools'), at(body, 'cache_control')],
    (object) => {
      if (textAt(object, 'type') === 'ephemeral') {
        if (textAt(object, 'ttl') === '1h') found.cache = '1h';
        else if (found.cache === 'none') found.cache = '5m';
      }
      if (textAt(object, 'cache_control', 'type') !== undefined && found.cache === 'none') found.cache = '5m';
      const source = textAt(object, 'source', 'type');
      if (textAt(object, 'type') === 'image' && source === 'base64') found.images++;
      else if (source !== undefined && source !== 'text' && source !== 'content') found.isOpenEnded = true;
    },
  );
  return found;
}

/** What is not told again stays as it was. */
function merged(before: Usage, usage: unknown): Usage {
  const iterations = listAt(usage, 'iterations');
  // Where an answer took several rounds, the fields themselves may leave some out.
  if (iterations.length > 0)
    return iterations
      .map((each) => merged(NO_USAGE, { ...(each as object), iterations: undefined }))
      .reduce((sum, each) => ({
        input: sum.input + each.input,
        cacheRead: sum.cacheRead + each.cacheRead,
        cacheWrite5m: sum.cacheWrite5m + each.cacheWrite5m,
        cacheWrite1h: sum.cacheWrite1h + each.cacheWrite1h,
        output: sum.output + each.output,
        thinking: sum.thinking + each.thinking,
      }));
  const written = tokensAt(usage, 'cache_creation_input_tokens');
  const hour = tokensAt(usage, 'cache_creation', 'ephemeral_1h_input_tokens');
  const minutes = tokensAt(usage, 'cache_creation', 'ephemeral_5m_input_tokens');
  const cacheWrite1h = hour ?? before.cacheWrite1h;
  return {
    input: tokensAt(usage, 'input_tokens') ?? before.input,
    cacheRead: tokensAt(usage, 'cache_read_input_tokens') ?? before.cacheRead,
    cacheWrite5m:
      minutes ?? (written === undefined ? before.cacheWrite5m : Math.max(0, written - cacheWrite1h)),
    cacheWrite1h,
    output: tokensAt(usage, 'output_tokens') ?? before.output,
    thinking: tokensAt(usage, 'output_tokens_details', 'thinking_tokens') ?? before.thinking,
  };
}
