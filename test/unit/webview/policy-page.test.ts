/** The policy page in a real browser: what it shows and asks for, in every theme. */
import assert from 'node:assert/strict';
import { Check } from 'typebox/schema';
import type { NamespacePolicy } from '../../../common/api/namespace-policy.ts';
import { POLICY_PAGE_REQUESTS } from '../../../common/api/panels.ts';
import type { PolicyPageState } from '../../../common/api/panels.ts';
import { policyView } from '../../../extension/policies/policy-view.ts';
import { axeProblems } from '../../support/axe.ts';
import { aPolicy } from '../../support/fixtures.ts';
import { orSkip } from '../../vscode/unavailable.ts';
import { Pages, THEMES } from './page.ts';
import type { OpenOptions, OpenPage } from './page.ts';
import { SCRIPT } from './views.ts';

const AT = '2030-01-01T00:00:00Z';

function policy(spent: string): NamespacePolicy {
  const made = aPolicy('team-a', {
    models: {
      allowed: ['claude-*', 'gpt-5*'],
      blocked: ['*-opus-*'],
      budget: { monthly: '100.00', perSession: '5.00', resetDay: 1 },
    },
    tools: { blocked: ['WebFetch', SCRIPT], restrictions: { network: true, execution: false } },
    approval: {
      required: true,
      approvers: ['team-leads', 'bob@example.com'],
      autoApprove: { triggers: ['github'], budget: '1.00' },
    },
    notifications: { webhooks: [{ url: 'https://hooks.example/x', events: ['session.failed'] }] },
  });
  made.status = {
    usage: {
      budget: { currentMonth: spent, reserved: '15.00', lastReset: AT, percentUsed: 0 },
      sessions: { active: 12, waiting: 2, total: 340 },
    },
    notifications: {
      pending: 1,
      failed: 1,
      deadLetters: [
        {
          id: 'x',
          event: 'session.failed',
          target: 'https://hooks.example',
          session: 's1',
          at: AT,
          reason: 'answered 500 for 24 h',
        },
      ],
    },
    conditions: [
      { type: 'ConfigValid', status: 'True', reason: 'Valid', message: '', lastTransitionTime: AT },
      {
        type: 'BudgetWarning',
        status: 'True',
        reason: 'Near',
        message: 'More than 80 % is spent.',
        lastTransitionTime: AT,
      },
    ],
  };
  return made;
}

const stateOf = (
  shown: NamespacePolicy | undefined,
  more: Partial<PolicyPageState> = {},
): PolicyPageState => ({
  ref: { cluster: 'kind-ambient', namespace: 'team-a' },
  view: policyView('team-a', shown, Date.parse(AT)),
  ...more,
});

describe('the policy page', function () {
  this.timeout(60_000);
  let pages: Pages;

  before(async function () {
    this.timeout(600_000);
    pages = await orSkip(this, Pages.of('policy'));
  });
  after(() => pages?.[Symbol.asyncDispose]());

  const show = async (state: PolicyPageState, options: OpenOptions = {}): Promise<OpenPage> => {
    const open = await pages.open(options);
    await open.page.waitForFunction(() => (window as unknown as { posted: unknown[] }).posted.length > 0);
    await open.tell('state', state);
    await open.page.locator('h1').first().waitFor();
    return open;
  };
  const invalid = policy('100.00');
  const [valid] = invalid.status?.conditions ?? [];
  if (valid !== undefined) Object.assign(valid, { status: 'False', message: 'spec.tools: a contradiction' });
  const STATES: [string, PolicyPageState][] = [
    ['set', stateOf(policy('84.50'))],
    ['none', stateOf(undefined, { editRefusal: 'You may not create the policy in team-a.' })],
    ['invalid', stateOf(invalid)],
    [
      'forbidden',
      {
        ref: { cluster: 'kind-ambient', namespace: 'team-a' },
        problem: {
          title: 'You may not see the policy of this namespace',
          message: 'forbidden',
          remedy: 'Ask.',
          actions: [{ id: 'retry', title: 'Retry' }],
        },
      },
    ],
  ];

  for (const theme of THEMES)
    it(`has no accessibility problem in ${theme}, set, absent, invalid or forbidden`, async () => {
      await using open = await show(stateOf(policy('84.50')), { theme });
      for (const [name, state] of STATES) {
        await open.tell('state', state);
        await open.page.waitForFunction(
          (has) => (document.querySelector('[role=alert]') !== null) === has,
          name === 'invalid' || name === 'forbidden',
        );
        await open.screenshot(`policy-${name}-${theme}`);
        assert.deepEqual(await axeProblems(open.page), [], name);
        assert.deepEqual(open.faults, [], name);
      }
    });

  it('measures the budget in words too, and shows names as text', async () => {
    await using open = await show(stateOf(policy('84.50')));
    const { page } = open;
    const bar = page.getByRole('meter', { name: 'Budget of this month' });
    assert.equal(await bar.getAttribute('aria-valuetext'), '$84.50 of $100.00 spent (84.5 %)');
    assert.match(await page.locator('#budget').innerText(), /More than 80 %[^]*Free\s+\$0\.50/);
    assert.match(await page.locator('#tools').innerText(), /<script>/);
    assert.equal(await page.locator('.page script').count(), 0);
    assert.match(await page.locator('#notifications').innerText(), /answered 500 for 24 h/);
  });

  it('offers to create what is not there, and not to one who may not', async () => {
    await using open = await show(stateOf(undefined));
    const { page } = open;
    assert.match(await page.locator('header').innerText(), /has no policy: these defaults hold/);
    await page.getByRole('button', { name: 'Create a Policy' }).focus();
    await page.keyboard.press('Enter');
    await open.tell('state', stateOf(policy('1.00'), { editRefusal: 'Ask an administrator.' }));
    await page.getByRole('button', { name: /^Edit as YAML \(Ask an administrator/ }).click({ force: true });
    const asked = await open.requests();
    assert.deepEqual(
      asked.map(({ type }) => type),
      ['ready', 'edit'],
    );
    for (const { type, payload } of asked)
      assert.ok(Check(POLICY_PAGE_REQUESTS[type as keyof typeof POLICY_PAGE_REQUESTS], payload), type);
  });

  it('fits a narrow editor, and remembers which sections are closed', async () => {
    await using open = await show(stateOf(policy('84.50')), { width: 360 });
    assert.equal(await open.page.evaluate(() => document.documentElement.scrollWidth), 360);
    await open.page.locator('#tools > summary').click();
    await open.page.waitForFunction(() =>
      (window as unknown as { state?: { closed?: string[] } }).state?.closed?.includes('tools'),
    );
    assert.deepEqual(await open.saved(), {
      ref: { cluster: 'kind-ambient', namespace: 'team-a' },
      closed: ['tools'],
    });
  });
});
