/** Retention with a clock that is told to move and a store on a real folder; test/pods runs it against a real API server. */
import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { pino } from 'pino';
import type { AuditEvent } from '../../../../../common/api/audit.ts';
import type { NamespacePolicy } from '../../../../../common/api/namespace-policy.ts';
import type { Session } from '../../../../../common/api/session.ts';
import { AmbientError } from '../../../../../common/errors.ts';
import type { KubeClient } from '../../../../../common/kube/client.ts';
import { KubeError } from '../../../../../common/kube/errors.ts';
import { findCondition } from '../../../../../common/rules/conditions.ts';
import type { Clock } from '../../../../../operator/controllers/clock.ts';
import { RetentionController } from '../../../../../operator/controllers/retention/index.ts';
import { historyAppender } from '../../../../../operator/record/history.ts';
import { Policies } from '../../../../../operator/sessions/policies.ts';
import { keys, refOf } from '../../../../../operator/store/keys.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { aPolicy, aSession, NOW } from '../../../../support/fixtures.ts';
import { temporaryStore } from '../../../../support/temporary-store.ts';
import type { TemporaryStore } from '../../../../support/temporary-store.ts';
import { until } from '../../../../support/until.ts';
import { watched } from '../../../../support/watched.ts';

const DAY_MS = 86_400_000;

