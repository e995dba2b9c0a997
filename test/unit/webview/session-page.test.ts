/** The session page in a real browser: what it shows, asks for and keeps, in every theme, and what hostile text cannot do. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { Check } from 'typebox/schema';
import { SESSION_PAGE_REQUESTS } from '../../../common/api/panels.ts';
import type { SessionPageState } from '../../../common/api/panels.ts';
import { axeProblems } from '../../support/axe.ts';
import { orSkip } from '../../vscode/unavailable.ts';
import { Pages, THEMES } from './page.ts';
import type { OpenOptions, OpenPage } from './page.ts';
import {
  artifacts,
  awaitingState,
  completed,
  failed,
  hostileLines,
  inLine,
  logLines,
  logOf,
  pending,
  rejected,
  running,
  SCRIPT,
  stateOf,
  stopping,
} from './views.ts';

/** Of the page: so long it has come to rest before it remembers how far it is scrolled. */
const SCROLL_REST_MS = 150;
const NOT_YOU = 'The policy of the namespace names others as approvers: team-leads.';

describe('the session page', function () {
  this.timeout(60_000);
  let pages: Pages;

  before(async function () {
    this.timeout(600_000);
    pages = await orSkip(this, Pages.of('session'));
  });
  after(() => pages?.[Symbol.asyncDispose]());

  const show = async (
    state: SessionPageState,
    log: unknown,
    options: OpenOptions = {},
  ): Promise<OpenPage> => {
    const open = await pages.open(options);
    await open.page.waitForFunction(() => (window as unknown as { posted: unknown[] }).posted.length > 0);
    await open.tell('state', state);
    if (log !== undefined) await open.tell('log', log);
    await open.page.locator('h1, .problem').first().waitFor();
    if (log !== undefined) await open.page.locator('.log').waitFor();
    return open;
  };

  for (const theme of THEMES)
    it(`has no accessibility problem in ${theme}, finished, running, failed or with a problem`, async () => {
      const states: [string, SessionPageState][] = [
        ['completed', stateOf(completed(), artifacts)],
        ['running', stateOf(running())],
        ['failed', stateOf(failed())],
        ['approval', awaitingState()],
        ['approval-refused', awaitingState({ approve: NOT_YOU, reject: NOT_YOU, stop: NOT_YOU })],
        ['rejected', stateOf(rejected())],
        [
          'problem',
          {
            ...stateOf(stopping()),
            problem: {
              title: 'The cluster cannot be reached',
              message: 'connect ECONNREFUSED 127.0.0.1:6443',
              remedy: 'Check that the cluster runs and can be reached from here.',
              actions: [
                { id: 'retry', title: 'Retry' },
                { id: 'ambient.selectContexts', title: 'Select Contexts…' },
              ],
            },
          },
        ],
      ];
      await using open = await show(stateOf(completed(), artifacts), logOf(logLines), { theme });
      for (const [name, state] of states) {
        await open.tell('state', state);
        await open.page
          .locator(`.state-${state.view?.state ?? ''}`)
          .first()
          .waitFor();
        await open.screenshot(`session-${name}-${theme}`);
        assert.deepEqual(await axeProblems(open.page), [], name);
        assert.deepEqual(open.faults, [], name);
      }
    });

  it('fits a narrow editor, and one with pending source', async () => {
    for (const width of [360, 640]) {
      await using open = await show(stateOf(completed(), artifacts), logOf(logLines), { width });
      await open.screenshot(`session-narrow-${width}`);
      assert.equal(await open.page.evaluate(() => document.documentElement.scrollWidth), width);
    }
    await using open = await show(stateOf(pending()), undefined);
    await open.screenshot('session-pending');
    assert.match(await open.page.locator('[aria-current=step]').innerText(), /Source/);
  });

  it('shows hostile output as text, and nothing of it runs', async () => {
    const session = completed();
    session.spec.displayName = SCRIPT;
    session.metadata.namespace = SCRIPT;
    const evil = artifacts.map((each) => ({
      ...each,
      path: `${SCRIPT}\u202e/${each.path}`,
      contentType: SCRIPT,
    }));
    if (session.status?.history?.[0] !== undefined) session.status.history[0].actor = SCRIPT;
    await using open = await show(stateOf(session, evil), logOf(hostileLines));
    await open.screenshot('session-hostile');
    const log = open.page.locator('.log');
    assert.ok((await log.locator('.line').first().innerText()).includes(SCRIPT));
    assert.equal(await open.page.locator('.page script, .page img, .page a').count(), 0);
    assert.equal(await open.page.evaluate(() => 'hacked' in window), false);
    assert.match(await log.locator('.line').nth(1).innerText(), /red a link and cleared$/);
    assert.match(await log.locator('.line').nth(2).innerText(), /invoice-RLOgnp\.exe/);
    assert.deepEqual(open.faults, []);
  });

  it('asks for what its buttons say, by mouse and by keyboard', async () => {
    await using open = await show(
      stateOf({ ...completed(), status: { ...completed().status, phase: 'Running' } }, artifacts),
      logOf(logLines),
    );
    const { page } = open;
    for (const name of ['Open Log', 'Stop…', 'Open YAML', 'Copy Name', 'Delete…'])
      await page.getByRole('button', { name, exact: true }).click();
    await page.getByRole('button', { name: 'out/chart.svg', exact: true }).click();
    await page.getByRole('button', { name: 'Save out/report.md' }).focus();
    await page.keyboard.press('Enter');
    assert.deepEqual(await open.requests(), [
      { type: 'ready', payload: {} },
      { type: 'openLog', payload: {} },
      { type: 'stop', payload: {} },
      { type: 'openYaml', payload: {} },
      { type: 'copyName', payload: {} },
      { type: 'delete', payload: {} },
      { type: 'openArtifact', payload: { path: 'out/chart.svg' } },
      { type: 'saveArtifact', payload: { path: 'out/report.md' } },
    ]);
    for (const { type, payload } of await open.requests())
      assert.ok(Check(SESSION_PAGE_REQUESTS[type as keyof typeof SESSION_PAGE_REQUESTS], payload), type);
  });

  it('shows an approver what is asked, as text, and asks for the decision', async () => {
    await using open = await show(awaitingState(), undefined);
    const { page } = open;
    const card = page.locator('.approval');
    assert.match(
      await card.innerText(),
      /Waits for approval[^]*prompt[^]*Read every file\.\n<script>[^]*ann@example\.com \(team-a\)[^]*\$2\.50[^]*team-leads/,
    );
    assert.equal(await page.locator('.approval script').count(), 0);
    await card.getByRole('button', { name: 'Approve…' }).click();
    await card.getByRole('button', { name: 'Reject…' }).click();
    await card.getByRole('button', { name: 'Open Policy' }).click();
    assert.deepEqual(
      (await open.requests()).map(({ type }) => type),
      ['ready', 'approve', 'reject', 'openPolicy'],
    );
  });

  it('does not let press what one may not do, and says why', async () => {
    await using open = await show(
      awaitingState({ approve: NOT_YOU, reject: NOT_YOU, stop: 'You may not stop sessions.' }),
      undefined,
    );
    const { page } = open;
    for (const name of ['Approve…', 'Reject…'])
      await page.getByRole('button', { name }).click({ force: true });
    await page.getByRole('button', { name: /^Stop… \(You may not stop sessions/ }).click({ force: true });
    assert.equal(await page.locator('.approval .refusal').innerText(), NOT_YOU);
    assert.deepEqual(
      (await open.requests()).map(({ type }) => type),
      ['ready'],
    );
  });

  it('says who decided, when and why, and where the session stands in line', async () => {
    await using open = await show(stateOf(rejected()), undefined);
    assert.match(
      await open.page.locator('.approval').innerText(),
      /Rejected\s+By bob@example\.com .*: Too broad/,
    );
    assert.match(await open.page.locator('.step-failed').first().innerText(), /Approval/);
    await open.tell('state', stateOf(inLine()));
    await open.page.locator('.message', { hasText: '3rd in line' }).waitFor();
  });

  it('can be walked through with the Tab key, in the order it is read', async () => {
    await using open = await show(stateOf(completed(), artifacts.slice(0, 1)), logOf(logLines));
    const walked: string[] = [];
    for (let step = 0; step < 16; step += 1) {
      await open.page.keyboard.press('Tab');
      walked.push(
        await open.page.evaluate(() => {
          const { activeElement: at } = document;
          return at?.getAttribute('aria-label') ?? at?.textContent?.replace(/\s+/g, ' ').trim() ?? '';
        }),
      );
    }
    assert.deepEqual(walked, [
      'Open Log',
      'Resume…',
      'Open YAML',
      'Copy Name',
      'Audit Records',
      'Delete…',
      'Log',
      'End of the log',
      'Artifacts 1, 1 in all',
      'changes.patch',
      'Save changes.patch',
      'History',
      'Details',
      'Cost',
      'Conditions',
      'Workload',
    ]);
  });

  it('offers the actions of a problem, and is empty but for it where nothing was seen', async () => {
    const problem = {
      title: 'There is no such session',
      message: 'The namespace demo holds no session s1.',
      remedy: 'It may have been deleted.',
      actions: [
        { id: 'retry', title: 'Retry' },
        { id: 'close', title: 'Close Page' },
      ],
    };
    await using open = await show(
      { ref: { cluster: 'kind', namespace: 'demo', name: 's1' }, problem },
      undefined,
    );
    await open.screenshot('session-missing');
    assert.deepEqual(await axeProblems(open.page), []);
    assert.match(
      await open.page.getByRole('alert').innerText(),
      /no such session[^]*holds no session[^]*deleted/,
    );
    await open.page.getByRole('button', { name: 'Close Page' }).click();
    assert.deepEqual((await open.requests()).at(-1), { type: 'act', payload: { action: 'close' } });
  });

  it('tells screen readers when the state changes', async () => {
    await using open = await show(stateOf(running()), logOf(logLines));
    const live = open.page.locator('[aria-live=polite]');
    assert.equal((await live.innerText()).trim(), 'Report on the history of this repository: running');
    await open.tell('state', stateOf(completed(), artifacts));
    await open.page.locator('.state', { hasText: /completed/i }).waitFor();
    assert.equal((await live.innerText()).trim(), 'Report on the history of this repository: completed');
  });

  it('keeps to the end of the log as lines come, unless the reader has scrolled up', async () => {
    const many = Array.from({ length: 150 }, (_, index) => ({
      ...logLines[2],
      seq: index + 1,
      text: `line ${index + 1}`,
    }));
    await using open = await show(stateOf(running()), logOf(many as typeof logLines));
    const { page } = open;
    const fromEnd = (): Promise<number> =>
      page.locator('.log').evaluate((log) => Math.round(log.scrollHeight - log.scrollTop - log.clientHeight));
    const more = async (seq: number): Promise<void> => {
      await open.tell('log', {
        reset: false,
        state: 'following',
        lines: [{ ...logLines[2], seq, text: `line ${seq}` }],
      });
      await page.locator('.line', { hasText: new RegExp(`line ${seq}\\b`) }).waitFor();
    };
    await page.waitForFunction(() => {
      const log = document.querySelector('.log');
      return log !== null && log.scrollHeight - log.scrollTop - log.clientHeight < 2;
    });
    await more(151);
    assert.ok((await fromEnd()) < 2);
    await page.locator('.log').evaluate((log) => log.scrollTo({ top: 100 }));
    await more(152);
    assert.equal(await page.locator('.log').evaluate((log) => log.scrollTop), 100);
    for (let seq = 153; seq < 260; seq += 1)
      await open.tell('log', {
        reset: false,
        state: 'following',
        lines: [{ ...logLines[2], seq, text: `line ${seq}` }],
      });
    await page.locator('.line', { hasText: /line 259\b/ }).waitFor();
    assert.equal(await page.locator('.line').count(), 200);
    assert.match(await page.locator('#log').innerText(), /The last 200 lines/);
  });

  it('shows all of a huge line when asked to, and stays usable', async () => {
    await using open = await show(stateOf(completed()), logOf(hostileLines));
    const line = open.page.locator('.line').nth(4);
    const short = await line.evaluate((element) => element.textContent?.length ?? 0);
    assert.ok(short < 3000, `${short}`);
    const started = performance.now();
    await line.getByRole('button', { name: /Show all/ }).click();
    await open.page.waitForFunction(
      () => (document.querySelectorAll('.line')[4]?.textContent?.length ?? 0) > 400_000,
    );
    await open.page.getByRole('button', { name: 'Copy Name' }).click();
    assert.deepEqual((await open.requests()).at(-1), { type: 'copyName', payload: {} });
    assert.ok(performance.now() - started < 15_000);
    assert.match(await line.innerText(), /more characters are not shown/);
  });

  it('remembers closed sections, how far it was scrolled and which session it shows', async () => {
    let saved: unknown;
    {
      await using open = await show(stateOf(completed(), artifacts), logOf(logLines), { height: 500 });
      await open.page.locator('#artifacts > summary').click();
      await open.page.evaluate(() => window.scrollTo({ top: 300 }));
      await open.page.waitForFunction(
        () => (window as unknown as { state?: { scroll?: number } }).state?.scroll === 300,
      );
      saved = await open.saved();
    }
    assert.deepEqual(saved, {
      ref: { cluster: 'kind-ambient', namespace: 'demo', name: 'report-on-history-x7k2p', uid: 'uid' },
      scroll: 300,
      closed: ['artifacts'],
      allHistory: false,
    });
    await using again = await show(stateOf(completed(), artifacts), logOf(logLines), { height: 500, saved });
    await again.page.waitForFunction(() => window.scrollY === 300);
    assert.equal(
      await again.page.locator('#artifacts').evaluate((part) => (part as HTMLDetailsElement).open),
      false,
    );
    assert.equal(
      await again.page.locator('#history').evaluate((part) => (part as HTMLDetailsElement).open),
      true,
    );
  });

  it('goes back to where it was scrolled also where the log comes later than the session', async () => {
    const lines = Array.from({ length: 150 }, (_, index) => ({
      ...logLines[2],
      seq: index + 1,
      text: `line ${index + 1}`,
    })) as typeof logLines;
    const size = { width: 500, height: 300 };
    const longest = (page: OpenPage['page']): Promise<number> =>
      page.evaluate(() => document.documentElement.scrollHeight - window.innerHeight);
    let scroll: number;
    {
      await using open = await show(stateOf(completed()), logOf(lines), size);
      scroll = await longest(open.page);
    }
    const saved = { scroll, closed: [], allHistory: false };
    await using open = await show(stateOf(completed()), undefined, { ...size, saved });
    const { page } = open;
    const at = (): Promise<number> => page.evaluate(() => window.scrollY);
    await page.waitForFunction(() => window.scrollY > 0);
    assert.ok((await longest(page)) < scroll, 'the page is not as long yet');
    await delay(2 * SCROLL_REST_MS);
    assert.equal(Reflect.get(Object(await open.saved()), 'scroll'), scroll, 'which is not remembered');
    await open.tell('log', logOf(lines));
    await page.waitForFunction((top) => window.scrollY === top, scroll);
    await page.evaluate(() => window.scrollTo({ top: 100 }));
    await open.tell('log', logOf(lines.slice(0, 100)));
    await page.waitForFunction(() => document.querySelectorAll('.line').length === 100);
    assert.equal(await at(), 100, 'who has scrolled since is left where they are');
  });

  it('does without motion and without colours of its own where the person wants that', async () => {
    await using open = await show(stateOf(running()), logOf(logLines), {
      theme: 'high-contrast-dark',
      forcedColors: 'active',
      reducedMotion: 'reduce',
    });
    await open.screenshot('session-forced-colors');
    const animation = await open.page
      .locator('.step-active .icon .filled')
      .evaluate((dot) => getComputedStyle(dot).animationName);
    assert.equal(animation, 'none');
    assert.match(await open.page.locator('.state').innerText(), /running/i);
  });

  it('does not begin again what a person reads when the state is told anew', async () => {
    await using open = await show(stateOf(completed(), artifacts), logOf(logLines));
    await open.page.getByRole('button', { name: 'Save out/report.md' }).focus();
    await open.tell(
      'state',
      stateOf(completed(), [...artifacts, { ...artifacts[0], path: 'z.txt' } as (typeof artifacts)[0]]),
    );
    await open.page.getByRole('button', { name: 'z.txt', exact: true }).waitFor();
    const focused = await open.page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
    assert.equal(focused, 'Save out/report.md');
  });
});
