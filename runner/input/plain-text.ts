/** A message as its lines. */
import type { InputFormat } from './format.ts';

export const plainText: InputFormat = {
  message: ({ text }) => `${text}\n`,
  interrupt: () => undefined,
};
