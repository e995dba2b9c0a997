/** One VS Code window as a page object: what a user sees and does, plus a way into its extension host. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { FrameLocator, Locator, Page } from 'playwright-core';
import { bridgeSockets, callBridge } from './bridge/client.ts';
import type { InHostFunction } from './bridge/client.ts';
import { PROJECT_ROOT } from './install.ts';
import { themeClass, themeSettings } from './settings.ts';
import type { Settings, Theme } from './settings.ts';
import { exactly } from './text.ts';
import type { Text } from './text.ts';
import { Tree } from './tree.ts';
import type { VscodeServer } from './vscode-server.ts';

export interface WindowOptions {
  /** CSS pixels; default 1400 × 900. */
  readonly viewport?: { readonly width: number; readonly height: number };
  /** Pixels of a screenshot for each CSS pixel; default 1. */
  readonly scale?: number;
  /** Themes are user settings: all windows of a server change with it. */
  readonly theme?: Theme;
  /** Instead of the server's folder. */
  readonly folder?: string;
  /** How long each step may wait, in ms; default 30,000. */
  readonly timeoutMs?: number;
  /** Runs before the workbench loads. */
  readonly prepare?: (page: Page) => Promise<void>;
}

/** A menu of VS Code takes no clicks for 100 ms, lest the one that opened it be meant for its first item; and a little more. */
const MENU_ARMED_MS = 200;
const MENU_CLOSED_MS = 5000;
/** NotificationsToasts.SPAM_PROTECTION of the workbench, and a little more. */
const SPAM_INTERVAL_MS = 850;
/**
 * Errors that this VS Code writes on its own: optional files it lacks, a login nobody asked for, a quick reload, its own log
 * that a page which is being left has closed already.
 */
const OF_THE_SERVER =
  /status of 404|\[Service Worker\]|bad HTTP response code|\[lifecycle\]|authentication provider .* to register|Unable to write file '?vscode-log:.* is closed/;

/** Windows open one after the other: a new extension host is known by its socket not having been there before. */
const opening = new WeakMap<VscodeServer, Promise<unknown>>();

/** Opens a window and waits until its workbench is drawn and its extension host answers. */
export async function openWindow(server: VscodeServer, options: WindowOptions = {}): Promise<VscodeWindow> {
  const before = opening.get(server) ?? Promise.resolve();
  const mine = before.catch(() => undefined).then(() => open(server, options));
  opening.set(server, mine);
  return mine;
}

