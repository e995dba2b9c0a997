/** The source archive on real git repositories: what is in it is what a person sees in the folder. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { isAmbientError } from '../../../../common/errors.ts';
import { packSource } from '../../../../extension/sessions/source-archive.ts';
import type { PackOptions, SourceArchive } from '../../../../extension/sessions/source-archive.ts';

interface Entry {
  type: string;
  mode: number;
  text: string;
  linkname?: string;
}

describe('the archive of a folder', function () {
  this.timeout(30_000);
  let work: string;
  let folder: string;

  beforeEach(async () => {
    work = await mkdtemp(join(tmpdir(), 'ambient-test-'));
    folder = join(work, 'project');
    await mkdir(folder);
    await mkdir(join(work, 'tmp'));
    // So that what is left behind can be told from what others leave.
    process.env['TMPDIR'] = join(work, 'tmp');
  });
  afterEach(async () => {
    if (tmp === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = tmp;
    await rm(work, { recursive: true, force: true });
  });
  const tmp = process.env['TMPDIR'];
  const leftovers = (): string[] => readdirSync(join(work, 'tmp'));

  const env = { PATH: process.env['PATH'], HOME: '/nonexistent' };
  const gitIn = (where: string, ...args: string[]): string =>
    execFileSync(
      'git',
      ['-c', 'user.name=T', '-c', 'user.email=t@example.com', '-c', 'protocol.file.allow=always', ...args],
      {
        cwd: where,
        env: { ...env, GIT_CONFIG_NOSYSTEM: '1' },
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
  const git = (...args: string[]): string => gitIn(folder, ...args);
  const put = async (path: string, text = path): Promise<void> => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  const commitAll = (): void => {
    git('add', '-A');
    git('commit', '-q', '-m', 'all');
  };
  const pack = (options: Partial<PackOptions> = {}): Promise<SourceArchive> =>
    packSource({ folder, env, signal: new AbortController().signal, maxBytes: 2 ** 31, ...options });

  async function unpacked(archive: SourceArchive): Promise<Map<string, Entry>> {
    const entries = new Map<string, Entry>();
    const tar = createReadStream(archive.path).pipe(createGunzip()).pipe(extract());
    for await (const entry of tar) {
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      const { name, type, mode, linkname } = entry.header;
      entries.set(name, {
        type: type ?? '',
        mode: mode ?? 0,
        text: Buffer.concat(chunks).toString('latin1'),
        ...(linkname == null ? {} : { linkname }),
      });
    }
    return entries;
  }
  const names = async (archive: SourceArchive): Promise<string[]> => [...(await unpacked(archive)).keys()];

  it('holds tracked and new files as they stand, and neither deleted nor ignored ones', async () => {
    git('init', '-q');
    await put('.gitignore', 'ignored.txt\nbuild/\n');
    await put('kept.txt', 'committed');
    await put('gone.txt');
    commitAll();
    await put('kept.txt', 'changed since');
    await put('new/file.txt');
    await put('ignored.txt');
    await put('build/output.js');
    await rm(join(folder, 'gone.txt'));
    await using archive = await pack();
    const entries = await unpacked(archive);
    assert.deepEqual(
      [...entries.keys()],
      ['files/.gitignore', 'files/kept.txt', 'files/new/file.txt', 'history.bundle'],
    );
    assert.equal(entries.get('files/kept.txt')?.text, 'changed since');
    assert.deepEqual([archive.files, archive.hasHistory, archive.name], [3, true, 'project']);
    assert.deepEqual(archive.warnings, []);
  });

  it('brings the history of HEAD as a bundle that git can clone', async () => {
    git('init', '-q', '--initial-branch=fix/this');
    await put('a.txt');
    commitAll();
    await put('b.txt');
    commitAll();
    await using archive = await pack();
    const bundle = join(work, 'history.bundle');
    await writeFile(
      bundle,
      Buffer.from((await unpacked(archive)).get('history.bundle')?.text ?? '', 'latin1'),
    );
    gitIn(work, 'clone', '-q', bundle, 'clone');
    assert.equal(gitIn(join(work, 'clone'), 'log', '--format=%s').split('\n').filter(Boolean).length, 2);
    assert.equal(gitIn(join(work, 'clone'), 'rev-parse', 'HEAD'), git('rev-parse', 'HEAD'));
    assert.equal(gitIn(join(work, 'clone'), 'branch', '--show-current').trim(), 'fix/this');
  });

  it('tells size and digest of the file it wrote, and removes it when disposed', async () => {
    await put('a.txt', 'x'.repeat(100_000));
    const archive = await pack();
    const bytes = readFileSync(archive.path);
    assert.equal(archive.sizeBytes, bytes.length);
    assert.equal(archive.digest, `sha256:${createHash('sha256').update(bytes).digest('hex')}`);
    await archive[Symbol.asyncDispose]();
    assert.equal(existsSync(dirname(archive.path)), false);
  });

  it('keeps executable bits, empty files, odd names and files too large for one read', async () => {
    git('init', '-q');
    await put('run.sh');
    await chmod(join(folder, 'run.sh'), 0o755);
    await put('empty', '');
    await put('späße "and" more\n.txt', 'odd');
    await put('-dash', 'dash');
    await put('large.bin', 'y'.repeat(9 * 1024 * 1024));
    await using archive = await pack();
    const entries = await unpacked(archive);
    assert.equal(entries.get('files/run.sh')?.mode, 0o755);
    assert.equal(entries.get('files/empty')?.mode, 0o644);
    assert.equal(entries.get('files/empty')?.text, '');
    assert.equal(entries.get('files/späße "and" more\n.txt')?.text, 'odd');
    assert.equal(entries.get('files/-dash')?.text, 'dash');
    assert.equal(entries.get('files/large.bin')?.text.length, 9 * 1024 * 1024);
  });

  it('keeps links that stay inside, and leaves out with a word those that lead out', async () => {
    git('init', '-q');
    await put('folder/target.txt');
    await symlink('../folder/target.txt', join(folder, 'folder', 'inside'));
    await symlink('folder', join(folder, 'to-folder'));
    await symlink('nowhere', join(folder, 'dangling'));
    await symlink('/etc/passwd', join(folder, 'absolute'));
    await symlink('../../secret', join(folder, 'out'));
    await using archive = await pack();
    const entries = await unpacked(archive);
    assert.equal(entries.get('files/folder/inside')?.linkname, '../folder/target.txt');
    assert.equal(entries.get('files/to-folder')?.type, 'symlink');
    assert.equal(entries.get('files/dangling')?.linkname, 'nowhere');
    assert.equal(entries.has('files/absolute') || entries.has('files/out'), false);
    assert.deepEqual(archive.warnings, [
      'The link absolute was left out: it points out of the folder, to /etc/passwd.',
      'The link out was left out: it points out of the folder, to ../../secret.',
    ]);
  });

  it('goes into submodules and repositories inside, by their own rules', async () => {
    const library = join(work, 'library');
    await mkdir(library);
    gitIn(library, 'init', '-q');
    await writeFile(join(library, 'lib.txt'), 'lib');
    gitIn(library, 'add', '-A');
    gitIn(library, 'commit', '-q', '-m', 'lib');
    git('init', '-q');
    await put('a.txt');
    git('submodule', '--quiet', 'add', library, 'sub');
    git('submodule', '--quiet', 'add', library, 'absent');
    commitAll();
    git('submodule', '--quiet', 'deinit', '-f', 'absent');
    await mkdir(join(folder, 'nested'));
    gitIn(join(folder, 'nested'), 'init', '-q');
    await put('nested/.gitignore', 'junk\n');
    await put('nested/junk');
    await put('nested/n.txt');
    await put('sub/new.txt');
    await using archive = await pack();
    assert.deepEqual(await names(archive), [
      'files/.gitmodules',
      'files/a.txt',
      'files/nested/.gitignore',
      'files/nested/n.txt',
      'files/sub/lib.txt',
      'files/sub/new.txt',
      'history.bundle',
    ]);
  });

  it('honours .gitignore outside of any repository too, and never takes node_modules', async () => {
    await put('.gitignore', '*.log\n!keep.log\n/dist\n');
    await put('a.log');
    await put('keep.log');
    await put('dist/x.js');
    await put('src/dist/y.js');
    await put('src/node_modules/z.js');
    await using archive = await pack();
    assert.deepEqual(await names(archive), ['files/.gitignore', 'files/keep.log', 'files/src/dist/y.js']);
    assert.equal(archive.hasHistory, false);
  });

  it('works without git, and says what that means', async () => {
    await put('.gitignore', '*.log\n');
    await put('a.log');
    await put('node_modules/z.js');
    await put('.git/config');
    await using archive = await pack({ env: { PATH: '/nonexistent' } });
    assert.deepEqual(await names(archive), ['files/.gitignore', 'files/a.log']);
    assert.match(archive.warnings.join(), /git is not installed here, so \.gitignore is not honoured/);
  });

  it('sends the history of a shallow clone as far as it reaches, and where that is', async () => {
    const origin = join(work, 'origin');
    await mkdir(origin);
    gitIn(origin, 'init', '-q');
    for (const text of ['1', '2']) {
      await writeFile(join(origin, 'a.txt'), text);
      gitIn(origin, 'add', '-A');
      gitIn(origin, 'commit', '-q', '-m', text);
    }
    await rm(folder, { recursive: true });
    gitIn(work, 'clone', '-q', '--depth', '1', `file://${origin}`, folder);
    await using archive = await pack();
    assert.deepEqual(await names(archive), ['files/a.txt', 'history.bundle', 'history.shallow']);
    const shallow = (await unpacked(archive)).get('history.shallow')?.text;
    assert.equal(shallow, `${git('rev-parse', 'HEAD').trim()}\n`);
    assert.deepEqual([archive.hasHistory, archive.warnings], [true, []]);
  });

  it('sends a folder inside a repository alone, also one that the repository ignores', async () => {
    git('init', '-q');
    await put('.gitignore', 'scratch/\n');
    await put('part/a.txt');
    await put('other.txt');
    await put('scratch/s.txt');
    commitAll();
    await using part = await pack({ folder: join(folder, 'part') });
    assert.deepEqual(await names(part), ['files/a.txt']);
    assert.match(part.warnings.join(), /part of a larger repository/);
    await using scratch = await pack({ folder: join(folder, 'scratch') });
    assert.deepEqual(await names(scratch), ['files/s.txt']);
  });

  it('handles a repository without a commit', async () => {
    git('init', '-q');
    await put('a.txt');
    await using archive = await pack();
    assert.deepEqual(await names(archive), ['files/a.txt']);
    assert.equal(archive.hasHistory, false);
  });

  it('does not write to the repository, nor run what it names', async () => {
    git('init', '-q');
    await put('a.txt');
    commitAll();
    await put('monitor.sh', `#!/bin/sh\ntouch ${join(work, 'ran')}\n`);
    await chmod(join(folder, 'monitor.sh'), 0o755);
    git('config', 'core.fsmonitor', join(folder, 'monitor.sh'));
    const before = readFileSync(join(folder, '.git/index'));
    await using archive = await pack();
    assert.equal(archive.files, 2);
    assert.equal(existsSync(join(work, 'ran')), false);
    assert.deepEqual(readFileSync(join(folder, '.git/index')), before);
  });

  it('refuses what is too large, naming the biggest files', async () => {
    const random = (bytes: number): Buffer =>
      Buffer.concat(
        Array.from({ length: bytes / 32 }, (_, i) => createHash('sha256').update(String(i)).digest()),
      );
    await writeFile(join(folder, 'big.bin'), random(2 ** 20));
    await writeFile(join(folder, 'small.bin'), random(2 ** 12));
    await assert.rejects(pack({ maxBytes: 2 ** 18 }), (error: unknown) => {
      assert.ok(isAmbientError(error, 'too_large'));
      assert.match(error.message, /more than 256 KiB.*big\.bin \(1 MiB\)/);
      return true;
    });
    assert.deepEqual(leftovers(), []);
  });

  it('stops when cancelled, leaving nothing behind', async () => {
    for (let i = 0; i < 50; i += 1) await put(`file-${i}.txt`);
    const controller = new AbortController();
    const reason = new Error('enough');
    await assert.rejects(
      pack({ signal: controller.signal, onProgress: ({ files }) => files === 5 && controller.abort(reason) }),
      (error) => error === reason,
    );
    assert.deepEqual(leftovers(), []);
  });

  it('fails with the name of a large file that changes while it is packed', async () => {
    await put('aaa.txt');
    await put('large.bin', 'z'.repeat(6 * 1024 * 1024));
    let cut: Promise<void> | undefined;
    // The size is read, then the file loses its end before its turn comes to be read to there.
    await put('zzz.txt');
    const packing = pack({
      onProgress: ({ files }) => {
        if (files === 1) cut = truncate(join(folder, 'large.bin'), 10);
      },
    });
    const outcome = await packing.then(
      async (archive) => {
        const text = (await unpacked(archive)).get('files/large.bin')?.text.length;
        await archive[Symbol.asyncDispose]();
        return text;
      },
      (error: Error) => error.message,
    );
    await cut;
    // Either it was cut in time to be packed as the small file it is, or the packing says what happened.
    assert.ok(
      outcome === 10 || /large\.bin changed while it was being packed/.test(String(outcome)),
      String(outcome),
    );
  });

  it('says so when the folder is not there', async () => {
    await assert.rejects(pack({ folder: join(work, 'absent') }), /does not exist/);
  });
});
