import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RUNNER_PATHS } from '../../../common/api/runner.ts';
import { RunnerEndpoint } from '../../support/runner-endpoint.ts';
import { RunnerPod } from '../../support/runner-process.ts';
import { skipBecause } from '../../support/skip.ts';

const STUBBORN = `trap '' TERM; echo ready; while :; do sleep 0.1; done`;
const POLITE = `trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.1; done`;

/** A zombie whose parent does not reap it is dead. */
const alive = (pid: number): boolean => {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

async function started(endpoint: RunnerEndpoint): Promise<void> {
  await endpoint.until(() => endpoint.texts('output').includes('ready'));
}

describe('stopping a run', function () {
  this.timeout(120_000); // real processes on a machine that may be busy
  it('lets the command end by itself within the grace period and still hands in what it made', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    await pod.start('sh', '-c', `echo kept > $AMBIENT_ARTIFACTS/kept.txt; ${POLITE}`);
    await started(endpoint);
    endpoint.stop({ requestedBy: 'mia', reason: 'wrong prompt', gracePeriodSeconds: 20 });
    const end = await pod.ended();
    assert.equal(end.code, 143);
    assert.equal(endpoint.results[0]?.outcome, 'Stopped');
    assert.equal(endpoint.results[0].exitCode, 5);
    assert.equal(endpoint.results[0].message, 'Stopped by mia: wrong prompt.');
    assert.ok(endpoint.texts('output').includes('bye'));
    assert.ok(endpoint.artifacts.has('kept.txt'));
  });

  it('kills a command that ignores the request when the grace period is over', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    await pod.start('sh', '-c', STUBBORN);
    await started(endpoint);
    const asked = performance.now();
    endpoint.stop({ requestedBy: 'mia', gracePeriodSeconds: 1 });
    const end = await pod.ended();
    const took = performance.now() - asked;
    assert.equal(end.code, 143);
    assert.equal(endpoint.results[0]?.exitCode, 137);
    assert.ok(took >= 1000 && took < 6000, `took ${took} ms`);
  });

  it('kills all of the process group, not only its leader', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    await pod.start(
      'sh',
      '-c',
      `(trap '' TERM; echo pid $(exec sh -c 'echo $PPID'); while :; do sleep 0.1; done) & ${STUBBORN}`,
    );
    await started(endpoint);
    await endpoint.until(() => endpoint.texts('output').some((text) => text.startsWith('pid ')));
    const child = Number(
      endpoint
        .texts('output')
        .find((text) => text.startsWith('pid '))
        ?.slice(4),
    );
    assert.ok(alive(child));
    endpoint.stop({ requestedBy: 'mia', gracePeriodSeconds: 0 });
    await pod.ended();
    assert.equal(alive(child), false);
  });

  it('does the same on SIGTERM, which is how Kubernetes deletes a pod', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    await pod.start('sh', '-c', POLITE);
    await started(endpoint);
    pod.kill('SIGTERM');
    const end = await pod.ended();
    assert.equal(end.code, 143);
    assert.equal(endpoint.results[0]?.outcome, 'Stopped');
    assert.match(endpoint.results[0].message, /pod was asked to end/);
    assert.ok(endpoint.texts('output').includes('bye'));
  });

  it('ends the command at the deadline and exits 124', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({
      endpoint,
      description: { limits: { timeoutSeconds: 2, gracePeriodSeconds: 1 } },
    });
    const end = await pod.run('sh', '-c', STUBBORN);
    assert.equal(end.code, 124);
    assert.equal(endpoint.results[0]?.outcome, 'DeadlineExceeded');
    assert.equal(endpoint.results[0].message, "Not finished after 2 s, the session's time limit.");
  });

  it('stops while the source is still being fetched, without starting the command', async () => {
    await using endpoint = await RunnerEndpoint.start();
    endpoint.source = Buffer.from('never sent');
    endpoint.fault = (request) => (request.url === RUNNER_PATHS.source ? { delayMs: 60_000 } : undefined);
    await using pod = await RunnerPod.make({
      endpoint,
      description: {
        source: { type: 'upload', upload: { sizeBytes: 10, digest: `sha256:${'0'.repeat(64)}` } },
      },
    });
    await pod.start('echo', 'started');
    await endpoint.until(() => endpoint.requests.some((line) => line.includes(RUNNER_PATHS.source)));
    endpoint.stop({ requestedBy: 'mia', gracePeriodSeconds: 30 });
    const end = await pod.ended();
    assert.equal(end.code, 143);
    assert.equal(endpoint.results[0]?.message, 'Stopped by mia before the command started.');
    assert.deepEqual(endpoint.texts('output'), []);
  });

  it('stops although the control requests fail for a while', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    let failing = 3;
    endpoint.fault = (request) =>
      request.url?.startsWith(RUNNER_PATHS.control) && failing-- > 0 ? { status: 502 } : undefined;
    await pod.start('sh', '-c', POLITE);
    await started(endpoint);
    endpoint.stop({ requestedBy: 'mia', gracePeriodSeconds: 20 });
    assert.equal((await pod.ended()).code, 143);
  });

  it('does not wait for a process that the command left running, and ends it', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    const from = performance.now();
    const end = await pod.run('sh', '-c', 'sleep 300 & echo $! > $AMBIENT_ARTIFACTS/pid; echo done');
    assert.equal(end.code, 0);
    assert.ok(performance.now() - from < 10_000);
    assert.equal(alive(Number(endpoint.artifacts.get('pid')?.content?.toString())), false);
    assert.ok(endpoint.texts('status').some((text) => text.includes('left running')));
  });

  it('reports what killed the command', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    const end = await pod.run('sh', '-c', 'kill -SEGV $$');
    assert.equal(end.code, 139);
    assert.equal(endpoint.results[0]?.message, 'The command was killed by SIGSEGV.');
  });
});

