/** Proves the harness with a throwaway extension: what works is seen to work, and what fails is seen to fail. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from '../cluster/process.ts';
import { skipBecause } from '../support/skip.ts';
import { runInHost } from './in-host.ts';
import { describeInHost } from './in-host/describe.ts';
import { PROJECT_NODE, PROJECT_ROOT } from './install.ts';
import { openWindow, orSkip, startVscode } from './launch.ts';
import type { VscodeServer, VscodeWindow } from './launch.ts';
import { buildSample } from './sample/build.ts';

describe('the harness of a real VS Code', function () {
  this.timeout(180_000);
  let work: string;
  let sample: string;
  let folder: string;
  let server: VscodeServer;

  before(async function () {
    this.timeout(600_000);
    work = await mkdtemp(path.join(os.tmpdir(), 'ambient-harness-'));
    sample = path.join(work, 'sample');
    folder = path.join(work, 'workspace');
    await buildSample(sample);
    await mkdir(folder);
    await writeFile(path.join(folder, 'notes.txt'), 'first\nsecond\n');
    server = await orSkip(this, startVscode({ extensionPath: sample, folder, env: { SAMPLE_MARK: 'here' } }));
  });

  after(async () => {
    await server?.stop();
    await rm(work, { recursive: true, force: true });
  });

  const write = async (name: string, text: string): Promise<string> => {
    const file = path.join(work, 'tests', `${name}.test.ts`);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
    return file;
  };

  describe('a window', () => {
    let window: VscodeWindow;

    before(async function () {
      this.timeout(60_000);
      window = await openWindow(server);
    });
    after(() => window?.close());

    it('shows the view of the extension, with rows, descriptions and children', async () => {
      await window.openView('Sample View');
      await window.expand('Fruit');
      await window.treeRow(/^Apple\s*red$/);
      assert.deepEqual((await window.tree.labels()).slice(0, 3), ['Fruit', '  Apple red', '  Pear']);
      await window.treeRow('Row 190');
      await window.treeRow('Row 1');
    });

    it('offers what a row offers: inline buttons and context menu', async () => {
      await window.rowAction('Fruit', 'Eat');
      assert.equal(await window.toast(/^Ate Fruit/), 'Ate Fruit');
      await window.contextMenu('Apple', 'Eat');
      await window.toast(/^Ate Apple$/);
      await window.clearNotifications();
    });

    it('runs commands from the palette and shows their notifications', async () => {
      await window.command('Sample: Hello');
      assert.match(await window.toast(/Hello/), /^Hello from node 24\./);
      assert.equal(await window.hasCommand('Sample: Hello'), true);
      assert.equal(await window.hasCommand('Sample: Goodbye'), false);
    });

    it('answers questions: pick, validated input, dialog, notification button', async () => {
      await window.command('Sample: Ask');
      await window.quickTitle('Which fruit');
      assert.deepEqual(await window.quickPickLabels(), ['Apple', 'Apple pie', 'Pear']);
      await window.quickPick('Apple');
      await window.quickTitle('How many');
      await window.quickType('many');
      assert.equal(await window.quickInputMessage(/whole/), 'Give a whole number');
      await window.quickInput('3');
      await window.toast(/^3 × Apple$/);
      await window.command('Sample: Confirm');
      assert.match(await window.dialogText(), /Really\?/);
      await window.dialogButton('Yes, really');
      await window.toast(/^Answer: Yes, really$/);
      await window.notificationButton('Try again');
      await window.toast(/^Tried again$/);
    });

    it('reaches into a webview, by title and by number, and its messages arrive', async () => {
      await window.command('Sample: Open Panel');
      const page = await window.webview('Sample Panel');
      assert.equal(await page.locator('h1').innerText(), 'Webview up');
      await page.locator('#answer', { hasText: 'echo=load' }).waitFor();
      await page.locator('vscode-button').click();
      await (await window.webview(0)).locator('#answer', { hasText: 'echo=clicked' }).waitFor();
      // the palette opens although the keyboard is the webview's
      await window.command('View: Close All Editors');
      await window.until('no tab', async () => (await window.tabs()).length === 0);
    });

    it('reads whole documents through the extension host, and the drawn lines from the page', async () => {
      await window.inHost(async (vscode) => {
        await vscode.commands.executeCommand('vscode.open', vscode.Uri.parse('sample:/long.log'));
      });
      assert.deepEqual(await window.tabs(), ['long.log']);
      assert.equal((await window.editorText())?.split('\n').length, 5001);
      assert.match(await window.visibleEditorText(), /^line 1\nline 2\n/);
      assert.equal(await window.statusBar(/Sample/), 'Sample ready');
      await assert.rejects(
        window.inHost(() => {
          throw new Error('no such thing');
        }),
        /in the extension host: Error: no such thing/,
      );
    });

    it('gives the extension host only the environment it was given', async () => {
      const names = await window.inHost(() => Object.keys(process.env));
      assert.ok(names.includes('SAMPLE_MARK'));
      const foreign = Object.keys(process.env).filter(
        (n) => !['PATH', 'HOME', 'LANG', 'PWD', 'SHLVL', '_', 'TMPDIR', 'SHELL'].includes(n),
      );
      assert.deepEqual(
        names.filter((n) => foreign.includes(n)),
        [],
      );
      const home = await window.inHost(() => process.env['HOME']);
      assert.equal(home, path.join(server.root, 'home'));
    });

    it('changes theme, comes to rest, reloads and takes pictures', async () => {
      await window.setTheme('light');
      await window.waitIdle();
      const file = await window.screenshot('harness');
      assert.ok((await stat(file)).size > 10_000);
      await window.load();
      await window.treeRow('Fruit');
      assert.equal(await window.inHost((vscode) => vscode.workspace.name), 'workspace');
      await window.setTheme('dark');
    });

    it('collects the errors of its pages', () => {
      // The text of an error notification, which VS Code echoes, is no problem.
      assert.deepEqual(window.problems, ['Answer: Yes, really']);
    });
  });

  describe('what the editor does with documents of an own scheme', () => {
    let window: VscodeWindow;
    before(async function () {
      this.timeout(60_000);
      window = await openWindow(server);
    });
    after(() => window?.close());

    it('renders Markdown, with pictures of the same scheme', async () => {
      await window.inHost(async (vscode) => {
        await vscode.commands.executeCommand('markdown.showPreview', vscode.Uri.parse('sample:/report.md'));
      });
      const page = await window.webview(/Preview report\.md/);
      assert.equal(await page.locator('h1').innerText(), 'A report');
      const width = page.locator('img');
      await window.until(
        'the picture',
        async () => (await width.evaluate((img: HTMLImageElement) => img.naturalWidth)) === 120,
      );
    });

    for (const [file, size] of [
      ['chart.svg', 120],
      ['dot.png', 1],
    ] as const) {
      it(`shows ${file} as a picture`, async () => {
        await window.inHost(async (vscode, name) => {
          const uri = vscode.Uri.parse(`sample:/${name}`);
          await vscode.commands.executeCommand('vscode.openWith', uri, 'imagePreview.previewEditor');
        }, file);
        const picture = (await window.webview(file)).locator('img');
        await window.until(
          'the picture',
          async () => (await picture.evaluate((img: HTMLImageElement) => img.naturalWidth)) === size,
        );
      });
    }
  });

  describe('tests in the extension host', () => {
    const good = `
      import assert from 'node:assert/strict';
      import * as vscode from 'vscode';
      describe('sample', () => {
        it('is active and has an API', async () => {
          const sample = vscode.extensions.getExtension('ambient-test.sample');
          const api = await sample?.activate() as { manifest(): { name: string } };
          assert.equal(api.manifest().name, 'sample');
        });
        it('sees the workspace', async () => {
          const [file] = await vscode.workspace.findFiles('notes.txt');
          assert.equal((await vscode.workspace.openTextDocument(file)).lineCount, 3);
        });
        it('knows its place', () => assert.match(import.meta.dirname, /tests$/));
        it.skip('is not ready', () => undefined);
      });`;

    it('counts what passed and what was skipped', async () => {
      const result = await runInHost({ server, folder, tests: [await write('good', good)] });
      assert.deepEqual(result.failures, []);
      assert.deepEqual([result.passed, result.failed, result.skipped], [3, 0, 1]);
    });

    it('reports a failing test as failed, with the line of its source', async () => {
      const bad = await write('bad', good.replace("'sample');", "'other');"));
      const result = await runInHost({ server, folder, tests: [bad] });
      assert.deepEqual([result.passed, result.failed], [2, 1]);
      assert.equal(result.failures[0]?.title, 'sample is active and has an API');
      assert.match(result.tests[0]?.stack ?? '', /bad\.test\.ts:8:/);
    });

    it('reports a dead extension host as failed', async () => {
      for (const how of ['process.exit(0)', "process.kill(process.pid, 'SIGKILL')"]) {
        const text = `describe('x', () => { it('lives', () => undefined); it('dies', async () => { ${how}; await new Promise(() => undefined); }); });`;
        const result = await runInHost({
          server,
          folder,
          tests: [await write('crash', text)],
          timeoutMs: 30_000,
        });
        assert.deepEqual([result.passed, result.failed], [1, 1], how);
        assert.match(result.failures[0]?.message ?? '', /ended before .*last test started: x dies/);
      }
    });

    it('reports as failed what does not load, does not end, or holds no test', async () => {
      const broken = await runInHost({
        server,
        folder,
        tests: [await write('broken', "throw new Error('not today');")],
      });
      assert.deepEqual([broken.passed, broken.failed], [0, 1]);
      assert.match(broken.failures[0]?.message ?? '', /not today/);
      const hangs = await write('hangs', "describe('x', () => it('spins', () => { for (;;); }));");
      const hanging = await runInHost({ server, folder, tests: [hangs], timeoutMs: 3000 });
      assert.deepEqual([hanging.passed, hanging.failed], [0, 1]);
      assert.match(hanging.failures[0]?.message ?? '', /did not end within 3000 ms.*x spins/);
      const hosts = (await processesOf(server.root)).filter((command) =>
        command.includes('--type=extensionHost'),
      );
      assert.deepEqual(hosts, [], 'the hanging host was ended');
      const none = await runInHost({ server, folder, tests: [await write('none', 'export {};')] });
      assert.deepEqual([none.passed, none.failed], [0, 1]);
    });

    it('is skipped with the reason where the desktop VS Code cannot be had', async function () {
      if (process.env['VSCODE_EXECUTABLE'] !== undefined) skipBecause(this, 'a desktop VS Code is here');
      const result = await runInHost({ launcher: 'electron', extensionPath: sample, folder, tests: [] });
      if (result.skipped === 0) skipBecause(this, 'the desktop VS Code can be downloaded and shown here');
      assert.deepEqual([result.passed, result.failed, result.skipped], [0, 0, 1]);
      assert.match(result.skips[0]?.reason ?? '', /cannot be reached|display/);
    });

    describeInHost('shown as tests of the outer run', async () => ({
      server,
      folder,
      tests: [await write('shown', good.replace('it.skip(', 'it('))],
    }));
  });

  it('runs a packaged extension', async () => {
    const vsix = path.join(work, 'sample.vsix');
    const vsce = path.join(PROJECT_ROOT, 'node_modules/@vscode/vsce/vsce');
    await run(PROJECT_NODE, [vsce, 'package', '--no-dependencies', '--out', vsix], { cwd: sample });
    await using packaged = await startVscode({ vsix, folder });
    await using window = await openWindow(packaged, { theme: 'high-contrast-dark' });
    await window.openView('Sample View');
    await window.treeRow('Fruit');
    const from = await window.inHost(
      (vscode) => vscode.extensions.getExtension('ambient-test.sample')?.extensionPath,
    );
    assert.equal(from?.startsWith(packaged.root), true);
  });

  it('leaves nothing behind, stopped or killed', async function () {
    if (process.platform !== 'linux') skipBecause(this, 'looks for processes in /proc');
    const script = path.join(work, 'holder.ts');
    const launch = path.join(import.meta.dirname, 'launch.ts');
    await writeFile(
      script,
      `import { openWindow, startVscode } from ${JSON.stringify(launch)};
       const server = await startVscode({ folder: ${JSON.stringify(folder)} });
       await openWindow(server);
       console.log(server.root);
       setInterval(() => undefined, 1000);`,
    );
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const holder = spawn(PROJECT_NODE, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
      const root = await new Promise<string>((resolve, reject) => {
        holder.stdout.setEncoding('utf8').on('data', (text: string) => resolve(text.trim()));
        holder.on('exit', () => reject(new Error('the holder ended early')));
      });
      assert.ok((await processesOf(root)).length >= 3, 'server, extension host and browser run');
      holder.kill(signal);
      const deadline = performance.now() + 10_000;
      while ((existsSync(root) || (await processesOf(root)).length > 0) && performance.now() < deadline)
        await delay(100);
      assert.equal(existsSync(root), false, `${root} is removed after ${signal}`);
      assert.deepEqual(await processesOf(root), [], `no process is left after ${signal}`);
    }
  });
});

/** Command lines of processes that were started with something of `root` in their arguments or environment. */
async function processesOf(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const text = await Promise.all(
      ['cmdline', 'environ'].map((f) => readFile(`/proc/${pid}/${f}`, 'utf8').catch(() => '')),
    );
    if (text.some((part) => part.includes(root)))
      found.push((text[0] ?? '').replaceAll('\0', ' ').slice(0, 200));
  }
  return found;
}
