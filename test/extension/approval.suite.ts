/** Approval in a real VS Code, as an approver and as a viewer of a real API server. No operator runs here: a stand-in decides. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { FrameLocator } from 'playwright-core';
import type { Session, SessionStatus } from '../../common/api/session.ts';
import { KubeClient } from '../../common/kube/client.ts';
import { loadKubeconfig } from '../../common/kube/kubeconfig.ts';
import { sessions } from '../../common/kube/resource.ts';
import { buildTargets } from '../../scripts/build.ts';
import { clusterCapability, clusterUp } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import { applyApi } from '../support/deploy.ts';
import { skipBecause } from '../support/skip.ts';
import { PROJECT_ROOT } from '../vscode/install.ts';
import { openWindow, orSkip, startVscode } from '../vscode/launch.ts';
import type { VscodeServer, VscodeWindow } from '../vscode/launch.ts';
import { writeKubeconfig } from './kubeconfigs.ts';
import { LiveStandIn } from './live-stand-in.ts';

const NAMESPACE = 'team-a';
const APPROVER = `system:serviceaccount:${NAMESPACE}:approver`;

const ROLES = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: test-viewer }
rules:
  - { apiGroups: [ambient.ai], resources: [sessions, namespacepolicies, frameworks], verbs: [get, list, watch] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: test-approver }
rules:
  - { apiGroups: [ambient.ai], resources: [sessions, namespacepolicies, frameworks], verbs: [get, list, watch] }
  - { apiGroups: [live.ambient.ai], resources: [sessions/approve, sessions/reject], verbs: [create] }
  - { apiGroups: [live.ambient.ai], resources: [sessions/audit], verbs: [get] }
`;

describe('approval in the editor', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let admin: KubeClient;
  let live: LiveStandIn;
  let folder: string;
  let server: VscodeServer;
  let window: VscodeWindow;

  before(async function () {
    this.timeout(600_000);
    const { controlPlane } = await clusterCapability();
    if (controlPlane !== true) skipBecause(this, controlPlane);
    // One of its own, in seconds: on a shared one an operator might take care of the sessions.
    cluster = await clusterUp({ log: () => undefined });
    const config = await loadKubeconfig({ env: {}, homeDir: '/nonexistent', path: cluster.kubeconfig });
    admin = new KubeClient(await config.connect(config.currentContext ?? ''));
    await applyApi(cluster);
    await cluster.kubectl(['create', 'namespace', NAMESPACE]);
    await cluster.kubectl(['apply', '-f', '-'], { input: ROLES });
    live = await LiveStandIn.before(cluster, admin);
    folder = await mkdtemp(path.join(tmpdir(), 'ambient-approval-'));
    const contexts = [];
    for (const name of ['approver', 'viewer']) {
      await cluster.kubectl(['-n', NAMESPACE, 'create', 'serviceaccount', name]);
      const binding = ['create', 'rolebinding', name, `--clusterrole=test-${name}`];
      await cluster.kubectl(['-n', NAMESPACE, ...binding, `--serviceaccount=${NAMESPACE}:${name}`]);
      const token = (await cluster.kubectl(['-n', NAMESPACE, 'create', 'token', name])).trim();
      contexts.push({ name, namespace: NAMESPACE, server: live.url, user: { token } });
    }
    const kubeconfig = path.join(folder, 'kubeconfig');
    await writeKubeconfig(kubeconfig, cluster.kubeconfig, contexts);
    await buildTargets(['extension', 'webview']);
    server = await orSkip(
      this,
      startVscode({ extensionPath: PROJECT_ROOT, folder, env: { KUBECONFIG: kubeconfig } }),
    );
    window = await openWindow(server);
    await window.openView('Ambient');
  });

  after(async () => {
    await window?.close();
    await server?.stop();
    await live?.[Symbol.asyncDispose]();
    await admin?.connection.close();
    await cluster?.down();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  afterEach(async function () {
    if (this.currentTest?.state === 'failed') await window.screenshot('approval-failed');
  });

  const now = (): string => `${new Date().toISOString().slice(0, 19)}Z`;
  const setStatus = (name: string, status: SessionStatus): Promise<Session> =>
    admin.mergePatch(sessions, { namespace: NAMESPACE, name, subresource: 'status' }, { status });
  const create = (name: string, spec: Partial<Session['spec']> = {}): Promise<Session> =>
    admin.create(sessions, {
      apiVersion: 'ambient.ai/v1alpha1',
      kind: 'Session',
      metadata: { name, namespace: NAMESPACE },
      spec: {
        framework: { type: 'claude-code', config: { prompt: 'Read every file.\nThen report.' } },
        createdBy: { user: 'ann@example.com', groups: ['team-a'] },
        ...spec,
      },
    });
  const awaiting = async (name: string, spec: Partial<Session['spec']> = {}): Promise<void> => {
    await create(name, spec);
    await setStatus(name, {
      phase: 'Pending',
      message: 'Waiting for an approver.',
      conditions: [
        {
          type: 'PolicyValidated',
          status: 'True',
          reason: 'Accepted',
          message: 'Fine.',
          lastTransitionTime: now(),
        },
        {
          type: 'Approved',
          status: 'False',
          reason: 'AwaitingApproval',
          message: 'Waiting for an approver.',
          lastTransitionTime: now(),
        },
      ],
    });
  };
  const labels = async (): Promise<string> => (await window.tree.labels()).join('\n');
  const shows = async (what: RegExp): Promise<void> => {
    try {
      await window.until(String(what), async () => what.test(await labels()));
    } catch (error) {
      throw new Error(`${String(error)}; there is:\n${await labels()}`, { cause: error });
    }
  };
  const badge = (text: string): Promise<void> =>
    window.page.locator(`.activitybar .action-item[aria-label*="${text}"]`).first().waitFor();
  const page = (title: RegExp): Promise<FrameLocator> => window.webview(title);

  it('is the first group of a namespace, with a badge', async () => {
    await awaiting('first-to-wait', { displayName: 'Tidy up the build' });
    await create('in-line');
    await setStatus('in-line', {
      phase: 'Pending',
      queue: { reason: 'Concurrency', position: 3, since: now() },
    });
    await shows(/Needs approval, 1 session\S*\n {6}session Tidy up the build, needs approval/);
    await shows(/session in-line, pending, now · 3rd in line/);
    await badge('1 session waits for your approval');
    await window.waitIdle();
    await window.screenshot('approval-tree');
  });

  it('tells an approver of the next session that begins to wait, and shows what is asked', async () => {
    await awaiting('second-to-wait', { displayName: 'Rewrite the history' });
    assert.match(
      await window.toast(/Rewrite the history/),
      /Session “Rewrite the history” of ann@example\.com in team-a waits for your approval/,
    );
    await badge('2 sessions wait for your approval');
    await window.notificationButton('Review');
    const card = (await page(/Rewrite the history/)).locator('.approval');
    assert.match(await card.innerText(), /Read every file\.\s+Then report\.[^]*ann@example\.com \(team-a\)/);
    await window.waitIdle();
    await window.screenshot('approval-card');
  });

  it('rejects only with a reason, and shows the decision afterwards', async () => {
    const shown = await page(/Rewrite the history/);
    await shown.getByRole('button', { name: 'Reject…' }).click();
    await window.quickInput('');
    assert.match(await window.quickInputMessage(/reason/), /Give a reason/);
    await window.quickInput('Too broad');
    await shown.locator('.approval', { hasText: /Rejected[^]*bob@example\.com.*Too broad/ }).waitFor();
    await shown.locator('.step-failed', { hasText: 'Approval' }).waitFor();
    await shown.locator('#history', { hasText: 'Rejected by bob@example.com' }).waitFor();
    await window.waitIdle();
    await window.screenshot('approval-rejected');
    await badge('1 session waits for your approval');
  });

  it('approves from the row', async () => {
    await window.contextMenu(/^Tidy up the build/, 'Approve Session…');
    await window.quickInput('');
    await shows(/Pending, 2 sessions[^]*session Tidy up the build, pending/);
    assert.doesNotMatch(await labels(), /Needs approval/);
    const { status } = await admin.get(sessions, { namespace: NAMESPACE, name: 'first-to-wait' });
    assert.equal(status?.approval?.decision, 'Approved');
    assert.equal(status?.approval?.reason, undefined);
  });

  it('does not let people decide about what they launched themselves', async () => {
    await awaiting('of-my-own', { displayName: 'Of my own', createdBy: { user: APPROVER } });
    await (await window.treeRow(/^Of my own/)).click();
    const shown = await page(/Of my own/);
    await shown.locator('.refusal', { hasText: 'You launched this session' }).waitFor();
    assert.equal(await shown.getByRole('button', { name: 'Approve…' }).isDisabled(), true);
    assert.equal(await shown.getByRole('button', { name: 'Reject…' }).isDisabled(), true);
    // Neither do commands, and the badge does not count it.
    await window.contextMenu(/^Of my own/, 'Approve Session…');
    await window.toast(/You launched this session/);
    await window.clearNotifications();
    assert.equal(await window.page.locator('.action-item[aria-label*="for your approval"]').count(), 0);
  });

  it('shows who did what in the audit records', async () => {
    const record = (seq: number, more: object): object => ({
      seq,
      writer: 'operator-1',
      timestamp: now(),
      actor: 'ann@example.com',
      action: 'create',
      resource: 'sessions',
      outcome: 'allowed',
      ...more,
    });
    live.audit = [
      record(1, {}),
      record(5, {
        actor: 'eve',
        action: 'update',
        resource: 'sessions/approve',
        outcome: 'denied',
        details: { reason: 'approval_forbidden' },
      }),
    ];
    const shown = await page(/Of my own/);
    await shown.getByRole('button', { name: 'Audit Records' }).click();
    await window.until('the records', async () =>
      /eve +update +sessions\/approve +denied +reason: approval_forbidden/.test(
        (await window.editorText()) ?? '',
      ),
    );
    await window.waitIdle();
    await window.screenshot('audit-records');
  });

  it('shows in its YAML what became of a session before the watch of it had begun', async () => {
    await create('early');
    const [asked, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    live.before = (url) => {
      if (!/fieldSelector=metadata\.name/.test(url)) return undefined;
      asked.resolve();
      return goOn.promise;
    };
    const text = async (): Promise<string> => (await window.editorText()) ?? '';
    try {
      await window.inHost(
        async (vscode, ref) => {
          await vscode.commands.executeCommand('ambient.openYaml', ref);
        },
        { cluster: 'approver', namespace: NAMESPACE, name: 'early' },
      );
      await window.until('the YAML', async () => /name: early/.test(await text()));
      await asked.promise;
      await setStatus('early', { phase: 'Pending', message: 'Sooner than the watch.' });
    } finally {
      live.before = () => undefined;
      goOn.resolve();
    }
    await window.until('the change', async () => /message: Sooner than the watch\./.test(await text()));
  });

  it('offers a viewer nothing that would be refused, and says why', async () => {
    // The pages of before are the approver's.
    await window.inHost((vscode) =>
      vscode.commands.executeCommand('workbench.action.closeAllEditors').then(() => null),
    );
    await window.inHost((vscode) =>
      vscode.workspace
        .getConfiguration('ambient')
        .update('contexts', ['viewer'], vscode.ConfigurationTarget.Global)
        .then(() => null),
    );
    await shows(/cluster viewer/);
    await shows(/session Of my own, needs approval/);
    await (await window.treeRow(/^Of my own/)).click();
    const shown = await page(/Of my own/);
    await shown
      .locator('.refusal', { hasText: /You may not approve sessions in team-a: needs create on/ })
      .waitFor();
    assert.equal(await shown.getByRole('button', { name: /^Delete…/ }).isDisabled(), true);
    await window.inHost((vscode, where) => void vscode.commands.executeCommand('ambient.launch', where), {
      cluster: 'viewer',
      namespace: NAMESPACE,
    });
    assert.match(
      await window.toast(/You may not launch/),
      /You may not launch sessions in team-a: needs create on sessions\.ambient\.ai\. Ask an administrator/,
    );
    await window.waitIdle();
    await window.screenshot('approval-viewer');
    for (const { metadata } of (await admin.list(sessions, { namespace: NAMESPACE })).items)
      await admin.delete(sessions, { namespace: NAMESPACE, name: metadata.name });
    await shows(/No sessions yet, you may view them here, but not launch/);
  });
});
