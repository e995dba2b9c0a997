import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PushReport } from '../../../common/api/push.ts';
import { pushBranch } from '../../../runner/result/push-branch.ts';
import { credentialSettings } from '../../../runner/source/git-credentials.ts';
import { gitServer } from '../../support/git-server.ts';
import type { GitServer } from '../../support/git-server.ts';

const REPOSITORY = 'team/app.git';
const FILES = { 'readme.md': 'one\n', 'src/a.txt': 'a\n', '.gitattributes': '*.dat filter=evil\n' };

describe('the changes of a session on a new branch', function () {
  this.timeout(60_000);
  let server: GitServer;
  let scratch: string;
  let url: string;
  let base: string;

  beforeEach(async () => {
    server = await gitServer();
    scratch = await mkdtemp(join(tmpdir(), 'push-'));
    url = await server.repository(REPOSITORY, FILES);
    base = server.git(REPOSITORY, 'rev-parse', 'main');
  });
  afterEach(async () => {
    await server[Symbol.asyncDispose]();
    await rm(scratch, { recursive: true, force: true });
  });

  /** A patch of what `change` does to the files. */
  async function patchOf(change: (folder: string) => Promise<void>): Promise<string> {
    const folder = await mkdtemp(join(scratch, 'agent-'));
    const git = (...args: string[]): string => execFileSync('git', args, { cwd: folder, encoding: 'utf8' });
    git('init', '--quiet');
    for (const [name, content] of Object.entries(FILES)) {
      await mkdir(join(folder, name, '..'), { recursive: true });
      await writeFile(join(folder, name), content);
    }
    git('add', '--all');
    const tree = git('write-tree').trim();
    await change(folder);
    git('add', '--all', '--force');
    return git('diff', '--cached', '--binary', '--full-index', '--no-renames', tree);
  }

  const edit = (folder: string): Promise<void> => writeFile(join(folder, 'readme.md'), 'two\n');

  async function push(
    patch: string,
    {
      branches = ['ambient/fix'],
      password = server.password,
      session = 'u1',
      ref,
      commit = base,
    }: { branches?: string[]; password?: string; session?: string; ref?: string; commit?: string } = {},
  ): Promise<PushReport> {
    const folder = await mkdtemp(join(scratch, 'pod-'));
    const [cwd, home, secret] = ['repository', 'home', 'secret'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    await Promise.all([cwd, home, secret].map((path) => mkdir(path)));
    await writeFile(join(secret, 'url'), server.origin);
    await writeFile(join(secret, 'token'), password);
    const file = join(folder, 'changes.patch');
    await writeFile(file, patch);
    return await pushBranch(
      {
        source: { url, commit, ...(ref === undefined ? {} : { ref }) },
        branches,
        commit: {
          author: { name: 'Ambient session fix', email: 'session@ambient.invalid' },
          at: '2026-01-02T03:04:05Z',
          message: `Fix it\n\nAmbient-Session-UID: ${session}\n`,
        },
        patch: file,
      },
      {
        cwd,
        home,
        signal: AbortSignal.timeout(30_000),
        config: await credentialSettings(secret, url, 'git'),
      },
    );
  }

  const pushed = (report: PushReport): Extract<PushReport, { state: 'pushed' }> => {
    assert.equal(report.state, 'pushed', JSON.stringify(report));
    return report;
  };
  const branchesThere = (): string[] =>
    server.git(REPOSITORY, 'for-each-ref', '--format=%(refname:short)').split('\n');

  it('are one commit on what the session began with, and nothing else moves', async () => {
    const patch = await patchOf(async (folder) => {
      await edit(folder);
      await writeFile(join(folder, 'new file.bin'), Buffer.from([0, 1, 2, 255]), { mode: 0o755 });
      await rm(join(folder, 'src/a.txt'));
      await writeFile(join(folder, '.gitignore'), '*.log\n');
      await writeFile(join(folder, 'kept.log'), 'log\n');
      await symlink('readme.md', join(folder, 'link'));
    });
    const report = pushed(await push(patch));
    assert.deepEqual(report, { state: 'pushed', branch: 'ambient/fix', commit: report.commit, base: 'main' });
    assert.equal(server.git(REPOSITORY, 'rev-parse', 'ambient/fix'), report.commit);
    assert.equal(server.git(REPOSITORY, 'rev-parse', 'ambient/fix^'), base);
    assert.equal(server.git(REPOSITORY, 'rev-parse', 'main'), base);
    assert.deepEqual(server.git(REPOSITORY, 'diff', '--name-status', 'main', 'ambient/fix').split('\n'), [
      'A\t.gitignore',
      'A\tkept.log',
      'A\tlink',
      'A\tnew file.bin',
      'M\treadme.md',
      'D\tsrc/a.txt',
    ]);
    assert.equal(
      server.git(REPOSITORY, 'log', '-1', '--format=%an <%ae> %aI %cn %B', 'ambient/fix'),
      'Ambient session fix <session@ambient.invalid> 2026-01-02T03:04:05+00:00 Ambient session fix Fix it\n\nAmbient-Session-UID: u1',
    );
  });

  it('are the same commit again after a crash, also when others went on since', async () => {
    const patch = await patchOf(edit);
    const first = pushed(await push(patch));
    const tree = server.git(REPOSITORY, 'rev-parse', 'main^{tree}');
    const newer = server.git(REPOSITORY, 'commit-tree', tree, '-p', 'main', '-m', 'on main');
    server.git(REPOSITORY, 'update-ref', 'refs/heads/main', newer);
    assert.deepEqual(await push(patch), first);
  });

  it('of two sessions with one branch go beside each other, or are kept when that may not be', async () => {
    const first = pushed(await push(await patchOf(edit)));
    const other = await patchOf((folder) => writeFile(join(folder, 'readme.md'), 'three\n'));
    const alone = await push(other, { session: 'u2' });
    assert.equal(alone.state === 'refused' && alone.reason, 'BranchExists', JSON.stringify(alone));
    const branches = ['ambient/fix', 'ambient/fix-u2'];
    assert.equal(pushed(await push(other, { session: 'u2', branches })).branch, 'ambient/fix-u2');
    assert.equal(server.git(REPOSITORY, 'rev-parse', 'ambient/fix'), first.commit);
  });

  it('of many sessions at once with one branch never replace each other', async () => {
    const patches = await Promise.all(
      ['p', 'q', 'r', 's'].map((text) => patchOf((folder) => writeFile(join(folder, 'readme.md'), text))),
    );
    const reports = await Promise.all(patches.map((patch, index) => push(patch, { session: `u${index}` })));
    const winners = reports.filter(({ state }) => state === 'pushed');
    assert.equal(winners.length, 1, JSON.stringify(reports));
    for (const report of reports)
      if (report.state !== 'pushed')
        assert.equal(report.state === 'refused' && report.reason, 'BranchExists', JSON.stringify(report));
  });

  it('are nothing where nothing changed', async () => {
    assert.deepEqual(await push(''), { state: 'unchanged' });
    assert.deepEqual(branchesThere(), ['main']);
  });

  it('stay where they are when credentials are wrong, the server is away, or the commit is gone', async () => {
    const patch = await patchOf(edit);
    const wrong = await push(patch, { password: 'wrong' });
    assert.equal(wrong.state === 'failed' && wrong.reason, 'CredentialsRefused', JSON.stringify(wrong));
    const gone = await push(patch, { commit: 'a'.repeat(40) });
    assert.equal(gone.state === 'refused' && gone.reason, 'BaseGone', JSON.stringify(gone));
    server.before = (_, response) => {
      response.writeHead(503).end();
      return true;
    };
    const away = await push(patch);
    assert.equal(away.state === 'failed' && away.reason, 'Unreachable', JSON.stringify(away));
    server.before = () => false;
    assert.deepEqual(branchesThere(), ['main']);
  });

  it('are told in the words of the server that refuses them', async () => {
    await writeFile(
      join(server.folder, REPOSITORY, 'hooks', 'pre-receive'),
      '#!/bin/sh\necho "Only people may push here." >&2\nexit 1\n',
      { mode: 0o755 },
    );
    const report = await push(await patchOf(edit));
    assert.equal(report.state === 'refused' && report.reason, 'Rejected', JSON.stringify(report));
    assert.match('message' in report ? report.message : '', /ambient\/fix .*Only people may push here/);
  });

  it('reach nothing outside of the repository, and execute nothing', async () => {
    const marker = join(scratch, 'executed');
    const outside = [
      'diff --git a/../outside b/../outside',
      'new file mode 100644',
      '--- /dev/null',
      '+++ b/../outside',
      '@@ -0,0 +1 @@',
      '+x',
      '',
    ].join('\n');
    for (const path of ['../outside', '.git/hooks/pre-push', '.git/config', '/etc/outside']) {
      const report = await push(outside.replaceAll('../outside', path));
      assert.equal(
        report.state === 'refused' && report.reason,
        'DoesNotApply',
        `${path} ${JSON.stringify(report)}`,
      );
    }
    const through = await patchOf((folder) => symlink(scratch, join(folder, 'out')));
    const report = await push(through + outside.replaceAll('../outside', 'out/executed'));
    assert.equal(report.state === 'refused' && report.reason, 'DoesNotApply', JSON.stringify(report));
    const evil = await patchOf(async (folder) => {
      await writeFile(join(folder, '.gitattributes'), '* filter=evil diff=evil merge=evil\n');
      await writeFile(join(folder, '.gitconfig'), `[filter "evil"]\n\tclean = touch ${marker}\n`);
      await writeFile(
        join(folder, '.gitmodules'),
        `[submodule "x"]\n\tpath = x\n\turl = ext::touch ${marker}\n`,
      );
      await edit(folder);
    });
    pushed(await push(evil));
    assert.throws(() => execFileSync('ls', [marker], { stdio: 'ignore' }));
  });
});
