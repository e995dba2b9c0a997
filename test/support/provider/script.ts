/** What the stand-in for a model provider answers: told once, in no provider's words; each protocol has a file that speaks it. */

/** Tokens by kind, disjoint: what was read from the cache is not in `input`, what was thought is not in `output`. */
export interface Tokens {
  input: number;
  output: number;
  cacheRead?: number;
  cacheWrite?: number;
  thinking?: number;
}

export interface ToolUse {
  name: string;
  input: Record<string, unknown>;
  /** A tool whose input is text of its own grammar, as OpenAI's `custom` tools have it. */
  freeform?: string;
}

/** One answer of the model. */
export interface Answer {
  thinking?: string;
  text?: string;
  tools?: ToolUse[];
  tokens: Tokens;
  /** Refuses instead, in the provider's form. */
  status?: number;
  message?: string;
}

/** What the stand-in was asked. */
export interface Asked {
  path: string;
  /** As it came, of whichever header carries it. */
  key: string;
  model: string;
  /** Names of the tools that the caller offers the model. */
  tools: string[];
  body: Record<string, unknown>;
}

/** One event of a stream: its name, where the protocol names events, and its JSON. */
export interface StreamEvent {
  event?: string;
  data: Record<string, unknown>;
}
