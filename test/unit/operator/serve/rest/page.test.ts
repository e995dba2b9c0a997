/** The page of the REST API in a real browser, served by the real door. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { pino } from 'pino';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { Registry } from 'prom-client';
import { downloadArtifact, listNamespaces, streamLog } from '../../../../../common/api/rest/operations.ts';
import type { Door } from '../../../../../operator/serve/http/server.ts';
import { AccessReviews } from '../../../../../operator/serve/identity/access.ts';
import { Identities } from '../../../../../operator/serve/identity/identities.ts';
import { ReviewedTokens } from '../../../../../operator/serve/identity/token-review.ts';
import { EventStream } from '../../../../../operator/serve/rest/event-stream.ts';
import { AddressLimits } from '../../../../../operator/serve/rest/limits.ts';
import { sendRaw } from '../../../../../operator/serve/rest/raw.ts';
import { addService, service } from '../../../../../operator/serve/rest/routes.ts';
import { createRestServer } from '../../../../../operator/serve/rest/server.ts';
import { axeProblems } from '../../../../support/axe.ts';
import { anAccesses, CollectedAudit, refusalsOf } from '../../../../support/audit.ts';
import { TestCertificates } from '../../../../support/certificates.ts';
import { Contract } from '../../../../support/openapi.ts';
import { skipBecause } from '../../../../support/skip.ts';
import { temporaryStore } from '../../../../support/temporary-store.ts';
import type { TemporaryStore } from '../../../../support/temporary-store.ts';
import { findChromium } from '../../../../vscode/chromium.ts';
import { VscodeUnavailable } from '../../../../vscode/unavailable.ts';

describe('the page of the REST API', function () {
  this.timeout(60_000);
  let browser: Browser | undefined;
  let door: Door | undefined;
  let temporary: TemporaryStore | undefined;
  let base: string;
  const streamEnded = Promise.withResolvers<void>();

  before(async function () {
    this.timeout(300_000);
    try {
      const executablePath = await findChromium(() => undefined, process.env);
      // Chromium refuses its sandbox to root.
      browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    } catch (error) {
      if (error instanceof VscodeUnavailable) skipBecause(this, error.message);
      throw error;
    }
    temporary = await temporaryStore();
    const elapsed = (): number => performance.now();
    const reviewer = {
      tokenReview: async (token: string) => ({
        authenticated: token === 'good',
        user: { username: '<b>ann</b>' },
      }),
      subjectAccessReview: async () => ({ allowed: true }),
    };
    const accesses = anAccesses(temporary.store, new CollectedAudit());
    door = await createRestServer({
      identities: new Identities(new ReviewedTokens({ reviewer, now: () => new Date(), elapsed }), undefined),
      access: new AccessReviews({ reviewer, elapsed }),
      accesses,
      refusals: refusalsOf(accesses, 'rest'),
      limits: new AddressLimits({ perSecond: 1000, burst: 1000, elapsed }),
      services: (scope, guard) => {
        addService(
          scope,
          guard,
          service({ operation: listNamespaces, handle: async ({ caller }) => ({ hello: caller.name }) }),
        );
        addService(
          scope,
          guard,
          service({
            operation: streamLog,
            handle: async ({ reply, exchange }) =>
              await sendRaw(reply, exchange, async () => {
                using events = new EventStream(exchange.response, exchange.signal);
                await events.send([{ id: 1, event: 'record', data: '{"text":"the first line"}' }]);
                await once(exchange.signal, 'abort');
                streamEnded.resolve();
              }),
          }),
        );
        addService(
          scope,
          guard,
          service({
            operation: downloadArtifact,
            handle: async ({ reply }) =>
              reply
                .headers({ 'content-type': 'text/html', 'content-disposition': 'attachment' })
                .send('<script>alert(1)</script>'),
          }),
        );
      },
      ready: () => true,
      certificates: await TestCertificates.make(),
      logger: pino({ level: 'silent' }),
      metrics: new Registry(),
    });
    base = `https://127.0.0.1:${await door.listen(0, '127.0.0.1')}/api/v1/`;
  });
  after(async () => {
    await browser?.close();
    await door?.close(0);
    await temporary?.[Symbol.asyncDispose]();
  });

  const open = async (
    colorScheme: 'dark' | 'light',
    width = 1000,
  ): Promise<{ page: Page; faults: string[] }> => {
    assert.ok(browser);
    const context = await browser.newContext({
      ignoreHTTPSErrors: true,
      colorScheme,
      viewport: { width, height: 900 },
    });
    const page = await context.newPage();
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(String(error)));
    page.on('console', (message) => {
      // The browser asks for an icon by itself, and says what it was refused.
      if (
        message.type() === 'error' &&
        !/favicon|status of 401/.test(`${message.text()} ${message.location().url}`)
      )
        faults.push(message.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(base) && !request.url().endsWith('/favicon.ico'))
        faults.push(`asked for ${request.url()}`);
    });
    await page.goto(base);
    await page.locator('main details').first().waitFor();
    return { page, faults };
  };

  for (const colorScheme of ['dark', 'light'] as const)
    it(`can be read and used by everybody, ${colorScheme}`, async () => {
      const { page, faults } = await open(colorScheme);
      for (const summary of await page.locator('summary').all()) await summary.click();
      assert.deepEqual(await axeProblems(page), []);
      assert.deepEqual(faults, []);
    });

  it('shows every operation, and fits a narrow window', async () => {
    const { page, faults } = await open('light', 320);
    const document = JSON.parse(await readFile('docs/openapi.json', 'utf8')) as {
      paths: Record<string, Record<string, object>>;
    };
    const count = Object.values(document.paths).reduce(
      (sum, methods) => sum + Object.keys(methods).length,
      0,
    );
    assert.equal(await page.locator('main > section > details').count(), count);
    assert.equal(
      await page.locator('main', { hasText: '`' }).count(),
      0,
      'code is not marked as Markdown does',
    );
    const overflow = await page.evaluate(
      () => globalThis.document.documentElement.scrollWidth - window.innerWidth,
    );
    assert.ok(overflow <= 0, `${overflow} pixels too wide`);
    assert.deepEqual(faults, []);
  });

  it('tries an operation by keyboard alone, and shows what it answers as text', async () => {
    const { page, faults } = await open('dark');
    const operation = page.locator('main > section > details', { hasText: '/user/namespaces' });
    await operation.locator('> summary').focus();
    await page.keyboard.press('Enter');
    const send = operation.getByRole('button', { name: 'Send' });
    await send.focus();
    await page.keyboard.press('Enter');
    await operation.getByRole('status').getByText('401').waitFor();
    await page.getByLabel('Bearer token').fill('good');
    await send.focus();
    await page.keyboard.press('Enter');
    const shown = operation.getByRole('status').getByText('"hello"');
    await shown.waitFor();
    assert.match((await shown.textContent()) ?? '', /<b>ann<\/b>/);
    assert.deepEqual(faults, []);
  });

  it('shows a log while it is written, until one stops it', async () => {
    const { page, faults } = await open('light');
    await page.getByLabel('Bearer token').fill('good');
    const operation = page.locator('main > section > details', { hasText: '/sessions/{id}/log' });
    await operation.locator('> summary').click();
    await operation.getByLabel('namespace (required)').fill('team-a');
    await operation.getByLabel('id (required)').fill('0b2f0000-0000-4000-8000-000000000000');
    await page.keyboard.press('Enter');
    const answer = operation.getByRole('status');
    await answer.getByText('the first line').waitFor();
    await operation.getByRole('button', { name: 'Stop' }).focus();
    await page.keyboard.press('Enter');
    await answer.getByText('Stopped.').waitFor();
    await streamEnded.promise;
    assert.equal(await operation.getByRole('button', { name: 'Stop' }).count(), 0);
    const send = operation.getByRole('button', { name: 'Send' });
    assert.equal(await send.evaluate((each) => each === document.activeElement), true);
    assert.match((await answer.textContent()) ?? '', /the first line/);
    assert.deepEqual(faults, []);
  });

  it('saves what an agent made, and shows nothing of it', async () => {
    const { page, faults } = await open('light');
    await page.getByLabel('Bearer token').fill('good');
    const operation = page.locator('main > section > details', { hasText: '/artifacts/{path}' });
    await operation.locator('> summary').click();
    await operation.getByLabel('namespace (required)').fill('team-a');
    await operation.getByLabel('id (required)').fill('s1');
    await operation.getByLabel('path (required)').fill('out/evil page.html');
    await operation.getByRole('button', { name: 'Send' }).click();
    const saving = page.waitForEvent('download');
    await operation.getByRole('link', { name: 'Save' }).click();
    assert.equal((await saving).suggestedFilename(), 'evil page.html');
    assert.doesNotMatch((await operation.getByRole('status').textContent()) ?? '', /script/);
    assert.deepEqual(faults, []);
  });

  it('offers each operation a body that fits it', async () => {
    const { page } = await open('light');
    const contract = new Contract();
    for (const [path, methods] of Object.entries(contract.document.paths))
      for (const { requestBody } of Object.values(methods)) {
        const schema = requestBody?.content['application/json']?.schema;
        if (schema === undefined) continue;
        const exactly = page.getByText(path, { exact: true });
        const operation = page.locator('main > section > details', { has: exactly });
        const body = await operation.locator('textarea').inputValue();
        assert.equal(contract.problems(schema, JSON.parse(body)), '', `${path}: ${body}`);
      }
  });

  it('says that an API key is one as it hides it, and that there was no answer', async () => {
    const { page } = await open('dark');
    assert.equal(await page.getByLabel('x-api-key').first().getAttribute('type'), 'password');
    await page.context().setOffline(true);
    const operation = page.locator('main > section > details', { hasText: '/user/namespaces' });
    await operation.locator('> summary').click();
    await operation.getByRole('button', { name: 'Send' }).click();
    await operation
      .getByRole('status')
      .getByText(/^No answer: .*reached/s)
      .waitFor();
  });
});
