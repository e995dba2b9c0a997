/** Order and repetition of what happens to a deleted session; test/pods shows the same on a real API server. */
import assert from 'node:assert/strict';
import { pino } from 'pino';
import { FINALIZER_DATA } from '../../../../../common/api/names.ts';
import type { Session } from '../../../../../common/api/session.ts';
import type { KubeClient } from '../../../../../common/kube/client.ts';
import type { Job } from '../../../../../common/kube/core-types.ts';
import type { JsonPatchOperation } from '../../../../../common/kube/patch.ts';
import { Releases } from '../../../../../operator/controllers/retention/release.ts';
import { bySessionUid, SESSION_INDEX } from '../../../../../operator/controllers/session/reconcile.ts';
import { keys, refOf } from '../../../../../operator/store/keys.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { aJob, aSession, NOW } from '../../../../support/fixtures.ts';
import type { SessionBuilder } from '../../../../support/fixtures.ts';
import { temporaryStore } from '../../../../support/temporary-store.ts';
import type { TemporaryStore } from '../../../../support/temporary-store.ts';
import { until } from '../../../../support/until.ts';
import { watched } from '../../../../support/watched.ts';

describe('the finalizer of a session', () => {
  let temporary: TemporaryStore;
  let clock: FakeClock;
  let sessions: ReturnType<typeof watched<Session>>;
  let jobs: ReturnType<typeof watched<Job>>;
  let releases: Releases;
  /** What was done, in order. */
  let done: string[];
  let settling: 'works' | 'fails';

  beforeEach(async () => {
    temporary = await temporaryStore();
    clock = new FakeClock();
    sessions = watched<Session>();
    jobs = watched<Job>({ [SESSION_INDEX]: bySessionUid });
    done = [];
    settling = 'works';
    const client = {
      async delete(_: unknown, { name }: { name: string }) {
        done.push(`delete job ${name}`);
      },
      async jsonPatch(_: unknown, { name }: { name: string }, operations: JsonPatchOperation[]) {
        done.push(`release ${name} ${operations.map((each) => `${each.op} ${each.path}`).join(', ')}`);
      },
      async mergePatch(
        _: unknown,
        { name, subresource }: { name: string; subresource?: string },
        patch: { metadata: { finalizers?: string[] }; status?: { message: string } },
      ) {
        done.push(
          subresource === undefined
            ? `hold ${name} ${patch.metadata.finalizers?.join()}`
            : `say ${patch.status?.message}`,
        );
        return {};
      },
    };
    releases = new Releases({
      // Stands in for the API server, of which three verbs are used.
      client: client as unknown as KubeClient,
      sessions: sessions.reflector,
      jobs: jobs.reflector,
      store: temporary.store,
      audit: {
        record: async ({ action, resource, sessionId }) =>
          void done.push(`record ${action} ${resource} of ${sessionId}`),
      },
      async settleDeleted(session) {
        if (settling === 'fails') throw new Error('the policy has changed');
        const left = await temporary.store.listKeys(keys.session(refOf(session)));
        done.push(`settle ${session.metadata.name}, ${left.length} objects left`);
      },
      clock,
      random: () => 0,
      perSecond: 10,
      log: pino({ level: 'silent' }),
    });
    releases.start();
  });
  afterEach(async () => {
    await releases.close(0);
    await temporary[Symbol.asyncDispose]();
  });

  async function tell(
    builder: SessionBuilder,
    metadata: Partial<Session['metadata']> = {},
  ): Promise<Session> {
    const session = builder.build();
    Object.assign(session.metadata, metadata);
    await temporary.store.put(keys.artifact(refOf(session), 'a.txt'), Buffer.from('a'), {
      contentType: 'text/plain',
    });
    sessions.tell(session);
    return session;
  }
  const deleted = { deletionTimestamp: NOW, finalizers: ['other.example/first', FINALIZER_DATA] };

  it('goes last: after the Job, what has to be settled and the data, and takes no other with it', async () => {
    const builder = aSession('s1').running();
    jobs.tell(aJob(builder.build()));
    const session = await tell(builder, deleted);
    await until(() => done.length === 4, 'it is released');
    assert.deepEqual(await temporary.store.listKeys(keys.session(refOf(session))), []);
    assert.deepEqual(done, [
      'delete job ambient-uid-of-s1',
      'settle s1, 1 objects left',
      'record delete sessions/data of s1',
      'release s1 test /metadata/uid, test /metadata/finalizers/1, remove /metadata/finalizers/1',
    ]);
  });

  it('stays, with the reason, until everything is settled', async () => {
    settling = 'fails';
    await tell(aSession('s1').running(), deleted);
    await until(() => done.length > 0, 'it says why');
    assert.match(
      done[0] ?? '',
      /^say Is being deleted, and stays until its data are removed: the policy has changed/,
    );
    settling = 'works';
    await until(async () => {
      await clock.advance(10_000);
      return done.at(-1)?.startsWith('release') === true;
    }, 'it is released');
  });

  it('is given to a session that has data without it, once its first moments are over', async () => {
    const session = await tell(aSession('old').running(), { finalizers: ['other.example/first'] });
    sessions.tell({ ...session });
    await clock.advance(4000);
    assert.deepEqual(done, []);
    await clock.advance(2000);
    await until(() => done.length > 0, 'it is given');
    assert.deepEqual(done, [`hold old other.example/first,${FINALIZER_DATA}`]);
  });

  it('is not given to a session without data, to one that has it, and to one that is being deleted', async () => {
    sessions.tell(aSession('new').pending().build());
    await tell(aSession('held').running(), { finalizers: [FINALIZER_DATA] });
    await tell(aSession('going').running(), { deletionTimestamp: NOW, finalizers: ['other.example/first'] });
    for (let i = 0; i < 5; i++) {
      await clock.advance(10_000);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.deepEqual(done, []);
  });
});
