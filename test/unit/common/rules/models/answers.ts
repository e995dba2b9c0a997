/** Answers of the providers in the shapes their documentation shows, with the usage they come to. */
import type { Protocol, Usage } from '../../../../../common/rules/models/protocol.ts';
import { NO_USAGE } from '../../../../../common/rules/models/protocol.ts';
import { anthropicMessages } from '../../../../../common/rules/models/anthropic.ts';
import { gemini } from '../../../../../common/rules/models/gemini.ts';
import { openaiChat } from '../../../../../common/rules/models/openai-chat.ts';
import { openaiResponses } from '../../../../../common/rules/models/openai-responses.ts';

export interface Answer {
  title: string;
  protocol: Protocol;
  /** As they are sent, with what a stream is told apart by. */
  text: string;
  isStream: boolean;
  usage: Usage;
}

const named = (events: readonly { type: string }[], end = '\n'): string =>
  events.map((event) => `event: ${event.type}${end}data: ${JSON.stringify(event)}${end}${end}`).join('');
const data = (events: readonly unknown[]): string =>
  events.map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`).join('');

const anthropicEvents = [
  {
    type: 'message_start',
    message: {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      content: [],
      model: 'claude-sonnet-4-6',
      usage: {
        input_tokens: 25,
        cache_creation_input_tokens: 300,
        cache_read_input_tokens: 4000,
        cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 200 },
        output_tokens: 1,
      },
    },
  },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'ping' },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Grüße aus 東京 🗼' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 15 } },
  { type: 'message_stop' },
];
const anthropicUsage: Usage = {
  ...NO_USAGE,
  input: 25,
  cacheRead: 4000,
  cacheWrite5m: 100,
  cacheWrite1h: 200,
  output: 15,
};

const response = {
  id: 'resp_1',
  object: 'response',
  usage: {
    input_tokens: 1000,
    input_tokens_details: { cached_tokens: 768 },
    output_tokens: 120,
    output_tokens_details: { reasoning_tokens: 64 },
    total_tokens: 1120,
  },
};
const openaiUsage: Usage = { ...NO_USAGE, input: 232, cacheRead: 768, output: 120, thinking: 64 };

const chatUsage = {
  prompt_tokens: 1000,
  prompt_tokens_details: { cached_tokens: 768 },
  completion_tokens: 120,
  completion_tokens_details: { reasoning_tokens: 64 },
  total_tokens: 1120,
};
const chunk = (delta: object, more: object = {}) => ({
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta }],
  usage: null,
  ...more,
});

const geminiUsage: Usage = { ...NO_USAGE, input: 205, cacheRead: 800, output: 62, thinking: 40 };
const geminiMetadata = {
  promptTokenCount: 1000,
  cachedContentTokenCount: 800,
  toolUsePromptTokenCount: 5,
  candidatesTokenCount: 22,
  thoughtsTokenCount: 40,
  totalTokenCount: 1067,
};
const candidate = (text: string, more: object = {}) => ({
  candidates: [{ content: { role: 'model', parts: [{ text }] }, ...more }],
});

export const ANSWERS: readonly Answer[] = [
  {
    title: 'Anthropic, a stream',
    protocol: anthropicMessages,
    text: named(anthropicEvents),
    isStream: true,
    usage: anthropicUsage,
  },
  {
    title: 'Anthropic, a stream with CRLF',
    protocol: anthropicMessages,
    text: named(anthropicEvents, '\r\n'),
    isStream: true,
    usage: anthropicUsage,
  },
  {
    title: 'Anthropic, in one piece',
    protocol: anthropicMessages,
    text: JSON.stringify({
      type: 'message',
      usage: {
        input_tokens: 25,
        cache_read_input_tokens: 4000,
        cache_creation_input_tokens: 300,
        output_tokens: 15,
      },
    }),
    isStream: false,
    usage: { ...NO_USAGE, input: 25, cacheRead: 4000, cacheWrite5m: 300, output: 15 },
  },
  {
    title: 'OpenAI Responses, a stream',
    protocol: openaiResponses,
    text: named([
      { type: 'response.created' },
      { type: 'response.output_text.delta' },
      { ...{ response }, type: 'response.completed' },
    ]),
    isStream: true,
    usage: openaiUsage,
  },
  {
    title: 'OpenAI Responses, in one piece',
    protocol: openaiResponses,
    text: JSON.stringify(response, undefined, 2),
    isStream: false,
    usage: openaiUsage,
  },
  {
    title: 'OpenAI chat completions, a stream',
    protocol: openaiChat,
    text: data([
      chunk({ role: 'assistant', content: '' }),
      chunk({ content: 'Hello' }),
      chunk({}, { choices: [], usage: chatUsage }),
      '[DONE]',
    ]),
    isStream: true,
    usage: openaiUsage,
  },
  {
    title: 'OpenAI chat completions, in one piece',
    protocol: openaiChat,
    text: JSON.stringify({ object: 'chat.completion', usage: chatUsage }),
    isStream: false,
    usage: openaiUsage,
  },
  {
    title: 'Gemini, a stream',
    protocol: gemini,
    text: data([
      { ...candidate('Hel'), usageMetadata: { promptTokenCount: 1000, totalTokenCount: 1000 } },
      { ...candidate('lo', { finishReason: 'STOP' }), usageMetadata: geminiMetadata },
    ]),
    isStream: true,
    usage: geminiUsage,
  },
  {
    title: 'Gemini, in one piece',
    protocol: gemini,
    text: JSON.stringify({ ...candidate('Hello', { finishReason: 'STOP' }), usageMetadata: geminiMetadata }),
    isStream: false,
    usage: geminiUsage,
  },
];
