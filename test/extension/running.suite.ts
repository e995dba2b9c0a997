/** Sessions with real pods, launched and ended by hand from a real VS Code: the folder that is sent, stop, cancel, delete. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Session } from '../../common/api/session.ts';
import { jobs, sessions } from '../../common/kube/resource.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { deployOperator } from '../support/deploy.ts';
import { until } from '../support/until.ts';
import { PROJECT_ROOT } from '../vscode/install.ts';
import { openWindow, orSkip, startVscode } from '../vscode/launch.ts';
import type { VscodeServer, VscodeWindow } from '../vscode/launch.ts';

/** Of the large source: enough for several chunks. */
const LARGE_BYTES = 96 * 1024 * 1024;

describe('sessions with pods, from the sessions view', function () {
  this.timeout(180_000);
  let cluster: TestCluster;
  let namespace: string;
  let work: string;
  let folder: string;
  let server: VscodeServer;
  let window: VscodeWindow;

  before(async function () {
    this.timeout(600_000);
    cluster = await testCluster(this, { node: true });
    // For work on several things at once: a cluster whose operator is to stay as it is.
    if (process.env['AMBIENT_TEST_OPERATOR'] !== 'as-it-is') await deployOperator(cluster);
    namespace = await cluster.namespace('running');
    work = await mkdtemp(path.join(tmpdir(), 'ambient-running-'));
    folder = path.join(work, 'project');
    await mkdir(path.join(folder, 'new'), { recursive: true });
    const git = (...args: string[]): string =>
      execFileSync('git', ['-C', folder, '-c', 'user.name=T', '-c', 'user.email=t@example.com', ...args], {
        encoding: 'utf8',
      });
    git('init', '--quiet', '--initial-branch=work');
    await writeFile(path.join(folder, 'a.txt'), 'committed\n');
    await writeFile(path.join(folder, '.gitignore'), 'ignored.txt\n');
    git('add', '-A');
    git('commit', '--quiet', '-m', 'The first commit');
    await writeFile(path.join(folder, 'a.txt'), 'changed since\n');
    await writeFile(path.join(folder, 'new', 'b.txt'), 'not committed\n');
    await writeFile(path.join(folder, 'ignored.txt'), 'secret\n');
    server = await orSkip(
      this,
      startVscode({
        extensionPath: process.env['AMBIENT_TEST_EXTENSION'] ?? PROJECT_ROOT,
        folder,
        env: { KUBECONFIG: cluster.kubeconfig },
        settings: {
          'ambient.namespaces': [namespace],
          'ambient.emptyNamespaces': 'hide',
          'ambient.afterLaunch': 'nothing',
        },
      }),
    );
    window = await openWindow(server);
    await window.openView('Ambient');
    await window.expand(namespace);
  });

  after(async () => {
    await window?.close();
    await server?.stop();
    if (work !== undefined) await rm(work, { recursive: true, force: true });
  });

  const all = async (): Promise<Session[]> => (await cluster.client.list(sessions, { namespace })).items;
  const labels = async (): Promise<string> => (await window.tree.labels()).join('\n');
  const shows = async (what: RegExp, timeoutMs = 60_000): Promise<void> => {
    try {
      await window.until(String(what), async () => what.test(await labels()), timeoutMs);
    } catch (error) {
      throw new Error(`${String(error)}; there is:\n${await labels()}`);
    }
  };
  const launch = (displayName: string, command: string, source: object): Promise<unknown> =>
    window.inHost(
      async (vscode, answers) => (await vscode.commands.executeCommand('ambient.launch', answers)) ?? null,
      {
        namespace,
        framework: 'generic',
        displayName,
        config: { command },
        source,
        limits: { timeoutSeconds: 300, gracePeriodSeconds: 5, memory: '256Mi' },
      },
    );

  it('sends the folder as it is, with its history and without what is ignored', async () => {
    const command =
      '{ git log --format=%s; git branch --show-current; } > "$AMBIENT_ARTIFACTS/log.txt"; cat a.txt new/b.txt > "$AMBIENT_ARTIFACTS/content.txt"; test ! -e ignored.txt';
    await launch('Sees the folder', command, { type: 'folder' });
    await shows(/session Sees the folder, completed/);
    assert.equal(await window.toast(/Sees the folder/), 'Session “Sees the folder” has completed.');
    await window.clearNotifications();
    await window.expand('Sees the folder');
    await shows(/artifact content\.txt, 28 bytes\S*\n.*artifact log\.txt, 22 bytes/);
    await (await window.treeRow('content.txt')).click();
    await window.until('the content', async () =>
      /changed since\nnot committed\n/.test((await window.editorText()) ?? ''),
    );
    const [session] = await all();
    assert.equal(session?.spec.source?.upload?.name, 'project');
    await cluster.client.delete(sessions, { namespace, name: session?.metadata.name ?? '' });
  });

  it('stops a session with a reason, after asking, and keeps what it had made', async () => {
    await launch('Goes on and on', 'echo done > "$AMBIENT_ARTIFACTS/half.txt"; sleep 250', { type: 'none' });
    await shows(/session Goes on and on, running/);
    await window.rowAction('Goes on and on', 'Stop');
    assert.match(await window.dialogText(), /Stop session “Goes on and on”\?/);
    await window.dialogButton('Cancel');
    assert.equal((await all())[0]?.status?.stop, undefined);
    await window.contextMenu('Goes on and on', 'Stop Session…');
    await window.dialogButton('Stop with Reason…');
    await window.quickInput('Seen enough');
    await shows(/session Goes on and on, stopped, .*Seen enough/);
    assert.equal((await all())[0]?.status?.stop?.reason, 'Seen enough');
    await window.expand('Goes on and on');
    await window.treeRow('half.txt');
    await window.clearNotifications();
    await window.contextMenu('Goes on and on', 'Delete Session…');
    await window.dialogButton('Delete');
    await shows(/No sessions yet/);
  });

  it('deletes a running session with its Job, after saying that it runs', async () => {
    await launch('Runs', 'sleep 250', { type: 'none' });
    await shows(/session Runs, running/);
    await window.contextMenu('Runs', 'Delete Session…');
    assert.match(await window.dialogText(), /has not ended and will be stopped/);
    await window.dialogButton('Delete');
    await shows(/No sessions yet/);
    await until(
      async () => (await cluster.client.list(jobs, { namespace })).items.length === 0,
      'the Job is gone',
      60_000,
    );
  });

  it('opens a shell where the session works', async () => {
    const command =
      'until [ -e /tmp/from-shell ]; do sleep 0.2; done; cp /tmp/from-shell "$AMBIENT_ARTIFACTS/shell.txt"';
    await launch('Has a shell', command, { type: 'none' });
    await shows(/session Has a shell, running/);
    await window.contextMenu('Has a shell', 'Open Shell in Session');
    await window.until('the terminal', () =>
      window.inHost((vscode) => vscode.window.activeTerminal !== undefined),
    );
    await window.inHost((vscode) =>
      vscode.window.activeTerminal?.sendText(
        '{ pwd; id -u; stty size; } > /tmp/it; mv /tmp/it /tmp/from-shell',
      ),
    );
    await shows(/session Has a shell, completed/);
    // The pod is over, and with it the shell.
    await window.until('the end of the terminal', () =>
      window.inHost((vscode) => vscode.window.terminals.every(({ exitStatus }) => exitStatus !== undefined)),
    );
    await window.expand('Has a shell');
    await (await window.treeRow('shell.txt')).click();
    await window.until('what the shell wrote', async () =>
      /^\/workspace\n65532\n\d+ \d+\n$/.test((await window.editorText()) ?? ''),
    );
    const [session] = await all();
    await cluster.client.delete(sessions, { namespace, name: session?.metadata.name ?? '' });
    await shows(/No sessions yet/);
  });

  it('takes a session back when sending its source is cancelled', async () => {
    const large = path.join(folder, 'large.bin');
    await writeFile(large, randomBytes(LARGE_BYTES));
    const launching = launch('Never to be', 'true', { type: 'folder' }).then(
      () => 'launched',
      (error: Error) => error.message,
    );
    const progress = window.page.locator('.notification-toast', { hasText: 'Launching Never to be' });
    await progress
      .filter({ hasText: /sending the source: [1-9]/ })
      .first()
      .waitFor({ timeout: 60_000 });
    await progress.locator('.monaco-button', { hasText: 'Cancel' }).first().click();
    assert.match(await launching, /cancelled/);
    // It is deleted already; the object goes when the operator has taken its data.
    assert.ok((await all()).every(({ metadata }) => metadata.deletionTimestamp !== undefined));
    await until(async () => (await all()).length === 0, 'the session to be gone with its data');
    await rm(large);
    const temporary = await window.inHost(() => process.env['TMPDIR'] ?? '/tmp');
    await until(
      async () => !(await readdir(temporary)).some((name) => name.startsWith('ambient-source-')),
      'the packed archive is not left behind',
    );
  });

  it('leaves no problem in the window', () => assert.deepEqual(window.problems, []));
});
