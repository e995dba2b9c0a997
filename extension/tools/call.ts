/** One call of a tool, whoever asks: the input is checked, and what goes wrong is said in words that a model can act on. */
import { Check } from 'typebox/schema';
import { isAmbientError, messageOf } from '../../common/errors.ts';
import { plainMessage } from '../ide/plain-text.ts';
import type { SessionTool, ToolWorld } from './tool.ts';

export interface ToolAnswer {
  text: string;
  isError: boolean;
}

/** Never rejects but when aborted. */
export async function callTool(
  tool: SessionTool,
  input: unknown,
  world: ToolWorld,
  signal: AbortSignal,
): Promise<ToolAnswer> {
  if (!Check(tool.input, input))
    return { text: `The input does not fit the schema of ${tool.name}.`, isError: true };
  try {
    return { text: await tool.run(input, world, signal), isError: false };
  } catch (error) {
    signal.throwIfAborted();
    const remedy = isAmbientError(error) ? ` ${error.remedy}` : '';
    return { text: plainMessage(`${messageOf(error)}.${remedy}`), isError: true };
  }
}
