/** Tree views as a user sees them: rows found by label, also those that must be scrolled to. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Locator, Page } from 'playwright-core';
import { exactly } from './text.ts';
import type { Text } from './text.ts';

const LIST = '.pane-body .monaco-list';

export class Tree {
  readonly #page: Page;
  readonly #timeoutMs: number;

  constructor(page: Page, timeoutMs: number) {
    this.#page = page;
    this.#timeoutMs = timeoutMs;
  }

  /** The rows drawn now that match; a string is the whole label or the whole accessible label. */
  rows(label: Text): Locator {
    const page = this.#page;
    const rows = page.locator(`${LIST} .monaco-list-row[role="treeitem"]`);
    if (typeof label !== 'string') {
      return rows.filter({ has: page.locator('.monaco-icon-label', { hasText: label }) });
    }
    const part = (css: string, text: string): Locator => page.locator(css, { hasText: exactly(text) });
    // Rows of files are drawn with the extension apart.
    const [, stem = '', suffix = ''] = /^(.+)(\..+)$/.exec(label) ?? [];
    return rows
      .filter({ has: part('.label-name', label) })
      .or(rows.filter({ has: part('.label-name', stem) }).filter({ has: part('.label-suffix', suffix) }))
      .or(page.locator(`${LIST} .monaco-list-row[role="treeitem"][aria-label=${JSON.stringify(label)}]`));
  }

  /**
   * Waits for a row, scrolling through the visible trees where it is not drawn. A RegExp is matched against label and
   * description together. Throws with the labels that are there.
   */
  async row(label: Text): Promise<Locator> {
    const started = performance.now();
    const deadline = started + this.#timeoutMs;
    for (;;) {
      const row = this.rows(label).first();
      if (await row.isVisible()) return row;
      if (performance.now() > deadline) {
        const seen = (await this.labels()).join(', ');
        throw new Error(`no tree row ${String(label)} within ${this.#timeoutMs} ms; there are: ${seen}`);
      }
      // At first it may only not be there yet.
      if (performance.now() > started + 1000) await this.#scrollOn();
      await delay(60);
    }
  }

  /** Accessible labels of all rows drawn now, indented by level: the tree as text, without what every row has. */
  async labels(): Promise<string[]> {
    return this.#page.locator(`${LIST} .monaco-list-row[role="treeitem"]`).evaluateAll((rows) =>
      rows
        .filter((row) => row.checkVisibility())
        .sort((a, b) => Number(a.getAttribute('data-index')) - Number(b.getAttribute('data-index')))
        .map(
          (row) =>
            '  '.repeat(Number(row.getAttribute('aria-level')) - 1) +
            (row.getAttribute('aria-label') ?? '').replace(/, has actions$/, ''),
        ),
    );
  }

  async resolve(row: Locator | Text): Promise<Locator> {
    return typeof row === 'string' || row instanceof RegExp ? this.row(row) : row;
  }

  async expand(which: Locator | Text): Promise<void> {
    const row = await this.resolve(which);
    if ((await row.getAttribute('aria-expanded')) === 'false')
      await row.locator('.monaco-tl-twistie').click();
    const deadline = performance.now() + this.#timeoutMs;
    while ((await row.getAttribute('aria-expanded')) !== 'true') {
      if (performance.now() > deadline) throw new Error(`${String(which)} did not open`);
      await delay(30);
    }
  }

  async action(which: Locator | Text, label: string): Promise<void> {
    const row = await this.resolve(which);
    await row.hover();
    await row.locator(`.actions .action-label[aria-label^="${label}"]`).first().click();
  }

  /** Most of a page down in every visible tree; from the end back to the start. */
  async #scrollOn(): Promise<void> {
    await this.#page.locator(LIST).evaluateAll((lists) => {
      for (const list of lists) {
        const atStart = list.querySelector('.monaco-list-row[data-index="0"]') !== null;
        const atEnd = list.querySelector('.monaco-list-row[data-last-element="true"]') !== null;
        if (!list.checkVisibility() || (atStart && atEnd)) continue;
        // The list moves by its wheel's notches of 120, each 50 pixels, whatever the event's pixels are.
        const notches = atEnd ? -1e6 : Math.max(1, (list.clientHeight * 0.8) / 50);
        const wheel = { bubbles: true, cancelable: true, deltaY: notches * 50, wheelDeltaY: -120 * notches };
        list.querySelector('.monaco-scrollable-element')?.dispatchEvent(new WheelEvent('wheel', wheel));
      }
    });
  }
}
