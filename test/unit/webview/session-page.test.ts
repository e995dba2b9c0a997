/** The session page in a real browser: what it shows, asks for and keeps, in every theme, and what hostile text cannot do. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import type { SessionPageState } from '../../../common/api/panels.ts';
import { orSkip } from '../../vscode/unavailable.ts';
import { Pages, THEMES } from './page.ts';
import type { OpenOptions, OpenPage } from './page.ts';
import {
  artifacts,
  completed,
  failed,
  hostileLines,
  logLines,
  logOf,
  pending,
  running,
  SCRIPT,
  stateOf,
  stopping,
} from './views.ts';

const require = createRequire(import.meta.url);

describe('the session page', function () {
  this.timeout(60_000);
  let pages: Pages;
  let axe: string;

  before(async function () {
    this.timeout(600_000);
    pages = await orSkip(this, Pages.of('session'));
    axe = await readFile(require.resolve('axe-core/axe.min.js'), 'utf8');
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

  const axeProblems = async (page: Page): Promise<string[]> => {
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() =>
      (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
    );
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`),
    );
  };

  for (const theme of THEMES)
    it(`has no accessibility problem in ${theme}, finished, running, failed or with a problem`, async () => {
      const states: [string, SessionPageState][] = [
        ['completed', stateOf(completed(), artifacts)],
        ['running', stateOf(running())],
        ['failed', stateOf(failed())],
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
      for (const [name, state] of states) {
        await using open = await show(state, logOf(logLines), { theme });
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
});
