/** A person's whole way, with real pods and a real VS Code: launch on this folder, watch, open, apply; and again with the packaged extension. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageExtension } from '../../scripts/package.ts';
import { sessions } from '../../common/kube/resource.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { deployOperator } from '../support/deploy.ts';
import { performLaunch } from '../support/launch-flow.ts';
import { openWindow, orSkip, startVscode } from '../vscode/launch.ts';
import type { VscodeServer, VscodeWindow } from '../vscode/launch.ts';

const root = join(import.meta.dirname, '..', '..');
const git = (folder: string, ...args: string[]): string =>
  execFileSync('git', ['-C', folder, ...args], { encoding: 'utf8' });

for (const packaged of [false, true])
  describe(`the extension ${packaged ? 'as its .vsix' : 'from its folder'}, with a deployed operator`, function () {
    this.timeout(400_000);
    let cluster: TestCluster;
    let namespace: string;
    let folder: string;
    let server: VscodeServer | undefined;
    let window: VscodeWindow;

    before(async function () {
      cluster = await testCluster(this, { node: true });
      await deployOperator(cluster, { log: (line) => console.log(`      ${line}`) });
      namespace = await cluster.namespace('e2e');
      // this repository as somebody has it open: with a change and a new file that no commit holds
      folder = await mkdtemp(join(tmpdir(), 'ambient-e2e-'));
      git(tmpdir(), 'clone', '--quiet', '--no-hardlinks', root, folder);
      await writeFile(join(folder, 'NOTES.md'), '# Not committed\n');
      await writeFile(
        join(folder, 'LICENSE'),
        `${await readFile(join(folder, 'LICENSE'), 'utf8')}\nChanged here.\n`,
      );
      const env = { KUBECONFIG: cluster.kubeconfig };
      const settings = { 'ambient.namespaces': [namespace], 'ambient.afterLaunch': 'nothing' };
      const extension = packaged ? { vsix: await packageExtension(folder) } : { extensionPath: root };
      if (packaged) git(folder, 'clean', '-fdq', '*.vsix');
      server = await orSkip(this, startVscode({ ...extension, folder, env, settings }));
      window = await openWindow(server);
    });
    after(async () => {
      await window?.close();
      await server?.stop();
      if (folder) await rm(folder, { recursive: true, force: true });
    });

    afterEach(async function () {
      if (this.currentTest?.state === 'failed') await window.screenshot('e2e-failed');
    });

    it('launches a session on this folder, follows it, and opens what it made', async () => {
      const result = await performLaunch(window, { namespace, ...(packaged ? {} : { screenshots: 'e2e-' }) });
      assert.deepEqual(result.artifacts, ['changes.patch', 'chart.svg', 'report.md', 'summary.json']);
      console.log(`      launched in ${result.launchSeconds} s, completed in ${result.runSeconds} s`);
    });

    it("sent uncommitted changes along and nothing of them comes back as the session's own", async () => {
      const patch = await artifact(cluster, namespace, 'changes.patch');
      assert.match(patch, /^diff --git a\/CHANGELOG\.md b\/CHANGELOG\.md$/m);
      assert.doesNotMatch(patch, /NOTES\.md|Changed here/);
      const { files } = JSON.parse(await artifact(cluster, namespace, 'summary.json')) as { files: number };
      const tracked = git(folder, 'ls-files', '-co', '--exclude-standard').trim().split('\n').length;
      assert.equal(files, tracked, 'the session saw every file of the folder');
    });

    it('applies the patch to the open folder, and it can be undone', async () => {
      const before = await readFile(join(folder, 'CHANGELOG.md'), 'utf8');
      assert.doesNotMatch(before, /^## Unreleased$/m);
      const [session] = (await cluster.client.list(sessions, { namespace })).items;
      await window.inHost(
        async (vscode, ref) =>
          void (await vscode.commands.executeCommand('ambient.applyPatch', ref, 'changes.patch', {
            confirm: false,
          })),
        { cluster: await contextOf(window), namespace, name: session?.metadata.name ?? '' },
      );
      const applied = (): Promise<string | undefined> =>
        window.inHost(
          async (vscode, path) => (await vscode.workspace.openTextDocument(path)).getText(),
          join(folder, 'CHANGELOG.md'),
        );
      await window.until('the change in the folder', async () =>
        /^## Unreleased$/m.test((await applied()) ?? ''),
      );
    });

    it('keeps the log when the pod is gone', async () => {
      await cluster.kubectl(['delete', 'pod', '-n', namespace, '--all', '--wait=true']);
      const [session] = (await cluster.client.list(sessions, { namespace })).items;
      const log = await cluster.kubectl([
        'get',
        '--raw',
        `/apis/live.ambient.ai/v1alpha1/namespaces/${namespace}/sessions/${session?.metadata.name}/log?format=text`,
      ]);
      assert.match(log, /Reading the history[\s\S]*Done/);
      assert.equal(session?.status?.phase, 'Completed');
    });

    it('has shown no error to the person', () => assert.deepEqual(window.problems, []));
  });

async function artifact(cluster: TestCluster, namespace: string, path: string): Promise<string> {
  const [session] = (await cluster.client.list(sessions, { namespace })).items;
  return cluster.kubectl([
    'get',
    '--raw',
    `/apis/live.ambient.ai/v1alpha1/namespaces/${namespace}/sessions/${session?.metadata.name}/artifacts/${path}`,
  ]);
}

const contextOf = (window: VscodeWindow): Promise<string> =>
  window.inHost(async (vscode) => {
    const tree = vscode.extensions.getExtension('ambient-sessions.ambient-sessions')?.exports as {
      tree: { snapshot(): Promise<unknown> };
    };
    return /cluster (\S+?)[,"\s\\]/.exec(JSON.stringify(await tree.tree.snapshot()))?.[1] ?? '';
  });
