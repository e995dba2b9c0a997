/** A full artifact store is told on the session that met it, and the operator lives on. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCondition } from '../../common/rules/conditions.ts';
import { sessions } from '../../common/kube/resource.ts';
import type { TestCluster } from '../support/cluster.ts';
import { liveApiAvailable, runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { runnerCluster } from '../support/runner-cluster.ts';
import { aCommand, endOf, finished, launch, logOf } from '../support/sessions.ts';
import { until } from '../support/until.ts';

describe('with a store of four megabytes', function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let operator: OperatorProcess;
  let namespace: string;
  let disk: string;

  before(async function () {
    this.timeout(300_000);
    // A node means root here, which mounting needs as well.
    ({ cluster } = await runnerCluster(this));
    disk = mkdtempSync(join(tmpdir(), 'ambient-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]);
    mkdirSync(join(disk, 'store'));
    // What happens without room for a record is in audit.test.ts.
    operator = await runOperatorProcess(cluster, {
      storeDir: join(disk, 'store'),
      flags: { 'audit-failure': 'continue' },
    });
    await liveApiAvailable(cluster);
    namespace = await cluster.namespace('full');
  });

  after(async () => {
    await operator?.[Symbol.asyncDispose]();
    if (disk === undefined) return;
    execFileSync('umount', ['-l', disk]);
    rmSync(disk, { recursive: true, force: true });
  });

  it('fails the session that does not fit, keeps its log, and serves the next one when there is room again', async () => {
    const large = await launch(
      cluster.client,
      aCommand(namespace, 'echo begun; head -c 20000000 /dev/urandom > $AMBIENT_ARTIFACTS/large.bin'),
    );
    const ended = await finished(cluster.client, large, 100_000);
    assert.equal(ended.status?.phase, 'Failed');
    assert.match(ended.status?.message ?? '', /large\.bin|store is full/i);
    assert.equal(findCondition(ended.status?.conditions, 'ArtifactsGenerated')?.status, 'False');
    assert.match(await logOf(cluster.client, ended), /begun/);
    assert.equal(operator.running(), true);

    await cluster.client.delete(sessions, { namespace, name: ended.metadata.name });
    await until(
      async () => {
        const next = await finished(
          cluster.client,
          await launch(cluster.client, aCommand(namespace, 'echo x > $AMBIENT_ARTIFACTS/small.txt')),
        );
        return endOf(next) === 'Completed/Succeeded';
      },
      'a small session fits',
      60_000,
    );
  });

  it('says that the store is full when not even a log fits', async () => {
    execFileSync('sh', ['-c', `dd if=/dev/zero of=${disk}/filler bs=4096 2>/dev/null || true`]);
    const session = await finished(
      cluster.client,
      await launch(cluster.client, aCommand(namespace, 'echo begun')),
      100_000,
    );
    assert.equal(endOf(session), 'Failed/StorageFull', session.status?.message);
    assert.match(session.status?.message ?? '', /artifact store is full.*frees space or enlarges/);
    assert.equal(operator.running(), true);
    assert.equal(await operator.ready(), true, 'what is there can still be read');
  });
});
