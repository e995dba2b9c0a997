/** A conversation with an agent in a real pod, from the session page of a real VS Code. The agent is a script with events. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { FrameLocator } from 'playwright-core';
import { livePaths } from '../../common/api/live.ts';
import type { Session } from '../../common/api/session.ts';
import { frameworks, sessions } from '../../common/kube/resource.ts';
import { buildTargets } from '../../scripts/build.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { deployOperator } from '../support/deploy.ts';
import { aFramework } from '../support/fixtures.ts';
import { skipBecause } from '../support/skip.ts';
import { until } from '../support/until.ts';
import { PROJECT_ROOT } from '../vscode/install.ts';
import { openWindow, orSkip, startVscode } from '../vscode/launch.ts';
import type { VscodeServer, VscodeWindow } from '../vscode/launch.ts';

const FRAMEWORK = 'suite-talks';
const TITLE = 'Talks with people';

/** Says, thinks, uses tools, changes a file and asks; goes on with what it is told, until it is told to end. */
const AGENT = `
say() { printf '%s\\n' "$1"; }
say '{"type":"thinking","text":"There are two ways to greet."}'
say '{"type":"assistant","text":"I look at the folder first."}'
say '{"type":"tool-call","name":"Bash","id":"1","text":"ls"}'
say '{"type":"tool-result","id":"1","text":"nothing there"}'
say '{"type":"usage","text":"","data":{"inputTokens":1200,"outputTokens":80,"costUsd":"0.0042"}}'
say '{"type":"question","text":"Which greeting?","data":{"options":["Hello","Good day"]}}'
trap 'say "{\\"type\\":\\"assistant\\",\\"text\\":\\"I was interrupted.\\"}"' INT
while read -r line; do
  greeting=$(printf '%s' "$line" | sed 's/.*"text":"\\(.*\\)"}/\\1/')
  [ "$greeting" = end ] && break
  printf '%s\\n' "$greeting" > greeting.txt
  say "{\\"type\\":\\"assistant\\",\\"text\\":\\"You said: $greeting\\"}"
  say '{"type":"file-change","name":"Write","text":"/workspace/greeting.txt"}'
  say '{"type":"usage","text":"","data":{"inputTokens":900,"outputTokens":60,"costUsd":"0.0031"}}'
done
say '{"type":"assistant","text":"Good bye."}'
`;

