/** Events and keys in a real VS Code, against a real API server and the real webhook door: made, used, looked at, revoked. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { NamespacePolicy } from '../../common/api/namespace-policy.ts';
import { KubeClient } from '../../common/kube/client.ts';
import { loadKubeconfig } from '../../common/kube/kubeconfig.ts';
import { namespacePolicies, sessions, sessionTriggers } from '../../common/kube/resource.ts';
import { buildTargets } from '../../scripts/build.ts';
import { clusterCapability, clusterUp } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import { applyApi, manifests } from '../support/deploy.ts';
import { aSession } from '../support/fixtures.ts';
import { skipBecause } from '../support/skip.ts';
import { testDoor } from '../support/webhook-door.ts';
import type { TestDoor } from '../support/webhook-door.ts';
import { PROJECT_ROOT } from '../vscode/install.ts';
import { openWindow, orSkip, startVscode } from '../vscode/launch.ts';
import type { VscodeServer, VscodeWindow } from '../vscode/launch.ts';
import { writeKubeconfig } from './kubeconfigs.ts';
import * as typing from './typing.ts';

const NAMESPACE = 'team-a';

/** Takes requests and answers none. */
async function silentServer(
  onRequest: () => void,
): Promise<AsyncDisposable & { url: string; close: () => Promise<void> }> {
  const server = createServer(onRequest);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close, [Symbol.asyncDispose]: close };
}

