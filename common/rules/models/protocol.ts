/** What the gateway needs to know of a call to a model, whichever provider's language it is written in. */

/** Tokens that are billed. Each is counted under one name only. */
export interface Usage {
  /** Neither read from a cache nor written to one. */
  input: number;
  cacheRead: number;
  /** Written to a cache that is kept for five minutes, or as long as the provider likes. */
  cacheWrite5m: number;
  cacheWrite1h: number;
  /** All that was generated, thinking included. */
  output: number;
  /** The part of `output` that was thinking, where the provider tells. */
  thinking: number;
}

export const NO_USAGE: Usage = {
  input: 0,
  cacheRead: 0,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  output: 0,
  thinking: 0,
};

/** What a request asks for, before anybody has answered it. */
export interface ModelRequest {
  model: string;
  isStream: boolean;
  /** Undefined: as much as the model can. */
  maxOutput: number | undefined;
  /** Answers to one question, each as long as `maxOutput`. */
  answers: number;
  /** Tools that the model may ask the caller to run, by name. */
  tools: readonly string[];
  /** Tools that the provider runs itself, by name. */
  serverTools: readonly string[];
  /** The longest cache the request writes to. */
  cache: 'none' | '5m' | '1h';
  /** Images in the body: their tokens do not follow from their bytes. */
  images: number;
  /** Something is referred to that is not in the body, or packed so that its tokens are unknown. */
  isOpenEnded: boolean;
  /** What makes it dearer than the price list, as `field: value`. */
  surcharges: readonly string[];
}

/** What is known of an answer so far. */
export interface Reading {
  usage: Usage;
  /** The provider has said what the input costs. */
  isStarted: boolean;
  /** The provider has said all that it will say of tokens. */
  isFinal: boolean;
  /** UTF-8 bytes of what was generated and has arrived. */
  generatedBytes: number;
}

export const NOTHING_READ: Reading = { usage: NO_USAGE, isStarted: false, isFinal: false, generatedBytes: 0 };

export interface Protocol {
  /** Throws RequestProblem. */
  request(body: unknown, path: string): ModelRequest;
  /** Of an answer in one piece. Undefined where it does not say. */
  usageOf(body: unknown): Usage | undefined;
  /** The reading after one more event of a stream. */
  next(reading: Reading, event: unknown): Reading;
}

/** The gateway cannot tell what a request would do or cost. Its message is for whoever wrote the request. */
export class RequestProblem extends Error {
  override readonly name = 'RequestProblem';
}
