import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RunnerEndpoint } from '../../support/runner-endpoint.ts';
import { RunnerPod } from '../../support/runner-process.ts';

describe('a run', function () {
  this.timeout(120_000); // real processes on a machine that may be busy
  it('runs the command, records its output in order, keeps artifacts and patch, and exits 0', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint, description: { env: { GREETING: 'hello' } } });
    const end = await pod.run(
      'sh',
      '-c',
      'echo "$GREETING $AMBIENT_SESSION"; echo oops >&2; pwd; echo "# Report" > $AMBIENT_ARTIFACTS/report.md; echo new > made.txt; printf last',
    );
    assert.equal(end.code, 0, end.stdout + end.stderr);
    assert.deepEqual(endpoint.violations, []);
    assert.deepEqual(endpoint.texts('output', 'stdout'), ['hello s1', pod.workspace, 'last']);
    assert.deepEqual(endpoint.texts('output', 'stderr'), ['oops']);
    assert.deepEqual(
      endpoint.records.map(({ seq }) => seq),
      endpoint.records.map((_, index) => index + 1),
    );
    assert.equal(endpoint.artifacts.get('report.md')?.content?.toString(), '# Report\n');
    assert.equal(endpoint.artifacts.get('report.md')?.contentType, 'text/markdown; charset=utf-8');
    assert.match(endpoint.artifacts.get('changes.patch')?.content?.toString() ?? '', /^\+new$/m);
    assert.equal(endpoint.artifacts.get('changes.patch')?.contentType, 'text/x-patch');
    const [result, ...more] = endpoint.results;
    assert.deepEqual(more, []);
    assert.equal(result?.outcome, 'Succeeded');
    assert.equal(result.exitCode, 0);
    assert.equal(result.lastSeq, endpoint.records.length);
    assert.match(end.stdout, /^hello s1$/m);
    assert.match(end.stdout, /\[ambient\] Succeeded/);
    assert.deepEqual(await pod.terminationResult(), result);
  });

  it("exits with the command's own code when it fails", async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    const end = await pod.run('sh', '-c', 'exit 37');
    assert.equal(end.code, 37);
    assert.equal(endpoint.results[0]?.outcome, 'CommandFailed');
    assert.equal(endpoint.results[0].exitCode, 37);
  });

  it('comes before its command for the processor, and so tells and ends it however many it becomes', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    await pod.run('sh', '-c', 'sleep 0.5; nice; setsid nice');
    assert.deepEqual(endpoint.texts('output'), ['19', '19']);
  });

  it('gives the command a clean environment without the token', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint, env: { SECRET_OF_THE_RUNNER: 'x' } });
    await pod.run('env');
    const env = endpoint.texts('output').map((line) => line.split('=')[0]);
    assert.deepEqual(
      env.sort(),
      [
        'AMBIENT_ARTIFACTS',
        'AMBIENT_DESCRIPTION',
        'AMBIENT_MEMORY',
        'AMBIENT_NAMESPACE',
        'AMBIENT_SESSION',
        'AMBIENT_SESSION_UID',
        'AMBIENT_WORKSPACE',
        'HOME',
        'LANG',
        'PATH',
        'USER',
      ].sort(),
    );
    assert.ok(!endpoint.texts('output').join().includes(endpoint.token));
  });

  it('tells the command what policy restricts, whatever the framework says', async () => {
    await using endpoint = await RunnerEndpoint.start();
    const restrictions = { network: true, fileSystem: false, execution: true };
    const env = { AMBIENT_RESTRICT_EXECUTION: '' };
    await using pod = await RunnerPod.make({ endpoint, description: { restrictions, env } });
    await pod.run('env');
    assert.deepEqual(
      endpoint
        .texts('output')
        .filter((line) => line.startsWith('AMBIENT_RESTRICT'))
        .sort(),
      ['AMBIENT_RESTRICT_EXECUTION=true', 'AMBIENT_RESTRICT_NETWORK=true'],
    );
  });

  for (const [name, command] of [
    ['a command that does not exist', 'no-such-command-anywhere'],
    ['a file that cannot be executed', '/etc/passwd'],
  ] as const)
    it(`reports ${name} as CommandNotFound and exits 127`, async () => {
      await using endpoint = await RunnerEndpoint.start();
      await using pod = await RunnerPod.make({ endpoint });
      const end = await pod.run(command);
      assert.equal(end.code, 127);
      assert.equal(endpoint.results[0]?.outcome, 'CommandNotFound');
      assert.ok(endpoint.results[0].message.includes(command));
      assert.ok(endpoint.texts('error').some((text) => text.includes(command)));
    });

  it('says in the termination message when it cannot even read its description', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({
      endpoint,
      description: { limits: { timeoutSeconds: 'soon' as unknown as number, gracePeriodSeconds: 1 } },
    });
    const end = await pod.run('true');
    assert.equal(end.code, 71);
    const result = (await pod.terminationResult()) as { outcome: string; message: string };
    assert.equal(result.outcome, 'RunnerError');
    assert.match(result.message, /timeoutSeconds/);
  });

  it('leaves a true termination message when it is killed while it hands in', async () => {
    await using endpoint = await RunnerEndpoint.start();
    endpoint.fault = (request) => (request.method === 'PUT' ? { delayMs: 60_000 } : undefined);
    await using pod = await RunnerPod.make({ endpoint });
    await pod.start('sh', '-c', 'echo x > $AMBIENT_ARTIFACTS/x');
    await endpoint.until(() => endpoint.requests.some((line) => line.startsWith('PUT')));
    pod.kill('SIGKILL');
    await pod.ended();
    const result = (await pod.terminationResult()) as { outcome: string; message: string; exitCode: number };
    assert.equal(result.outcome, 'ArtifactsIncomplete');
    assert.equal(result.exitCode, 0);
    assert.match(result.message, /killed before it had handed in everything/);
  });

  it('ends the command and exits 71 when the operator no longer accepts it', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    await pod.start('sh', '-c', 'echo one; while :; do echo more; sleep 0.1; done');
    await endpoint.until(() => endpoint.texts('output').length > 0);
    endpoint.accept = [];
    const end = await pod.ended();
    assert.equal(end.code, 71);
    assert.equal(endpoint.results.length, 0);
    assert.match(((await pod.terminationResult()) as { message: string }).message, /unknown token/);
  });

  it('goes on when the token is renewed in place', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    await pod.start('sh', '-c', 'echo one; until test -e go; do sleep 0.05; done; echo two');
    await endpoint.until(() => endpoint.texts('output').length === 1);
    await writeFile(join(pod.control, 'token'), 'renewed');
    endpoint.accept = ['renewed'];
    await writeFile(join(pod.workspace, 'go'), '');
    assert.equal((await pod.ended()).code, 0);
    assert.deepEqual(endpoint.texts('output'), ['one', 'two']);
  });

  it('leaves nothing of its own in the temporary folder but home and memory', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    await pod.run('sh', '-c', 'ls -a $HOME; git config --get user.name');
    assert.deepEqual(endpoint.texts('output').slice(-1), ['Ambient Session']);
    assert.deepEqual((await readdir(pod.temporary)).sort(), ['home', 'memory']);
  });

  it('works on when the command removes everything in the temporary folder', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    await mkdir(join(pod.workspace, 'kept'));
    const end = await pod.run(
      'sh',
      '-c',
      `rm -rf ${pod.temporary}/*; echo fine; echo x > $AMBIENT_ARTIFACTS/x`,
    );
    assert.equal(end.code, 0);
    assert.deepEqual(endpoint.texts('output'), ['fine']);
    assert.ok(endpoint.artifacts.has('x'));
    assert.ok(endpoint.texts('error').some((text) => text.startsWith('changes.patch could not be made')));
    assert.equal(endpoint.results[0]?.outcome, 'Succeeded');
    await assert.rejects(readFile(join(pod.temporary, 'home')));
  });
});
