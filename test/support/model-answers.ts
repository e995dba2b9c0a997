/** What providers of models answer, for a stand-in on the loopback address: each protocol, streamed or in one piece. */
import type { ServerResponse } from 'node:http';

export interface Said {
  contentType: string;
  /** One chunk after the other, as they are sent. */
  chunks: string[];
}

const JSON_TYPE = 'application/json';
const EVENTS = 'text/event-stream; charset=utf-8';

const named = (event: { type: string }): string => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
const data = (event: unknown): string => `data: ${JSON.stringify(event)}\n\n`;

/** Of Anthropic: this many tokens in, read from a cache, written to one for an hour, and out. */
export interface Tokens {
  input: number;
  cacheRead?: number;
  cacheWrite1h?: number;
  output: number;
}

const anthropicUsage = ({ input, cacheRead = 0, cacheWrite1h = 0 }: Tokens) => ({
  input_tokens: input,
  cache_read_input_tokens: cacheRead,
  cache_creation_input_tokens: cacheWrite1h,
  cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: cacheWrite1h },
});

export function anthropicStream(tokens: Tokens, text = 'Grüße aus 東京'): Said {
  const events = [
    {
      type: 'message_start',
      message: { id: 'msg_1', role: 'assistant', usage: { ...anthropicUsage(tokens), output_tokens: 1 } },
    },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    ...Array.from(text, (each) => ({
      type: 'content_block_delta',
      index: 0,
      delta: { type: 'text_delta', text: each },
    })),
    { type: 'content_block_stop', index: 0 },
    {
      type: 'message_delta',
      delta: { stop_reason: 'end_turn' },
      usage: { output_tokens: tokens.output },
    },
    { type: 'message_stop' },
  ];
  return { contentType: EVENTS, chunks: events.map(named) };
}

export const anthropicMessage = (tokens: Tokens): Said => ({
  contentType: JSON_TYPE,
  chunks: [
    JSON.stringify({
      id: 'msg_1',
      content: [{ type: 'text', text: 'Hello' }],
      usage: { ...anthropicUsage(tokens), output_tokens: tokens.output },
    }),
  ],
});

const responsesUsage = ({ input, cacheRead = 0, output }: Tokens) => ({
  input_tokens: input + cacheRead,
  input_tokens_details: { cached_tokens: cacheRead },
  output_tokens: output,
  output_tokens_details: { reasoning_tokens: Math.floor(output / 2) },
});

export const responsesStream = (tokens: Tokens): Said => ({
  contentType: EVENTS,
  chunks: [
    { type: 'response.created', response: { id: 'resp_1' } },
    { type: 'response.output_text.delta', delta: 'Hello' },
    { type: 'response.completed', response: { id: 'resp_1', usage: responsesUsage(tokens) } },
  ].map(named),
});

export const responsesBody = (tokens: Tokens): Said => ({
  contentType: JSON_TYPE,
  chunks: [JSON.stringify({ id: 'resp_1', usage: responsesUsage(tokens) })],
});

const chatUsage = ({ input, cacheRead = 0, output }: Tokens) => ({
  prompt_tokens: input + cacheRead,
  prompt_tokens_details: { cached_tokens: cacheRead },
  completion_tokens: output,
});

export const chatStream = (tokens: Tokens): Said => ({
  contentType: EVENTS,
  chunks: [
    data({ choices: [{ index: 0, delta: { content: 'Hello' } }], usage: null }),
    data({ choices: [], usage: chatUsage(tokens) }),
    'data: [DONE]\n\n',
  ],
});

export const chatBody = (tokens: Tokens): Said => ({
  contentType: JSON_TYPE,
  chunks: [JSON.stringify({ choices: [], usage: chatUsage(tokens) })],
});

const geminiAnswer = ({ input, cacheRead = 0, output }: Tokens) => ({
  candidates: [{ content: { parts: [{ text: 'Hello' }] }, finishReason: 'STOP' }],
  usageMetadata: {
    promptTokenCount: input + cacheRead,
    cachedContentTokenCount: cacheRead,
    candidatesTokenCount: output - Math.floor(output / 2),
    thoughtsTokenCount: Math.floor(output / 2),
  },
});

export const geminiStream = (tokens: Tokens): Said => ({
  contentType: 'text/event-stream',
  chunks: [
    data({
      candidates: [{ content: { parts: [{ text: 'Hel' }] } }],
      usageMetadata: { promptTokenCount: tokens.input + (tokens.cacheRead ?? 0) },
    }),
    data(geminiAnswer(tokens)),
  ],
});

export const geminiBody = (tokens: Tokens): Said => ({
  contentType: JSON_TYPE,
  chunks: [JSON.stringify(geminiAnswer(tokens))],
});

/** All of it, or the first `count` chunks and then nothing until the other side goes. */
export function say(
  response: ServerResponse,
  { contentType, chunks }: Said,
  { headers = {}, count }: { headers?: Record<string, string>; count?: number } = {},
): void {
  response.writeHead(200, { 'content-type': contentType, ...headers });
  for (const chunk of chunks.slice(0, count)) response.write(chunk);
  if (count === undefined) response.end();
}
