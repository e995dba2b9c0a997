/** A runner beside its command, as in a pod with a sidecar: the real script in a real shell, and a real runner. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { LINK_READY, LINK_VARIABLE } from '../../../common/api/link.ts';
import { linkedCommand } from '../../../common/rules/linked-command.ts';
import { RunnerEndpoint } from '../../support/runner-endpoint.ts';
import { RunnerPod } from '../../support/runner-process.ts';
import type { RunnerEnd, RunnerOptions } from '../../support/runner-process.ts';
import { until } from '../../support/until.ts';

interface Ended {
  /** Of the command's container. */
  code: number | null;
  /** What `kubectl logs` would show of it. */
  said: string;
  runner: RunnerEnd;
}

describe('a runner beside its command', function () {
  this.timeout(60_000);

  async function beside(
    endpoint: RunnerEndpoint,
    command: string[],
    description: RunnerOptions['description'] = {},
    meanwhile: (container: ChildProcess, again: () => Promise<void>) => Promise<void> = async () => undefined,
    secrets: Record<string, string> = {},
  ): Promise<Ended & { pod: RunnerPod }> {
    const pod = await RunnerPod.make({ endpoint, description });
    const link = join(pod.folder, 'link');
    await mkdir(link);
    await pod.startBeside(link, ...command);
    // The kubelet looks once a second.
    await until(() => existsSync(join(link, LINK_READY)), 'the sidecar is ready');
    const [program = '', ...args] = linkedCommand(command, secrets);
    const container = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH ?? '',
        HOME: join(pod.temporary, 'command-home'),
        AMBIENT_WORKSPACE: pod.workspace,
        AMBIENT_ARTIFACTS: pod.artifacts,
        [LINK_VARIABLE]: link,
      },
    });
    const said = Promise.all([text(container.stdout), text(container.stderr)]);
    const exit = once(container, 'exit') as Promise<[number | null]>;
    await meanwhile(container, async () => {
      pod.kill('SIGKILL');
      await pod.ended();
      await pod.startBeside(link, ...command);
    });
    const [code] = await exit;
    // The kubelet ends a sidecar when the others have ended.
    pod.kill('SIGTERM');
    return { code, said: (await said).join(''), runner: await pod.ended(), pod };
  }

  it('records output, artifacts and changes as with a command of its own', async () => {
    await using endpoint = await RunnerEndpoint.start();
    const script = 'echo out; echo err >&2; echo made > a.txt; cp a.txt "$AMBIENT_ARTIFACTS"; exit 3';
    const { code, said, runner, pod } = await beside(endpoint, ['sh', '-c', script, 'x']);
    assert.deepEqual([code, said, runner.code], [3, '', 3]);
    assert.deepEqual(endpoint.violations, []);
    assert.deepEqual(
      [endpoint.texts('output', 'stdout'), endpoint.texts('output', 'stderr')],
      [['out'], ['err']],
    );
    assert.deepEqual([...endpoint.artifacts.keys()].sort(), ['a.txt', 'changes.patch']);
    assert.deepEqual([endpoint.results[0]?.outcome, endpoint.results[0]?.exitCode], ['CommandFailed', 3]);
    await pod[Symbol.asyncDispose]();
  });

  it('loses no line of many, and keeps arguments and secrets as they are', async () => {
    await using endpoint = await RunnerEndpoint.start();
    const odd = ['a b', '"$(id)"', "it's", ''];
    const print =
      'i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo line $i; done; printf "[%s]" "$@" "$SECRET"';
    const secret = join(import.meta.dirname, '../../../package.json');
    const { code, pod } = await beside(endpoint, ['sh', '-c', print, 'x', ...odd], {}, undefined, {
      SECRET: `${secret} | head -c 1`,
    });
    assert.equal(code, 0);
    const lines = endpoint.texts('output', 'stdout');
    assert.equal(lines.length, 5001);
    assert.equal(lines.at(-1), `${odd.map((each) => `[${each}]`).join('')}[{]`);
    assert.equal(endpoint.results[0]?.outcome, 'Succeeded');
    await pod[Symbol.asyncDispose]();
  });

  it('ends the command when it is stopped, with its grace period, and kills what stays', async () => {
    await using endpoint = await RunnerEndpoint.start();
    const command = ['sh', '-c', 'trap "echo tidied; exit 0" TERM; echo here; while :; do sleep 0.1; done'];
    const stop = async (): Promise<void> => {
      await endpoint.until(() => endpoint.texts('output').includes('here'));
      endpoint.stop({ requestedBy: 'ann', gracePeriodSeconds: 5 });
    };
    const tidy = await beside(endpoint, command, {}, stop);
    assert.equal(tidy.code, 0);
    assert.ok(endpoint.texts('output').includes('tidied'));
    assert.equal(endpoint.results[0]?.outcome, 'Stopped');
    await tidy.pod[Symbol.asyncDispose]();

    await using second = await RunnerEndpoint.start();
    const deaf = ['sh', '-c', 'trap "" TERM; echo here; while :; do sleep 0.1; done'];
    const dead = await beside(second, deaf, { limits: { timeoutSeconds: 1, gracePeriodSeconds: 1 } });
    assert.equal(dead.code, 137);
    assert.deepEqual([second.results[0]?.outcome, second.results[0]?.exitCode], ['DeadlineExceeded', 137]);
    await dead.pod[Symbol.asyncDispose]();
  });

  it('says so when the container dies without a word, and hands in what there is', async () => {
    await using endpoint = await RunnerEndpoint.start();
    const command = [
      'sh',
      '-c',
      'echo here; echo kept > "$AMBIENT_ARTIFACTS/a.txt"; while :; do sleep 0.1; done',
    ];
    const { pod } = await beside(endpoint, command, {}, async (container) => {
      await endpoint.until(() => endpoint.texts('output').includes('here'));
      container.kill('SIGKILL');
    });
    assert.deepEqual([endpoint.results[0]?.outcome, endpoint.results[0]?.exitCode], ['CommandFailed', 137]);
    assert.ok(endpoint.artifacts.has('a.txt'));
    await pod[Symbol.asyncDispose]();
  });

  it('does not start the command when the source cannot be had', async () => {
    await using endpoint = await RunnerEndpoint.start();
    const source = { type: 'git', git: { url: 'https://127.0.0.1:1/none.git' } } as const;
    const { code, pod } = await beside(endpoint, ['sh', '-c', 'touch started'], { source });
    assert.equal(code, 70);
    assert.equal(endpoint.results[0]?.outcome, 'SourceUnavailable');
    assert.ok(!existsSync(join(pod.workspace, 'started')));
    await pod[Symbol.asyncDispose]();
  });

  it('ends the container when it is started again after it has died', async () => {
    await using endpoint = await RunnerEndpoint.start();
    const command = ['sh', '-c', 'echo here; while :; do sleep 0.1; done'];
    const { code, pod } = await beside(endpoint, command, {}, async (_container, again) => {
      await endpoint.until(() => endpoint.texts('output').includes('here'));
      await again();
    });
    assert.equal(code, 137);
    await pod[Symbol.asyncDispose]();
  });
});
