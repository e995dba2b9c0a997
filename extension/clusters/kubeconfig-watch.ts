/** Notices when a kubeconfig file appears, changes or goes: editors and cloud CLIs replace it, sign-ins rewrite it. */
import { unwatchFile, watchFile } from 'node:fs';

// Polling, because the file may not exist yet, be a link, or lie on a network drive, where events do not come.
const INTERVAL_MS = 2000;
const SETTLE_MS = 200;

export class KubeconfigWatch {
  readonly #onChange: () => void;
  readonly #files = new Map<string, () => void>();
  #settling: NodeJS.Timeout | undefined;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Watches these files and no others. */
  follow(files: readonly string[]): void {
    for (const [file, listener] of this.#files)
      if (!files.includes(file)) {
        unwatchFile(file, listener);
        this.#files.delete(file);
      }
    for (const file of files) {
      if (this.#files.has(file)) continue;
      const listener = (): void => this.#changed();
      this.#files.set(file, listener);
      watchFile(file, { interval: INTERVAL_MS, persistent: false }, listener);
    }
  }

  dispose(): void {
    this.follow([]);
    clearTimeout(this.#settling);
  }

  #changed(): void {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(this.#onChange, SETTLE_MS);
  }
}
