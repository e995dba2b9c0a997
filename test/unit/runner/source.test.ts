import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, readdir, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, normalize } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import type { Header } from 'tar-stream';
import { RUNNER_PATHS } from '../../../common/api/runner.ts';
import type { RunDescription } from '../../../common/api/runner.ts';
import { unpack } from '../../../runner/source/unpack.ts';
import type { UnpackLimits } from '../../../runner/source/unpack.ts';
import { RunnerEndpoint } from '../../support/runner-endpoint.ts';
import { RunnerPod } from '../../support/runner-process.ts';

type Part = Partial<Header> & { name: string; content?: string | Buffer };

async function archiveOf(parts: readonly Part[]): Promise<Buffer> {
  const tar = pack();
  for (const { content, ...header } of parts) tar.entry({ type: 'file', ...header }, content ?? '');
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks), { level: 1 });
}

const uploaded = (archive: Buffer): RunDescription['source'] => ({
  type: 'upload',
  upload: {
    sizeBytes: archive.length,
    digest: `sha256:${createHash('sha256').update(archive).digest('hex')}`,
  },
});

const gitEnv = {
  ...process.env,
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@example.com',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@example.com',
};
const git = (cwd: string, ...args: string[]): string =>
  execFileSync('git', args, { cwd, env: gitEnv, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

/** A repository with three commits on main, a branch, a tag. */
async function makeRepository(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  git(folder, 'init', '--quiet', '--initial-branch=main');
  for (const [index, content] of ['one\n', 'two\n', 'three\n'].entries()) {
    await writeFile(join(folder, 'file.txt'), content);
    await writeFile(join(folder, `extra-${index}.txt`), `extra ${index}\n`);
    git(folder, 'add', '.');
    git(folder, 'commit', '--quiet', '-m', `commit ${index + 1}`);
  }
  git(folder, 'tag', 'v1', 'HEAD~1');
  git(folder, 'branch', 'feature/x', 'HEAD~2');
  git(folder, 'update-ref', 'refs/pull/7/head', 'HEAD~1');
}

describe('a source that was uploaded', function () {
  this.timeout(120_000); // real processes on a machine that may be busy
  let scratch: string;
  beforeEach(async () => (scratch = await mkdtemp(join(tmpdir(), 'source-'))));
  afterEach(() => rm(scratch, { recursive: true, force: true }));

  it('is in the workspace with its execute bits, links and history, uncommitted changes and deletions included', async () => {
    const repository = join(scratch, 'repository');
    await makeRepository(repository);
    git(repository, 'bundle', 'create', '--quiet', join(scratch, 'history.bundle'), 'HEAD', 'main');
    const archive = await archiveOf([
      { name: 'history.bundle', content: await readFile(join(scratch, 'history.bundle')) },
      { name: 'files/', type: 'directory' },
      { name: 'files/file.txt', content: 'changed\n' },
      { name: 'files/extra-0.txt', content: 'extra 0\n' },
      { name: 'files/new.txt', content: 'new\n' },
      { name: 'files/bin/tool', content: '#!/bin/sh\necho tool\n', mode: 0o6755 },
      { name: 'files/link', type: 'symlink', linkname: 'bin/tool' },
    ]);
    await using endpoint = await RunnerEndpoint.start();
    endpoint.source = archive;
    await using pod = await RunnerPod.make({ endpoint, description: { source: uploaded(archive) } });
    const end = await pod.run(
      'sh',
      '-c',
      'git log --format=%s; git branch --show-current; git status --porcelain; ./link; ls -l bin/tool | cut -c1-10; git remote',
    );
    assert.equal(end.code, 0, end.stdout + end.stderr);
    assert.deepEqual(endpoint.texts('output', 'stderr'), []);
    assert.deepEqual(endpoint.texts('output'), [
      'commit 3',
      'commit 2',
      'commit 1',
      'main',
      ' D extra-1.txt',
      ' D extra-2.txt',
      ' M file.txt',
      '?? bin/',
      '?? link',
      '?? new.txt',
      'tool',
      '-rwxr-xr-x',
    ]);
    assert.equal(endpoint.artifacts.has('changes.patch'), false, 'the command changed nothing');
  });

  it('keeps a detached HEAD and a shallow history as they were', async () => {
    const repository = join(scratch, 'repository');
    await makeRepository(repository);
    const shallow = join(scratch, 'shallow');
    git(scratch, 'clone', '--quiet', '--depth', '2', `file://${repository}`, shallow);
    git(shallow, 'checkout', '--quiet', '--detach');
    git(shallow, 'bundle', 'create', '--quiet', join(scratch, 'history.bundle'), 'HEAD');
    const archive = await archiveOf([
      { name: 'files/file.txt', content: 'three\n' },
      { name: 'history.bundle', content: await readFile(join(scratch, 'history.bundle')) },
      { name: 'history.shallow', content: await readFile(join(shallow, '.git', 'shallow')) },
    ]);
    await using endpoint = await RunnerEndpoint.start();
    endpoint.source = archive;
    await using pod = await RunnerPod.make({ endpoint, description: { source: uploaded(archive) } });
    const end = await pod.run(
      'sh',
      '-c',
      'git log --format=%s; git symbolic-ref -q HEAD || echo detached; git fsck --connectivity-only && echo whole',
    );
    assert.equal(end.code, 0, end.stdout + end.stderr);
    assert.deepEqual(endpoint.texts('output', 'stdout'), ['commit 3', 'commit 2', 'detached', 'whole']);
  });

  it('is fetched with Range after each broken connection', async () => {
    const archive = await archiveOf([{ name: 'files/random', content: randomBytes(3_000_000) }]);
    await using endpoint = await RunnerEndpoint.start();
    endpoint.source = archive;
    let sent = 0;
    endpoint.fault = (request) => {
      if (request.url !== RUNNER_PATHS.source) return undefined;
      sent++;
      return sent === 2 ? { status: 503 } : sent <= 4 ? { drop: 'middle' } : undefined;
    };
    await using pod = await RunnerPod.make({ endpoint, description: { source: uploaded(archive) } });
    const end = await pod.run('sh', '-c', 'wc -c < random');
    assert.equal(end.code, 0, end.stdout);
    assert.deepEqual(endpoint.texts('output'), ['3000000']);
    assert.equal(sent, 5);
  });

  it('ends the session as SourceUnavailable when digest or size are not as announced, or nothing was uploaded', async () => {
    const archive = await archiveOf([{ name: 'files/a', content: 'a' }]);
    const other = await archiveOf([{ name: 'files/b', content: randomBytes(archive.length) }]);
    const sameSize = Buffer.from(archive).fill(1, 20, 30);
    for (const [delivered, pattern] of [
      [other, /bytes, not \d+/],
      [archive.subarray(0, -5), /bytes, not \d+/],
      [sameSize, /digest sha256:[0-9a-f]{64}, not sha256:/],
      [undefined, /cannot be fetched: no source was uploaded/],
    ] as const) {
      await using endpoint = await RunnerEndpoint.start();
      endpoint.source = delivered;
      await using pod = await RunnerPod.make({ endpoint, description: { source: uploaded(archive) } });
      const end = await pod.run('echo', 'started');
      assert.equal(end.code, 70);
      assert.equal(endpoint.results[0]?.outcome, 'SourceUnavailable');
      assert.match(endpoint.results[0].message, pattern);
      assert.deepEqual(endpoint.texts('output'), []);
      assert.deepEqual(await readdir(pod.workspace), []);
    }
  });

  it('is refused when the history is no bundle', async () => {
    const archive = await archiveOf([{ name: 'history.bundle', content: 'not a bundle' }]);
    await using endpoint = await RunnerEndpoint.start();
    endpoint.source = archive;
    await using pod = await RunnerPod.make({ endpoint, description: { source: uploaded(archive) } });
    assert.equal((await pod.run('true')).code, 70);
    assert.match(endpoint.results[0]?.message ?? '', /history\.bundle.*does not look like/);
  });
});

describe('unpacking a source archive', function () {
  this.timeout(120_000); // real processes on a machine that may be busy
  let scratch: string;
  let workspace: string;
  beforeEach(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'unpack-'));
    workspace = join(scratch, 'pod', 'workspace');
    await mkdir(workspace, { recursive: true });
    await mkdir(join(scratch, 'besides'));
  });
  afterEach(() => rm(scratch, { recursive: true, force: true }));

  const into = async (parts: readonly Part[] | Buffer, limits?: UnpackLimits) =>
    unpack(Readable.from([Buffer.isBuffer(parts) ? parts : await archiveOf(parts)]), {
      workspace,
      besides: join(scratch, 'besides'),
      signal: new AbortController().signal,
      ...(limits && { limits }),
    });
  /** Everything that exists outside the workspace. */
  const outside = async (): Promise<string[]> =>
    (await readdir(scratch, { recursive: true })).filter((path) => !path.startsWith('pod/workspace/')).sort();
  const untouched = ['besides', 'pod', 'pod/workspace'];

  const hostile: [string, Part[], RegExp][] = [
    ['a path with ..', [{ name: 'files/../../evil' }], /unsafe path/],
    ['an absolute path', [{ name: '/tmp/evil-by-archive' }], /unsafe path/],
    ['a path that is .. only at its end', [{ name: 'files/..' }], /unsafe path/],
    ['an empty segment', [{ name: 'files//etc' }], /unsafe path/],
    ['a name outside files/', [{ name: 'evil' }], /unexpected entry/],
    [
      'a file written through a link in the archive',
      [
        { name: 'files/out', type: 'symlink', linkname: '../..' },
        { name: 'files/out/evil', content: 'x' },
      ],
      /both as folder/,
    ],
    [
      'a link made through another link',
      [
        { name: 'files/sub', type: 'symlink', linkname: '.' },
        { name: 'files/sub/evil', type: 'symlink', linkname: 'x' },
      ],
      /both as folder/,
    ],
    ['a hard link out', [{ name: 'files/h', type: 'link', linkname: '/etc/passwd' }], /unsafe path/],
    ['a hard link to ..', [{ name: 'files/h', type: 'link', linkname: 'files/../../x' }], /unsafe path/],
    ['a hard link to nothing', [{ name: 'files/h', type: 'link', linkname: 'files/none' }], /ENOENT/],
    [
      'a device',
      [{ name: 'files/dev', type: 'character-device', devmajor: 1, devminor: 3 }],
      /character-device/,
    ],
    ['a pipe', [{ name: 'files/fifo', type: 'fifo' }], /fifo/],
    [
      'a .git folder',
      [{ name: 'files/.git/config', content: '[core]\n\tfsmonitor = touch /tmp/evil\n' }],
      /\.git folder/,
    ],
    ['a .git file', [{ name: './files/.git', content: 'gitdir: /tmp/evil' }], /\.git folder/],
    ['the same file twice', [{ name: 'files/a' }, { name: 'files/a' }], /EEXIST/],
    [
      'a history that is a link',
      [{ name: 'history.bundle', type: 'symlink', linkname: '/etc/passwd' }],
      /no file/,
    ],
    ['a path of 5000 bytes', [{ name: `files/${'a/'.repeat(2500)}b` }], /unsafe path/],
  ];
  for (const [what, parts, reason] of hostile)
    it(`refuses ${what} and writes nothing outside`, async () => {
      await assert.rejects(into(parts), reason);
      assert.deepEqual(await outside(), untouched);
    });

  it('leaves out links that lead out of the workspace, alone or together, and says so', async () => {
    const done = await into([
      { name: 'files/a/fine', content: 'x' },
      { name: 'files/good', type: 'symlink', linkname: 'a/fine' },
      { name: 'files/a/up', type: 'symlink', linkname: '../good' },
      { name: 'files/dangling', type: 'symlink', linkname: 'not/there' },
      { name: 'files/absolute', type: 'symlink', linkname: '/etc' },
      { name: 'files/dots', type: 'symlink', linkname: '../../etc' },
      // each of these two stays inside when read alone
      { name: 'files/a/here', type: 'symlink', linkname: '..' },
      { name: 'files/trick', type: 'symlink', linkname: 'a/here/../../outside' },
    ]);
    // what it leads to must exist for the trick to be one
    assert.deepEqual(done.linksLeftOut.sort(), ['absolute', 'dots']);
    assert.equal(await readlink(join(workspace, 'a/up')), '../good');
    await mkdir(join(scratch, 'pod', 'outside'));
    await rm(workspace, { recursive: true });
    await mkdir(workspace);
    const again = await into([
      { name: 'files/a/fine', content: 'x' },
      { name: 'files/a/here', type: 'symlink', linkname: '..' },
      { name: 'files/trick', type: 'symlink', linkname: 'a/here/../outside' },
    ]);
    assert.deepEqual(again.linksLeftOut, ['trick']);
  });

  it('takes away set-user-id and copies hard links', async () => {
    await into([
      { name: 'files/tool', content: 'x', mode: 0o7777 },
      { name: 'files/plain', content: 'x', mode: 0o600 },
      { name: 'files/same', type: 'link', linkname: 'files/tool' },
    ]);
    assert.equal((await stat(join(workspace, 'tool'))).mode & 0o7777, 0o755);
    assert.equal((await stat(join(workspace, 'plain'))).mode & 0o7777, 0o644);
    assert.equal((await stat(join(workspace, 'same'))).nlink, 1);
    assert.equal(await readFile(join(workspace, 'same'), 'utf8'), 'x');
  });

  it('refuses too many entries and too many bytes before writing them', async () => {
    const many = Array.from({ length: 20 }, (_, index) => ({ name: `files/${index}` }));
    await assert.rejects(into(many, { entries: 10, bytes: 1000 }), /more than 10 entries/);
    await assert.rejects(
      into([{ name: 'files/bomb', content: Buffer.alloc(100_000) }], { entries: 10, bytes: 1000 }),
      /more than 1000 bytes/,
    );
    await assert.rejects(stat(join(workspace, 'bomb')));
  });

  it('says that an archive is damaged when it is cut, no gzip, or no tar', async () => {
    const whole = await archiveOf([{ name: 'files/a', content: randomBytes(50_000) }]);
    for (const damaged of [
      whole.subarray(0, 20_000),
      Buffer.from('plain text'),
      gzipSync(Buffer.alloc(3000, 'x')),
    ])
      await assert.rejects(into(damaged), /^SourceError: the source archive cannot be unpacked/);
  });
});

