/** How a command wants to be told what people say: one writer a format. */
import type { RunDescription, Said } from '../../common/api/runner.ts';
import type { AgentEvent } from '../agents/event.ts';

export interface InputFormat {
  /** What goes in before all else, where the command is not told its task in another way. */
  opening?: (description: RunDescription) => string | undefined;
  /** What goes into standard input for a message. */
  message(said: Said): string;
  /** Likewise for an interrupt; undefined where the format has no word for it: the process group is sent SIGINT then. */
  interrupt(said: Said): string | undefined;
  /** What goes in instead of a message that answers a question; undefined: the agent goes on without an answer to it. */
  answer?: (question: AgentEvent, said: Said) => string | undefined;
}