async function open(server: VscodeServer, options: WindowOptions): Promise<VscodeWindow> {
  if (options.theme !== undefined) await server.updateSettings(themeSettings(options.theme));
  const browser = await server.browser();
  const context = await browser.newContext({
    viewport: options.viewport ?? { width: 1400, height: 900 },
    deviceScaleFactor: options.scale ?? 1,
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(options.timeoutMs ?? 30_000);
    await options.prepare?.(page);
    const window = new VscodeWindow(server, page, options.timeoutMs ?? 30_000);
    await window.load(server.url(options.folder));
    if (options.theme !== undefined) await window.themeShown(options.theme);
    return window;
  } catch (error) {
    await context.close();
    throw error;
  }
}

export class VscodeWindow implements AsyncDisposable {
  readonly server: VscodeServer;
  /** For what has no method here. */
  readonly page: Page;
  /**
   * Errors that pages of this window threw or wrote to their consoles, content blocked in webviews included. VS Code
   * also writes there the text of each error notification.
   */
  readonly problems: string[] = [];
  /** The tree views of the side bar. */
  readonly tree: Tree;
  readonly #timeoutMs: number;
  #bridge: string | undefined;

  constructor(server: VscodeServer, page: Page, timeoutMs: number) {
    this.server = server;
    this.page = page;
    this.tree = new Tree(page, timeoutMs);
    this.#timeoutMs = timeoutMs;
    page.on('pageerror', (error) => this.problems.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' && !OF_THE_SERVER.test(message.text()))
        this.problems.push(message.text());
    });
  }

  /** Loads the workbench at `url`, or again where it is. */
  async load(url?: string): Promise<void> {
    const folder = this.server.bridgeFolder;
    const known = new Set(folder === undefined ? [] : await bridgeSockets(folder));
    const previous = this.#bridge;
    if (url === undefined) await this.page.reload();
    else await this.page.goto(url);
    await this.page.locator('.monaco-workbench .part.statusbar').waitFor();
    if (folder === undefined) return;
    await this.until('the extension host to start', async () => {
      this.#bridge = (await bridgeSockets(folder)).find((socket) => !known.has(socket));
      return this.#bridge !== undefined;
    });
    if (previous !== undefined) await endHost(previous);
  }

  /** Waits until the window has written `text` to its own storage, which it does every few seconds: what a reload restores. */
  async remembers(text: string): Promise<void> {
    await this.until(`the window to store ${text}`, () => this.page.evaluate(isStored, text));
  }

  /** Waits until `condition` holds. Throws, naming `what`, when it does not within `timeoutMs`. */
  async until(
    what: string,
    condition: () => boolean | Promise<boolean>,
    timeoutMs = this.#timeoutMs,
  ): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await condition())) {
      if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`);
      await delay(50);
    }
  }

  /**
   * Runs `body` in this window's extension host: `window.inHost((vscode) => vscode.window.activeTextEditor?.…)`.
   * The function travels as source and sees only its two arguments; its value must survive JSON.
   */
  inHost<T, A = undefined>(
    body: InHostFunction<T, A>,
    argument?: A,
    timeoutMs = this.#timeoutMs,
  ): Promise<T> {
    if (this.#bridge === undefined) throw new Error('this VS Code was started with instrumented: false');
    return callBridge(this.#bridge, body, argument as A, timeoutMs);
  }

  // ---- commands and questions

  /** Runs a command by its title in the command palette, e.g. `Ambient: Launch Session`. */
  async command(title: Text): Promise<void> {
    const input = await this.#openPalette();
    await input.fill(`>${typeof title === 'string' ? title : ''}`);
    await this.#chooseQuickRow(title);
  }

  /** Whether the palette offers a command of this title now. */
  async hasCommand(title: string): Promise<boolean> {
    const input = await this.#openPalette();
    await input.fill(`>${title}`);
    const rows = this.page.locator('.quick-input-list .monaco-list-row');
    await rows.first().waitFor();
    const found = (await this.#quickRow(title).count()) > 0;
    await this.page.keyboard.press('Escape');
    return found;
  }

  async #openPalette(): Promise<Locator> {
    const input = this.page.locator('.quick-input-widget:visible input.input').first();
    // A workbench that is just loading swallows the key.
    await this.until('the command palette', async () => {
      await this.page.keyboard.press('F1');
      return input.waitFor({ timeout: 2000 }).then(
        () => true,
        () => false,
      );
    });
    return input;
  }

  #quickRow(label: Text): Locator {
    const name = this.page.locator('.quick-input-list-row:first-child .label-name', {
      hasText: exactly(label),
    });
    return this.page.locator('.quick-input-widget:visible .monaco-list-row').filter({ has: name }).first();
  }

  /** Waits for the quick pick or input box with this title. */
  async quickTitle(title: Text): Promise<void> {
    await this.page
      .locator('.quick-input-widget:visible .quick-input-title', { hasText: exactly(title) })
      .waitFor();
  }

  /** Chooses the row with this label in the open quick pick. */
  async quickPick(label: Text): Promise<void> {
    await this.#chooseQuickRow(label);
  }

  /**
   * By the keyboard: a list that is still being laid out moves under a mouse, and a click beside it closes it.
   */
  async #chooseQuickRow(label: Text): Promise<void> {
    const row = this.#quickRow(label);
    await row.waitFor();
    await this.until(`the row ${String(label)} to have the focus`, async () => {
      if (await row.evaluate((element) => element.classList.contains('focused'))) return true;
      await this.page.keyboard.press('ArrowDown');
      return false;
    });
    await this.page.keyboard.press('Enter');
  }

  /** Labels of the open quick pick, once it has any. */
  async quickPickLabels(): Promise<string[]> {
    const names = this.page.locator(
      '.quick-input-widget:visible .quick-input-list-row:first-child .label-name',
    );
    await names.first().waitFor();
    return (await names.allInnerTexts()).map((text) => text.trim());
  }

  /** Fills the open input box without accepting it. */
  async quickType(text: string): Promise<void> {
    await this.page.locator('.quick-input-widget:visible input.input').first().fill(text);
  }

  /** Waits for an input box, not the pick before it, fills it and accepts it with Enter. */
  async quickInput(text: string): Promise<void> {
    const widget = this.page.locator('.quick-input-widget:visible');
    await widget.locator('.quick-input-list').waitFor({ state: 'hidden' });
    await this.quickType(text);
    await this.page.keyboard.press('Enter');
  }

  /** The validation message or prompt under the input box, once it has one (matching `text`). */
  async quickInputMessage(text: RegExp = /\S/): Promise<string> {
    const message = this.page.locator('.quick-input-widget:visible .quick-input-message', { hasText: text });
    return (await message.first().innerText()).trim();
  }

  /** Presses a button in the title of the open quick input, e.g. `Back`. */
  async quickButton(label: string): Promise<void> {
    await this.page
      .locator(`.quick-input-widget:visible .action-label[aria-label^="${label}"]`)
      .first()
      .click();
  }

  // ---- views and trees

  /** Shows a view container by the label of its icon in the activity bar. */
  async openView(label: string): Promise<void> {
    // Only the item of the visible container is labelled itself; its icon always is.
    const labelled = this.page.locator(`.action-label[aria-label^=${JSON.stringify(label)}]`);
    const item = this.page.locator('.activitybar .action-item').filter({ has: labelled }).first();
    const icon = item.locator('.action-label');
    await icon.waitFor();
    // A click on the icon of the visible one would hide it.
    const shown = async (): Promise<boolean> => (await item.getAttribute('aria-expanded')) === 'true';
    if (!(await shown())) await icon.click();
    await this.until(`view ${label}`, shown);
  }

  treeRow(label: Text): Promise<Locator> {
    return this.tree.row(label);
  }

  /** Opens a tree row and waits until it is open. */
  async expand(row: Locator | Text): Promise<void> {
    await this.tree.expand(row);
  }

  /** Presses one of the inline buttons of a tree row. */
  async rowAction(row: Locator | Text, label: string): Promise<void> {
    await this.tree.action(row, label);
  }

  /** Chooses an item of a row's context menu; opens the menu again when something takes the focus from it. */
  async contextMenu(row: Locator | Text, item: Text): Promise<void> {
    const label = this.page.locator('.action-label', { hasText: exactly(item) });
    const entry = this.page.locator('.monaco-menu .action-menu-item').filter({ has: label });
    await this.until(`the menu to take ${String(item)}`, async () => {
      if (!(await entry.isVisible())) {
        await (await this.tree.resolve(row)).click({ button: 'right' });
        await entry.waitFor({ timeout: 5000 }).catch(() => undefined);
        // A click before that is lost, and then the menu may close for another reason.
        await delay(MENU_ARMED_MS);
        if (!(await entry.isVisible())) return false;
      }
      // Of this very menu: who waited for another one would not know whether the click was taken.
      const shown = await entry.elementHandle({ timeout: 1000 }).catch(() => null);
      const clicked = await shown?.click({ timeout: MENU_CLOSED_MS }).then(
        () => true,
        () => false,
      );
      if (clicked !== true) return false;
      // Chosen twice, the command would run twice: a slow menu is waited for, only one that stays has not taken the click.
      return entry.waitFor({ state: 'detached', timeout: MENU_CLOSED_MS }).then(
        () => true,
        () => false,
      );
    });
  }

  // ---- messages

  /** Waits for a notification and returns its text. */
  async toast(text: RegExp): Promise<string> {
    const message = this.page.locator('.notification-toast .notification-list-item-message', {
      hasText: text,
    });
    return (await message.first().innerText()).trim();
  }

  /** Presses a button of a notification. */
  async notificationButton(label: Text): Promise<void> {
    const buttons = this.page.locator('.notification-toast .monaco-button', { hasText: exactly(label) });
    await buttons.first().click();
  }

  async clearNotifications(): Promise<void> {
    // Through the extension host, whose answer says it is done: the command palette runs a command after it
    // has closed, and then clears what came in the meantime.
    await this.inHost((vscode) => vscode.commands.executeCommand('notifications.clearAll'));
    await this.page.locator('.notification-toast').first().waitFor({ state: 'detached' });
    // What comes next shall be seen too, and VS Code draws no more than three within this time.
    await delay(SPAM_INTERVAL_MS);
  }

  /** Waits for a modal dialog and returns its text, message and detail. */
  async dialogText(): Promise<string> {
    return (await this.page.locator('.monaco-dialog-box .dialog-message-row').innerText()).trim();
  }

  async dialogButton(label: Text): Promise<void> {
    await this.page.locator('.monaco-dialog-box .monaco-button', { hasText: exactly(label) }).click();
  }

  // ---- editors

  /** Labels of the open editor tabs. */
  async tabs(): Promise<string[]> {
    const labels = this.page.locator('.tabs-container .tab .monaco-icon-label-container');
    return labels.evaluateAll((all) =>
      all.map((label) =>
        [...label.querySelectorAll('.label-name, .label-suffix')].map((part) => part.textContent).join(''),
      ),
    );
  }

  /** An open editor tab; a RegExp is matched against all text on it. */
  tab(label: Text): Locator {
    const tabs = this.page.locator('.tabs-container .tab');
    if (typeof label !== 'string') return tabs.filter({ hasText: label }).first();
    // The accessible label is the name, and after a comma what is special, e.g. `preview` or `read-only`.
    const [whole, start] = [JSON.stringify(label), JSON.stringify(`${label},`)];
    return this.page
      .locator(`.tabs-container .tab:is([aria-label=${whole}], [aria-label^=${start}])`)
      .first();
  }

  /** The whole text of the active editor. Asked of the extension host: the page holds only the lines in view. */
  editorText(): Promise<string | undefined> {
    return this.inHost((vscode) => vscode.window.activeTextEditor?.document.getText());
  }

  /** The lines of the active editor that are in view, as drawn. */
  async visibleEditorText(): Promise<string> {
    const lines = this.page.locator('.editor-group-container.active .view-lines').first();
    await lines.waitFor();
    return lines.evaluate((element) =>
      [...element.querySelectorAll<HTMLElement>('.view-line')]
        .sort((a, b) => Number.parseFloat(a.style.top) - Number.parseFloat(b.style.top))
        .map((line) => (line.textContent ?? '').replaceAll('\u00a0', ' '))
        .join('\n'),
    );
  }

  /**
   * The document inside a webview: of the editor tab with this title, which is brought to the front, or the nth of all
   * webviews in order of creation (the way to a webview in a side bar).
   */
  async webview(which: number | Text): Promise<FrameLocator> {
    const frames = this.page.locator('iframe.webview.ready');
    const inside = (frame: Locator): FrameLocator => frame.contentFrame().frameLocator('iframe#active-frame');
    if (typeof which === 'number') return inside(frames.nth(which));
    const tab = this.tab(which);
    await tab.click();
    const group = this.page.locator('.editor-group-container').filter({ has: tab });
    let name: string | undefined;
    await this.until(`the webview of ${String(which)}`, async () => {
      const box = await group.locator('.editor-container').boundingBox();
      if (box === null) return false;
      // Webviews float over the editor they belong to; nothing but their place ties them to it.
      name = await frames.evaluateAll(
        (all, { x, y }) => {
          const on = (frame: Element): boolean => {
            const r = frame.getBoundingClientRect();
            return (
              frame.checkVisibility({ visibilityProperty: true }) &&
              r.left <= x &&
              x <= r.right &&
              r.top <= y &&
              y <= r.bottom
            );
          };
          return all.find(on)?.getAttribute('name') ?? undefined;
        },
        { x: box.x + box.width / 2, y: box.y + box.height / 2 },
      );
      return name !== undefined;
    });
    return inside(this.page.locator(`iframe.webview[name="${name ?? ''}"]`));
  }

  /** The text of the status bar item that matches, once there is one. */
  async statusBar(text: RegExp): Promise<string> {
    return (await this.page.locator('.statusbar-item', { hasText: text }).first().innerText()).trim();
  }

  // ---- the window itself

  /** Changes user settings (of all windows of the server) and returns when this window has them. */
  async configure(settings: Settings): Promise<void> {
    await this.inHost(async (vscode, changes) => {
      const configuration = vscode.workspace.getConfiguration();
      for (const [key, value] of Object.entries(changes)) {
        await configuration.update(key, value, vscode.ConfigurationTarget.Global);
      }
    }, settings);
  }

  async setTheme(theme: Theme): Promise<void> {
    await this.configure(themeSettings(theme));
    await this.themeShown(theme);
  }

  /** Waits until the workbench is drawn in a theme of this kind. */
  async themeShown(theme: Theme): Promise<void> {
    await this.page.locator(`.monaco-workbench.${themeClass(theme)}`).waitFor();
  }

  /** Waits until nothing is loading or moving: no progress shown, and no change to the page for `quietMs`. */
  async waitIdle(quietMs = 300, timeoutMs = this.#timeoutMs): Promise<void> {
    await this.page.evaluate(
      ([quiet, timeout]) =>
        new Promise<void>((resolve, reject) => {
          let changed = performance.now();
          const observer = new MutationObserver((records) => {
            // A blinking cursor never rests.
            if (
              records.some(({ target }) => !(target instanceof Element && target.closest('.cursors-layer')))
            )
              changed = performance.now();
          });
          observer.observe(document.body, {
            subtree: true,
            childList: true,
            attributes: true,
            characterData: true,
          });
          const end = performance.now() + timeout;
          const look = (): void => {
            const busy = document.querySelector('.monaco-progress-container.active') !== null;
            const now = performance.now();
            if (busy) changed = now;
            if (now - changed < quiet && now < end) return void setTimeout(look, 30);
            observer.disconnect();
            if (now - changed < quiet) reject(new Error(`the window was not idle within ${timeout} ms`));
            else resolve();
          };
          look();
        }),
      [quietMs, timeoutMs] as const,
    );
  }

  /** Writes `test/output/screenshots/<name>.png`, of the window or of one element, and returns the path. */
  async screenshot(name: string, element?: Locator): Promise<string> {
    const folder = path.join(PROJECT_ROOT, 'test/output/screenshots');
    await mkdir(folder, { recursive: true });
    const file = path.join(folder, `${name}.png`);
    await this.page.evaluate(() => document.fonts.ready.then(() => undefined));
    await (element ?? this.page).screenshot({ path: file, animations: 'disabled' });
    return file;
  }

  /** Also waits for its extension host to end, and ends one that hangs: the server would keep it for a reconnection. */
  async close(): Promise<void> {
    await this.page.context().close();
    if (this.#bridge !== undefined) await endHost(this.#bridge);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function endHost(socketFile: string): Promise<void> {
  const pid = Number(path.basename(socketFile, '.sock'));
  const alive = (signal: NodeJS.Signals | 0): boolean => {
    try {
      return process.kill(pid, signal);
    } catch {
      return false;
    }
  };
  const deadline = performance.now() + 3000;
  while (alive(0)) {
    if (performance.now() > deadline) alive('SIGKILL');
    await delay(20);
  }
}

/** Runs in the page. The workbench keeps its state in one IndexedDB database a workspace. */
async function isStored(text: string): Promise<boolean> {
  const done = <T>(request: IDBRequest<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error ?? new Error('the storage of the window cannot be read'));
    });
  for (const { name = '' } of await indexedDB.databases()) {
    const database = await done(indexedDB.open(name));
    try {
      for (const store of database.objectStoreNames) {
        const values: unknown[] = await done(database.transaction(store).objectStore(store).getAll());
        if (values.some((value) => JSON.stringify(value).includes(text))) return true;
      }
    } finally {
      database.close();
    }
  }
  return false;
}
