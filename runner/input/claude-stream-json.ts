/** As `claude --input-format stream-json` reads it: user messages, of which the task is the first, and control requests. */
import type { InputFormat } from './format.ts';

const line = (value: unknown): string => `${JSON.stringify(value)}\n`;
const userLine = (text: string): string =>
  line({ type: 'user', message: { role: 'user', content: [{ type: 'text', text }] } });

export const claudeStreamJson: InputFormat = {
  opening: ({ framework }) => {
    const { prompt } = framework.config;
    return typeof prompt === 'string' && prompt !== '' ? userLine(prompt) : undefined;
  },
  message: ({ text }) => userLine(text),
  interrupt: ({ id }) => line({ type: 'control_request', request_id: id, request: { subtype: 'interrupt' } }),
};
