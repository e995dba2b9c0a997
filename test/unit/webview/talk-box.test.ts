/** Talking to the agent from the session page, in a real browser: keys, what is kept, and why it cannot be done. */
import assert from 'node:assert/strict';
import { Check } from 'typebox/schema';
import { SESSION_PAGE_REQUESTS } from '../../../common/api/panels.ts';
import type { SessionPageState } from '../../../common/api/panels.ts';
import { axeProblems } from '../../support/axe.ts';
import { orSkip } from '../../vscode/unavailable.ts';
import { Pages, THEMES } from './page.ts';
import type { OpenOptions, OpenPage } from './page.ts';
import { conversationOf, TALK } from './talk.ts';
import { asks, SCRIPT, talkingState } from './views.ts';

const MAY_NOT = 'You may not say something to sessions in demo.';

describe('talking to the agent from the session page', function () {
  this.timeout(60_000);
  let pages: Pages;

  before(async function () {
    this.timeout(600_000);
    pages = await orSkip(this, Pages.of('session'));
  });
  after(() => pages?.[Symbol.asyncDispose]());

  const show = async (state: SessionPageState, options: OpenOptions = {}): Promise<OpenPage> => {
    const open = await pages.open(options);
    await open.page.waitForFunction(() => (window as unknown as { posted: unknown[] }).posted.length > 0);
    await open.tell('state', state);
    await open.tell('conversation', conversationOf(TALK).whole());
    await open.page.locator('.turn').first().waitFor();
    return open;
  };
  const messages = async (open: OpenPage): Promise<unknown[]> =>
    (await open.requests()).filter(({ type }) => type === 'message').map(({ payload }) => payload);

  for (const theme of THEMES)
    it(`has no accessibility problem in ${theme}, open, asked or closed`, async () => {
      await using open = await show(talkingState(), { theme, height: 1400 });
      for (const [name, state] of [
        ['open', talkingState()],
        ['asked', talkingState(asks('Which branch?'))],
        ['refused', talkingState({}, { message: MAY_NOT, interrupt: MAY_NOT })],
      ] as const) {
        await open.tell('state', state);
        await open.page.locator('.talk-box textarea').waitFor();
        await open.screenshot(`talk-${name}-${theme}`);
        assert.deepEqual(await axeProblems(open.page), [], name);
      }
      assert.deepEqual(open.faults, []);
    });

  it('sends with Enter, breaks lines with Shift+Enter, and clears the box once it is taken', async () => {
    await using open = await show(talkingState());
    const box = open.page.getByRole('textbox', { name: 'Message to the agent' });
    await box.focus();
    await open.page.keyboard.press('Enter');
    await open.page.keyboard.type('first line');
    await open.page.keyboard.press('Shift+Enter');
    await open.page.keyboard.type(SCRIPT);
    await open.page.keyboard.press('Enter');
    await open.page.getByRole('button', { name: 'Sending…' }).waitFor();
    await open.page.keyboard.press('Enter');
    assert.deepEqual(await messages(open), [{ text: `first line\n${SCRIPT}` }]);
    for (const payload of await messages(open)) assert.ok(Check(SESSION_PAGE_REQUESTS.message, payload));
    assert.equal(await box.inputValue(), `first line\n${SCRIPT}`);
    await open.tell('said', { what: 'message' });
    await open.page.getByRole('button', { name: 'Send', exact: true }).waitFor();
    assert.equal(await box.inputValue(), '');
    assert.deepEqual(open.faults, []);
  });

  it('keeps the words when they were not taken, and over a restart of the page', async () => {
    let saved: unknown;
    {
      await using open = await show(talkingState());
      const box = open.page.getByRole('textbox', { name: 'Message to the agent' });
      await box.fill('please go on');
      await open.page.getByRole('button', { name: 'Send', exact: true }).click();
      await open.tell('said', { what: 'message', problem: 'The operator does not answer. Try again.' });
      await open.page.getByRole('alert').waitFor();
      assert.match(await open.page.getByRole('alert').innerText(), /operator does not answer/);
      assert.equal(await box.inputValue(), 'please go on');
      saved = await open.saved();
    }
    await using again = await show(talkingState(), { saved });
    assert.equal(await again.page.locator('.talk-box textarea').inputValue(), 'please go on');
  });

  it('offers the answers of a question, without touching what is being written', async () => {
    await using open = await show(talkingState(asks('Shall they be left out?')));
    assert.match(await open.page.locator('.state').innerText(), /Needs input/i);
    assert.match(await open.page.locator('header .message').innerText(), /Shall they be left out/);
    const box = open.page.getByRole('textbox', { name: 'Message to the agent' });
    await box.fill('half a thought');
    await open.page.getByRole('button', { name: 'No, show all of them' }).click();
    assert.deepEqual(await messages(open), [{ text: 'No, show all of them' }]);
    await open.tell('said', { what: 'message' });
    await open.page.getByRole('button', { name: 'Answer', exact: true }).waitFor();
    assert.equal(await box.inputValue(), 'half a thought');
  });

  it('says why nothing can be said, and lets nothing be said then', async () => {
    await using open = await show(talkingState({}, { message: MAY_NOT, interrupt: MAY_NOT }));
    const { page } = open;
    const note = page.locator('#talk-note');
    assert.equal((await note.innerText()).trim(), MAY_NOT);
    assert.equal(await page.locator('.talk-box textarea').isDisabled(), true);
    assert.equal(await page.getByRole('button', { name: 'No, show all of them' }).count(), 0);
    await page.getByRole('button', { name: /^Interrupt \(You may not/ }).click({ force: true });
    await open.tell('state', talkingState({ phase: 'Completed' }));
    await note.filter({ hasText: 'The session has ended.' }).waitFor();
    assert.equal(await page.getByRole('button', { name: /^Interrupt/ }).count(), 0);
    assert.deepEqual(
      (await open.requests()).map(({ type }) => type),
      ['ready'],
    );
  });

  it('says that a spent budget has it wait, and asks for a raise', async () => {
    const paused = talkingState({ cost: { total: '2.50' } });
    const view = paused.view;
    assert.ok(view);
    view.state = 'attention';
    view.cost = {
      total: '$2.50',
      budget: { limit: '$2.50', percent: 100 },
      canRaise: true,
      paused: 'Paused: the budget is spent. Raise its budget, or stop it.',
      breakdown: [],
    };
    await using open = await show(paused);
    await open.screenshot('budget-paused');
    assert.match(await open.page.locator('header .message').innerText(), /Paused: the budget is spent/);
    await open.page.getByRole('button', { name: 'Raise Budget…' }).click();
    assert.deepEqual((await open.requests()).at(-1), { type: 'raiseBudget', payload: {} });
    await open.tell('state', { ...paused, refusals: { budget: 'You may not raise budgets.' } });
    await open.page.getByRole('button', { name: /^Raise Budget… \(You may not raise/ }).waitFor();
  });

  it('tells what is on its way, and what is too long to be sent', async () => {
    const claim = {
      seq: 3,
      id: 'a',
      kind: 'message',
      by: 'ann',
      at: '2030-01-01T00:00:00Z',
      digest: 'x',
    } as const;
    await using open = await show(talkingState({ input: { open: true, messages: [claim] } }));
    const note = open.page.locator('#talk-note');
    assert.match(await note.innerText(), /3 messages are on the way/);
    await open.tell('conversation', { ...conversationOf(TALK).whole(), heard: 3 });
    await note.filter({ hasText: 'Enter sends' }).waitFor();
    await open.page.locator('.talk-box textarea').fill('ü'.repeat(9000));
    await note.filter({ hasText: 'at most 16 KiB' }).waitFor();
    await open.page.keyboard.press('Enter');
    assert.deepEqual(await messages(open), []);
    await open.page.getByRole('button', { name: 'Interrupt', exact: true }).click();
    assert.deepEqual((await open.requests()).at(-1), { type: 'interrupt', payload: {} });
  });
});