describe('webhooks in the editor', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let client: KubeClient;
  let door: TestDoor;
  let folder: string;
  let server: VscodeServer;
  let window: VscodeWindow;
  let key: string;
  let restUrl: string;

  before(async function () {
    this.timeout(600_000);
    const { controlPlane } = await clusterCapability();
    if (controlPlane !== true) skipBecause(this, controlPlane);
    cluster = await clusterUp({ log: () => undefined });
    const config = await loadKubeconfig({ env: {}, homeDir: '/nonexistent', path: cluster.kubeconfig });
    client = new KubeClient(await config.connect(config.currentContext ?? ''));
    await applyApi(cluster);
    await cluster.kubectl(['create', 'namespace', NAMESPACE]);
    door = await testDoor();
    door.clock.now = Date.now();
    restUrl = door.url.replace('/api/v1/webhooks', '');
    folder = await mkdtemp(path.join(tmpdir(), 'ambient-webhooks-'));
    const kubeconfig = path.join(folder, 'kubeconfig');
    await cluster.kubectl(['apply', '-f', path.join(manifests, 'operator', '21-user-roles.yaml')]);
    await cluster.kubectl(['-n', NAMESPACE, 'create', 'serviceaccount', 'viewer']);
    const subject = `--serviceaccount=${NAMESPACE}:viewer`;
    const role = '--clusterrole=ambient-viewer';
    await cluster.kubectl(['-n', NAMESPACE, 'create', 'rolebinding', 'viewer', role, subject]);
    const token = (await cluster.kubectl(['-n', NAMESPACE, 'create', 'token', 'viewer'])).trim();
    await writeKubeconfig(kubeconfig, cluster.kubeconfig, [
      { name: 'dev', namespace: NAMESPACE },
      { name: 'as-viewer', namespace: NAMESPACE, user: { token } },
    ]);
    await buildTargets(['extension', 'webview']);
    server = await orSkip(
      this,
      startVscode({
        extensionPath: PROJECT_ROOT,
        folder,
        env: { KUBECONFIG: kubeconfig },
        settings: {
          'ambient.emptyNamespaces': 'show',
          'ambient.restUrl': { dev: restUrl },
        },
      }),
    );
    window = await openWindow(server);
    await window.openView('Ambient');
  });

  after(async () => {
    await window?.close();
    await server?.stop();
    await door?.[Symbol.asyncDispose]();
    await client?.connection.close();
    await cluster?.down();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  afterEach(async function () {
    if (this.currentTest?.state === 'failed') await window.screenshot('webhooks-failed');
  });

  const policy = (): Promise<NamespacePolicy> =>
    client.get(namespacePolicies, { namespace: NAMESPACE, name: 'policy' });
  const clipboard = (): Promise<string> => window.inHost((vscode) => vscode.env.clipboard.readText());
  const row = new RegExp(`^${NAMESPACE}`);

  it('make a key that is shown once, and keep its digest in the policy', async () => {
    await window.treeRow(row);
    await window.contextMenu(row, 'Create Webhook Key');
    await window.quickPick('github');
    await window.quickPick('Sent as X-API-Key');
    await window.quickPick('Expires in 90 days');
    const text = await window.dialogText();
    assert.match(text, /Key github-[a-z2-7]{20} of team-a/);
    assert.match(text, /header X-API-Key/);
    await window.screenshot('webhook-key');
    await window.dialogButton('Copy Key');
    await window.until('the key in the clipboard', async () => /^[\w-]{43}$/.test(await clipboard()));
    key = await clipboard();
    assert.ok((await window.dialogText()).includes(key), 'it stays until it is closed');
    await window.dialogButton('Copy Address');
    await window.until('the address', async () => (await clipboard()) === `${door.url}/github`);
    await window.dialogButton('Close');
    const [made, ...more] = (await policy()).spec.webhookAuth?.keys ?? [];
    assert.deepEqual(more, []);
    assert.equal(made?.hash, `sha256:${createHash('sha256').update(key).digest('hex')}`);
    assert.equal(made.source, 'github');
    assert.ok(!JSON.stringify(await policy()).includes(key));
  });

  it('send a test event with it, and tell what the door says', async () => {
    const { spec } = await policy();
    door.policy(NAMESPACE, spec);
    door.trigger(NAMESPACE, 'review', {
      source: 'github',
      when: { events: ['pull_request'] },
      session: { framework: { type: 'generic', config: { command: 'true' } } },
    });
    const sendIt = async (mode: string, secret: string): Promise<void> => {
      await window.contextMenu(row, 'Send Test Event');
      await window.quickPick('github');
      await window.quickPick('Pull request opened');
      await window.quickPick(mode);
      await window.quickInputMessage(/kept nowhere/);
      await window.quickInput(secret);
    };
    await sendIt('Dry run', key);
    await window.toast(/would start a session of framework generic/);
    assert.equal(door.api.sessions.size, 0);
    await window.clearNotifications();
    await sendIt('For real', key);
    await window.toast(/accepted: session [0-9a-f-]{36} in team-a/);
    assert.equal(door.api.sessions.size, 1);
    await window.clearNotifications();
    await sendIt('Dry run', 'wrong');
    await window.toast(/refused \(401\): .*\. Ask an administrator of the namespace for a new key/);
    await window.clearNotifications();
    const asked = Promise.withResolvers<void>();
    await using silent = await silentServer(() => asked.resolve());
    await window.configure({ 'ambient.restUrl': { dev: silent.url } });
    await sendIt('Dry run', key);
    await asked.promise;
    await window.toast(/Sending the test event to 127\.0\.0\.1/);
    await window.screenshot('test-event-sending');
    await window.notificationButton('Cancel');
    await window.page.locator('.notification-toast').first().waitFor({ state: 'detached' });
    await silent.close();
    await sendIt('Dry run', key);
    await window.toast(/No answer: 127\.0\.0\.1:\d+ cannot be reached.*Check the address/);
    await window.page.locator('.notification-toast').getByText('Change Address').waitFor();
    await window.configure({ 'ambient.restUrl': { dev: restUrl } });
    await window.clearNotifications();
  });

  it('copy the address of a source', async () => {
    await window.contextMenu(row, 'Copy Webhook Address');
    await window.quickPick('jira');
    await window.toast(/No key of jira lets events into team-a yet/);
    assert.equal(await clipboard(), `${door.url}/jira`);
    await window.clearNotifications();
  });

  it('make a key of what Slack signs with, for its Secret alone', async () => {
    await window.contextMenu(row, 'Create Webhook Key');
    await window.quickPick('slack');
    await window.quickPick('Signs the body');
    await window.quickPick('Does not expire');
    await window.quickInputMessage(/Signing Secret of your Slack app/);
    await window.quickInput('of-the-slack-app');
    assert.ok(!(await window.dialogText()).includes('of-the-slack-app'));
    await window.screenshot('webhook-key-slack');
    await window.dialogButton('Copy Manifest');
    await window.until('the manifest', async () => /secret: of-the-slack-app/.test(await clipboard()));
    await window.dialogButton('Close');
    assert.ok(!JSON.stringify(await policy()).includes('of-the-slack-app'));
  });

  it('list keys, and revoke one', async () => {
    const id = (await policy()).spec.webhookAuth?.keys?.[0]?.id ?? '';
    await window.contextMenu(row, 'List and Revoke Webhook Keys');
    await window.quickPick(new RegExp(id));
    assert.match(await window.dialogText(), /Revoke key/);
    await window.dialogButton('Revoke');
    await window.toast(/is revoked/);
    assert.deepEqual(
      (await policy()).spec.webhookAuth?.keys?.map(({ source }) => source),
      ['slack'],
    );
    await window.clearNotifications();
  });

  it('show what triggered a session, from its row and its page', async () => {
    const [made] = [...door.api.sessions.values()];
    const trigger = made?.spec.trigger ?? assert.fail();
    await client.create(sessions, aSession('by-event').in(NAMESPACE).spec({ trigger }).toCreate());
    await client.create(sessions, aSession('by-person').in(NAMESPACE).toCreate());
    await window.expand(row);
    await window.contextMenu(/^by-event/, 'Show What Triggered It');
    await window.until('the event', async () =>
      /"title": "A sample pull request"/.test((await window.editorText()) ?? ''),
    );
    const text = (await window.editorText()) ?? '';
    assert.match(text, /^\/\/ What triggered session by-event in team-a\./);
    assert.match(text, /"name": "review"/);
    assert.match(text, /is the artifact \.ambient\/trigger-payload/);
    const links = await window.inHost(async (vscode) => {
      const uri = vscode.window.activeTextEditor?.document.uri;
      const found: unknown = await vscode.commands.executeCommand('vscode.executeLinkProvider', uri);
      return (found as { target?: { scheme: string; path: string; query: string } }[])
        .filter(({ target }) => target?.scheme === 'command')
        .map(({ target }) => ({ command: target?.path, given: JSON.parse(target?.query ?? '') as unknown }));
    });
    const ref = { cluster: 'dev', namespace: NAMESPACE, name: 'by-event' };
    assert.deepEqual(links, [{ command: 'ambient.openArtifact', given: [ref, '.ambient/trigger-payload'] }]);
    await window.waitIdle();
    await window.screenshot('event-document');
    await window.inHost((vscode) => vscode.commands.executeCommand('workbench.action.closeAllEditors'));
    await (await window.treeRow(/^by-event/)).click();
    const page = await window.webview(/by-event/);
    await page.getByText('acme/shop #42, A sample pull request').waitFor();
    await page.getByRole('button', { name: 'Event', exact: true }).click();
    await window.until('the event again', async () => ((await window.editorText()) ?? '') === text);
  });

  it('make a trigger from a proposal, name its mistakes, and save it to the cluster', async () => {
    await window.contextMenu(row, 'Open Triggers');
    await window.quickInputMessage(/Name of the new trigger/);
    await window.quickInput('issues');
    await window.until('the proposal', async () =>
      /^# There is no trigger of this name yet/.test((await window.editorText()) ?? ''),
    );
    const edit = (from: string, to: string): Promise<unknown> => typing.edit(window, from, to);
    const save = (): Promise<boolean> => typing.save(window);
    const problems = (): Promise<string> =>
      window.inHost((vscode) =>
        vscode.languages
          .getDiagnostics()
          .filter(([uri]) => uri.scheme === 'ambient-trigger')
          .flatMap(([, all]) => all.map(({ message }) => message))
          .join('\n'),
      );
    await edit('event\\.title', 'event.titel');
    await window.until('the mistake', async () => /an event has no "titel"/.test(await problems()));
    await window.waitIdle();
    await window.screenshot('trigger-mistake');
    await edit('event\\.titel', 'event.title');
    await edit('source: github', 'source: gitlab');
    await window.until('the other mistake', async () => /spec\.source/.test(await problems()));
    assert.equal(await save(), false, 'what the schema does not take is not saved');
    await window.clearNotifications();
    await edit('source: gitlab', 'source: github');
    assert.equal(await save(), true);
    const made = await client.get(sessionTriggers, { namespace: NAMESPACE, name: 'issues' });
    assert.deepEqual(made.spec.when?.labels, ['agent']);
    assert.equal(made.spec.session.displayName, 'Issue #{{event.number}}: {{event.title}}');
  });

  it('list the triggers of a namespace', async () => {
    await window.contextMenu(row, 'Open Triggers');
    await window.until('the triggers', async () =>
      (await window.quickPickLabels()).some((label) => /issues/.test(label)),
    );
    await window.quickPick(/issues/);
    await window.until('its YAML', async () => /name: issues/.test((await window.editorText()) ?? ''));
  });

  it('delete a trigger from its YAML, after asking, and put it back', async () => {
    const ref = { namespace: NAMESPACE, name: 'issues' };
    const { spec } = await client.get(sessionTriggers, ref);
    const isThere = async (): Promise<boolean> =>
      (await client.list(sessionTriggers, { namespace: NAMESPACE })).items.some(
        ({ metadata }) => metadata.name === 'issues',
      );
    const button = window.page.locator('.editor-actions').getByRole('button', { name: 'Delete Trigger…' });
    await button.click();
    assert.match(await window.dialogText(), /Delete trigger issues of team-a\?/);
    await window.dialogButton('Cancel');
    assert.equal(await isThere(), true);
    await button.click();
    await window.dialogText();
    const since = { spec: { session: { displayName: 'Edited since' } } };
    await client.mergePatch(sessionTriggers, ref, since);
    await window.dialogButton('Delete');
    await window.until('it is gone', async () => !(await isThere()));
    await window.toast(/Deleted trigger issues of team-a/);
    await window.notificationButton('Undo');
    await window.until('it is back', isThere);
    const back = await client.get(sessionTriggers, ref);
    assert.deepEqual(back.spec, { ...spec, session: { ...spec.session, ...since.spec.session } });
  });

  it('say what one may not do before anything is asked', async () => {
    const asViewer = (command: string): Promise<unknown> =>
      window.inHost((vscode, id) => {
        void vscode.commands.executeCommand(id, { cluster: 'as-viewer', namespace: 'team-a' });
        return null;
      }, command);
    await asViewer('ambient.createWebhookKey');
    await window.toast(/You may not change the policy in team-a: needs update on namespacepolicies/);
    await window.clearNotifications();
    await asViewer('ambient.openTriggers');
    await window.until('the triggers', async () =>
      (await window.quickPickLabels()).some((label) => /issues/.test(label)),
    );
    await window.quickPick(/issues/);
    await window.until('what may be looked at', async () =>
      /^# You may not change triggers in team-a[^]*name: issues/.test((await window.editorText()) ?? ''),
    );
  });
});
