/** Retention and deletion against a real API server: what goes, when, in which order, and what stays while it cannot. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { livePaths } from '../../common/api/live.ts';
import type { RetentionForecast } from '../../common/api/live.ts';
import { FINALIZER_DATA, OPERATOR_ACTOR } from '../../common/api/names.ts';
import type { NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import type { Session } from '../../common/api/session.ts';
import { isNotFound } from '../../common/kube/errors.ts';
import { jobs, namespacePolicies, namespaces, sessions } from '../../common/kube/resource.ts';
import { findCondition } from '../../common/rules/conditions.ts';
import { jobNameOf } from '../../operator/controllers/session/index.ts';
import { DirectoryStore } from '../../operator/store/directory.ts';
import { keys, refOf } from '../../operator/store/keys.ts';
import { recordedIn } from '../support/audit.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { applyFrameworks } from '../support/deploy.ts';
import { aPolicy } from '../support/fixtures.ts';
import { liveApiAvailable, runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { aCommand, current, inPhase, launch } from '../support/sessions.ts';
import { until } from '../support/until.ts';

/** No such image: the session has its Job, and waits for as long as the test lets it. */
const NO_IMAGE = 'ambient-runner:not-there';

describe('retention', function () {
  this.timeout(90_000);
  let cluster: TestCluster;
  let operator: OperatorProcess;
  let folder: string;
  let storeDir: string;
  let store: DirectoryStore;

  const run = async () => {
    const started = await runOperatorProcess(cluster, {
      storeDir,
      flags: { 'start-patience-seconds': 3600, 'sweep-seconds': 3600 },
    });
    // It may be ready before kube-apiserver has noticed that it was away.
    await liveApiAvailable(cluster);
    return started;
  };

  before(async function () {
    this.timeout(300_000);
    cluster = await testCluster(this, { node: true });
    await applyFrameworks(cluster, NO_IMAGE);
    folder = await mkdtemp(join(tmpdir(), 'ambient-retention-'));
    storeDir = join(folder, 'store');
    operator = await run();
    store = new DirectoryStore({ root: storeDir });
  });

  after(async function () {
    this.timeout(60_000);
    await operator?.[Symbol.asyncDispose]();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  const setPolicy = (namespace: string, retention: NamespacePolicySpec['retention']) =>
    cluster.client.apply(
      namespacePolicies,
      { ...aPolicy(namespace, { retention }), metadata: { name: 'policy', namespace } },
      { fieldManager: 'test', force: true },
    );

  /** Has a Job and something in the store. */
  async function begun(namespace: string): Promise<Session> {
    const session = await inPhase(
      cluster.client,
      await launch(cluster.client, aCommand(namespace, 'true')),
      ({ status }) => findCondition(status?.conditions, 'WorkloadCreated')?.status === 'True',
      'its Job is made',
    );
    const ref = refOf(session);
    await store.put(keys.artifact(ref, 'report.md'), Buffer.from('# Done'), { contentType: 'text/markdown' });
    await store.put(keys.history(ref, 1), Buffer.from('[]'), { contentType: 'application/json' });
    return session;
  }

  /** Finished by being stopped: it never ran, so nothing has to be waited for. */
  async function finished(namespace: string): Promise<Session> {
    const session = await begun(namespace);
    await cluster.client.connection.json(livePaths.stop(namespace, session.metadata.name), {
      method: 'POST',
      body: { gracePeriodSeconds: 0 },
    });
    return await inPhase(
      cluster.client,
      session,
      ({ status }) => status?.phase === 'Failed',
      'it is stopped',
    );
  }

  const gone = (session: Session) =>
    until(
      () =>
        current(session, cluster.client).then(
          () => false,
          (error: unknown) => isNotFound(error),
        ),
      `${session.metadata.name} is gone`,
    );
  const foldersOf = (session: Session) => store.listFolders(keys.session(refOf(session)));
  const forecast = (namespace: string, within: string) =>
    cluster.client.connection.json<RetentionForecast>(livePaths.retention(namespace, within));

  it('takes log and artifacts first and leaves a note, then the object with all its data', async () => {
    const namespace = await cluster.namespace('keep');
    const session = await finished(namespace);
    await setPolicy(namespace, { sessions: '90d', artifacts: '0d' });
    const expired = await inPhase(
      cluster.client,
      session,
      ({ status }) => findCondition(status?.conditions, 'ArtifactsGenerated')?.reason === 'Expired',
      'its artifacts have expired',
    );
    assert.equal(expired.status?.phase, 'Failed');
    const note = expired.status?.history?.at(-1);
    assert.deepEqual([note?.event, note?.actor], ['ArtifactsExpired', OPERATOR_ACTOR]);
    assert.match(
      findCondition(expired.status?.conditions, 'ArtifactsGenerated')?.message ?? '',
      /0d after the end/,
    );
    assert.deepEqual(await foldersOf(session), ['history']);

    await setPolicy(namespace, { sessions: '0d' });
    await gone(session);
    await until(async () => (await foldersOf(session)).length === 0, 'nothing is left in the store');
    const removals = (await recordedIn(operator.storeDir, namespace)).filter(
      ({ action, sessionUid, resource }) =>
        action === 'delete' && sessionUid === session.metadata.uid && resource.startsWith('sessions'),
    );
    assert.deepEqual(
      removals.map(({ action, resource, actor }) => [action, resource, actor]),
      [
        ['delete', 'sessions/artifacts', OPERATOR_ACTOR],
        ['delete', 'sessions', OPERATOR_ACTOR],
        ['delete', 'sessions/data', OPERATOR_ACTOR],
      ],
    );
  });

  it('takes nothing of a session that is not finished, and gives it the finalizer once it has data', async () => {
    const namespace = await cluster.namespace('runs');
    await setPolicy(namespace, { sessions: '0d', artifacts: '0d' });
    const session = await begun(namespace);
    const held = await inPhase(
      cluster.client,
      session,
      ({ metadata }) => metadata.finalizers?.includes(FINALIZER_DATA) ?? false,
      'it has the finalizer',
    );
    assert.equal(held.status?.phase, 'Pending');
    assert.deepEqual(await foldersOf(session), ['artifacts', 'history']);
  });

  it('forecasts what would go, to whoever may view the namespace', async () => {
    const namespace = await cluster.namespace('soon');
    await setPolicy(namespace, { sessions: '1w', artifacts: '2d' });
    const session = await finished(namespace);
    await begun(namespace);
    const whats = async (within: string) =>
      (await forecast(namespace, within)).items.map(({ session: name, what, overdue }) => [
        name,
        what,
        overdue,
      ]);
    assert.deepEqual(await whats('1d'), []);
    assert.deepEqual(await whats('2d'), [[session.metadata.name, 'artifacts', false]]);
    assert.deepEqual(await whats('1m'), [
      [session.metadata.name, 'artifacts', false],
      [session.metadata.name, 'session', false],
    ]);
    await assert.rejects(forecast(namespace, 'soon'), /within is a number and one of d, w, m, y/);

    const raw = (user: string) =>
      cluster.kubectl(['get', '--raw', livePaths.retention(namespace, '1m'), '--as', user]);
    await cluster.kubectl([
      'create',
      'rolebinding',
      'ann',
      '-n',
      namespace,
      '--clusterrole=view',
      '--user=ann',
    ]);
    await until(() => raw('ann').then(String, () => ''), 'ann may view the namespace');
    await assert.rejects(async () => await raw('bob'), /forbidden/i);
  });

  it('takes the Job and the data of a session that is deleted before its end', async () => {
    const namespace = await cluster.namespace('early');
    const session = await begun(namespace);
    await inPhase(cluster.client, session, ({ metadata }) => metadata.finalizers !== undefined, 'it is held');
    await cluster.client.delete(sessions, { namespace, name: session.metadata.name });
    await gone(session);
    const job = { namespace, name: jobNameOf(session.metadata.uid ?? '') };
    await until(() => cluster.client.get(jobs, job).then(() => false, isNotFound), 'its Job is gone');
    await until(async () => (await foldersOf(session)).length === 0, 'its data are gone');
  });

  it('keeps a deleted session while its data cannot be removed, says why, and lets it go when they can', async () => {
    const namespace = await cluster.namespace('down');
    const session = await begun(namespace);
    await inPhase(cluster.client, session, ({ metadata }) => metadata.finalizers !== undefined, 'it is held');
    const aside = join(folder, 'aside');
    await rename(storeDir, aside);
    await writeFile(storeDir, 'no folder');
    try {
      await cluster.client.delete(sessions, { namespace, name: session.metadata.name });
      const staying = await inPhase(
        cluster.client,
        session,
        ({ status }) => status?.message?.startsWith('Is being deleted') ?? false,
        'it says why it stays',
      );
      assert.match(staying.status?.message ?? '', /artifact store/);
      assert.notEqual(staying.metadata.deletionTimestamp, undefined);
    } finally {
      await rm(storeDir);
      await rename(aside, storeDir);
    }
    await gone(session);
    assert.deepEqual(await foldersOf(session), []);
  });

  it('catches up with what was deleted and fell due while no operator ran', async () => {
    const namespace = await cluster.namespace('away');
    const [deleted, old] = [await finished(namespace), await finished(namespace)];
    for (const session of [deleted, old])
      await inPhase(
        cluster.client,
        session,
        ({ metadata }) => metadata.finalizers !== undefined,
        'it is held',
      );
    await operator.stop();
    await operator[Symbol.asyncDispose]();
    await cluster.client.delete(sessions, { namespace, name: deleted.metadata.name });
    await setPolicy(namespace, { sessions: '0d' });
    assert.notEqual((await current(deleted, cluster.client)).metadata.deletionTimestamp, undefined);

    operator = await run();
    await Promise.all([gone(deleted), gone(old)]);
    for (const session of [deleted, old])
      await until(async () => (await foldersOf(session)).length === 0, 'its data are gone');
  });

  it('lets a namespace go that is deleted with its sessions', async () => {
    const namespace = `whole-${randomUUID().slice(0, 8)}`;
    await cluster.kubectl(['create', 'namespace', namespace]);
    const held = await Promise.all([begun(namespace), finished(namespace)]);
    for (const session of held)
      await inPhase(
        cluster.client,
        session,
        ({ metadata }) => metadata.finalizers !== undefined,
        'it is held',
      );
    await cluster.client.delete(namespaces, { name: namespace });
    await until(
      () => cluster.client.get(namespaces, { name: namespace }).then(() => false, isNotFound),
      'the namespace is gone',
      60_000,
    );
    assert.deepEqual(await store.listFolders(`${namespace}/`), []);
  });
});
