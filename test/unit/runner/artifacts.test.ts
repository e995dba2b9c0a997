import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { walk } from '../../../runner/artifacts/walk.ts';
import type { Found, SkippedFile, WalkOptions } from '../../../runner/artifacts/walk.ts';
import { contentTypeOf } from '../../../runner/artifacts/content-type.ts';
import { RUNNER_PATHS } from '../../../common/api/runner.ts';
import { RunnerEndpoint } from '../../support/runner-endpoint.ts';
import { RunnerPod } from '../../support/runner-process.ts';

const node = (script: string): string[] => [process.execPath, '-e', script];
const inside = (script: string): string[] =>
  node(`const fs = require('fs'); process.chdir(process.env.AMBIENT_ARTIFACTS); ${script}`);

describe('artifacts', function () {
  this.timeout(120_000); // real processes on a machine that may be busy
  it('are kept whatever their names and depth: empty, unicode, blanks, line feeds, percent signs, dots, dashes', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    const names = [
      'empty',
      'ünï-日本-😀.md',
      'with blank',
      'line\nfeed',
      '100%',
      '%2e%2e',
      '-rf',
      '.hidden',
      '...',
      'a\\b',
      'quo"te',
      'semi;colon?x=1#y',
      'tab\there',
      `${'n'.repeat(255)}`,
      `${'deep/'.repeat(60)}file`,
    ];
    const end = await pod.run(
      ...inside(`
        for (const name of ${JSON.stringify(names)}) {
          if (name.includes('/')) fs.mkdirSync(name.slice(0, name.lastIndexOf('/')), { recursive: true });
          fs.writeFileSync(name, name === 'empty' ? '' : 'content of ' + name);
        }
        fs.writeFileSync(Buffer.from([0x62, 0xff, 0xfe, 0xc3, 0xa9]), 'invalid');
        fs.mkdirSync('no files in here');`),
    );
    assert.equal(end.code, 0);
    assert.deepEqual(endpoint.violations, []);
    assert.deepEqual([...endpoint.artifacts.keys()].sort(), [...names, 'b\\xff\\xfeé'].sort());
    for (const name of names)
      assert.equal(
        endpoint.artifacts.get(name)?.content?.toString(),
        name === 'empty' ? '' : `content of ${name}`,
      );
    assert.equal(endpoint.artifacts.get('empty')?.size, 0);
    assert.ok([...endpoint.artifacts.values()].every(({ type }) => type === 'output'));
    assert.deepEqual(endpoint.results[0]?.skippedArtifacts, undefined);
  });

  it('of 200 MB go through in constant memory, byte for byte', async function () {
    this.timeout(120_000);
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    const highWater = async (): Promise<number> => {
      const status = await readFile(`/proc/${pod.pid}/status`, 'utf8');
      return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
    };
    await pod.start(
      'sh',
      '-c',
      'echo ready; until test -e go; do sleep 0.05; done; yes "a line of a large file" | head -c 200000000 > $AMBIENT_ARTIFACTS/large.bin',
    );
    await endpoint.until(() => endpoint.texts('output').includes('ready'));
    const before = await highWater();
    await writeFile(join(pod.workspace, 'go'), '');
    // the result comes after the artifacts, while the runner still lives
    let after = 0;
    endpoint.fault = (request) => {
      if (request.url !== RUNNER_PATHS.result || after > 0) return undefined;
      after = Infinity;
      highWater().then(
        (value) => (after = value),
        () => undefined,
      );
      return { status: 503 };
    };
    assert.equal((await pod.ended()).code, 0);
    const expected = createHash('sha256');
    const line = Buffer.from('a line of a large file\n'.repeat(1000));
    for (let left = 200_000_000; left > 0; left -= line.length) expected.update(line.subarray(0, left));
    const kept = endpoint.artifacts.get('large.bin');
    assert.equal(kept?.size, 200_000_000);
    assert.equal(kept.digest, `sha256:${expected.digest('hex')}`);
    assert.ok(after - before < 32, `grew from ${before} to ${after} MiB`);
  });

  it('follow links to files inside, and skip with a reason what leads out, in circles, nowhere, or is no file', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    await writeFile(join(pod.workspace, 'result.txt'), 'from the workspace');
    await writeFile(join(pod.folder, 'secret'), 'secret');
    const end = await pod.run(
      ...inside(`
        fs.writeFileSync('real', 'real');
        fs.mkdirSync('folder');
        fs.writeFileSync('folder/x', 'x');
        fs.symlinkSync('real', 'link');
        fs.symlinkSync('link', 'link to link');
        fs.symlinkSync(${JSON.stringify(pod.workspace)} + '/result.txt', 'from workspace');
        fs.symlinkSync('../secret', 'out');
        fs.symlinkSync('/etc/passwd', 'absolute');
        fs.symlinkSync('folder', 'to folder');
        fs.symlinkSync('circle', 'circle');
        fs.symlinkSync('nothing', 'dangling');
        require('child_process').execFileSync('mkfifo', ['pipe']);
        const s = require('net').createServer().listen('socket', () => process.exit());`),
    );
    assert.equal(end.code, 0, end.stderr);
    assert.deepEqual(
      [...endpoint.artifacts.keys()]
        .sort()
        .map((path) => [path, endpoint.artifacts.get(path)?.content?.toString()]),
      [
        ['folder/x', 'x'],
        ['from workspace', 'from the workspace'],
        ['link', 'real'],
        ['link to link', 'real'],
        ['real', 'real'],
      ],
    );
    const reasons = Object.fromEntries(
      (endpoint.results[0]?.skippedArtifacts ?? []).map(({ path, reason }) => [path, reason]),
    );
    assert.deepEqual(reasons, {
      absolute: 'a link that leads out of the artifacts and the workspace',
      circle: 'a link that leads in a circle',
      dangling: 'a link that leads nowhere',
      out: 'a link that leads out of the artifacts and the workspace',
      pipe: 'a pipe',
      socket: 'a socket',
      'to folder': 'a link to a folder',
    });
    assert.equal(endpoint.results[0]?.outcome, 'Succeeded');
  });

  it('are sent again after a broken connection, a server error and damaged bytes', async () => {
    await using endpoint = await RunnerEndpoint.start();
    let puts = 0;
    endpoint.fault = (request) => {
      if (request.method !== 'PUT') return undefined;
      puts++;
      return [{ drop: 'before' as const }, { status: 500 }, { drop: 'after' as const }][puts - 1];
    };
    await using pod = await RunnerPod.make({ endpoint });
    const end = await pod.run('sh', '-c', 'head -c 3000000 /dev/zero > $AMBIENT_ARTIFACTS/zeros');
    assert.equal(end.code, 0);
    assert.equal(endpoint.artifacts.get('zeros')?.size, 3_000_000);
    assert.equal(puts, 4);
  });

  it('make the outcome ArtifactsIncomplete when the store is full, but keep a failure of the command', async () => {
    for (const [command, outcome, code] of [
      ['true', 'ArtifactsIncomplete', 74],
      ['exit 4', 'CommandFailed', 4],
    ] as const) {
      await using endpoint = await RunnerEndpoint.start();
      let puts = 0;
      endpoint.fault = (request) => (request.method === 'PUT' && ++puts > 2 ? { status: 507 } : undefined);
      await using pod = await RunnerPod.make({ endpoint });
      const end = await pod.run(
        'sh',
        '-c',
        `for i in 1 2 3 4 5 6 7 8 9; do echo $i > $AMBIENT_ARTIFACTS/$i; done; ${command}`,
      );
      assert.equal(end.code, code);
      assert.equal(endpoint.results[0]?.outcome, outcome);
      assert.match(endpoint.results[0].message, /artifact store is full: only 2 artifacts were kept/);
      assert.ok(puts < 9, 'it does not go on against a full store');
      assert.ok(endpoint.texts('error').some((text) => text.includes('store is full')));
    }
  });

  it("cannot replace the runner's own changes.patch", async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    await pod.run('sh', '-c', 'echo mine > $AMBIENT_ARTIFACTS/changes.patch; echo new > new.txt');
    assert.match(endpoint.artifacts.get('changes.patch')?.content?.toString() ?? '', /new\.txt/);
    assert.equal(endpoint.results[0]?.skippedArtifacts?.[0]?.path, 'changes.patch');
  });

  describe('found by the walk', () => {
    let folder: string;
    beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'walk-'))));
    afterEach(() => rm(folder, { recursive: true, force: true }));

    async function allOf(options: WalkOptions): Promise<(Found | SkippedFile)[]> {
      const found = [];
      for await (const entry of walk(options)) found.push(entry);
      return found;
    }

    it('end with a note when there are more than allowed', async () => {
      for (const name of ['a', 'b', 'c', 'd', 'e']) await writeFile(join(folder, name), name);
      const found = await allOf({ root: folder, linkRoots: [], filesMax: 3 });
      assert.deepEqual(
        found.map((entry) => [entry.path, 'reason' in entry]),
        [
          ['a', false],
          ['b', false],
          ['c', false],
          ['d', true],
        ],
      );
    });

    it('include a file behind a link inside even when the root itself is reached by a link', async () => {
      await mkdir(join(folder, 'real'));
      await symlink('real', join(folder, 'root'));
      await writeFile(join(folder, 'real', 'file'), '');
      await symlink('file', join(folder, 'real', 'link'));
      const found = await allOf({ root: join(folder, 'root'), linkRoots: [], filesMax: 10 });
      assert.deepEqual(
        found.map((entry) => [entry.path, 'reason' in entry]),
        [
          ['file', false],
          ['link', false],
        ],
      );
    });

    it('have a content type by name, or else by their bytes', () => {
      assert.equal(contentTypeOf('a/Report.MD', Buffer.alloc(0)), 'text/markdown; charset=utf-8');
      assert.equal(contentTypeOf('chart.svg', Buffer.alloc(0)), 'image/svg+xml');
      assert.equal(contentTypeOf('LICENSE', Buffer.from('héllo')), 'text/plain; charset=utf-8');
      assert.equal(contentTypeOf('LICENSE', Buffer.from([1, 0, 2])), 'application/octet-stream');
      assert.equal(contentTypeOf('x.unknown', Buffer.from([0xff, 0xfe])), 'application/octet-stream');
      assert.equal(
        contentTypeOf('cut', Buffer.from(`x${'€'.repeat(3000)}`).subarray(0, 4096)),
        'text/plain; charset=utf-8',
      );
    });
  });

  it('that change while they are sent are tried once more', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    const path = join(pod.artifacts, 'growing');
    let puts = 0;
    endpoint.fault = (request) => {
      if (request.method !== 'PUT' || request.url !== `${RUNNER_PATHS.artifacts}/growing`) return undefined;
      // between the two readings, as a process out of reach would
      if (++puts === 1) {
        const file = openSync(path, 'r+');
        writeSync(file, 'y', 4_999_999);
        closeSync(file);
        return { status: 503 };
      }
      return undefined;
    };
    await pod.run('sh', '-c', `head -c 5000000 /dev/zero > $AMBIENT_ARTIFACTS/growing`);
    assert.equal(endpoint.artifacts.get('growing')?.size, 5_000_000);
    assert.equal(
      endpoint.artifacts.get('growing')?.digest,
      `sha256:${createHash('sha256')
        .update(`${'\0'.repeat(4_999_999)}y`)
        .digest('hex')}`,
    );
    assert.equal(puts, 3);
    assert.equal(endpoint.results[0]?.outcome, 'Succeeded');
  });
});