describe('the retention controller', () => {
  let temporary: TemporaryStore;
  let clock: FakeClock;
  let leap: number;
  let sessions: ReturnType<typeof watched<Session>>;
  let policies: ReturnType<typeof watched<NamespacePolicy>>;
  let controller: RetentionController;
  let audited: AuditEvent[];
  let auditDown: boolean;
  let deleted: string[];
  /** Writes that somebody else's came before. */
  let lostRaces: number;

  beforeEach(async () => {
    temporary = await temporaryStore();
    clock = new FakeClock();
    leap = 0;
    sessions = watched<Session>();
    policies = watched<NamespacePolicy>();
    audited = [];
    auditDown = false;
    deleted = [];
    lostRaces = 0;
    const wall: Clock = {
      now: () => clock.now() + leap,
      elapsed: () => clock.elapsed(),
      timer: (delayMs, fire) => clock.timer(delayMs, fire),
    };
    let version = 10;
    const client = {
      async delete(_: unknown, { name }: { name: string }, options: { preconditions: object }) {
        const session = sessions.store.get({ namespace: 'default', name });
        assert.deepEqual(options.preconditions, { uid: session?.metadata.uid });
        deleted.push(name);
        if (session !== undefined) sessions.drop(session);
      },
      async mergePatch(_: unknown, { name }: { name: string }, patch: { status: Session['status'] }) {
        if (lostRaces-- > 0) throw new KubeError('changed meanwhile', { status: 409, reason: 'Conflict' });
        const session = sessions.store.get({ namespace: 'default', name }) ?? assert.fail();
        const written: Session = {
          ...session,
          metadata: { ...session.metadata, resourceVersion: String(++version) },
          status: { ...session.status, ...patch.status },
        };
        setImmediate(() => sessions.tell(written));
        return written;
      },
    };
    controller = new RetentionController({
      // Stands in for the API server, of which two verbs are used.
      client: client as unknown as KubeClient,
      sessions: sessions.reflector,
      namespacePolicies: policies.reflector,
      policies: new Policies(policies.store),
      store: temporary.store,
      append: historyAppender(temporary.store),
      audit: {
        async record(event) {
          if (auditDown) throw new AmbientError('audit_unavailable', 'the audit store is full');
          audited.push(event);
        },
      },
      clock: wall,
      random: () => 0,
      perSecond: 10,
      log: pino({ level: 'silent' }),
    });
    controller.start();
  });
  afterEach(async () => {
    await controller.close(0);
    await temporary[Symbol.asyncDispose]();
  });

  const retain = (sessionsFor: string, artifactsFor: string): void =>
    policies.tell(aPolicy('default', { retention: { sessions: sessionsFor, artifacts: artifactsFor } }));

  function finished(name: string, at = NOW): Session {
    const session = aSession(name)
      .status({
        phase: 'Completed',
        artifacts: { generated: [], count: 1, totalBytes: 6 },
        conditions: [
          { type: 'Completed', status: 'True', reason: 'Succeeded', message: '', lastTransitionTime: at },
        ],
      })
      .build();
    sessions.tell(session);
    return session;
  }
  async function withData(session: Session): Promise<Session> {
    await temporary.store.put(keys.artifact(refOf(session), 'report.md'), Buffer.from('# Done'), {
      contentType: 'text/markdown',
    });
    return session;
  }
  const stateOf = (name: string) => sessions.store.get({ namespace: 'default', name })?.status;
  const isExpired = (name: string): boolean =>
    findCondition(stateOf(name)?.conditions, 'ArtifactsGenerated')?.reason === 'Expired';
  const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

  it('wakes for each session when its time has come, and not before', async () => {
    retain('90d', '30d');
    const session = await withData(finished('s1'));
    await clock.advance(30 * DAY_MS - 1000);
    await pause();
    assert.equal(isExpired('s1'), false);
    await clock.advance(2000);
    await until(() => isExpired('s1'), 'its artifacts have expired');
    assert.deepEqual(await temporary.store.listKeys(keys.session(refOf(session))), []);
    const { count, totalBytes } = stateOf('s1')?.artifacts ?? {};
    assert.deepEqual([count, totalBytes], [0, 0]);
    const note = stateOf('s1')?.history?.at(-1);
    assert.deepEqual(
      [note?.event, note?.data],
      ['ArtifactsExpired', { retention: '30d', count: 1, totalBytes: 6 }],
    );
    await clock.advance(60 * DAY_MS);
    await until(() => deleted.length === 1, 'it was deleted');
    assert.deepEqual(
      audited.map(({ action, resource, sessionId, outcome }) => [action, resource, sessionId, outcome]),
      [
        ['delete', 'sessions/artifacts', 's1', 'allowed'],
        // The note of it.
        ['update', 'sessions/status', 's1', 'allowed'],
        ['delete', 'sessions', 's1', 'allowed'],
      ],
    );
  });

  it('makes no note of losing artifacts on a session that has none', async () => {
    retain('90d', '30d');
    const { status, ...session } = finished('s1');
    sessions.tell({
      ...session,
      status: { ...status, artifacts: { generated: [], count: 0, totalBytes: 0 } },
    });
    await clock.advance(31 * DAY_MS);
    await pause();
    assert.equal(isExpired('s1'), false);
    assert.deepEqual(audited, []);
    await until(async () => {
      await clock.advance(DAY_MS);
      return deleted.length === 1;
    }, 'it was deleted');
    assert.ok(clock.now() < Date.parse(NOW) + 400 * DAY_MS);
  });

  it('makes the note, and records the removal once, when somebody else writes the session meanwhile', async () => {
    retain('90d', '30d');
    await withData(finished('s1'));
    lostRaces = 2;
    await until(async () => {
      await clock.advance(11 * DAY_MS);
      return isExpired('s1');
    }, 'its artifacts have expired');
    const removals = audited.filter(({ action }) => action === 'delete');
    assert.deepEqual(
      removals.map(({ resource }) => resource),
      ['sessions/artifacts'],
    );
  });

  it('makes the note of data that were removed when the operator was killed before it', async () => {
    retain('90d', '30d');
    finished('s1');
    await clock.advance(31 * DAY_MS);
    await until(() => isExpired('s1'), 'its artifacts have expired');
  });

  it('catches up ten a second, not all at once', async () => {
    await clock.advance(100 * DAY_MS);
    retain('90d', '30d');
    for (let i = 0; i < 50; i++) finished(`s${i}`);
    await clock.advance(0);
    await pause();
    assert.ok(deleted.length <= 1, `${deleted.length} at once`);
    for (let second = 1; second <= 5; second++) {
      await clock.advance(1000);
      await pause();
      assert.ok(deleted.length <= second * 10 + 1, `${deleted.length} within ${second} s`);
    }
    assert.equal(deleted.length, 50);
  });

  it('follows the policy as it is changed, for longer and for shorter', async () => {
    retain('90d', '30d');
    finished('s1');
    await clock.advance(20 * DAY_MS);
    retain('1y', '1y');
    await clock.advance(100 * DAY_MS);
    await pause();
    assert.deepEqual(deleted, []);
    retain('10d', '10d');
    await clock.advance(0);
    await until(() => deleted.length === 1, 'it was deleted');
  });

  it('never takes what is not finished', async () => {
    retain('0d', '0d');
    const running = await withData(aSession('r').running().build());
    sessions.tell(running);
    await clock.advance(400 * DAY_MS);
    await pause();
    assert.deepEqual([deleted, audited], [[], []]);
    assert.equal((await temporary.store.listKeys(keys.session(refOf(running)))).length, 1);
  });

  it('takes nothing that cannot be recorded, and takes it when it can', async () => {
    retain('90d', '30d');
    const session = await withData(finished('s1'));
    auditDown = true;
    await clock.advance(31 * DAY_MS);
    await pause();
    await clock.advance(DAY_MS);
    await pause();
    assert.equal((await temporary.store.listKeys(keys.session(refOf(session)))).length, 1);
    auditDown = false;
    await until(async () => {
      await clock.advance(60_000);
      return isExpired('s1');
    }, 'its artifacts have expired');
  });

  it('waits for a store that is away, and makes no note meanwhile', async () => {
    retain('90d', '30d');
    await withData(finished('s1'));
    await rm(temporary.root, { recursive: true });
    await writeFile(temporary.root, 'no folder');
    await clock.advance(31 * DAY_MS);
    await pause();
    assert.equal(isExpired('s1'), false);
    await rm(temporary.root);
    await mkdir(temporary.root);
    await withData(sessions.store.get({ namespace: 'default', name: 's1' }) ?? assert.fail());
    await until(async () => {
      await clock.advance(60_000);
      return isExpired('s1');
    }, 'its artifacts have expired');
  });

  it('does not believe a clock that leaps ahead, until it has stood for an hour', async () => {
    retain('90d', '30d');
    finished('s1');
    await clock.advance(DAY_MS);
    leap = 400 * DAY_MS;
    retain('91d', '30d');
    await clock.advance(30 * 60_000);
    await pause();
    assert.deepEqual(deleted, []);
    leap = 0;
    retain('92d', '30d');
    await clock.advance(DAY_MS);
    await pause();
    assert.deepEqual(deleted, [], 'it was set right in time');
    leap = 400 * DAY_MS;
    retain('93d', '30d');
    await clock.advance(2 * DAY_MS);
    await until(() => deleted.length === 1, 'it was deleted');
  });

  it('waits on when the clock goes back', async () => {
    retain('90d', '90d');
    finished('s1');
    await clock.advance(89 * DAY_MS);
    leap = -10 * DAY_MS;
    await clock.advance(5 * DAY_MS);
    await pause();
    assert.deepEqual(deleted, []);
    await clock.advance(7 * DAY_MS);
    await until(() => deleted.length === 1, 'it was deleted');
  });
});
