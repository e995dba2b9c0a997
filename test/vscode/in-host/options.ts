/** What a run of tests inside the extension host is given. */
import type { VscodeOptions, VscodeServer } from '../launch.ts';

export interface InHostOptions extends VscodeOptions {
  /** TypeScript test files with describe/it. They may import sources of the project, which are bundled with them. */
  readonly tests: readonly string[];
  /** A running server with the extension, to share its start; the options above it are then its own business. */
  readonly server?: VscodeServer;
  /** For the whole run once the window is open; default 120,000 ms. */
  readonly timeoutMs?: number;
  /** For each test; default 20,000 ms. */
  readonly testTimeoutMs?: number;
  /** Only tests whose title holds this text. */
  readonly grep?: string;
  /** Default: `electron` when VSCODE_TEST says so, else `server`. */
  readonly launcher?: 'server' | 'electron';
}
