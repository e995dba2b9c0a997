/** What the runner inside the extension host writes down, line by line, as it happens: it survives a dying host. */

export type InHostEvent =
  | { readonly type: 'start'; readonly tests: number }
  | { readonly type: 'test'; readonly title: string }
  | { readonly type: 'pass'; readonly title: string; readonly ms: number }
  | { readonly type: 'fail'; readonly title: string; readonly message: string; readonly stack?: string }
  | { readonly type: 'skip'; readonly title: string; readonly reason?: string }
  | { readonly type: 'end' }
  /** The runner itself failed: a test file that cannot be loaded. */
  | { readonly type: 'broken'; readonly message: string };

/** What the generated entry file hands to the runner. */
export interface InHostPlan {
  readonly eventsFile: string;
  /** Bundled CommonJS test files. */
  readonly files: readonly string[];
  /** Absolute path of mocha's entry. */
  readonly mocha: string;
  readonly testTimeoutMs: number;
  readonly grep?: string;
}