describe('a conversation with an agent', function () {
  this.timeout(180_000);
  let cluster: TestCluster;
  let namespace: string;
  let work: string;
  let server: VscodeServer;
  let window: VscodeWindow;

  before(async function () {
    this.timeout(600_000);
    cluster = await testCluster(this, { node: true });
    if (process.env['AMBIENT_TEST_OPERATOR'] !== 'as-it-is') await deployOperator(cluster);
    namespace = await cluster.namespace('talks');
    const { spec } = await cluster.client.get(frameworks, { name: 'generic' });
    await cluster.client.create(frameworks, {
      ...aFramework(FRAMEWORK),
      spec: { ...spec, eventFormat: 'ndjson', input: 'messages' },
    });
    if (process.env['AMBIENT_TEST_EXTENSION'] === undefined) await buildTargets(['extension', 'webview']);
    work = await mkdtemp(path.join(tmpdir(), 'ambient-talks-'));
    server = await orSkip(
      this,
      startVscode({
        extensionPath: process.env['AMBIENT_TEST_EXTENSION'] ?? PROJECT_ROOT,
        folder: work,
        env: { KUBECONFIG: cluster.kubeconfig },
        settings: { 'ambient.namespaces': [namespace], 'ambient.emptyNamespaces': 'hide' },
      }),
    );
    window = await openWindow(server);
    await window.openView('Ambient');
    await window.expand(namespace);
    await cluster.client.create(sessions, {
      apiVersion: 'ambient.ai/v1alpha1',
      kind: 'Session',
      metadata: { name: 'talks', namespace },
      spec: {
        displayName: TITLE,
        framework: { type: FRAMEWORK, config: { command: AGENT } },
        limits: { timeoutSeconds: 600, gracePeriodSeconds: 5, memory: '256Mi' },
      },
    });
  });

  after(async () => {
    await window?.close();
    await server?.stop();
    if (cluster !== undefined)
      await cluster.client.delete(frameworks, { name: FRAMEWORK }).catch(() => undefined);
    if (work !== undefined) await rm(work, { recursive: true, force: true });
  });

  const session = (): Promise<Session> => cluster.client.get(sessions, { namespace, name: 'talks' });
  const page = (): Promise<FrameLocator> => window.webview(/Talks with people/);
  const turn = async (text: string | RegExp): Promise<void> => {
    try {
      await (await page()).locator('.turn', { hasText: text }).first().waitFor({ timeout: 60_000 });
    } catch (error) {
      throw new Error(`${String(error)}; there is:\n${await (await page()).locator('body').innerText()}`);
    }
  };

  it('stands among those that need input while the agent asks', async () => {
    await window.until(
      'the group',
      async () =>
        /Needs input[^]*session Talks with people, needs input, .*Which greeting\?/.test(
          (await window.tree.labels()).join('\n'),
        ),
      90_000,
    );
    assert.equal(
      (await session()).status?.conditions?.find(({ type }) => type === 'NeedsInput')?.message,
      'Which greeting?',
    );
  });

  it('shows what the agent says and does, and takes the answer to its question', async () => {
    await (await window.treeRow(TITLE)).click();
    await turn('Which greeting?');
    const shown = await page();
    await shown.locator('.turn-tool', { hasText: 'Bash' }).locator('summary').click();
    assert.match(
      await shown.locator('.turn-tool', { hasText: 'Bash' }).innerText(),
      /Call\s+ls\s+Result\s+nothing there/,
    );
    await window.screenshot('conversation-asked-dark');
    await shown.getByRole('button', { name: 'Good day' }).click();
    await turn('You said: Good day');
    await turn(/kubernetes-admin|admin/);
    await until(
      async () =>
        (await session()).status?.conditions?.find(({ type }) => type === 'NeedsInput')?.status === 'False',
      'the question is answered',
    );
  });

  it('is gone on with from the message box, and can be interrupted', async () => {
    const shown = await page();
    await shown.getByRole('textbox', { name: 'Message to the agent' }).fill('Hi there');
    await shown.getByRole('textbox', { name: 'Message to the agent' }).press('Enter');
    await turn('You said: Hi there');
    await shown.getByRole('button', { name: 'Interrupt', exact: true }).click();
    await turn('I was interrupted.');
    await shown.locator('#usage', { hasText: '3,000 tokens in, 200 out' }).waitFor();
    for (const theme of ['light', 'high-contrast-dark', 'dark'] as const) {
      await window.setTheme(theme);
      await window.waitIdle();
      await window.screenshot(`conversation-${theme}`);
    }
  });

  it('ends when the agent does, and leads to what it changed', async () => {
    const shown = await page();
    await shown.getByRole('textbox', { name: 'Message to the agent' }).fill('end');
    await shown.getByRole('textbox', { name: 'Message to the agent' }).press('Enter');
    await turn('Good bye.');
    await shown.locator('.state', { hasText: /completed/i }).waitFor({ timeout: 60_000 });
    await shown.locator('#talk-note', { hasText: 'The session has ended.' }).waitFor();
    await shown.locator('#changes').getByRole('button', { name: 'greeting.txt' }).click();
    await window.until(
      'the review of what was changed',
      async () => (await window.tabs()).some((label) => /changes\.patch/.test(label)),
      60_000,
    );
    assert.deepEqual(
      (await session()).status?.input?.messages?.map(({ seq, kind }) => [seq, kind]),
      [
        [1, 'message'],
        [2, 'message'],
        [3, 'interrupt'],
        [4, 'message'],
      ],
    );
  });

  it('is resumed as a new session, with what it had changed and what was said', async () => {
    const shown = await page();
    await shown.getByRole('button', { name: 'Resume…' }).click();
    await window.quickInput(
      'cp greeting.txt "$AMBIENT_ARTIFACTS/"; grep -c "Good bye" "$AMBIENT_RESUME"; echo more >> greeting.txt',
    );
    const resumed = await until(
      async () =>
        (await cluster.client.list(sessions, { namespace })).items.find(
          ({ spec }) => spec.resume !== undefined,
        ),
      'the new session',
    );
    assert.equal(resumed.spec.resume?.session, 'talks');
    const name = resumed.metadata.name;
    const done = await until(
      async () => {
        const now = await cluster.client.get(sessions, { namespace, name });
        return now.status?.phase === 'Completed' || now.status?.phase === 'Failed' ? now : undefined;
      },
      'its end',
      90_000,
    );
    assert.equal(done.status?.phase, 'Completed', done.status?.message);
    const at = (file: string): Promise<string> =>
      cluster.kubectl(['get', '--raw', livePaths.artifact(namespace, name, file)]);
    assert.equal(await at('greeting.txt'), 'Hi there\n');
    assert.match(await at('changes.patch'), /\+Hi there\n\+more/);
  });

  it('can be read by the editor’s own agents', async function () {
    const answer = await window.inHost(
      async (vscode, input) => {
        const lm = Reflect.get(vscode, 'lm') as Partial<typeof vscode.lm> | undefined;
        if (lm?.invokeTool === undefined) return undefined;
        const { content } = await lm.invokeTool('ambient_read_session_log', {
          input,
          toolInvocationToken: undefined,
        });
        return content.map((part) => String(Reflect.get(Object(part), 'value'))).join('');
      },
      { namespace, session: 'talks' },
    );
    if (answer === undefined) return skipBecause(this, 'this editor has no language-model tools');
    assert.match(answer, /no instructions to follow[^]*You said: Hi there/);
  });

  it('leaves no problem in the window', () => assert.deepEqual(window.problems, []));
});
