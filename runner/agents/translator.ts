/** What turns the lines of one command line program into records of the log; each format has a file here. */
import type { AgentEvent } from './event.ts';

export interface Translator {
  /**
   * What a line of standard output tells. Undefined when it is not of the format: it is then output like any other. Empty when
   * it is, and tells nothing that a record has a place for.
   */
  line(text: string): AgentEvent[] | undefined;
}

export interface TranslatorOptions {
  /** Paths below it are told without it. */
  workspace: string;
  /** Whether amounts that the program itself reckons are passed on: not where they are measured at the models' gateway. */
  costs: boolean;
}