describe('a source from a git server', function () {
  this.timeout(120_000); // real processes on a machine that may be busy
  let scratch: string;
  let repository: string;
  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'git-source-'));
    repository = join(scratch, 'served', 'repository.git');
    await makeRepository(join(scratch, 'original'));
    git(scratch, 'clone', '--quiet', '--mirror', join(scratch, 'original'), repository);
    git(repository, 'update-server-info');
    await writeFile(join(repository, 'git-daemon-export-ok'), '');
    await chmod(join(scratch, 'served'), 0o755);
  });
  after(() => rm(scratch, { recursive: true, force: true }));

  async function daemon(): Promise<AsyncDisposable & { url: string }> {
    const probe = createTcpServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    probe.close();
    await once(probe, 'close');
    const child = spawn(
      'git',
      [
        'daemon',
        '--reuseaddr',
        '--listen=127.0.0.1',
        `--port=${port}`,
        `--base-path=${join(scratch, 'served')}`,
        '--export-all',
        '--verbose',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], env: gitEnv, detached: true },
    );
    await once(child.stderr, 'data'); // Ready to rumble
    return {
      url: `git://127.0.0.1:${port}/repository.git`,
      async [Symbol.asyncDispose]() {
        const gone = once(child, 'exit');
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
        await gone;
      },
    };
  }

  /** Files only: what a plain web server can do. */
  async function dumbServer(): Promise<AsyncDisposable & { url: string }> {
    const server = createServer((request, response) => {
      const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname));
      readFile(join(scratch, 'served', path)).then(
        (content) => response.end(content),
        () => response.writeHead(404).end(),
      );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/repository.git`,
      async [Symbol.asyncDispose]() {
        server.close();
        server.closeAllConnections();
        await once(server, 'close');
      },
    };
  }

  const show = [
    'sh',
    '-c',
    'cat file.txt; git symbolic-ref -q --short HEAD || echo detached; git log -1 --format=%s',
  ];

  for (const [kind, serve] of [
    ['smart', daemon],
    ['dumb', dumbServer],
  ] as const)
    it(`is cloned from a ${kind} server: default branch, branch, tag, commit, short commit`, async () => {
      await using server = await serve();
      const first = git(repository, 'rev-parse', 'main~2');
      for (const [ref, expected] of [
        [undefined, ['three', 'main', 'commit 3']],
        ['feature/x', ['one', 'feature/x', 'commit 1']],
        ['v1', ['two', 'detached', 'commit 2']],
        [first, ['one', 'detached', 'commit 1']],
        [first.slice(0, 8), ['one', 'detached', 'commit 1']],
        ...(kind === 'smart' ? [['refs/pull/7/head', ['two', 'detached', 'commit 2']] as const] : []),
      ] as const) {
        await using endpoint = await RunnerEndpoint.start();
        await using pod = await RunnerPod.make({
          endpoint,
          description: { source: { type: 'git', git: { url: server.url, ...(ref && { ref }) } } },
        });
        const end = await pod.run(...show);
        assert.equal(end.code, 0, end.stdout + end.stderr);
        assert.deepEqual(endpoint.texts('output', 'stdout'), expected, String(ref));
      }
    });

  describe('that asks for credentials', () => {
    const PASSWORD = 'p4ss "w$rd\'s';
    let secret: string;
    let asked: string[];
    beforeEach(async () => {
      secret = await mkdtemp(join(tmpdir(), 'git-secret-'));
      asked = [];
    });
    afterEach(() => rm(secret, { recursive: true, force: true }));

    /** Serves with the password only, and notes what it was given. */
    async function guarded(redirectTo?: string): Promise<AsyncDisposable & { url: string; origin: string }> {
      const server = createServer((request, response) => {
        const { authorization } = request.headers;
        if (authorization !== undefined)
          asked.push(Buffer.from(authorization.replace('Basic ', ''), 'base64').toString('utf8'));
        const { pathname } = new URL(request.url ?? '/', 'http://x');
        if (redirectTo !== undefined)
          return response
            .writeHead(302, { location: `${redirectTo}${pathname}?${request.url?.split('?')[1] ?? ''}` })
            .end();
        if (asked.at(-1)?.endsWith(`:${PASSWORD}`) !== true || authorization === undefined)
          return response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
        readFile(join(scratch, 'served', normalize(decodeURIComponent(pathname)))).then(
          (content) => response.end(content),
          () => response.writeHead(404).end(),
        );
        return response;
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      return {
        url: `${origin}/repository.git`,
        origin,
        async [Symbol.asyncDispose]() {
          server.close();
          server.closeAllConnections();
          await once(server, 'close');
        },
      };
    }

    const fill = async (values: Record<string, string>): Promise<void> => {
      for (const [name, value] of Object.entries(values)) await writeFile(join(secret, name), value);
    };
    const podFor = (endpoint: RunnerEndpoint, url: string): Promise<RunnerPod> =>
      RunnerPod.make({
        endpoint,
        description: { source: { type: 'git', git: { url, credentials: 'git-team' } } },
      });
    const bring = (pod: RunnerPod) => pod.bringSource({ AMBIENT_GIT_CREDENTIALS: secret });

    it('is cloned by the container that has them; the one of the command finds them nowhere', async () => {
      await using server = await guarded();
      await fill({ url: `${server.origin}/`, username: 'bot', password: `${PASSWORD}\n` });
      await using endpoint = await RunnerEndpoint.start();
      await using pod = await podFor(endpoint, server.url);
      const init = await bring(pod);
      assert.equal(init.code, 0, init.stderr);
      assert.ok(!`${init.stdout}${init.stderr}`.includes(PASSWORD));
      assert.ok(asked.every((each) => each === `bot:${PASSWORD}`));
      const end = await pod.run(
        'sh',
        '-c',
        `cat file.txt; env | grep -c w.rd; grep -rl 'p4ss' . "${pod.temporary}" || echo nowhere; ls -A "${pod.temporary}"`,
      );
      assert.equal(end.code, 0, end.stdout + end.stderr);
      const said = endpoint.texts('output', 'stdout');
      assert.deepEqual(said.slice(0, 3), ['three', '0', 'nowhere']);
      assert.ok(!said.includes('.ambient-source.json'));
      assert.equal(endpoint.results[0]?.sourceCommit, git(repository, 'rev-parse', 'main'));
    });

    it('takes a token without a user name', async () => {
      await using server = await guarded();
      await fill({ url: server.url, token: PASSWORD });
      await using endpoint = await RunnerEndpoint.start();
      await using pod = await podFor(endpoint, server.url);
      await bring(pod);
      await pod.run('cat', 'file.txt');
      assert.deepEqual(endpoint.texts('output', 'stdout'), ['three']);
      assert.ok(asked.every((each) => each === `x-access-token:${PASSWORD}`));
    });

    it('says what is wrong with them', async () => {
      await using server = await guarded();
      for (const [values, problem] of [
        [{}, /The Secret git-team, which .* come from, is not there or is empty/],
        [{ password: PASSWORD }, /does not say in url which addresses they are for/],
        [{ url: server.origin }, /has neither password nor token/],
        [
          { url: 'https://github.com/team', password: PASSWORD },
          /is for https:\/\/github\.com\/team, not for http/,
        ],
        [{ url: `${server.origin}/repo`, password: PASSWORD }, /is for .*\/repo, not for/],
        [{ url: server.origin, password: 'two\nlines' }, /has a line break/],
        [{ url: server.origin, password: 'wrong' }, /Authentication failed/],
      ] as const) {
        await rm(secret, { recursive: true });
        await mkdir(secret);
        await fill(values);
        await using endpoint = await RunnerEndpoint.start();
        await using pod = await podFor(endpoint, server.url);
        assert.equal((await bring(pod)).code, 0);
        await pod.run('true');
        assert.equal(endpoint.results[0]?.outcome, 'SourceUnavailable');
        assert.match(endpoint.results[0].message, problem);
      }
    });

    it('gives them to no other server that it is sent to', async () => {
      await using thief = await guarded();
      await using server = await guarded(thief.origin);
      await fill({ url: server.origin, password: PASSWORD });
      await using endpoint = await RunnerEndpoint.start();
      await using pod = await podFor(endpoint, server.url);
      await bring(pod);
      await pod.run('true');
      assert.equal(endpoint.results[0]?.outcome, 'SourceUnavailable');
      assert.deepEqual(asked, []);
    });

    it('is not believed to have come when nobody has brought it', async () => {
      await using endpoint = await RunnerEndpoint.start();
      await using pod = await podFor(endpoint, 'http://127.0.0.1:1/x.git');
      await pod.run('true');
      assert.match(endpoint.results[0]?.message ?? '', /nobody has brought the source/i);
    });
  });

  it('gives a patch that applies to a fresh clone', async () => {
    await using server = await daemon();
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({
      endpoint,
      description: { source: { type: 'git', git: { url: server.url } } },
    });
    await pod.run(
      'sh',
      '-c',
      'echo four >> file.txt; rm extra-1.txt; git add -A; git commit -qm mine; rm -rf .git',
    );
    const patch = join(scratch, 'changes.patch');
    await writeFile(patch, endpoint.artifacts.get('changes.patch')?.content ?? '');
    const fresh = join(scratch, 'fresh');
    git(scratch, 'clone', '--quiet', repository, fresh);
    git(fresh, 'apply', '--check', patch);
    git(fresh, 'apply', patch);
    assert.equal(await readFile(join(fresh, 'file.txt'), 'utf8'), 'three\nfour\n');
    assert.deepEqual(git(fresh, 'status', '--porcelain').split('\n'), ['D extra-1.txt', ' M file.txt']);
  });

  it('ends as SourceUnavailable with what git said, never asking for a password', async () => {
    await using server = await daemon();
    const server401 = createServer((_, response) =>
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end(),
    );
    server401.listen(0, '127.0.0.1');
    await once(server401, 'listening');
    const closed = createTcpServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await once(closed, 'close');
    try {
      for (const [url, ref, pattern] of [
        [server.url, 'no-such-branch', /no-such-branch/],
        [server.url, '0123456789abcdef0123456789abcdef01234567', /0123456789abcdef/],
        [server.url.replace('repository', 'other'), undefined, /access denied or repository not exported/],
        [
          `http://user:secret@127.0.0.1:${(server401.address() as AddressInfo).port}/x.git`,
          undefined,
          /Authentication failed|could not read/,
        ],
        [`git://127.0.0.1:${port}/x.git`, undefined, /Connection refused/],
        [`file://${repository}`, undefined, /transport 'file' not allowed/],
        ['ext::sh -c touch% /tmp/evil', undefined, /transport 'ext' not allowed/],
      ] as const) {
        await using endpoint = await RunnerEndpoint.start();
        await using pod = await RunnerPod.make({
          endpoint,
          description: { source: { type: 'git', git: { url, ...(ref && { ref }) } } },
        });
        const end = await pod.run('echo', 'started');
        assert.equal(end.code, 70, end.stdout);
        const result = endpoint.results[0];
        assert.equal(result?.outcome, 'SourceUnavailable');
        assert.match(result.message, pattern);
        assert.ok(!JSON.stringify(endpoint.results).includes('secret'));
        assert.deepEqual(endpoint.texts('output'), []);
      }
    } finally {
      server401.close();
    }
  });
});
