/** The page of a picture in a real browser: in every theme, by keyboard, and with pictures that mean harm. */
import assert from 'node:assert/strict';
import { pictureHtml } from '../../../extension/artifacts/picture-html.ts';
import { axeProblems } from '../../support/axe.ts';
import { orSkip } from '../../vscode/unavailable.ts';
import { Pages, THEMES } from './page.ts';
import type { OpenOptions, OpenPage } from './page.ts';

const svg = (inside: string, size = 'width="400" height="300"'): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${inside}</svg>`;
const BARS = svg('<rect x="20" y="20" width="100" height="260" fill="teal"/>');

describe('the page of a picture', function () {
  this.timeout(60_000);
  let pages: Pages;

  before(async function () {
    this.timeout(600_000);
    pages = await orSkip(this, Pages.of('artifact', pictureHtml));
  });
  after(() => pages?.[Symbol.asyncDispose]());

  const show = async (text: string, options: OpenOptions = {}): Promise<OpenPage> => {
    const open = await pages.open(options);
    await open.page.waitForFunction(() => (window as unknown as { posted: unknown[] }).posted.length > 0);
    await tell(open, text);
    return open;
  };
  const tell = (open: OpenPage, text: string): Promise<void> =>
    open.page.evaluate((source) => {
      const payload = {
        name: 'chart.svg',
        contentType: 'image/svg+xml',
        bytes: new TextEncoder().encode(source),
      };
      window.postMessage({ type: 'picture', payload }, '*');
    }, text);

  for (const theme of THEMES)
    it(`can be used by everybody in ${theme}`, async () => {
      await using open = await show(BARS, { theme });
      await open.page.locator('.about', { hasText: '400 × 300 · 100 %' }).waitFor();
      await open.screenshot(`picture-page-${theme}`);
      assert.deepEqual(await axeProblems(open.page), []);
      assert.deepEqual(open.faults, []);
    });

  it('zooms by keyboard and fits again', async () => {
    await using open = await show(BARS, { width: 300, height: 300 });
    const { page } = open;
    const width = (): Promise<number> => page.locator('img').evaluate((image) => image.clientWidth);
    await page.locator('.about', { hasText: '400 × 300' }).waitFor();
    const fitted = await width();
    assert.ok(fitted <= 300, `${fitted} is no more than the window`);
    await page.keyboard.press('1');
    await page.locator('.about', { hasText: '100 %' }).waitFor();
    assert.equal(await width(), 400);
    await page.keyboard.press('-');
    await page.locator('.about', { hasText: '80 %' }).waitFor();
    assert.equal(await width(), 320);
    await page.keyboard.press('0');
    await page.waitForFunction(
      (wanted) =>
        document.querySelector('picture-page')?.shadowRoot?.querySelector('img')?.clientWidth === wanted,
      fitted,
    );
  });

  it('asks to be opened as text and saved, also by keyboard', async () => {
    await using open = await show(BARS);
    await open.page.getByRole('button', { name: 'Open as Text' }).press('Enter');
    await open.page.getByRole('button', { name: 'Save As…' }).press('Space');
    assert.deepEqual(await open.requests(), ['ready', 'openAsText', 'save']);
  });

  it('runs and loads nothing that a picture brings along', async () => {
    await using open = await show(
      svg(`<script>alert(1)</script><image href="http://evil.test/x.png"/><rect onload="alert(2)" width="9" height="9"/>
        <foreignObject><iframe xmlns="http://www.w3.org/1999/xhtml" src="http://evil.test/"/></foreignObject>`),
    );
    await open.page.locator('.about', { hasText: '400 × 300' }).waitFor();
    assert.deepEqual(open.faults, []);
  });

  it('shows a picture without a size, the next one, and says when one is none', async () => {
    await using open = await show(svg('<circle r="5"/>', 'viewBox="0 0 10 10"'));
    await open.page.locator('.about', { hasText: '×' }).waitFor();
    await tell(open, BARS);
    await open.page.locator('.about', { hasText: '400 × 300' }).waitFor();
    await tell(open, 'no picture');
    await open.page.getByRole('alert').waitFor();
    await tell(open, BARS);
    await open.page.locator('img').waitFor();
    await open.tell('problem', { message: 'The session was deleted.' });
    assert.equal(await open.page.getByRole('alert').innerText(), 'The session was deleted.');
  });
});
