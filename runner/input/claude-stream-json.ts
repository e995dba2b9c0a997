/** As `claude --input-format stream-json` reads it: user messages, and control requests. */
import type { InputFormat } from './format.ts';

const line = (value: unknown): string => `${JSON.stringify(value)}\n`;

export const claudeStreamJson: InputFormat = {
  message: ({ text }) => line({ type: 'user', message: { role: 'user', content: [{ type: 'text', text }] } }),
  interrupt: ({ id }) => line({ type: 'control_request', request_id: id, request: { subtype: 'interrupt' } }),
};
