/** The policy of a namespace in a real VS Code, against a real API server: looked at, made, changed, and changed by two at once. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { NamespacePolicy, NamespacePolicyStatus } from '../../common/api/namespace-policy.ts';
import type { Session } from '../../common/api/session.ts';
import { KubeClient } from '../../common/kube/client.ts';
import { loadKubeconfig } from '../../common/kube/kubeconfig.ts';
import { frameworks, namespacePolicies, sessions } from '../../common/kube/resource.ts';
import { buildTargets } from '../../scripts/build.ts';
import { clusterCapability, clusterUp } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import { applyApi } from '../support/deploy.ts';
import { skipBecause } from '../support/skip.ts';
import { PROJECT_ROOT } from '../vscode/install.ts';
import { openWindow, orSkip, startVscode } from '../vscode/launch.ts';
import type { VscodeServer, VscodeWindow } from '../vscode/launch.ts';
import { writeKubeconfig } from './kubeconfigs.ts';
import * as typing from './typing.ts';

const NAMESPACE = 'team-a';
/** Of object-language.ts. */
const CHECK_MS = 250;
const AT = { namespace: NAMESPACE, name: 'policy' };

describe('policies in the editor', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let client: KubeClient;
  let folder: string;
  let server: VscodeServer;
  let window: VscodeWindow;

  before(async function () {
    this.timeout(600_000);
    const { controlPlane } = await clusterCapability();
    if (controlPlane !== true) skipBecause(this, controlPlane);
    cluster = await clusterUp({ log: () => undefined });
    const config = await loadKubeconfig({ env: {}, homeDir: '/nonexistent', path: cluster.kubeconfig });
    client = new KubeClient(await config.connect(config.currentContext ?? ''));
    await applyApi(cluster);
    await cluster.kubectl(['create', 'namespace', NAMESPACE]);
    await client.create(frameworks, {
      apiVersion: 'ambient.ai/v1alpha1',
      kind: 'Framework',
      metadata: { name: 'agent' },
      spec: {
        versions: [{ name: '1', image: 'none' }],
        command: ['{{config.model}}'],
        configSchema: {
          type: 'object',
          required: ['model'],
          properties: { model: { type: 'string', minLength: 1 } },
        },
      },
    });
    folder = await mkdtemp(path.join(tmpdir(), 'ambient-policy-'));
    const kubeconfig = path.join(folder, 'kubeconfig');
    await writeKubeconfig(kubeconfig, cluster.kubeconfig, [{ name: 'dev', namespace: NAMESPACE }]);
    await buildTargets(['extension', 'webview']);
    server = await orSkip(
      this,
      startVscode({
        extensionPath: PROJECT_ROOT,
        folder,
        env: { KUBECONFIG: kubeconfig },
        settings: { 'ambient.emptyNamespaces': 'hide', 'ambient.afterLaunch': 'nothing' },
      }),
    );
    window = await openWindow(server);
    await window.openView('Ambient');
  });

  after(async () => {
    await window?.close();
    await server?.stop();
    await client?.connection.close();
    await cluster?.down();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  afterEach(async function () {
    if (this.currentTest?.state === 'failed') await window.screenshot('policy-failed');
  });

  const policy = (): Promise<NamespacePolicy> => client.get(namespacePolicies, AT);
  const edit = (pattern: string, by: string): Promise<unknown> => typing.edit(window, pattern, by);
  const save = (): Promise<boolean> => typing.save(window);
  const problems = (): Promise<string[]> =>
    window.inHost((vscode) =>
      vscode.languages
        .getDiagnostics()
        .filter(([uri]) => uri.scheme === 'ambient-policy')
        .flatMap(([, all]) => all.map(({ range, message }) => `${range.start.line + 1}: ${message}`)),
    );
  const reports = (what: RegExp): Promise<void> =>
    window.until(String(what), async () => what.test((await problems()).join('\n')));
  const front = (): Promise<unknown> =>
    window.inHost((vscode) =>
      vscode.commands
        .executeCommand('ambient.editPolicy', { cluster: 'dev', namespace: 'team-a' })
        .then(() => null),
    );

  it('are defaults where there is none, and can be made', async () => {
    await window.treeRow(new RegExp(`^${NAMESPACE}`));
    await window.contextMenu(new RegExp(`^${NAMESPACE}`), 'Open Policy');
    const page = await window.webview(/Policy of team-a/);
    await page.locator('header', { hasText: 'has no policy: these defaults hold' }).waitFor();
    await page.locator('#concurrency', { hasText: '50 at once' }).waitFor();
    await window.waitIdle();
    await window.screenshot('policy-page-defaults');
    await page.getByRole('button', { name: 'Create a Policy' }).click();
    // Only what was changed can be saved: the line above the proposal comes last.
    await window.until('the YAML', async () =>
      /^# The namespace has no policy yet[^]*monthly: "100\.00"/.test((await window.editorText()) ?? ''),
    );
    assert.equal(await save(), true);
    const { spec, metadata } = await policy();
    assert.equal(spec.models?.budget?.monthly, '100.00');
    // The document goes on from the version that is in the cluster now.
    await window.until('the version', async () =>
      ((await window.editorText()) ?? '').includes(`resourceVersion: "${metadata.resourceVersion ?? ''}"`),
    );
  });

  it('are saved again at once, before the document has the version that the first save made', async () => {
    const saved = await window.inHost(async (vscode) => {
      const editor = vscode.window.activeTextEditor;
      const replace = async (from: string, to: string): Promise<void> => {
        const text = editor?.document.getText() ?? '';
        const at = text.indexOf(from);
        if (editor === undefined || at < 0) throw new Error(`there is no ${from} in: ${text}`);
        const range = new vscode.Range(
          editor.document.positionAt(at),
          editor.document.positionAt(at + from.length),
        );
        // VS Code reads again what was saved, and then takes no edit of the text before.
        if (!(await editor.edit((change) => change.replace(range, to)))) await replace(from, to);
      };
      const results: (boolean | undefined)[] = [];
      for (const [from, to] of [
        ['maxSessions: 50', 'maxSessions: 51'],
        ['maxSessions: 51', 'maxSessions: 52'],
        ['maxSessions: 52', 'maxSessions: 50'],
      ] as const) {
        await replace(from, to);
        results.push(await editor?.document.save());
      }
      return results;
    });
    assert.deepEqual(saved, [true, true, true]);
    assert.equal((await policy()).spec.concurrency?.maxSessions, 50);
  });

  it('name mistakes where they stand, and are not saved with them', async () => {
    await edit('maxSessions: 50', 'maxSessions: many');
    await reports(/^\d+: spec\.concurrency\.maxSessions must be integer/m);
    assert.equal(await save(), false);
    assert.equal((await policy()).spec.concurrency?.maxSessions, 50);
    await window.waitIdle();
    await window.screenshot('policy-mistake');
    await edit('maxSessions: many', 'maxSessions: 3');
    await window.until('no problem', async () => (await problems()).length === 0);
    assert.equal(await save(), true);
    assert.equal((await policy()).spec.concurrency?.maxSessions, 3);
    await window.clearNotifications();
  });

  it('offer what may be written, and say what it means', async () => {
    const told = await window.inHost(async (vscode) => {
      const document = vscode.window.activeTextEditor?.document;
      if (document === undefined) return { labels: [], hover: '' };
      const at = (what: string): InstanceType<typeof vscode.Position> =>
        document.positionAt(document.getText().indexOf(what));
      const list = await vscode.commands.executeCommand<{ items: { label: unknown }[] }>(
        'vscode.executeCompletionItemProvider',
        document.uri,
        at('required: ').translate(0, 'required: '.length),
      );
      const hovers = await vscode.commands.executeCommand<{ contents: { value: string }[] }[]>(
        'vscode.executeHoverProvider',
        document.uri,
        at('resetDay'),
      );
      return {
        labels: list.items.map(({ label }) => String(label)),
        hover: hovers.flatMap(({ contents }) => contents.map(({ value }) => value)).join('\n'),
      };
    });
    assert.deepEqual(told.labels.sort(), ['false', 'true']);
    assert.match(told.hover, /Day of month, UTC/);
  });

  it('are live on their page, with budget and mistakes', async () => {
    const at = `${new Date().toISOString().slice(0, 19)}Z`;
    const status: NamespacePolicyStatus = {
      usage: {
        budget: { currentMonth: '84.50', reserved: '3.10', lastReset: at, percentUsed: 84.5 },
        sessions: { active: 3, waiting: 2, total: 40 },
      },
      conditions: [
        {
          type: 'ConfigValid',
          status: 'False',
          reason: 'Contradiction',
          message: 'spec.tools: one\nspec.models: two',
          lastTransitionTime: at,
        },
      ],
    };
    const page = await window.webview(/Policy of team-a/);
    await client.mergePatch(namespacePolicies, { ...AT, subresource: 'status' }, { status });
    await page.locator('#budget', { hasText: '$84.50 of $100.00 spent (84.5 %)' }).waitFor();
    await page.locator('#budget', { hasText: '$12.40' }).waitFor();
    await page.locator('#concurrency', { hasText: '3 of 3 run, 2 wait' }).waitFor();
    await page.locator('.problem', { hasText: 'spec.models: two' }).waitFor();
    for (const theme of ['light', 'high-contrast-dark', 'dark'] as const) {
      await window.setTheme(theme);
      await window.waitIdle();
      await window.screenshot(`policy-page-${theme}`);
    }
  });

  it('are not written over a change that was not seen, and nothing is lost', async () => {
    await front();
    await edit('^spec:', '# mine\nspec:');
    await edit('maxSessions: 3', 'maxSessions: 7');
    await client.mergePatch(namespacePolicies, AT, { spec: { concurrency: { maxSessions: 9 } } });
    assert.equal(await save(), false);
    await window.toast(/was changed in the cluster since you opened it/);
    assert.equal((await policy()).spec.concurrency?.maxSessions, 9);
    assert.match((await window.editorText()) ?? '', /# mine\nspec:[^]*maxSessions: 7/);
    await window.notificationButton('Overwrite');
    await window.until('mine to stand', async () => (await policy()).spec.concurrency?.maxSessions === 7);
    assert.match((await window.editorText()) ?? '', /# mine/, 'a comment stays while the document is open');
    await window.clearNotifications();
  });

  it('show what only the API server knows beside the line', async () => {
    await edit('  namespace: team-a', '  namespace: team-a\n  labels:\n    owner: "no label!"');
    assert.equal(await save(), false);
    await reports(/metadata\.labels.*no label!/);
    // What was typed is checked here too, a moment after the last key, and finds nothing.
    await delay(2 * CHECK_MS);
    assert.match((await problems()).join('\n'), /metadata\.labels.*no label!/);
    await edit('\n  labels:\n    owner: "no label!"', '');
    await window.clearNotifications();
  });

  /** Up to the question for the model. */
  async function beginLaunch(): Promise<void> {
    // Also reads the policy again, which is believed for a while.
    await window.inHost((vscode) =>
      vscode.commands.executeCommand('workbench.action.files.revert').then(() => null),
    );
    await window.inHost(
      (vscode) =>
        void vscode.commands.executeCommand('ambient.launch', { cluster: 'dev', namespace: 'team-a' }),
    );
    await window.quickPick('agent');
    await window.quickInputMessage(/^Model/);
  }

  it('are told while a session is launched: what is forbidden, what it costs, what it waits for', async () => {
    await client.mergePatch(namespacePolicies, AT, {
      spec: { models: { allowed: ['claude-*'] }, approval: { required: true, approvers: ['team-leads'] } },
    });
    await beginLaunch();
    await window.quickInput('gpt-5');
    assert.match(await window.quickInputMessage(/config\.model is "gpt-5"/), /Allowed: claude-\*/);
    await window.quickInput('claude-sonnet');
    await window.quickPick('Nothing');
    await window.quickPick('Use defaults');
    await window.quickInputMessage(/^Name to show/);
    await window.quickInput('To be approved');
    await window.until('the review', async () => (await window.quickPickLabels()).includes('Create'));
    const text = (await window.editorText()) ?? '';
    assert.match(text, /# Policy: {4}Waits for approval before it starts\. By: team-leads; not by you\./);
    assert.match(text, /Reserves \$5\.00; \$12\.40 of \$100\.00 free this month\./);
    await window.waitIdle();
    await window.screenshot('launch-with-policy');
    await window.quickPick('Cancel');
  });

  it('ask while a session is launched what becomes of its changes, as far as they list branches', async () => {
    await client.mergePatch(namespacePolicies, AT, {
      spec: { approval: null, results: { branches: ['ambient/*', 'bots/*'] } },
    });
    await beginLaunch();
    await window.quickInput('claude-sonnet');
    await window.quickPick('A git repository');
    await window.quickInputMessage(/repository/i);
    await window.quickInput('https://git.example.com/team/project.git');
    await window.quickInputMessage(/[Bb]ranch, tag or commit/);
    await window.quickInput('');
    await window.quickInputMessage(/Secret/);
    await window.quickInput('');
    await window.until('the question', async () =>
      (await window.quickPickLabels()).includes('Keep them as an artifact'),
    );
    await window.screenshot('launch-result');
    await window.quickPick('Push them to a new branch…');
    await window.quickInputMessage(/^Name of the new branch/);
    await window.quickInput('main');
    assert.match(await window.quickInputMessage(/main/), /ambient\/\*, bots\/\*/);
    await window.quickInput('bots/fix');
    await window.quickInputMessage(/credentials to push/);
    await window.quickInput('git-push');
    await window.quickPick('Use defaults');
    await window.quickInputMessage(/^Name to show/);
    await window.quickInput('To be pushed');
    await window.quickPick('Create');
    const created = async (): Promise<Session | undefined> =>
      (await client.list(sessions, { namespace: NAMESPACE })).items.find(
        ({ spec }) => spec.displayName === 'To be pushed',
      );
    await window.until('the session', async () => (await created()) !== undefined);
    assert.deepEqual((await created())?.spec.result, { branch: 'bots/fix', credentials: 'git-push' });
  });
});