describe('the entry point of the image', function () {
  this.timeout(120_000); // real processes on a machine that may be busy
  const namespaced = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];

  async function entryPoint(): Promise<string> {
    const dockerfile = await readFile(join(import.meta.dirname, '../../../runner/Dockerfile'), 'utf8');
    const [, json = '[]'] = /^ENTRYPOINT (\[.*\])$/m.exec(dockerfile) ?? [];
    const script = (JSON.parse(json) as string[])[2] ?? '';
    assert.ok(script.includes('node /runner/main.mjs'));
    return script.replace('node /runner/main.mjs', '"$0" "$@"');
  }

  before(function () {
    try {
      execFileSync('unshare', [...namespaced.slice(1), 'true'], { stdio: 'ignore' });
    } catch {
      skipBecause(this, 'needs root on Linux for a process namespace');
    }
  });

  it('reaps orphans and lets the runner end even what left the process group, then exits with its code', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({
      endpoint,
      wrapper: [...namespaced, 'sh', '-c', await entryPoint()],
    });
    const end = await pod.run(
      'sh',
      '-c',
      `sh -c 'sleep 0.1 & exit 0'; setsid sleep 300 & sleep 0.6; ps -eo stat,args | grep -c '^Z'; exit 9`,
    );
    assert.equal(end.code, 9, end.stderr);
    assert.deepEqual(endpoint.texts('output'), ['0']);
    assert.ok(endpoint.texts('status').some((text) => text.includes('left running')));
  });

  it('passes SIGTERM on to the runner', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({
      endpoint,
      wrapper: [...namespaced, 'sh', '-c', await entryPoint()],
    });
    await pod.start('sh', '-c', POLITE);
    await started(endpoint);
    const children = await readFile(`/proc/${pod.pid}/task/${pod.pid}/children`, 'utf8');
    process.kill(Number(children.trim()), 'SIGTERM');
    const end = await pod.ended();
    assert.equal(end.code, 143);
    assert.ok(endpoint.texts('output').includes('bye'));
    assert.equal(endpoint.results[0]?.outcome, 'Stopped');
  });
});
