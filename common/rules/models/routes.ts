/** Which of a provider's paths the gateway serves, and in which protocol. All others could cost something that nobody measures. */
import type { ModelProvider } from '../../api/models.ts';
import { anthropicMessages } from './anthropic.ts';
import { gemini } from './gemini.ts';
import { openaiChat } from './openai-chat.ts';
import { openaiResponses } from './openai-responses.ts';
import type { Protocol } from './protocol.ts';

export interface ModelRoute {
  /** For measurements: of few distinct values. */
  name: string;
  protocol: Protocol;
  /** Counting tokens costs nothing. */
  isFree: boolean;
}

const GEMINI =
  /^\/v1(?:beta|alpha)?\/models\/[^/:]{1,253}:(generateContent|streamGenerateContent|countTokens)$/;

/** @param path the provider's own, without query */
export function modelRoute(provider: ModelProvider, path: string): ModelRoute | undefined {
  switch (provider) {
    case 'anthropic':
      if (path === '/v1/messages') return { name: 'messages', protocol: anthropicMessages, isFree: false };
      if (path === '/v1/messages/count_tokens')
        return { name: 'count_tokens', protocol: anthropicMessages, isFree: true };
      return undefined;
    case 'openai':
      if (path === '/v1/responses') return { name: 'responses', protocol: openaiResponses, isFree: false };
      if (path === '/v1/chat/completions')
        return { name: 'chat_completions', protocol: openaiChat, isFree: false };
      return undefined;
    case 'gemini': {
      const method = GEMINI.exec(path)?.[1];
      if (method === undefined) return undefined;
      return { name: method, protocol: gemini, isFree: method === 'countTokens' };
    }
  }
}
