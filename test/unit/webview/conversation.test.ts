/** The conversation on the session page, in a real browser: what it shows in every theme, how it follows, and what it refuses. */
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { Check } from 'typebox/schema';
import { SESSION_PAGE_REQUESTS } from '../../../common/api/panels.ts';
import type { Conversation } from '../../../extension/panels/conversation/conversation.ts';
import { axeProblems } from '../../support/axe.ts';
import { orSkip } from '../../vscode/unavailable.ts';
import { Pages, THEMES } from './page.ts';
import type { OpenOptions, OpenPage } from './page.ts';
import { conversationOf, recordsOf, TALK } from './talk.ts';
import type { Said } from './talk.ts';
import { artifacts, completed, hostileLines, running, SCRIPT, stateOf } from './views.ts';

describe('the conversation on the session page', function () {
  this.timeout(60_000);
  let pages: Pages;

  before(async function () {
    this.timeout(600_000);
    pages = await orSkip(this, Pages.of('session'));
  });
  after(() => pages?.[Symbol.asyncDispose]());

  const show = async (talk: Conversation, options: OpenOptions = {}): Promise<OpenPage> => {
    const open = await pages.open(options);
    await open.page.waitForFunction(() => (window as unknown as { posted: unknown[] }).posted.length > 0);
    await open.tell('state', stateOf(running()));
    await open.tell('conversation', talk.whole());
    await open.page.locator('.talk').waitFor();
    return open;
  };

  const turns = (page: Page): Promise<string[]> =>
    page
      .locator('.turn-body')
      .evaluateAll((all) => all.map((each) => (each as HTMLElement).innerText.replace(/\s+/g, ' ').trim()));

  for (const theme of THEMES)
    it(`has no accessibility problem in ${theme}, folded or not`, async () => {
      await using open = await show(conversationOf(TALK), { theme, height: 1600 });
      await open.screenshot(`conversation-${theme}`);
      assert.deepEqual(await axeProblems(open.page), []);
      for (const summary of await open.page.locator('.fold > summary').all()) await summary.click();
      await open.screenshot(`conversation-open-${theme}`);
      assert.deepEqual(await axeProblems(open.page), []);
      assert.deepEqual(open.faults, []);
    });

  it('tells who said and did what, calls folded with their results', async () => {
    await using open = await show(conversationOf(TALK));
    assert.deepEqual(await turns(open.page), [
      'start started: claude -p',
      'ann@example.com Look for what is slow in the report, and mend it.',
      'Thinking The table of pairs grows with the square of files.',
      'Agent I will look at which files change together most often, and measure first.',
      'Bash done after 4 s git log --numstat --since=2.years | wc -l',
      'Output 2 lines, with errors warning: 3 commits without an author date',
      'Edit failed after 4 s report.py',
      'Write done after 4 s report.py',
      'File /workspace/report.py Write',
      'File /workspace/tests/test_report.py Write',
      'Error the model is overloaded; trying again in 3 s',
      'Question Shall pairs that changed together fewer than five times be left out?',
    ]);
    const call = open.page.locator('.turn', { hasText: 'Bash' });
    await call.locator('summary').focus();
    await open.page.keyboard.press('Enter');
    assert.match(await call.innerText(), /Call\s+git log[^]*Result\s+8831/);
    assert.match(
      await open.page.locator('#usage').innerText(),
      /15,700 tokens in, 3,030 out, \$0\.0979 as the agent counts/,
    );
    assert.match(
      (await open.page.locator('.plot').getAttribute('aria-label')) ?? '',
      /rising to 18,730 tokens and \$0\.0979/,
    );
  });

  it('reads out what the agent says, not every step of its work', async () => {
    const talk = conversationOf(TALK);
    await using open = await show(talk);
    const spoken = open.page.locator('#conversation [aria-live=polite]');
    assert.match(await spoken.innerText(), /^The agent asks: Shall pairs/);
    for (const record of recordsOf([{ type: 'tool-call', name: 'Bash', text: 'ls' }], TALK.length + 1))
      talk.add(record);
    await open.tell('conversation', talk.update());
    await open.page.locator('.turn', { hasText: 'no result yet' }).waitFor();
    assert.match(await spoken.innerText(), /^The agent asks/);
  });

  it('asks for the change of a file that is picked', async () => {
    await using open = await show(conversationOf(TALK));
    await open.page.locator('#changes').getByRole('button', { name: 'report.py', exact: true }).click();
    const request = (await open.requests()).at(-1);
    assert.deepEqual(request, { type: 'openChange', payload: { path: 'report.py' } });
    assert.ok(Check(SESSION_PAGE_REQUESTS.openChange, request.payload));
  });

  it('shows hostile words as text, and nothing of them runs', async () => {
    const said: Said[] = hostileLines.flatMap(({ text }): Said[] => [
      { type: 'assistant', text, name: text.slice(0, 200) },
      { type: 'tool-call', text, name: text.slice(0, 200), id: text.slice(0, 20) },
      { type: 'tool-result', text, id: text.slice(0, 20) },
      { type: 'file-change', text: text.slice(0, 4000), name: text.slice(0, 200) },
      { type: 'question', text, data: { options: [text.slice(0, 150)] } },
      { type: 'user', text, name: text.slice(0, 200) },
    ]);
    await using open = await show(conversationOf(said));
    for (const summary of await open.page.locator('.turn .fold > summary').all())
      await summary.evaluate((element) => (element as HTMLElement).click());
    await open.screenshot('conversation-hostile');
    assert.ok((await open.page.locator('.turn').first().innerText()).includes(SCRIPT));
    assert.equal(await open.page.locator('.page script, .page img, .page a').count(), 0);
    assert.equal(await open.page.evaluate(() => 'hacked' in window), false);
    assert.equal(await open.page.evaluate(() => document.documentElement.scrollWidth), 1200);
    assert.deepEqual(open.faults, []);
  });

  it('stays quick over 10,000 records, and gives what came earlier page by page', async () => {
    const said: Said[] = Array.from({ length: 10_000 }, (_, index) => ({
      type: 'assistant',
      text: `word ${index}: ${'x'.repeat(400)}`,
    }));
    const talk = conversationOf(said.slice(0, 9000));
    await using open = await show(talk);
    const { page } = open;
    const started = performance.now();
    for (const [index, record] of recordsOf(said.slice(9000), 9001).entries()) {
      talk.add(record);
      if (index % 10 === 9) await open.tell('conversation', talk.update());
    }
    await page.locator('.turn', { hasText: 'word 9999:' }).waitFor();
    const took = performance.now() - started;
    // A hundred updates, the way to the browser included, on a machine that may be busy.
    assert.ok(took < 20_000, `${took} ms`);
    assert.ok((await page.locator('.turn').count()) <= 400);
    await page.waitForFunction(() => {
      const part = document.querySelector('.talk');
      return part !== null && part.scrollHeight - part.scrollTop - part.clientHeight < 24;
    });
    await page.locator('.talk').evaluate((part) => part.scrollTo({ top: 0 }));
    const first = Number(/word (\d+)/.exec((await turns(page))[0] ?? '')?.[1]);
    await page.getByRole('button', { name: /Show earlier entries/ }).click();
    assert.deepEqual((await open.requests()).at(-1), { type: 'earlier', payload: { before: first } });
    await open.tell('conversation', talk.earlier(first));
    await page.locator('.turn', { hasText: `word ${first - 200}:` }).waitFor();
    assert.match((await turns(page))[200] ?? '', new RegExp(`word ${first}:`));
    // What was being read is still in sight.
    assert.ok((await page.locator('.talk').evaluate((part) => part.scrollTop)) > 1000);
  });

  it('does not move what is read while more comes', async () => {
    const talk = conversationOf(
      Array.from({ length: 100 }, (_, index) => ({ type: 'assistant', text: `word ${index}` })),
    );
    await using open = await show(talk);
    const part = open.page.locator('.talk');
    await open.page.waitForFunction(() => (document.querySelector('.talk')?.scrollTop ?? 0) > 0);
    await part.evaluate((element) => element.scrollTo({ top: 50 }));
    for (const record of recordsOf([{ type: 'assistant', text: 'the latest' }], 101)) talk.add(record);
    await open.tell('conversation', talk.update());
    await open.page.locator('.turn', { hasText: 'the latest' }).waitFor({ state: 'attached' });
    assert.equal(await part.evaluate((element) => element.scrollTop), 50);
  });

  it('is not there for a log without an agent, and needs no motion, colour or width', async () => {
    await using open = await pages.open({ width: 360, forcedColors: 'active', reducedMotion: 'reduce' });
    await open.page.waitForFunction(() => (window as unknown as { posted: unknown[] }).posted.length > 0);
    await open.tell('state', stateOf(completed(), artifacts));
    await open.tell('conversation', conversationOf([{ type: 'output', text: 'a line' }]).whole());
    await open.page.locator('#log').waitFor();
    assert.equal(await open.page.locator('#conversation').count(), 0);
    await open.tell('conversation', conversationOf(TALK).whole());
    await open.page.locator('.talk').waitFor();
    await open.screenshot('conversation-narrow');
    assert.equal(await open.page.evaluate(() => document.documentElement.scrollWidth), 360);
  });
});
