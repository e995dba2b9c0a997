/** Anthropic's Messages API, as far as agents need it: https://docs.anthropic.com/en/api/messages-streaming */
import type { Answer, StreamEvent } from './script.ts';

export function* messagesStream(answer: Answer, model: string, id: string): Generator<StreamEvent> {
  const { input, output, cacheRead = 0, cacheWrite = 0, thinking = 0 } = answer.tokens;
  const usage = {
    input_tokens: input,
    cache_creation_input_tokens: cacheWrite,
    cache_read_input_tokens: cacheRead,
  };
  yield named({
    type: 'message_start',
    message: {
      ...{ id: `msg_${id}`, type: 'message', role: 'assistant', model, content: [] },
      ...{ stop_reason: null, stop_sequence: null },
      usage: { ...usage, output_tokens: 1 },
    },
  });
  for (const [index, [block, deltas]] of blocksOf(answer, id).entries()) {
    yield named({ type: 'content_block_start', index, content_block: block });
    for (const delta of deltas) yield named({ type: 'content_block_delta', index, delta });
    yield named({ type: 'content_block_stop', index });
  }
  yield named({
    type: 'message_delta',
    delta: { stop_reason: answer.tools === undefined ? 'end_turn' : 'tool_use', stop_sequence: null },
    // Anthropic counts thinking as output.
    usage: { ...usage, output_tokens: output + thinking },
  });
  yield named({ type: 'message_stop' });
}

/** The same in one piece. */
export const messagesWhole = (answer: Answer, model: string, id: string): Record<string, unknown> => {
  const { input, output, cacheRead = 0, cacheWrite = 0, thinking = 0 } = answer.tokens;
  return {
    ...{ id: `msg_${id}`, type: 'message', role: 'assistant', model, stop_reason: 'end_turn' },
    content: answer.text === undefined ? [] : [{ type: 'text', text: answer.text }],
    usage: {
      input_tokens: input,
      output_tokens: output + thinking,
      cache_read_input_tokens: cacheRead,
      cache_creation_input_tokens: cacheWrite,
    },
  };
};

export const messagesError = ({ status, message = 'refused' }: Answer): Record<string, unknown> => ({
  type: 'error',
  error: { type: status === 529 ? 'overloaded_error' : 'invalid_request_error', message },
});

type Block = [start: Record<string, unknown>, deltas: Record<string, unknown>[]];

function blocksOf({ thinking, text, tools = [] }: Answer, id: string): Block[] {
  const blocks: Block[] = [];
  if (thinking !== undefined)
    blocks.push([
      { type: 'thinking', thinking: '', signature: '' },
      [
        { type: 'thinking_delta', thinking },
        { type: 'signature_delta', signature: 'c3RhbmQtaW4=' },
      ],
    ]);
  if (text !== undefined) blocks.push([{ type: 'text', text: '' }, halves(text).map(textDelta)]);
  for (const [index, { name, input }] of tools.entries())
    blocks.push([
      { type: 'tool_use', id: `toolu_${id}_${index}`, name, input: {} },
      halves(JSON.stringify(input)).map((part) => ({ type: 'input_json_delta', partial_json: part })),
    ]);
  return blocks;
}

const textDelta = (text: string): Record<string, unknown> => ({ type: 'text_delta', text });

/** Two deltas, so that whoever reads has to put them together. */
const halves = (text: string): string[] => {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)].filter((part) => part !== '');
};

const named = (data: Record<string, unknown> & { type: string }): StreamEvent => ({ event: data.type, data });
