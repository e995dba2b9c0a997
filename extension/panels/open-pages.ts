/** The pages of one kind that are open, one for each key. Their code loads with the first of them, which may be closed meanwhile. */
import type * as vscode from 'vscode';

export class OpenPages<Page> {
  readonly #open = new Map<string, Promise<Page | undefined>>();

  /** Undefined also when it was closed before it was made. */
  get(key: string): Promise<Page | undefined> | undefined {
    return this.#open.get(key);
  }

  [Symbol.iterator](): IterableIterator<Promise<Page | undefined>> {
    return this.#open.values();
  }

  /** Until it is closed the panel is that of `key`. `load` brings what makes its page; rejects, and closes it, when that fails. */
  async adopt(
    key: string,
    panel: Pick<vscode.WebviewPanel, 'onDidDispose' | 'dispose'>,
    load: () => Promise<() => Page>,
  ): Promise<void> {
    let isClosed = false;
    const page = load().then((make) => (isClosed ? undefined : make()));
    panel.onDidDispose(() => {
      isClosed = true;
      if (this.#open.get(key) === page) this.#open.delete(key);
    });
    this.#open.set(key, page);
    try {
      await page;
    } catch (error) {
      panel.dispose();
      throw error;
    }
  }
}
