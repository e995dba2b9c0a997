/** A message as one line of JSON, as the events that such a command prints. */
import type { InputFormat } from './format.ts';

export const ndjson: InputFormat = {
  message: ({ id, text }) => `${JSON.stringify({ type: 'message', id, text })}\n`,
  interrupt: () => undefined,
};
