/** A VS Code that runs: what its windows need of it. */
import type { Browser } from 'playwright-core';
import type { Settings } from './settings.ts';

export interface VscodeServer extends AsyncDisposable {
  /** `http://127.0.0.1:port`. */
  readonly origin: string;
  readonly folder: string;
  /** Temporary: gone after stop(). */
  readonly root: string;
  /** Sockets of the bridge, one for each extension host; undefined when not instrumented. */
  readonly bridgeFolder: string | undefined;
  /** The address a person opens; it carries the secret that the server asks for. */
  url(folder?: string): string;
  /** Merges into the user settings. Open windows follow in their own time: see VscodeWindow.configure. */
  updateSettings(settings: Settings): Promise<void>;
  /** What the server has logged so far. */
  log(): Promise<string>;
  /** The Chromium all windows share, started on first use. */
  browser(): Promise<Browser>;
  /** Ends everything it started, and removes its temporary files. */
  stop(): Promise<void>;
}
