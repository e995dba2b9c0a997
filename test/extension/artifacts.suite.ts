/** Artifacts in a real VS Code: opened the way people would rather see them, saved, compared, applied and undone. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openWindow, orSkip, startVscode } from '../vscode/launch.ts';
import type { VscodeServer, VscodeWindow } from '../vscode/launch.ts';
import { buildArtifactsExtension } from './artifacts/build.ts';
import { LiveServer } from './artifacts/live-server.ts';

const REF = { cluster: 'ctx/One', namespace: 'demo', name: 's1', uid: 'uid-1' };
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="120" height="80"><script>document.title = 'hacked'</script><rect width="120" height="80" fill="#3a7"/></svg>`;
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
  'base64',
);

describe('artifacts in the editor', function () {
  this.timeout(180_000);
  let work: string;
  let folder: string;
  let live: LiveServer;
  let server: VscodeServer;
  let window: VscodeWindow;

  before(async function () {
    this.timeout(600_000);
    work = mkdtempSync(path.join(tmpdir(), 'ambient-artifacts-'));
    folder = path.join(work, 'project');
    mkdirSync(folder);
    live = new LiveServer();
    const address = await live.start();
    await buildArtifactsExtension(path.join(work, 'extension'));
    server = await orSkip(
      this,
      startVscode({ extensionPath: path.join(work, 'extension'), folder, env: { LIVE_SERVER: address } }),
    );
    window = await openWindow(server);
  });

  after(async () => {
    await window?.close();
    await server?.stop();
    await live?.[Symbol.asyncDispose]();
    rmSync(work, { recursive: true, force: true });
  });

  afterEach(async () => {
    await window.inHost(async (vscode) => {
      for (const document of vscode.workspace.textDocuments.filter(({ isDirty }) => isDirty)) {
        await vscode.window.showTextDocument(document);
        await vscode.commands.executeCommand('workbench.action.files.revert');
      }
      await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    });
    await window.clearNotifications();
  });

  /** Runs a command on an artifact; what it gives back has to survive JSON. */
  const run = (command: string, artifact: string, options?: object): Promise<unknown> =>
    window.inHost(
      async (vscode, { command, ref, artifact, options }) => {
        const result: unknown = await vscode.commands.executeCommand(command, ref, artifact, options);
        return result ?? null;
      },
      { command, ref: REF, artifact, options: options ?? null },
    );
  /** Without waiting: for commands that ask something. */
  const start = (command: string, artifact: string): Promise<void> =>
    window.inHost(
      (vscode, { command, ref, artifact }) => void vscode.commands.executeCommand(command, ref, artifact),
      { command, ref: REF, artifact },
    );

  describe('opened', () => {
    it('render Markdown, with the pictures it refers to', async () => {
      live.put('docs/report.md', '# A report\n\n![chart](img/chart%20one.svg)\n');
      live.put('docs/img/chart one.svg', SVG);
      await run('ambient.openArtifact', 'docs/report.md');
      const page = await window.webview(/Preview report\.md/);
      assert.equal(await page.locator('h1').innerText(), 'A report');
      const image = page.locator('img');
      await window.until(
        'the picture',
        async () => (await image.evaluate((img: HTMLImageElement) => img.naturalWidth)) === 120,
      );
    });

    it('show SVG as a picture whose scripts do not run, by mouse and keyboard, and as text', async () => {
      live.put('chart.svg', SVG);
      await run('ambient.openArtifact', 'chart.svg');
      const page = await window.webview('chart.svg');
      const image = page.locator('img');
      await image.waitFor();
      assert.equal(await image.getAttribute('alt'), 'Picture chart.svg');
      await page.locator('.about', { hasText: '120 × 80 · 100 %' }).waitFor();
      await page.getByRole('button', { name: 'Zoom in' }).click();
      await page.locator('.about', { hasText: '125 %' }).waitFor();
      assert.equal(await image.evaluate((img: HTMLImageElement) => img.clientWidth), 150);
      await page.locator('.stage').press('1');
      await page.locator('.about', { hasText: '100 %' }).waitFor();
      assert.equal(await page.locator('picture-page').evaluate((e) => e.ownerDocument.title), 'chart.svg');
      await window.screenshot('artifact-svg');
      await page.getByRole('button', { name: 'Open as Text' }).click();
      await window.until('the text', async () => (await window.editorText())?.startsWith('<svg') === true);
    });

    it('say when an SVG is none', async () => {
      live.put('bad.svg', '<svg xmlns="http://www.w3.org/2000/svg"><rect>');
      await run('ambient.openArtifact', 'bad.svg');
      const page = await window.webview('bad.svg');
      await page.getByText('cannot be shown as a picture').waitFor();
    });

    it('show raster images, JSON, HTML as text, and files of odd names', async () => {
      live.put('dot.png', PNG);
      live.put('summary.json', '{"a": 1}\n');
      live.put('page.html', '<script>alert(1)</script>\n');
      live.put('ä b/100% #1?.txt', 'odd\n');
      await run('ambient.openArtifact', 'dot.png');
      await (await window.webview('dot.png')).locator('img').waitFor();
      for (const [name, text] of [
        ['summary.json', '{"a": 1}\n'],
        ['page.html', '<script>alert(1)</script>\n'],
        ['ä b/100% #1?.txt', 'odd\n'],
      ] as const) {
        await run('ambient.openArtifact', name);
        await window.until(name, async () => (await window.editorText()) === text);
      }
      const language = await window.inHost((vscode) => vscode.window.activeTextEditor?.document.uri.scheme);
      assert.equal(language, 'ambient');
    });

    it('are listed as files and folders, read-only', async () => {
      const found = await window.inHost(async (vscode) => {
        const [document] = vscode.workspace.textDocuments.filter(({ uri }) => uri.scheme === 'ambient');
        const root = vscode.Uri.from({ scheme: 'ambient', path: '/ctx~2fOne/demo/s1@uid-1' });
        const names = await vscode.workspace.fs.readDirectory(root);
        const uri = vscode.Uri.joinPath(root, 'docs/report.md');
        const write = await vscode.workspace.fs.writeFile(uri, new Uint8Array()).then(
          () => 'written',
          (error: Error) => error.name,
        );
        return {
          names,
          write,
          writable: vscode.workspace.fs.isWritableFileSystem('ambient'),
          open: document !== undefined,
        };
      });
      assert.deepEqual(found.names.slice(0, 3), [
        ['bad.svg', 1],
        ['chart.svg', 1],
        ['docs', 2],
      ]);
      assert.equal(found.writable, false);
      assert.match(found.write, /NoPermissions|EntryWriteLocked|Unavailable|Error/);
    });

    it('follow what the session does', async () => {
      live.put('grow.txt', 'one\n');
      await run('ambient.openArtifact', 'grow.txt');
      await window.until('the text', async () => (await window.editorText()) === 'one\n');
      live.put('grow.txt', 'one\ntwo\n');
      await window.inHost((vscode) => vscode.commands.executeCommand('ambientTest.changed'));
      await window.until('the new text', async () => (await window.editorText()) === 'one\ntwo\n');
    });

    it('offer binary and too large files for saving', async () => {
      // VS Code shows three messages at most at a time
      await window.clearNotifications();
      live.put('blob.bin', Buffer.from([0, 1, 2, 3]));
      await start('ambient.openArtifact', 'blob.bin');
      assert.match(
        await window.toast(/binary/),
        /^blob\.bin is a binary file \(application\/octet-stream, 4 bytes\)/,
      );
      await window.clearNotifications();
      await window.configure({ 'ambient.artifacts.maxOpenMegabytes': 1 });
      live.put('large.txt', 'x'.repeat(1_100_000));
      await start('ambient.openArtifact', 'large.txt');
      assert.match(await window.toast(/can only be saved/), /large\.txt is 1 MiB large/);
      await window.configure({ 'ambient.artifacts.maxOpenMegabytes': 50 });
    });

    it('say when the session is another one by now', async () => {
      live.sessionUid = 'uid-2';
      try {
        await start('ambient.openArtifact', 'summary.json');
        await window.toast(/another one has its name by now/);
      } finally {
        live.sessionUid = 'uid-1';
      }
    });
  });

  describe('saved', () => {
    it('go to disk in pieces, through cuts', async () => {
      const bytes = randomBytes(9_000_000);
      live.put('big.bin', bytes);
      live.cuts = [1_000_000, 0];
      live.ranges.length = 0;
      const target = path.join(work, 'saved.bin');
      await window.inHost(
        async (vscode, { ref, target }) =>
          void (await vscode.commands.executeCommand('ambient.saveArtifact', ref, 'big.bin', target)),
        { ref: REF, target },
      );
      assert.ok(readFileSync(target).equals(bytes));
    });

    it('go to a folder all together', async () => {
      const target = path.join(work, 'all');
      await window.inHost(
        async (vscode, { ref, target }) =>
          void (await vscode.commands.executeCommand('ambient.saveAllArtifacts', ref, target)),
        { ref: REF, target },
      );
      assert.equal(readFileSync(path.join(target, 's1/ä b/100% #1?.txt'), 'utf8'), 'odd\n');
      assert.equal(readFileSync(path.join(target, 's1/dot.png')).equals(PNG), true);
    });
  });

  describe('that are patches', () => {
    const at = (name: string): string => path.join(folder, name);
    const put = (name: string, content: string | Buffer): void => {
      mkdirSync(path.dirname(at(name)), { recursive: true });
      writeFileSync(at(name), content);
    };
    const lines = (from: number, to: number): string =>
      Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}\n`).join('');
    const git = (cwd: string, ...args: string[]): Buffer =>
      execFileSync(
        'git',
        ['-c', 'user.name=T', '-c', 'user.email=t@example.com', '-c', 'core.autocrlf=false', ...args],
        {
          cwd,
          env: { PATH: process.env['PATH'], HOME: work },
        },
      );

    /** The folder holds `before`; the artifact `changes.patch` makes `after` of it. */
    const prepare = (before: Record<string, string | Buffer>, change: (copy: string) => void): void => {
      // Not the folder itself, which the editor watches.
      for (const name of readdirSync(folder)) rmSync(at(name), { recursive: true, force: true });
      for (const [name, content] of Object.entries(before)) put(name, content);
      const copy = mkdtempSync(path.join(work, 'copy-'));
      execFileSync('cp', ['-a', `${folder}/.`, copy]);
      git(copy, 'init', '-q');
      git(copy, 'add', '-A');
      git(copy, 'commit', '-q', '--allow-empty', '-m', 'first');
      change(copy);
      git(copy, 'add', '-A');
      live.put('changes.patch', git(copy, 'diff', '--cached', '--binary', '--full-index', '--no-renames'));
    };
    const apply = async (
      options: object = {},
    ): Promise<{ outcome: string; applied: string[]; problems: { path: string; what: string }[] }> => {
      return (await run('ambient.applyPatch', 'changes.patch', {
        confirm: false,
        folder,
        ...options,
      })) as never;
    };

    it('change, add and delete files in one step that can be undone', async () => {
      const binary = Buffer.concat([Buffer.from([0]), randomBytes(3000)]);
      const before = {
        'a.txt': lines(1, 60),
        'crlf.txt': 'one\r\ntwo\r\n',
        'mixed.txt': 'one\r\ntwo\nthree\r\n',
        'latin.txt': Buffer.from('gr\xfcn\n', 'latin1'),
        'd/gone.txt': 'gone\n',
        'pic.bin': binary,
        'tool.sh': '#!/bin/sh\n',
        noeol: 'a\nb',
      };
      const after: Record<string, string | Buffer> = {
        'a.txt': 'first\n' + lines(1, 29) + 'thirty\n' + lines(31, 60),
        'crlf.txt': 'one\r\nTWO\r\n',
        'mixed.txt': 'one\r\nTWO\nthree\r\n',
        'latin.txt': Buffer.from('gr\xfcner\n', 'latin1'),
        'pic.bin': Buffer.concat([binary, Buffer.from('x')]),
        noeol: 'a\nB',
        'new/deep/é file.txt': 'new\n',
        'new/bin': randomBytes(100),
        empty: '',
      };
      prepare(before, (copy) => {
        for (const [name, content] of Object.entries(after)) {
          mkdirSync(path.dirname(path.join(copy, name)), { recursive: true });
          writeFileSync(path.join(copy, name), content);
        }
        rmSync(path.join(copy, 'd/gone.txt'));
        chmodSync(path.join(copy, 'tool.sh'), 0o755);
      });
      await window.inHost(
        async (vscode, file) => void (await vscode.window.showTextDocument(vscode.Uri.file(file))),
        at('a.txt'),
      );
      const result = await apply();
      assert.equal(result.outcome, 'applied', JSON.stringify(result));
      assert.deepEqual(result.problems, []);
      for (const [name, content] of Object.entries(after))
        assert.equal(readFileSync(at(name), 'latin1'), Buffer.from(content).toString('latin1'), name);
      assert.equal(existsSync(at('d/gone.txt')), false);
      assert.equal(statSync(at('tool.sh')).mode & 0o100, 0o100);
      const again = await apply();
      assert.deepEqual([again.outcome, again.problems], ['nothing', []]);
      await window.inHost(async (vscode, file) => {
        await vscode.window.showTextDocument(vscode.Uri.file(file));
        await vscode.commands.executeCommand('undo');
      }, at('a.txt'));
      const isBack = ([name, content]: [string, string | Buffer]): boolean =>
        existsSync(at(name)) && readFileSync(at(name)).equals(Buffer.from(content));
      await window.until('everything to be undone', () => Object.entries(before).every(isBack));
      await window.until('new files to go', () => !existsSync(at('empty')));
      assert.equal(existsSync(at('new/bin')), false);
    });

    it('replace binary files also where no text changes, and say that undo does not reach them', async () => {
      const binary = Buffer.concat([Buffer.from([0]), randomBytes(300)]);
      prepare({ 'only.bin': randomBytes(200) }, (copy) => writeFileSync(path.join(copy, 'only.bin'), binary));
      await start('ambient.applyPatch', 'changes.patch');
      await window.dialogText();
      await window.dialogButton('Apply');
      assert.match(await window.toast(/Applied to 1 file/), /Undo does not bring back: only\.bin/);
      assert.ok(readFileSync(at('only.bin')).equals(binary));
    });

    it('keep unsaved changes, and leave them unsaved', async () => {
      prepare({ 'mine.txt': lines(1, 40) }, (copy) =>
        writeFileSync(path.join(copy, 'mine.txt'), lines(1, 29) + 'thirty\n' + lines(31, 40)),
      );
      await window.inHost(async (vscode, file) => {
        const editor = await vscode.window.showTextDocument(vscode.Uri.file(file));
        await editor.edit((builder) => builder.insert(new vscode.Position(0, 0), 'mine\n'));
      }, at('mine.txt'));
      const result = await apply();
      assert.equal(result.outcome, 'applied', JSON.stringify(result));
      assert.equal(await window.editorText(), 'mine\n' + lines(1, 29) + 'thirty\n' + lines(31, 40));
      assert.equal(readFileSync(at('mine.txt'), 'utf8'), lines(1, 40));
    });

    it('apply nothing when something does not fit, unless the person says so', async () => {
      prepare({ 'fit.txt': lines(1, 40), 'b.txt': 'one\n' }, (copy) => {
        writeFileSync(path.join(copy, 'fit.txt'), lines(1, 9) + 'ten\n' + lines(11, 40));
        writeFileSync(path.join(copy, 'b.txt'), 'two\n');
      });
      put('fit.txt', lines(1, 9) + 'mine\n' + lines(11, 40));
      const refused = await apply();
      assert.equal(refused.outcome, 'conflicts');
      assert.deepEqual(refused.problems, [
        { path: 'fit.txt', what: 'change 1 of 1, near line 7, does not fit' },
      ]);
      assert.equal(readFileSync(at('b.txt'), 'utf8'), 'one\n');
      await start('ambient.applyPatch', 'changes.patch');
      assert.match(
        await window.dialogText(),
        /changes\.patch does not fit project as it is\. Nothing has been changed\.[^]*fit\.txt: change 1 of 1/,
      );
      await window.dialogButton('Apply the Rest');
      await window.until('the rest', () => readFileSync(at('b.txt'), 'utf8') === 'two\n');
      assert.match(readFileSync(at('fit.txt'), 'utf8'), /mine/);
    });

    it('are compared before they are applied', async () => {
      prepare({ 'look.txt': lines(1, 40), 'gone.txt': 'gone\n' }, (copy) => {
        writeFileSync(path.join(copy, 'look.txt'), lines(1, 9) + 'ten\n' + lines(11, 40));
        writeFileSync(path.join(copy, 'new.txt'), 'brand new\n');
        rmSync(path.join(copy, 'gone.txt'));
      });
      await run('ambient.openArtifact', 'changes.patch');
      await window.until('the comparison', async () =>
        (await window.tabs()).some((tab) => tab.startsWith('changes.patch of s1')),
      );
      await window.page.locator('.multiDiffEntry').nth(2).waitFor();
      await window.page.getByText('brand new').first().waitFor();
      assert.match(await window.toast(/would change/), /3 files would change in project\./);
      const marks = await window.page.locator('.multiDiffEntry .status').allInnerTexts();
      assert.deepEqual(
        marks.map((mark) => mark.trim()),
        ['D', '', 'A'],
      );
      await window.screenshot('artifact-review');
      await window.clearNotifications();
      await window.page
        .locator('.editor-actions')
        .getByRole('button', { name: 'Apply Changes to Folder…' })
        .first()
        .click();
      await window.until('the change', () => existsSync(at('new.txt')) && !existsSync(at('gone.txt')));
      await window.until('the tab to go', async () => (await window.tabs()).length === 0);
    });

    it('are refused whole when they lead out of the folder', async () => {
      prepare({ 'd/a.txt': 'x\n' }, (copy) => writeFileSync(path.join(copy, 'd/a.txt'), 'y\n'));
      const outside = path.join(work, 'outside');
      mkdirSync(outside, { recursive: true });
      writeFileSync(path.join(outside, 'a.txt'), 'x\n');
      rmSync(at('d'), { recursive: true });
      symlinkSync(outside, at('d'));
      await start('ambient.applyPatch', 'changes.patch');
      await window.toast(/the path "d" is a symbolic link in the folder/);
      await window.clearNotifications();
      live.put(
        'changes.patch',
        'diff --git a/../evil b/../evil\nnew file mode 100644\n--- /dev/null\n+++ b/../evil\n@@ -0,0 +1 @@\n+x\n',
      );
      await start('ambient.applyPatch', 'changes.patch');
      await window.toast(/nothing was changed: the path "\.\.\/evil" leads out of the folder/);
      assert.equal(existsSync(path.join(work, 'evil')), false);
      assert.equal(readFileSync(path.join(outside, 'a.txt'), 'utf8'), 'x\n');
    });
  });
});
