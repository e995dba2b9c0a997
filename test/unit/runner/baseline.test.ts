import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Baseline } from '../../../runner/baseline.ts';

const never = new AbortController().signal;

describe('changes.patch', function () {
  this.timeout(120_000); // real processes on a machine that may be busy
  let scratch: string;
  let workspace: string;
  let original: string;

  beforeEach(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'baseline-'));
    workspace = join(scratch, 'workspace');
    original = join(scratch, 'original');
    await mkdir(workspace);
    await mkdir(join(scratch, 'home'));
  });
  afterEach(() => rm(scratch, { recursive: true, force: true }));

  const git = (cwd: string, ...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' },
    });
  const put = async (path: string, content: string | Buffer): Promise<void> => {
    await mkdir(join(workspace, path, '..'), { recursive: true });
    await writeFile(join(workspace, path), content);
  };

  /** Snapshots, copies what was delivered, lets `change` happen, and makes the patch. */
  async function patchAfter(change: () => Promise<unknown>) {
    const options = { cwd: workspace, home: join(scratch, 'home'), signal: never };
    const baseline = await Baseline.take(join(scratch, 'private'), options);
    await cp(workspace, original, { recursive: true, verbatimSymlinks: true });
    await change();
    const file = join(scratch, 'changes.patch');
    const result = await baseline.patch(file, never);
    return { ...result, file, text: (await readFile(file)).toString('latin1') };
  }

  /** Paths, modes and contents of everything but .git. */
  async function tree(folder: string): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const name = path.slice(folder.length + 1);
      if (name === '.git' || name.startsWith('.git/') || entry.isDirectory()) continue;
      const executable = entry.isFile() && ((await stat(path)).mode & 0o100) !== 0 ? 'x' : '-';
      found[name] = entry.isSymbolicLink()
        ? `-> ${execFileSync('readlink', [path], { encoding: 'latin1' })}`
        : executable + (await readFile(path)).toString('base64');
    }
    return found;
  }

  async function assertApplies(file: string, ignored: string[] = []): Promise<void> {
    git(original, 'apply', '--check', '--whitespace=nowarn', file);
    git(original, 'apply', '--whitespace=nowarn', file);
    const expected = await tree(workspace);
    for (const path of ignored) delete expected[path];
    assert.deepEqual(await tree(original), expected);
  }

  it('turns the delivered files into what the command left: text, binary, new, deleted, modes, links, odd names', async () => {
    await put('text.txt', 'one\ntwo\nthree\n');
    await put('crlf.txt', 'one\r\ntwo\r\n');
    await put('binary', Buffer.from([0, 1, 2, 255, 254]));
    await put('gone/file', 'x');
    await put('script.sh', '#!/bin/sh\n');
    await put('becomes-folder', 'file');
    await put('becomes-file/inner', 'x');
    await put('no newline', 'a');
    await symlink('text.txt', join(workspace, 'link'));
    const { changed, skipped, file } = await patchAfter(async () => {
      await put('text.txt', 'one\nTWO\nthree\n');
      await put('crlf.txt', 'one\r\nTWO\r\n');
      await put('binary', Buffer.from([0, 1, 2, 3, 255, 10, 13]));
      await rm(join(workspace, 'gone'), { recursive: true });
      await chmod(join(workspace, 'script.sh'), 0o755);
      await unlink(join(workspace, 'becomes-folder'));
      await put('becomes-folder/inner', 'x\n');
      await rm(join(workspace, 'becomes-file'), { recursive: true });
      await put('becomes-file', 'x\n');
      await put('no newline', 'b');
      await unlink(join(workspace, 'link'));
      await symlink('crlf.txt', join(workspace, 'link'));
      await put('ünï-日本-😀', 'x\n');
      await put('with blank and "quotes"\nand line feed', 'x\n');
      await put('-rf', 'x\n');
      await put(':(glob)magic*', 'x\n');
      await put('empty', '');
    });
    assert.equal(changed, true);
    assert.deepEqual(skipped, []);
    await assertApplies(file);
  });

  it('does not exist when nothing changed', async () => {
    await put('a', 'a');
    assert.equal((await patchAfter(async () => chmod(join(workspace, 'a'), 0o600))).changed, false);
  });

  it('starts from what was delivered, uncommitted changes included, and applies to that', async () => {
    git(workspace, 'init', '--quiet');
    await put('a.txt', 'committed\n');
    git(workspace, 'add', '.');
    git(workspace, 'commit', '--quiet', '-m', 'x');
    await put('a.txt', 'committed\nuncommitted\n');
    await put('untracked.txt', 'untracked\n');
    const { file, text } = await patchAfter(async () => {
      await put('a.txt', 'committed\nuncommitted\nby the command\n');
      git(workspace, 'add', '.');
      git(workspace, 'commit', '--quiet', '-m', 'the command commits');
    });
    assert.doesNotMatch(text, /^\+uncommitted$/m);
    assert.match(text, /^\+by the command$/m);
    assert.doesNotMatch(text, /untracked/);
    await assertApplies(file);
  });

  for (const [what, harm] of [
    ['deleted', async (path: string) => rm(path, { recursive: true })],
    ['filled with nonsense', async (path: string) => writeFile(join(path, 'HEAD'), 'nonsense')],
    [
      'replaced by a file',
      async (path: string) => {
        await rm(path, { recursive: true });
        await writeFile(path, 'gitdir: /nowhere');
      },
    ],
  ] as const)
    it(`is made although .git was ${what}`, async () => {
      git(workspace, 'init', '--quiet');
      await put('a', 'a\n');
      const { file, text } = await patchAfter(async () => {
        await harm(join(workspace, '.git'));
        await put('a', 'b\n');
      });
      assert.doesNotMatch(text, /\.git\//);
      await assertApplies(file);
    });

  it('leaves out new files that .gitignore names, and node_modules always, but keeps delivered ones', async () => {
    await put('.gitignore', '*.log\nbuild/\n');
    await put('kept.log', 'delivered although ignored\n');
    const { file, text } = await patchAfter(async () => {
      await put('kept.log', 'changed\n');
      await put('new.log', 'x\n');
      await put('build/out.o', 'x\n');
      await put('node_modules/dep/index.js', 'x\n');
      await put('sub/node_modules/dep/index.js', 'x\n');
      await put('kept.txt', 'x\n');
    });
    assert.doesNotMatch(text, /new\.log|build|node_modules/);
    await assertApplies(file, [
      'new.log',
      'build/out.o',
      'node_modules/dep/index.js',
      'sub/node_modules/dep/index.js',
    ]);
  });

  it('executes no filter and converts no line end, whatever .gitattributes and configuration say', async () => {
    const canary = join(scratch, 'executed');
    git(workspace, 'init', '--quiet');
    for (const name of [
      'filter.evil.clean',
      'filter.evil.smudge',
      'diff.evil.textconv',
      'diff.evil.command',
      'core.fsmonitor',
    ])
      git(workspace, 'config', name, `touch ${canary}; cat`);
    git(workspace, 'config', 'core.autocrlf', 'true');
    await put(
      '.gitattributes',
      '* text=auto eol=crlf filter=evil diff=evil ident working-tree-encoding=UTF-16\n',
    );
    await put('a.txt', 'one\r\n$Id$\r\n');
    const { file } = await patchAfter(async () => {
      await put('a.txt', 'one\r\n$Id$\r\ntwo\r\n');
      await put('.gitattributes', '* text eol=lf filter=evil diff=evil\n');
    });
    await assert.rejects(stat(canary));
    assert.ok((await readFile(file, 'latin1')).includes('\n+two\r\n'));
    // as bytes: the workspace's own attributes would convert on the way
    await rm(join(original, '.git'), { recursive: true });
    await assertApplies(file);
  });

  it('says which repositories inside the workspace, unreadable and too large files it leaves out', async () => {
    await put('grows', 'small\n');
    const { file, text, skipped } = await patchAfter(async () => {
      await mkdir(join(workspace, 'cloned'));
      git(join(workspace, 'cloned'), 'init', '--quiet');
      await put('cloned/x', 'x');
      git(join(workspace, 'cloned'), 'add', '.');
      git(join(workspace, 'cloned'), 'commit', '--quiet', '-m', 'x');
      await mkdir(join(workspace, 'unborn'));
      git(join(workspace, 'unborn'), 'init', '--quiet');
      await put('unborn/y', 'y');
      for (const name of ['grows', 'new-large']) {
        await put(name, 'large');
        await truncate(join(workspace, name), 65 * 1024 * 1024);
      }
      execFileSync('mkfifo', [join(workspace, 'pipe')]);
      await put('fine', 'fine\n');
    });
    assert.deepEqual(skipped.map(({ path }) => path).sort(), ['cloned/', 'grows', 'new-large', 'unborn/']);
    assert.doesNotMatch(text, /Subproject|cloned|unborn|grows|large/);
    assert.match(text, /^\+fine$/m);
    git(original, 'apply', '--check', file);
  });

  it('follows a folder that was renamed and one that became a link', async () => {
    await put('a/one', '1\n');
    await put('b/two', '2\n');
    const { file } = await patchAfter(async () => {
      await rename(join(workspace, 'a'), join(workspace, 'c'));
      await rm(join(workspace, 'b'), { recursive: true });
      await symlink('c', join(workspace, 'b'));
    });
    await assertApplies(file);
  });

  it('of an empty workspace holds all that was made', async () => {
    const { file } = await patchAfter(() => put('made/here.txt', 'x\n'));
    await assertApplies(file);
  });
});
