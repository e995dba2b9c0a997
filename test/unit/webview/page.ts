/** Pages in a real Chromium, outside VS Code: its variables and classes are VS Code's own, only acquireVsCodeApi is a stand-in. */
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { pageHtml } from '../../../extension/panels/page-html.ts';
import type { PageOptions } from '../../../extension/panels/page-html.ts';
import { findChromium } from '../../vscode/chromium.ts';

const ROOT = path.join(import.meta.dirname, '../../..');
const ORIGIN = 'http://pages.test';
const NONCE = 'abcdef0123456789';

export type ThemeName = 'dark' | 'light' | 'high-contrast-dark' | 'high-contrast-light';
export const THEMES: readonly ThemeName[] = ['dark', 'light', 'high-contrast-dark', 'high-contrast-light'];

interface Theme {
  bodyClass: string;
  data: Record<string, string>;
  variables: Record<string, string>;
}

export interface OpenOptions extends Pick<BrowserContextOptions, 'forcedColors' | 'reducedMotion'> {
  theme?: ThemeName;
  width?: number;
  height?: number;
  /** What getState answers at first. */
  saved?: unknown;
}

export interface OpenPage extends AsyncDisposable {
  page: Page;
  /** Posts an update as the extension does. */
  tell(type: string, payload: unknown): Promise<void>;
  /** Requests of the page so far. */
  requests(): Promise<{ type: string; payload: unknown }[]>;
  /** What the page has saved with setState. */
  saved(): Promise<unknown>;
  /** Errors of scripts, refusals by the content security policy, attempts to reach anything else. */
  faults: string[];
  screenshot(name: string): Promise<string>;
}

type Files = Map<string, { body: string; contentType: string }>;

export class Pages implements AsyncDisposable {
  readonly #browser: Browser;
  readonly #files: Files;
  readonly #themes: Record<ThemeName, Theme>;

  private constructor(browser: Browser, files: Files, themes: Record<ThemeName, Theme>) {
    this.#browser = browser;
    this.#files = files;
    this.#themes = themes;
  }

  /** Bundles `webview/<name>/main.ts` as the build does, and starts a browser. Throws VscodeUnavailable. `htmlOf` makes the document. */
  static async of(name: string, htmlOf: (options: PageOptions) => string = pageHtml): Promise<Pages> {
    const [executablePath, bundle, themes] = await Promise.all([
      findChromium(() => undefined, process.env),
      build({
        absWorkingDir: ROOT,
        entryPoints: { [name]: path.join(ROOT, 'webview', name, 'main.ts') },
        outdir: '/',
        write: false,
        bundle: true,
        minify: true,
        platform: 'browser',
        format: 'esm',
        target: 'es2022',
        logLevel: 'silent',
      }),
      readFile(path.join(import.meta.dirname, 'themes.json'), 'utf8'),
    ]);
    const files = new Map(
      bundle.outputFiles.map(({ path: file, text }) => [
        `/${path.basename(file)}`,
        { body: text, contentType: file.endsWith('.css') ? 'text/css' : 'text/javascript' },
      ]),
    );
    const html = htmlOf({
      title: name,
      cspSource: ORIGIN,
      scriptUri: `${ORIGIN}/${name}.js`,
      styleUri: `${ORIGIN}/${name}.css`,
      nonce: NONCE,
    });
    files.set('/', { body: html, contentType: 'text/html' });
    // Chromium refuses its sandbox to root.
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    return new Pages(browser, files, JSON.parse(themes) as Record<ThemeName, Theme>);
  }

  async open({
    theme = 'dark',
    width = 1200,
    height = 900,
    saved,
    ...media
  }: OpenOptions = {}): Promise<OpenPage> {
    const context = await this.#browser.newContext({
      viewport: { width, height },
      locale: 'en-GB',
      timezoneId: 'UTC',
      ...media,
    });
    const page = await context.newPage();
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text());
    });
    page.on('dialog', (dialog) => {
      faults.push(`dialog: ${dialog.message()}`);
      dialog.dismiss().catch(() => undefined);
    });
    await page.route('**/*', async (route) => {
      const url = new URL(route.request().url());
      const file = url.origin === ORIGIN ? this.#files.get(url.pathname) : undefined;
      if (file !== undefined) return await route.fulfill(file);
      if (url.pathname !== '/favicon.ico') faults.push(`asked for ${url.href}`);
      return await route.abort();
    });
    await page.addInitScript(standIn, { saved: saved ?? null, theme: this.#themes[theme] });
    await page.goto(`${ORIGIN}/`);
    return {
      page,
      faults,
      tell: (type, payload) =>
        page.evaluate((message) => window.postMessage(message, '*'), { type, payload }),
      requests: () => page.evaluate(() => (window as unknown as StandIn).posted),
      saved: () => page.evaluate(() => (window as unknown as StandIn).state),
      screenshot: async (name) => {
        const folder = path.join(ROOT, 'test/output/screenshots');
        await mkdir(folder, { recursive: true });
        const file = path.join(folder, `${name}.png`);
        const before = faults.length;
        await page.screenshot({ path: file, fullPage: true, animations: 'disabled' });
        // Playwright adds a style of its own for the picture, which the page's policy refuses.
        faults.length = before;
        return file;
      },
      [Symbol.asyncDispose]: () => context.close(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

interface StandIn {
  posted: { type: string; payload: unknown }[];
  state: unknown;
}

/** Runs in the page before anything of its own. */
function standIn({ saved, theme }: { saved: unknown; theme: Theme }): void {
  const own = window as unknown as StandIn & { acquireVsCodeApi: () => object };
  own.posted = [];
  own.state = saved ?? undefined;
  own.acquireVsCodeApi = () => ({
    postMessage: (message: StandIn['posted'][number]) => own.posted.push(structuredClone(message)),
    getState: () => own.state,
    setState: (state: unknown) => {
      own.state = structuredClone(state);
    },
  });
  const dress = (): void => {
    for (const [name, value] of Object.entries(theme.variables))
      document.documentElement.style.setProperty(name, value);
    document.documentElement.style.background = 'var(--vscode-editor-background)';
    document.body.className = theme.bodyClass;
    Object.assign(document.body.dataset, theme.data);
    // From VS Code's own default styles of webviews, which stand in a layer below the page's.
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`@layer vscode-default {
      body { color: var(--vscode-editor-foreground); font-family: var(--vscode-font-family);
        font-weight: var(--vscode-font-weight); font-size: var(--vscode-font-size); margin: 0; padding: 0 20px; }
      code { color: var(--vscode-textPreformat-foreground); background-color: var(--vscode-textPreformat-background);
        padding: 1px 3px; border-radius: 4px; }
    }`);
    document.adoptedStyleSheets.push(sheet);
  };
  const wait = new MutationObserver(() => {
    if (document.body === null) return;
    wait.disconnect();
    dress();
  });
  wait.observe(document, { childList: true, subtree: true });
}
