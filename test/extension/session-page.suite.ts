/** The session page in a real VS Code, against a real API server. No operator runs here: the test says how sessions stand. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { FrameLocator } from 'playwright-core';
import type { Session, SessionStatus } from '../../common/api/session.ts';
import { KubeClient } from '../../common/kube/client.ts';
import { loadKubeconfig } from '../../common/kube/kubeconfig.ts';
import { sessions } from '../../common/kube/resource.ts';
import { buildTargets } from '../../scripts/build.ts';
import { clusterCapability, clusterUp } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import { applyApi } from '../support/deploy.ts';
import { gitServer } from '../support/git-server.ts';
import type { GitServer } from '../support/git-server.ts';
import { skipBecause } from '../support/skip.ts';
import { PROJECT_ROOT } from '../vscode/install.ts';
import { openWindow, orSkip, startVscode } from '../vscode/launch.ts';
import type { VscodeServer, VscodeWindow } from '../vscode/launch.ts';

const NAMESPACE = 'pages';
const NAME = 'page-of-one';
const REPOSITORY = 'team/app.git';
const TITLE = 'Look after the <b>pages</b>';

describe('the session page in the editor', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let client: KubeClient;
  let context: string;
  let folder: string;
  let repositories: GitServer;
  let url: string;
  let server: VscodeServer;
  let window: VscodeWindow;
  let session: Session;

  before(async function () {
    this.timeout(600_000);
    const { controlPlane } = await clusterCapability();
    if (controlPlane !== true) skipBecause(this, controlPlane);
    // One of its own, in seconds: on a shared one an operator might take care of the sessions.
    cluster = await clusterUp({ log: () => undefined });
    const config = await loadKubeconfig({ env: {}, homeDir: '/nonexistent', path: cluster.kubeconfig });
    context = config.currentContext ?? '';
    client = new KubeClient(await config.connect(context));
    await applyApi(cluster);
    await cluster.kubectl(['create', 'namespace', NAMESPACE]);
    await buildTargets(['extension', 'webview']);
    folder = await mkdtemp(path.join(tmpdir(), 'ambient-pages-'));
    repositories = await gitServer();
    url = await repositories.repository(REPOSITORY, { 'file.txt': 'one\n' });
    await git('clone', '--quiet', url.replace('//', `//x-access-token:${repositories.password}@`), '.');
    server = await orSkip(
      this,
      startVscode({
        extensionPath: PROJECT_ROOT,
        folder,
        env: { KUBECONFIG: cluster.kubeconfig },
        settings: { 'git.enabled': true },
      }),
    );
    window = await openWindow(server);
  });

  after(async () => {
    await window?.close();
    await server?.stop();
    await client?.connection.close();
    await cluster?.down();
    await repositories?.[Symbol.asyncDispose]();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  /** Not to be waited for in one piece: the server is in this process. */
  const git = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)('git', args, { cwd: folder })).stdout.trim();
  const setStatus = (status: SessionStatus): Promise<Session> =>
    client.mergePatch(sessions, { namespace: NAMESPACE, name: NAME, subresource: 'status' }, { status });
  const open = (): Promise<void> =>
    window.inHost(
      async (vscode, ref) => {
        await vscode.commands.executeCommand('ambient.openSession', ref);
      },
      { cluster: context, namespace: NAMESPACE, name: NAME, uid: session.metadata.uid ?? '' },
    );
  const page = (): Promise<FrameLocator> => window.webview(/Look after/);
  const now = (): string => `${new Date().toISOString().slice(0, 19)}Z`;

  it('shows a session, and how it goes on, by itself', async () => {
    session = await client.create(sessions, {
      apiVersion: 'ambient.ai/v1alpha1',
      kind: 'Session',
      metadata: { name: NAME, namespace: NAMESPACE },
      spec: {
        displayName: TITLE,
        framework: { type: 'generic', config: { command: 'true' } },
        source: { type: 'git', git: { url } },
      },
    });
    await open();
    const shown = await page();
    assert.equal(await shown.locator('h1').innerText(), TITLE);
    await shown.locator('.state', { hasText: /pending/i }).waitFor();
    await setStatus({
      phase: 'Pending',
      history: [{ seq: 1, timestamp: now(), event: 'Created', actor: 'ann', data: { trigger: 'manual' } }],
    });
    await shown.locator('#history', { hasText: 'Created by ann' }).waitFor();
    await setStatus({
      phase: 'Running',
      message: 'Running on node node-1.',
      workload: { jobName: 'job-1', podName: 'pod-1', nodeName: 'node-1', startTime: now() },
    });
    await shown.locator('.state', { hasText: /running/i }).waitFor();
    await shown.locator('#workload', { hasText: 'pod-1' }).waitFor();
    // Nobody serves the live API here, and the page says so where it matters.
    await shown.locator('#artifacts .note', { hasText: /operator does not answer/ }).waitFor();
    await window.waitIdle();
    await window.screenshot('session-page-running');
  });

  it('is one page however often it is opened', async () => {
    await open();
    await open();
    assert.equal((await window.tabs()).filter((label) => /Look after/.test(label)).length, 1);
  });

  it('does what its buttons say', async () => {
    const shown = await page();
    await shown.getByRole('button', { name: 'Copy Name' }).click();
    await window.until(
      'the name in the clipboard',
      async () => (await window.inHost((vscode) => vscode.env.clipboard.readText())) === NAME,
    );
    await shown.getByRole('button', { name: 'Open YAML' }).click();
    await window.until(
      'the YAML',
      async () => (await window.editorText())?.includes(`name: ${NAME}`) === true,
    );
    await (await page()).getByRole('button', { name: 'Stop…' }).click();
    assert.match(await window.dialogText(), /Stop session/);
    await window.dialogButton('Cancel');
  });

  it('is there again, with the present state, after the window was reloaded', async () => {
    await window.remembers(session.metadata.uid ?? '');
    await window.load();
    const shown = await page();
    await shown.locator('.state', { hasText: /running/i }).waitFor();
    await setStatus({
      phase: 'Completed',
      conditions: [
        {
          type: 'Completed',
          status: 'True',
          reason: 'Succeeded',
          message: 'Done.',
          lastTransitionTime: now(),
        },
      ],
    });
    await shown.locator('.state', { hasText: /completed/i }).waitFor();
  });

  it('checks out the branch that its changes were pushed to', async () => {
    repositories.git(REPOSITORY, 'branch', 'ambient/fix', 'main');
    // What is offered is what VS Code's git has found by then, which a person does not wait for as long as a slow machine may take.
    await window.until('git to have found the repository', () =>
      window.inHost(async (vscode) => {
        const git: unknown = await vscode.extensions.getExtension('vscode.git')?.activate();
        const { repositories } = (git as { getAPI(version: 1): { repositories: unknown[] } }).getAPI(1);
        return repositories.length > 0;
      }),
    );
    await setStatus({ result: { branch: 'ambient/fix', base: 'main' } });
    await (await page()).getByRole('button', { name: 'Open Result Branch' }).click();
    await window.quickPick(`Check Out in ${path.basename(folder)}`);
    await window.until(
      'the branch is checked out',
      async () => (await git('branch', '--show-current')) === 'ambient/fix',
    );
    await window.until(
      'it follows that of the server',
      async () => (await git('status', '--short', '--branch')) === '## ambient/fix...origin/ambient/fix',
    );
  });

  it('keeps what it showed of a session that is deleted, and offers nothing that cannot be done', async () => {
    const shown = await page();
    await client.delete(sessions, { namespace: NAMESPACE, name: NAME });
    await shown.locator('.problem', { hasText: 'This session was deleted' }).waitFor();
    assert.equal(await shown.locator('h1').innerText(), TITLE);
    assert.equal(await shown.getByRole('button', { name: 'Delete…' }).count(), 0);
    await window.screenshot('session-page-deleted');
    await shown.getByRole('button', { name: 'Close Page' }).click();
    await window.until('no page', async () =>
      (await window.tabs()).every((label) => !/Look after/.test(label)),
    );
  });
});
