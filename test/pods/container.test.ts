/** Images that know nothing of us, in real pods, with the runner in a sidecar. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Session } from '../../common/api/session.ts';
import { pods } from '../../common/kube/resource.ts';
import { buildImage } from '../cluster/images.ts';
import type { TestCluster } from '../support/cluster.ts';
import { aSession } from '../support/fixtures.ts';
import { liveApiAvailable, runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { runnerCluster } from '../support/runner-cluster.ts';
import {
  artifactText,
  endOf,
  finished,
  launch,
  logOf,
  running,
  stopSession,
  workloadOf,
} from '../support/sessions.ts';
import { until } from '../support/until.ts';

const FOREIGN = 'docker.io/library/any-image:test';

describe('an image of somebody else', function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let operator: OperatorProcess;
  let namespace: string;
  let count = 0;

  before(async function () {
    this.timeout(600_000);
    ({ cluster } = await runnerCluster(this));
    await load('FROM docker.io/library/node:24-bookworm-slim\nRUN echo mine > /etc/whose\n', {}, FOREIGN);
    operator = await runOperatorProcess(cluster);
    await liveApiAvailable(cluster);
    namespace = await cluster.restrictedNamespace('container');
  });

  after(async function () {
    this.timeout(60_000);
    await operator?.[Symbol.asyncDispose]();
  });

  async function load(dockerfile: string, files: Record<string, string>, tag: string): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'image-'));
    try {
      for (const [name, text] of Object.entries({ ...files, Dockerfile: dockerfile }))
        await writeFile(join(folder, name), text);
      const at = join(folder, 'Dockerfile');
      await cluster.loadImage(await buildImage({ dockerfile: at, context: folder, tag }));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  const start = (command: string[]): Promise<Session> =>
    launch(
      cluster.client,
      aSession(`any-${++count}`)
        .in(namespace)
        .of('container', { image: FOREIGN, command })
        .spec({ limits: { timeoutSeconds: 60, gracePeriodSeconds: 2, memory: '256Mi' } }),
    );

  it('runs with log, artifacts and changes, without the token of the runner, and ends by itself', async () => {
    const script =
      'cat /etc/whose; echo "$0|$1"; echo wrong >&2; ls /ambient* > "$AMBIENT_ARTIFACTS/seen.txt" 2>&1; echo made > a.txt';
    const session = await finished(cluster.client, await start(['sh', '-c', script, 'a b', '"$c"']));
    assert.equal(endOf(session), 'Completed/Succeeded', session.status?.message);
    const log = await logOf(cluster.client, session);
    for (const line of ['mine', 'a b|"$c"', 'wrong']) assert.ok(log.includes(`${line}\n`), log);
    assert.match(await artifactText(cluster.client, session, 'changes.patch'), /\+made/);
    const seen = await artifactText(cluster.client, session, 'seen.txt');
    assert.doesNotMatch(seen, /session\.json|^token$/m);
    assert.equal(session.status?.workload?.exitCode, 0);
    assert.equal(session.status?.workload?.image, FOREIGN);
    const { jobs } = await workloadOf(cluster.client, session);
    assert.equal(jobs.length, 1);
  });

  it('fails with the exit code of its command', async () => {
    const session = await finished(cluster.client, await start(['sh', '-c', 'exit 3']));
    assert.equal(endOf(session), 'Failed/CommandFailed', session.status?.message);
    assert.equal(session.status?.workload?.exitCode, 3);
  });

  it('is stopped, and hands in what it has', async () => {
    const command = [
      'sh',
      '-c',
      'trap "echo kept > $AMBIENT_ARTIFACTS/a.txt; exit 0" TERM; echo up; while :; do sleep 0.1; done',
    ];
    const session = await running(cluster.client, await start(command));
    await until(async () => (await logOf(cluster.client, session)).includes('up'), 'it is up');
    await stopSession(cluster.client, session);
    const ended = await finished(cluster.client, session);
    assert.equal(endOf(ended), 'Failed/Stopped', ended.status?.message);
    assert.equal(await artifactText(cluster.client, ended, 'a.txt'), 'kept\n');
    await until(async () => {
      const { pods: found } = await workloadOf(cluster.client, ended);
      return found.every(({ status }) => status?.phase === 'Succeeded' || status?.phase === 'Failed');
    }, 'its pod ends, sidecar included');
  });

  it('says which image cannot be had, the sidecar’s included', async () => {
    const session = await launch(
      cluster.client,
      aSession(`any-${++count}`)
        .in(namespace)
        .of('container', { image: 'docker.io/library/not-there:1', command: ['true'] })
        .spec({ limits: { timeoutSeconds: 60, gracePeriodSeconds: 0 } }),
    );
    await until(async () => {
      const { status } = await cluster.client.get(pods, {
        namespace,
        name: (await workloadOf(cluster.client, session)).pods[0]?.metadata.name ?? '',
      });
      return status?.containerStatuses?.some(({ state }) => /Image/.test(state?.waiting?.reason ?? ''));
    }, 'the image cannot be pulled');
    await stopSession(cluster.client, session);
    const ended = await finished(cluster.client, session);
    assert.equal(endOf(ended), 'Failed/Stopped', ended.status?.message);
  });
});
