/** Tree, launch and commands in a real VS Code, against a real API server. No pod runs here: sessions stay as they are made. */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';
import type { Session, SessionStatus } from '../../common/api/session.ts';
import { frameworks, sessions } from '../../common/kube/resource.ts';
import { KubeClient } from '../../common/kube/client.ts';
import { loadKubeconfig } from '../../common/kube/kubeconfig.ts';
import { clusterCapability, clusterUp } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import { applyApi } from '../support/deploy.ts';
import { skipBecause } from '../support/skip.ts';
import { until } from '../support/until.ts';
import { openWindow, orSkip, startVscode } from '../vscode/launch.ts';
import type { VscodeServer, VscodeWindow } from '../vscode/launch.ts';
import { PROJECT_ROOT } from '../vscode/install.ts';
import { BareApiServer } from './bare-api-server.ts';
import { writeKubeconfig } from './kubeconfigs.ts';

const NOTHING = 'No sessions yet, launch one';

describe('the sessions view', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let client: KubeClient;
  let work: string;
  let kubeconfig: string;
  const namespace = 'explorer';
  const other = 'other-team';
  const framework = 'form';
  let server: VscodeServer;
  let window: VscodeWindow;

  before(async function () {
    this.timeout(600_000);
    const { controlPlane } = await clusterCapability();
    if (controlPlane !== true) skipBecause(this, controlPlane);
    // One of its own, in seconds: on a shared one an operator might take care of the sessions.
    cluster = await clusterUp({ log: () => undefined });
    const config = await loadKubeconfig({ env: {}, homeDir: '/nonexistent', path: cluster.kubeconfig });
    client = new KubeClient(await config.connect(config.currentContext ?? ''));
    await applyApi(cluster);
    for (const name of [namespace, other]) await cluster.kubectl(['create', 'namespace', name]);
    await client.create(frameworks, {
      apiVersion: 'ambient.ai/v1alpha1',
      kind: 'Framework',
      metadata: { name: framework },
      spec: {
        displayName: 'Form',
        description: 'For the launch form.',
        versions: [{ name: '1', image: 'none' }],
        command: ['{{config.prompt}}'],
        configSchema: {
          type: 'object',
          required: ['prompt'],
          properties: { prompt: { type: 'string', minLength: 3 }, effort: { enum: ['low', 'high'] } },
        },
      },
    });
    work = await mkdtemp(path.join(tmpdir(), 'ambient-explorer-'));
    const folder = path.join(work, 'project');
    await mkdir(folder);
    await writeFile(path.join(folder, 'a.txt'), 'a');
    kubeconfig = path.join(work, 'kubeconfig');
    await writeKubeconfig(kubeconfig, cluster.kubeconfig, [{ name: 'dev', namespace }]);
    server = await orSkip(
      this,
      startVscode({
        // Another build than the project's own, for work on several things at once.
        extensionPath: process.env['AMBIENT_TEST_EXTENSION'] ?? PROJECT_ROOT,
        folder,
        env: { KUBECONFIG: kubeconfig },
        settings: {
          'ambient.afterLaunch': 'nothing',
          'ambient.emptyNamespaces': 'hide',
          'ambient.notifyWhenFinished': false,
        },
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
    if (work !== undefined) await rm(work, { recursive: true, force: true });
  });

  afterEach(async function () {
    if (this.currentTest?.state === 'failed') await window.screenshot('explorer-failed');
  });

  const create = (name: string, spec: Partial<Session['spec']> = {}): Promise<Session> =>
    client.create(sessions, {
      apiVersion: 'ambient.ai/v1alpha1',
      kind: 'Session',
      metadata: { name, namespace },
      spec: { framework: { type: framework }, ...spec },
    });
  const setStatus = (name: string, status: SessionStatus): Promise<Session> =>
    client.mergePatch(sessions, { namespace, name, subresource: 'status' }, { status });
  const remove = (name: string): Promise<void> => client.delete(sessions, { namespace, name });
  const all = async (): Promise<Session[]> => (await client.list(sessions, { namespace })).items;
  /** Types into the box with this prompt, not into the one before it. */
  const answer = async (prompt: RegExp, text: string): Promise<void> => {
    await window.quickInputMessage(prompt);
    await window.quickInput(text);
  };
  const offers = (label: string): Promise<void> =>
    window.until(`a choice ${label}`, async () => (await window.quickPickLabels()).includes(label));
  const copies = (text: string): Promise<void> =>
    window.until(`${text} in the clipboard`, async () => {
      return (await window.inHost((vscode) => vscode.env.clipboard.readText())) === text;
    });
  const labels = async (): Promise<string> => (await window.tree.labels()).join('\n');
  const shows = async (what: RegExp, timeoutMs?: number): Promise<void> => {
    try {
      await window.until(String(what), async () => what.test(await labels()), timeoutMs);
    } catch (error) {
      throw new Error(`${String(error)}; there is:\n${await labels()}`);
    }
  };
  const hides = (what: RegExp): Promise<void> =>
    window.until(`no ${String(what)}`, async () => !what.test(await labels()));
  const removeAll = async (): Promise<void> => {
    for (const { metadata } of await all()) await remove(metadata.name);
    await shows(new RegExp(NOTHING));
  };
  const execute = (command: string, ...args: unknown[]): Promise<unknown> =>
    window.inHost(
      async (vscode, [id, given]) => (await vscode.commands.executeCommand(id, ...given)) ?? null,
      [command, args] as const,
    );
  const welcome = async (): Promise<string> =>
    (await window.page.locator('.welcome-view-content').first().innerText()).replaceAll(/\s+/g, ' ');
  const welcomes = (what: RegExp, timeoutMs?: number): Promise<void> =>
    window.until(
      `the welcome view ${String(what)}`,
      async () =>
        (await window.page.locator('.welcome-view-content').first().isVisible()) &&
        what.test(await welcome()),
      timeoutMs,
    );
  /** As a person changes it: VS Code knows where a setting of the machine belongs. Undefined removes it. */
  const set = async (key: string, value: unknown): Promise<void> =>
    void (await window.inHost(
      async (vscode, [name, json]) => {
        const parsed: unknown = json === null ? undefined : JSON.parse(json);
        const { Global } = vscode.ConfigurationTarget;
        await vscode.workspace.getConfiguration('ambient').update(name, parsed, Global);
        return null;
      },
      [key, value === undefined ? null : JSON.stringify(value)] as const,
    ));
  const useKubeconfig = (file: string | undefined): Promise<void> => set('kubeconfig', file);

  describe('the tree', () => {
    after(removeAll);

    it('shows the cluster, the context’s namespace and what to do in an empty one', async () => {
      await shows(new RegExp(`^cluster dev, current.*\n  namespace ${namespace}, current.*\n    ${NOTHING}`));
    });

    it('follows sessions as they come, change and go', async () => {
      await create('one', { displayName: 'First of all' });
      await shows(/Pending, 1 session\S*\n {6}session First of all, pending, now/);
      await setStatus('one', { phase: 'Pending', message: 'Waiting for the pod to start.' });
      await shows(/session First of all, pending, now · Waiting for the pod to start\./);
      await setStatus('one', { phase: 'Running', message: 'Working.' });
      await shows(/Running, 1 session\S*\n {6}session First of all, running, now · Working\./);
      await create('two');
      await setStatus('two', { phase: 'Failed', message: 'It went wrong.' });
      await shows(/Finished within a day, 1 session\S*\n {6}session two, failed, now · It went wrong\./);
      const badge = window.page.locator('.activitybar .action-item[aria-label*="1 active session"]');
      await badge.first().waitFor();
      await window.screenshot('sessions-view');
      await remove('one');
      await remove('two');
      await shows(new RegExp(NOTHING));
    });

    it('is light, dark and high contrast', async () => {
      await create('themed', { displayName: 'A session to look at' });
      await setStatus('themed', { phase: 'Pending' });
      await setStatus('themed', { phase: 'Running', message: 'Reading the sources' });
      await shows(/session A session to look at, running/);
      for (const theme of ['light', 'high-contrast-dark', 'dark'] as const) {
        await window.setTheme(theme);
        await window.waitIdle();
        await window.screenshot(`sessions-view-${theme}`);
      }
      await remove('themed');
    });

    it('stops watching while nobody looks, and shows what has happened meanwhile afterwards', async () => {
      await window.openView('Explorer');
      await create('meanwhile');
      await window.openView('Ambient');
      await shows(/session meanwhile, pending/);
      await remove('meanwhile');
    });

    it('pins namespaces, which then come first', async () => {
      await execute('ambient.pinNamespace', { cluster: 'dev', namespace: other });
      await shows(new RegExp(`cluster dev.*\n  namespace ${other}, pinned`));
      await window.contextMenu(other, 'Unpin Namespace');
      await hides(new RegExp(other));
    });

    it('copies the name of a session', async () => {
      await create('copied');
      await window.contextMenu('copied', 'Copy Session Name');
      await copies('copied');
    });

    it('opens the YAML, which follows the object', async () => {
      await window.contextMenu('copied', 'Open Session YAML');
      const text = async (): Promise<string> => (await window.editorText()) ?? '';
      await window.until('the YAML', async () => /name: copied/.test(await text()));
      await setStatus('copied', { phase: 'Pending', message: 'Something new.' });
      await window.until('the change', async () => /message: Something new\./.test(await text()));
      await remove('copied');
      await window.until('its end', async () => /does not exist/.test(await text()));
      await execute('workbench.action.closeAllEditors');
    });

    it('says where a command of the palette finds no session', async () => {
      await window.command('Ambient: Open Result Branch…');
      await window.toast(/No session has pushed a result branch\./);
      await window.clearNotifications();
    });

    it('deletes a session only after asking', async () => {
      await create('doomed', { displayName: 'Doomed [x](command:workbench.action.quit)' });
      await window.contextMenu(/^Doomed/, 'Delete Session…');
      const text = await window.dialogText();
      assert.match(text, /Delete session “Doomed/);
      assert.match(text, /has not ended and will be stopped at once/);
      await window.dialogButton('Cancel');
      assert.equal((await all()).length, 1);
      await window.contextMenu(/^Doomed/, 'Delete Session…');
      await window.dialogButton('Delete');
      await shows(new RegExp(NOTHING));
      assert.deepEqual(await all(), []);
    });
  });

  describe('launching', () => {
    afterEach(removeAll);

    it('asks in steps, shows the YAML, and creates exactly that', async () => {
      await window.command('Ambient: Launch Session');
      await window.quickTitle(/^Launch Session \(1\/\d+\)/);
      await window.quickPick('$(edit) Another namespace…'.replace('$(edit) ', ''));
      await answer(/Name of the namespace/, namespace);
      await window.quickPick('Form');
      await window.quickInputMessage(/^Prompt/);
      await window.quickType('no');
      await window.page.keyboard.press('Enter');
      assert.match(await window.quickInputMessage(/At least/), /At least 3 characters/);
      await answer(/At least 3/, 'Review the sources');
      await window.quickPick('Customise…');
      await window.quickPick('high');
      await offers('Nothing');
      await window.quickButton('Back');
      await window.quickPick('high');
      await window.quickPick('Nothing');
      await window.quickPick('Customise…');
      await answer(/^Time limit/, '10m');
      await answer(/^Memory/, '64Mi');
      await answer(/^CPU/, '');
      await answer(/^Name to show/, 'By hand');
      await offers('Create');
      const text = (await window.editorText()) ?? '';
      await window.screenshot('launch-review');
      await window.quickPick('Create');
      await shows(/session By hand, pending/);
      const [created] = await all();
      const { spec, metadata } = parse(text) as Session;
      assert.deepEqual(spec, created?.spec);
      assert.equal(created?.metadata.name, metadata.name);
      assert.deepEqual(spec, {
        displayName: 'By hand',
        trigger: { source: 'manual' },
        framework: { type: framework, config: { prompt: 'Review the sources', effort: 'high' } },
        source: { type: 'none' },
        limits: { timeoutSeconds: 600, gracePeriodSeconds: 30, memory: '64Mi' },
      });
      assert.match(metadata.name, /^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    });

    it('suggests the same again, and goes back from the review', async () => {
      await execute('workbench.action.closeAllEditors');
      const started = window.inHost(
        (vscode, where) => void vscode.commands.executeCommand('ambient.launch', where),
        { cluster: 'dev', namespace },
      );
      await started;
      await window.quickPick('Form');
      await window.until('the old prompt', async () => {
        const box = window.page.locator('.quick-input-widget:visible input.input').first();
        return (await box.inputValue()) === 'Review the sources';
      });
      await window.page.keyboard.press('Enter');
      await window.quickPick('Keep as last time');
      await window.quickPick('Nothing');
      await window.quickPick('Same as last time');
      await answer(/^Name to show/, 'Again');
      await offers('Create');
      await window.quickButton('Back');
      await answer(/^Name to show/, 'Once more');
      await offers('Create');
      assert.match((await window.editorText()) ?? '', /displayName: Once more/);
      await window.quickPick('Cancel');
      assert.deepEqual(await all(), []);
      await window.until('no tab', async () => (await window.tabs()).length === 0);
    });

    it('takes several lines from an editor', async () => {
      await window.inHost((vscode, where) => void vscode.commands.executeCommand('ambient.launch', where), {
        cluster: 'dev',
        namespace,
      });
      await window.quickPick('Form');
      await window.quickInputMessage(/^Prompt/);
      await window.quickType('First line');
      await window.quickButton('Write several lines');
      await window.until('the text in an editor', async () => (await window.editorText()) === 'First line');
      await window.inHost(async (vscode) => {
        const editor = vscode.window.activeTextEditor;
        await editor?.edit((edit) => edit.insert(new vscode.Position(0, 10), '\nsecond: line\n'));
        return null;
      });
      await window.quickPick('Use this text');
      await offers('Customise…');
      await window.quickButton('Back');
      await window.until('the text to be kept', async () => {
        const box = window.page.locator('.quick-input-widget:visible input.input').first();
        return /2 lines/.test((await box.getAttribute('placeholder')) ?? '');
      });
      await window.page.keyboard.press('Enter');
      await window.quickPick((await window.quickPickLabels())[0] ?? '');
      await window.quickPick('Nothing');
      await window.quickPick('Use defaults');
      await answer(/^Name to show/, 'Several lines');
      await offers('Create');
      await window.quickPick('Create');
      await shows(/session Several lines, pending/);
      const [created] = await all();
      assert.equal(created?.spec.framework.config?.['prompt'], 'First line\nsecond: line\n');
      await window.until('no tab', async () => (await window.tabs()).length === 0);
    });

    it('tells what the cluster would refuse before anything is created', async () => {
      await window.inHost((vscode, where) => void vscode.commands.executeCommand('ambient.launch', where), {
        cluster: 'dev',
        namespace: 'no-such-namespace',
      });
      await window.quickPick('Form');
      await answer(/^Prompt/, 'Whatever');
      await window.quickPick((await window.quickPickLabels())[0] ?? '');
      await window.quickPick('Nothing');
      await window.quickPick('Use defaults');
      await answer(/^Name to show/, 'Refused');
      await window.until('the refusal', async () =>
        (await window.quickPickLabels()).includes('Back, to change the answers'),
      );
      const details = await window.page.locator('.quick-input-widget:visible').innerText();
      assert.match(details, /no-such-namespace.*not found/);
      await window.quickPick('Cancel');
    });

    it('launches from edited YAML, naming mistakes in their line', async () => {
      const yaml = `apiVersion: ambient.ai/v1alpha1\nkind: Session\nmetadata:\n  namespace: ${namespace}\nspec:\n  framework:\n    type: ${framework}\n    config: {prompt: hello}\n  limits:\n    timeoutSeconds: none\n    gracePeriodSeconds: 1\n`;
      const edit = (content: string): Promise<null> =>
        window.inHost(async (vscode, text) => {
          const document = await vscode.workspace.openTextDocument({ language: 'yaml', content: text });
          await vscode.window.showTextDocument(document);
          return null;
        }, content);
      await edit(yaml);
      await window.command('Ambient: Launch Session from YAML');
      assert.match(
        await window.toast(/cannot be launched|not a Session that can/),
        /spec\.limits\.timeoutSeconds/,
      );
      const marks = await window.inHost((vscode) => {
        const document = vscode.window.activeTextEditor?.document;
        return document === undefined
          ? []
          : vscode.languages.getDiagnostics(document.uri).map(({ range }) => range.start.line);
      });
      assert.deepEqual(marks, [9]);
      await window.clearNotifications();
      await edit(yaml.replace('none', '120'));
      await window.command('Ambient: Launch Session from YAML');
      await until(async () => (await all()).length === 1, 'the session');
      assert.equal((await all())[0]?.spec.limits?.timeoutSeconds, 120);
      await window.inHost(async (vscode) => {
        while (vscode.window.activeTextEditor !== undefined)
          await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
      });
    });

    it('launches without a question when given all answers, and rejects with the reason', async () => {
      const ref = await execute('ambient.launch', {
        cluster: 'dev',
        namespace,
        framework,
        config: { prompt: 'directly' },
        displayName: 'Direct',
      });
      const [created] = await all();
      assert.deepEqual(ref, {
        cluster: 'dev',
        namespace,
        name: created?.metadata.name,
        uid: created?.metadata.uid,
      });
      await assert.rejects(
        execute('ambient.launch', { cluster: 'dev', namespace: 'no-such-namespace', framework }),
        /not found/,
      );
      await assert.rejects(
        execute('ambient.launch', {
          cluster: 'dev',
          namespace,
          framework,
          source: { type: 'folder', path: '/etc' },
        }),
        /not a folder of this/,
      );
    });

    it('takes a session back when its source cannot be sent: here nobody serves the live API', async () => {
      await assert.rejects(
        execute('ambient.launch', {
          cluster: 'dev',
          namespace,
          framework,
          config: { prompt: 'with the folder' },
          source: { type: 'folder' },
        }),
      );
      assert.deepEqual(await all(), []);
    });

    it('leaves no problem in the window', () => assert.deepEqual(window.problems, []));
  });

  describe('when something is wrong', () => {
    afterEach(async () => {
      await useKubeconfig(undefined);
      await set('contexts', undefined);
      await set('credentialTimeoutSeconds', undefined);
      await shows(new RegExp(`namespace ${namespace}`));
    });
    const file = (name: string): string => path.join(work, name);

    it('says that there is no kubeconfig, and notices when one appears', async () => {
      await useKubeconfig(file('appears'));
      await welcomes(/kubeconfig/i);
      await window.screenshot('welcome-no-kubeconfig');
      for (const [command, doing] of [
        ['Launch Session', 'launch the session'],
        ['Pin Namespace…', 'pin the namespace'],
        ['Stop Session…', 'stop the session'],
        ['Open Triggers', 'open the triggers'],
      ]) {
        await window.command(`Ambient: ${command}`);
        const told = await window.toast(/kubeconfig .*appears cannot be read/);
        assert.match(told, new RegExp(`Could not ${doing}: `), command);
        await window.clearNotifications();
      }
      await writeKubeconfig(file('appears'), cluster.kubeconfig, [{ name: 'appeared', namespace }]);
      await shows(/cluster appeared/);
    });

    it('says that the kubeconfig is malformed, with the details', async () => {
      await writeFile(file('malformed'), 'clusters: [\n  oops: {');
      await useKubeconfig(file('malformed'));
      await welcomes(/kubeconfig cannot be used/);
      await execute('ambient.showProblem');
      assert.match(await window.toast(/malformed/), /not valid YAML/);
      await window.clearNotifications();
    });

    it('says that no context is chosen, and lets one choose', async () => {
      await writeKubeconfig(
        file('undecided'),
        cluster.kubeconfig,
        [{ name: 'a', namespace }, { name: 'b' }],
        '',
      );
      await useKubeconfig(file('undecided'));
      await welcomes(/no current context/);
    });

    it('says that the cluster cannot be reached', async () => {
      await writeKubeconfig(file('dead'), cluster.kubeconfig, [
        { name: 'dead', server: 'https://127.0.0.1:9' },
      ]);
      await useKubeconfig(file('dead'));
      await welcomes(/cannot be reached/);
      await window.screenshot('welcome-unreachable');
    });

    it('says that credentials are refused', async () => {
      await writeKubeconfig(file('expired'), cluster.kubeconfig, [
        { name: 'expired', user: { token: 'expired' } },
      ]);
      await useKubeconfig(file('expired'));
      await welcomes(/refused your credentials/);
    });

    it('is not held up by a credential helper that hangs', async () => {
      const helper = file('hangs.sh');
      await writeFile(helper, '#!/bin/sh\nexec sleep 600\n');
      await chmod(helper, 0o755);
      const exec = {
        apiVersion: 'client.authentication.k8s.io/v1',
        command: helper,
        interactiveMode: 'Never',
      };
      await writeKubeconfig(file('hanging'), cluster.kubeconfig, [{ name: 'hanging', user: { exec } }]);
      await set('credentialTimeoutSeconds', 3);
      await useKubeconfig(file('hanging'));
      await shows(/cluster hanging/);
      // The extension host goes on answering meanwhile.
      const started = performance.now();
      await execute('ambient.copyInstallCommand', 'hanging');
      assert.ok(performance.now() - started < 2000);
      await welcomes(/refused your credentials/, 20_000);
      await window.clearNotifications();
    });

    it('offers the install command where the CRDs are missing, without running it', async () => {
      await using bare = new BareApiServer();
      await writeKubeconfig(file('bare'), cluster.kubeconfig, [{ name: 'bare', server: await bare.start() }]);
      await useKubeconfig(file('bare'));
      await welcomes(/not installed in this cluster/);
      await window.screenshot('welcome-not-installed');
      await execute('ambient.copyInstallCommand');
      await copies(
        'kubectl --context bare apply -f manifests/crds -f manifests/operator -f manifests/frameworks',
      );
      await window.clearNotifications();
      await execute('ambient.install');
      await window.until('a terminal', async () =>
        (await window.inHost((vscode) => vscode.window.terminals.map(({ name }) => name))).includes(
          'Install Ambient Sessions',
        ),
      );
      await window.inHost((vscode) => vscode.window.terminals.forEach((terminal) => terminal.dispose()));
    });

    it('offers no install command to one who chooses none of several clusters', async () => {
      await writeKubeconfig(file('both'), cluster.kubeconfig, [{ name: 'one' }, { name: 'two' }]);
      await set('contexts', ['one', 'two']);
      await useKubeconfig(file('both'));
      await shows(/cluster two/);
      await window.inHost((vscode) => vscode.env.clipboard.writeText('before'));
      for (const command of ['Copy Install Command', 'Install in a Cluster…']) {
        await window.command(`Ambient: ${command}`);
        await offers('two');
        await window.page.keyboard.press('Escape');
        await window.page.locator('.quick-input-widget').waitFor({ state: 'hidden' });
      }
      const left = await window.inHost(async (vscode) => ({
        copied: await vscode.env.clipboard.readText(),
        terminals: vscode.window.terminals.map(({ name }) => name),
      }));
      assert.deepEqual(left, { copied: 'before', terminals: [] });
    });

    it('works where listing namespaces is forbidden', async () => {
      const user = `viewer-${namespace}`;
      await cluster.kubectl(['create', 'serviceaccount', user, '-n', namespace]);
      const rights = ['--verb=get,list,watch', '--resource=sessions.ambient.ai', '-n', namespace];
      await cluster.kubectl(['create', 'role', user, ...rights]);
      await cluster.kubectl([
        'create',
        'rolebinding',
        user,
        `--role=${user}`,
        `--serviceaccount=${namespace}:${user}`,
        '-n',
        namespace,
      ]);
      const token = (await cluster.kubectl(['create', 'token', user, '-n', namespace])).trim();
      await create('visible');
      await writeKubeconfig(file('own'), cluster.kubeconfig, [{ name: 'own', namespace, user: { token } }]);
      await useKubeconfig(file('own'));
      await shows(
        new RegExp(`cluster own.*\n  namespace ${namespace}, current.*\n.*\n      session visible`),
      );
      await shows(/Pin a namespace…, you may not list them all/);
      await set('namespaces', ['default']);
      await shows(/namespace default, pinned\S*\n.*You may not list sessions here/);
      await set('namespaces', undefined);
      await writeKubeconfig(file('foreign'), cluster.kubeconfig, [{ name: 'foreign', user: { token } }]);
      await useKubeconfig(file('foreign'));
      await welcomes(/Pin the ones you work in/);
      await remove('visible');
    });

    it('shows several clusters at once and never touches the current context', async () => {
      const several = file('several');
      await writeKubeconfig(several, cluster.kubeconfig, [
        { name: 'first', namespace },
        { name: 'second', namespace },
        { name: 'dead', server: 'https://127.0.0.1:9' },
      ]);
      const before = await readFile(several);
      await useKubeconfig(several);
      await shows(/cluster first, current/);
      await set('contexts', ['second', 'dead', 'first']);
      await shows(
        /^cluster second(.|\n)*\ncluster dead\S*\n {2}The cluster cannot be reached(.|\n)*\ncluster first, current/,
      );
      await window.screenshot('several-clusters');
      await create('seen-twice');
      await window.until(
        'it in both',
        async () => (await labels()).match(/session seen-twice/g)?.length === 2,
      );
      await remove('seen-twice');
      assert.equal(before.equals(await readFile(several)), true);
    });
  });
});
