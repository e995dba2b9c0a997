/** OpenAI's Responses API, as far as agents need it: https://platform.openai.com/docs/api-reference/responses-streaming */
import type { Answer, StreamEvent } from './script.ts';

export function* responsesStream(answer: Answer, model: string, id: string): Generator<StreamEvent> {
  const response = { id: `resp_${id}`, object: 'response', model, status: 'in_progress', output: [] };
  let sequence = 0;
  const named = (data: Record<string, unknown> & { type: string }): StreamEvent => ({
    event: data.type,
    data: { ...data, sequence_number: sequence++ },
  });
  yield named({ type: 'response.created', response });
  const items = itemsOf(answer, id);
  for (const [index, item] of items.entries()) {
    const place = { output_index: index, item_id: item['id'] };
    yield named({ type: 'response.output_item.added', output_index: index, item: started(item) });
    if (item['type'] === 'message')
      yield named({
        ...{ type: 'response.output_text.delta', ...place, content_index: 0 },
        delta: answer.text ?? '',
      });
    if (item['type'] === 'reasoning')
      yield named({
        ...{ type: 'response.reasoning_summary_text.delta', ...place, summary_index: 0 },
        delta: answer.thinking ?? '',
      });
    yield named({ type: 'response.output_item.done', output_index: index, item });
  }
  yield named({
    type: 'response.completed',
    response: { ...response, status: 'completed', output: items, usage: usageOf(answer) },
  });
}

export const responsesError = ({ status, message = 'refused' }: Answer): Record<string, unknown> => ({
  error: { message, type: status === 429 ? 'rate_limit_error' : 'invalid_request_error', code: null },
});

/** OpenAI counts what came from the cache as input, and reasoning as output. */
function usageOf({ tokens }: Answer): Record<string, unknown> {
  const { input, output, cacheRead = 0, thinking = 0 } = tokens;
  return {
    input_tokens: input + cacheRead,
    input_tokens_details: { cached_tokens: cacheRead },
    output_tokens: output + thinking,
    output_tokens_details: { reasoning_tokens: thinking },
    total_tokens: input + cacheRead + output + thinking,
  };
}

type Item = Record<string, unknown>;

function itemsOf({ thinking, text, tools = [] }: Answer, id: string): Item[] {
  const items: Item[] = [];
  if (thinking !== undefined)
    items.push({ type: 'reasoning', id: `rs_${id}`, summary: [{ type: 'summary_text', text: thinking }] });
  if (text !== undefined)
    items.push({
      ...{ type: 'message', id: `msg_${id}`, role: 'assistant', status: 'completed' },
      content: [{ type: 'output_text', text, annotations: [] }],
    });
  for (const [index, { name, input, freeform }] of tools.entries()) {
    const call = { id: `fc_${id}_${index}`, call_id: `call_${id}_${index}`, name, status: 'completed' };
    items.push(
      freeform === undefined
        ? { type: 'function_call', ...call, arguments: JSON.stringify(input) }
        : { type: 'custom_tool_call', ...call, input: freeform },
    );
  }
  return items;
}

/** What is told of an item before its content comes. */
function started(item: Item): Item {
  const empty: Item = { ...item, status: 'in_progress' };
  if (item['type'] === 'message') empty['content'] = [];
  if (item['type'] === 'reasoning') empty['summary'] = [];
  if (item['type'] === 'function_call') empty['arguments'] = '';
  if (item['type'] === 'custom_tool_call') empty['input'] = '';
  return empty;
}
