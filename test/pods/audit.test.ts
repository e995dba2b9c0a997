/** The audit trail of real operators: what a session's life leaves, kills in the middle, a sink that goes away, tampering. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AuditRecord } from '../../common/api/audit.ts';
import { livePaths } from '../../common/api/live.ts';
import { OPERATOR_NAMESPACE } from '../../common/api/names.ts';
import type { Session } from '../../common/api/session.ts';
import { KubeError } from '../../common/kube/errors.ts';
import { configMaps } from '../../common/kube/resource.ts';
import { HEADS_CONFIG_MAP, parseHeads } from '../../operator/record/audit/heads.ts';
import { keys } from '../../operator/store/keys.ts';
import { DirectoryStore } from '../../operator/store/directory.ts';
import type { TestCluster } from '../support/cluster.ts';
import { liveApiAvailable, operatorPorts, runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorPorts, OperatorProcess } from '../support/operator-process.ts';
import { runnerCluster } from '../support/runner-cluster.ts';
import { aCommand, artifactsOf, current, endOf, finished, launch, logOf } from '../support/sessions.ts';
import { until } from '../support/until.ts';

const main = join(import.meta.dirname, '..', '..', 'operator', 'main.ts');

describe('the audit trail of a cluster', function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let disk: string;
  let storeDir: string;
  let ports: OperatorPorts;
  let namespace: string;

  before(async function () {
    this.timeout(300_000);
    ({ cluster } = await runnerCluster(this));
    // A node means root here, which mounting needs as well.
    disk = mkdtempSync(join(tmpdir(), 'ambient-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', disk]);
    storeDir = join(disk, 'store');
    mkdirSync(storeDir);
    ports = await operatorPorts(cluster.nodeHostAddress);
    namespace = await cluster.namespace('audit');
  });

  after(() => {
    if (disk === undefined) return;
    execFileSync('umount', ['-l', disk]);
    rmSync(disk, { recursive: true, force: true });
  });

  async function start(flags: Record<string, string | number> = {}): Promise<OperatorProcess> {
    const operator = await runOperatorProcess(cluster, { storeDir, ports, flags });
    await liveApiAvailable(cluster);
    return operator;
  }

  const published = async () => {
    const at = { namespace: OPERATOR_NAMESPACE, name: HEADS_CONFIG_MAP };
    const { data = {} } = await cluster.client.get(configMaps, at);
    return { data, heads: parseHeads(data) };
  };

  /** As an administrator does it: the heads from the cluster, the records from the store. */
  async function verify(): Promise<{ code: number; out: string }> {
    const child = promisify(execFile)(process.execPath, [
      main,
      ...['audit', 'verify', '--store-dir', storeDir, '--heads', '-'],
      // In that of the operator other tests have left the heads of their stores.
      ...['--namespace', namespace],
    ]);
    child.child.stdin?.end(JSON.stringify({ data: (await published()).data }));
    return child.then(
      ({ stdout }) => ({ code: 0, out: stdout }),
      (error: { code: number; stdout: string; stderr: string }) => ({
        code: error.code,
        out: error.stdout + error.stderr,
      }),
    );
  }

  async function recordsOf(session: Session, options = {}): Promise<AuditRecord[]> {
    const path = livePaths.audit(namespace, session.metadata.name);
    const { body } = await cluster.client.connection.stream(path, options);
    let text = '';
    for await (const chunk of body) text += String(chunk);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as AuditRecord);
  }
  const tale = (records: readonly AuditRecord[]): string[] =>
    records.map(({ actor, action, resource, outcome, details }) =>
      [
        actor === 'system:ambient-operator' ? 'operator' : 'user',
        action,
        resource,
        ...(outcome === 'allowed' ? [] : [outcome]),
        ...(typeof details?.['phase'] === 'string' ? [details['phase']] : []),
      ].join(' '),
    );

  it('has one record for every decision and access in the life of a session, and publishes where it stands', async () => {
    await using operator = await start();
    const session = await finished(
      cluster.client,
      await launch(cluster.client, aCommand(namespace, 'echo hello; echo x > $AMBIENT_ARTIFACTS/a.txt')),
    );
    assert.equal(endOf(session), 'Completed/Succeeded');
    await logOf(cluster.client, session);
    await artifactsOf(cluster.client, session);
    await cluster.client.connection
      .stream(livePaths.artifact(namespace, session.metadata.name, 'a.txt'))
      .then(async ({ body }) => {
        for await (const _ of body);
      });
    const stop = cluster.client.connection.json(livePaths.stop(namespace, session.metadata.name), {
      method: 'POST',
      body: {},
    });
    await assert.rejects(stop, /is Completed/);
    const records = await recordsOf(session);
    assert.deepEqual(tale(records), [
      'operator create jobs',
      'operator update sessions/status Pending',
      'operator update sessions/status Running',
      'operator update sessions/status Completed',
      'user view sessions/log',
      'user view sessions/artifacts',
      'user view sessions/artifacts',
      'user update sessions/stop',
      'user update sessions/stop denied',
      'user view sessions/audit',
    ]);
    for (const { sessionId, sessionUid } of records)
      assert.deepEqual([sessionId, sessionUid], [session.metadata.name, session.metadata.uid]);
    assert.match(records.at(-1)?.traceId ?? '', /^[0-9a-f]{32}$/);
    const [{ writer } = assert.fail()] = records;
    await until(
      async () =>
        (await published().catch(() => ({ heads: [] }))).heads.some(
          (head) =>
            head.namespace === namespace && head.writer === writer && head.seq >= (records.at(-1)?.seq ?? 0),
        ),
      'the head is published',
      15_000,
    );
    const { code, out } = await verify();
    assert.equal(code, 0, out);
    assert.equal(operator.running(), true);
  });

  it('is read by administrators of a namespace, not by viewers', async () => {
    await using _operator = await start();
    const session = await launch(cluster.client, aCommand(namespace, 'true'));
    for (const role of ['view', 'edit', 'admin'])
      await cluster.kubectl([
        '-n',
        namespace,
        'create',
        'rolebinding',
        role,
        `--clusterrole=${role}`,
        `--user=${role}`,
      ]);
    const as = (user: string) => ({ headers: { 'impersonate-user': user } });
    // Aggregation of roles takes a moment.
    await until(
      () =>
        recordsOf(session, as('admin')).then(
          () => true,
          () => false,
        ),
      'the role is aggregated',
      20_000,
    );
    for (const user of ['view', 'edit'])
      await assert.rejects(
        recordsOf(session, as(user)),
        (error: unknown) => error instanceof KubeError && error.status === 403,
        user,
      );
    await finished(cluster.client, session);
  });

  it('is whole after every kill in the middle of work, and names the chains that came before', async () => {
    const launched: Session[] = [];
    for (const [round, afterMs] of [50, 150, 400, 900, 1800].entries()) {
      const operator = await start();
      for (let count = 0; count < 4; count++)
        launched.push(await launch(cluster.client, aCommand(namespace, 'echo x', `kill-${round}-${count}`)));
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      await operator.kill();
      await operator[Symbol.asyncDispose]();
      const { code, out } = await verify();
      assert.equal(code, 0, out);
    }
    await using _operator = await start();
    for (const session of launched)
      assert.equal(endOf(await finished(cluster.client, session, 60_000)), 'Completed/Succeeded');
    const { code, out } = await verify();
    assert.equal(code, 0, out);
    assert.match(out, /[5-9] chains, 0 broken/);
    for (const session of launched) {
      const phases = tale(await recordsOf(session)).filter((line) => line.includes('sessions/status'));
      // One that was recorded and not written before the kill is recorded again.
      assert.deepEqual(
        [...new Set(phases)].filter((line) => !line.includes('failed')).map((line) => line.split(' ').at(-1)),
        ['Pending', 'Running', 'Completed'],
      );
    }
  });

  it('stops decisions and accesses while it cannot be written, says why, and goes on with a record of the gap', async () => {
    await using operator = await start();
    const before = await finished(
      cluster.client,
      await launch(cluster.client, aCommand(namespace, 'echo before')),
    );
    const filler = join(disk, 'filler');
    execFileSync('sh', ['-c', `dd if=/dev/zero of=${filler} bs=4096 2>/dev/null || true`]);
    const session = await launch(cluster.client, aCommand(namespace, 'echo held'));
    const held = await until(
      async () => {
        const now = await current(session, cluster.client);
        return now.status?.message?.includes('audit trail') === true ? now : undefined;
      },
      'the session says why it waits',
      30_000,
    );
    assert.equal(held.status?.phase, undefined);
    assert.equal(held.status?.workload, undefined, 'no Job was made');
    await assert.rejects(logOf(cluster.client, before), (error: unknown) => {
      assert.ok(error instanceof KubeError);
      assert.equal(error.status, 503);
      assert.match(error.message, /cannot be recorded/);
      return true;
    });
    assert.match(await operator.metrics(), /^ambient_audit_failures_total [1-9]/m);
    assert.equal(await operator.ready(), true);
    rmSync(filler);
    assert.equal(endOf(await finished(cluster.client, session, 60_000)), 'Completed/Succeeded');
    assert.match(await logOf(cluster.client, before), /before/);
    const { code, out } = await verify();
    assert.equal(code, 0, out);
    const store = new DirectoryStore({ root: storeDir });
    const marks: unknown[] = [];
    for (const key of await store.listKeys(keys.auditNamespace(namespace)))
      for await (const chunk of (await store.get(key)).body)
        marks.push(...(String(chunk).match(/"effect":"refused"/g) ?? []));
    assert.ok(marks.length > 0, 'the gap is on record');
  });

  it('catches what was done to the store', async () => {
    const operator = await start();
    const session = await finished(cluster.client, await launch(cluster.client, aCommand(namespace, 'true')));
    const [{ writer } = assert.fail()] = await recordsOf(session);
    await operator.stop();
    await operator[Symbol.asyncDispose]();
    assert.equal((await verify()).code, 0);
    const store = new DirectoryStore({ root: storeDir });
    const last = keys.auditSegment({ namespace, writer }, 1);
    let text = '';
    for await (const chunk of (await store.get(last)).body) text += String(chunk);
    const put = (lines: string): Promise<unknown> =>
      store.put(last, Buffer.from(lines), { contentType: 'application/x-ndjson' });
    const lines = text.split('\n');
    for (const [what, changed] of [
      ['edited', text.replace('"phase":"Pending"', '"phase":"Running"')],
      ['removed', lines.toSpliced(2, 1).join('\n')],
      ['truncated', `${lines.slice(0, 3).join('\n')}\n`],
    ] as const) {
      assert.notEqual(changed, text);
      await put(changed);
      const { code, out } = await verify();
      assert.equal(code, 1, out);
      assert.match(out, new RegExp(`${writer} {2}BROKEN at record \\d+, ${what}`), what);
    }
    await put(text);
    assert.equal((await verify()).code, 0);
  });

  it('is missed loudly by an operator that starts with another store, which works all the same', async () => {
    const other = join(disk, 'other');
    mkdirSync(other);
    await using operator = await runOperatorProcess(cluster, { storeDir: other, ports });
    await until(
      async () => /^ambient_audit_missing_chains [1-9]/m.test(await operator.metrics()),
      'the metric tells',
      15_000,
    );
    assert.ok(operator.log.some((line) => line.includes('lacks audit records that were published')));
    await liveApiAvailable(cluster);
    const session = await finished(cluster.client, await launch(cluster.client, aCommand(namespace, 'true')));
    assert.equal(endOf(session), 'Completed/Succeeded');
    const store = new DirectoryStore({ root: other });
    let text = '';
    for (const key of await store.listKeys(keys.auditNamespace(OPERATOR_NAMESPACE)))
      for await (const chunk of (await store.get(key)).body) text += String(chunk);
    assert.match(text, /"mark":"lack"/);
  });
});
