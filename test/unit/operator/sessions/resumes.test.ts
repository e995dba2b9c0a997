/** Going on from a finished session: what the new one is made of, and when there is nothing to go on from. */
import assert from 'node:assert/strict';
import type { Session } from '../../../../common/api/session.ts';
import { AmbientError } from '../../../../common/errors.ts';
import type { LaunchRequest } from '../../../../operator/sessions/launch.ts';
import { resumedBy, Resumes } from '../../../../operator/sessions/resumes.ts';
import { Sources } from '../../../../operator/sessions/source.ts';
import { keys } from '../../../../operator/store/keys.ts';
import { aResult, aSession } from '../../../support/fixtures.ts';
import type { SessionBuilder } from '../../../support/fixtures.ts';
import { temporaryStore } from '../../../support/temporary-store.ts';

const CALL = { by: { name: 'bob', uid: undefined, groups: [] }, door: 'live', traceId: 't1' };
const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const upload = { type: 'upload', upload: { sizeBytes: 3, digest: `sha256:${'0'.repeat(64)}` } } as const;

describe('resuming a session', () => {
  const cleanup = new AsyncDisposableStack();
  after(() => cleanup.disposeAsync());

  async function aDesk() {
    const { store } = cleanup.use(await temporaryStore());
    const launched: LaunchRequest[] = [];
    const sources = new Sources({ store });
    const resumes = new Resumes({
      launches: {
        launch: async (request) => {
          launched.push(request);
          const made: Session = aSession('new').in('team-a').spec(request.spec).build();
          return made;
        },
      },
      sessions: { fetch: async () => old().build() },
      sources,
      results: { get: async () => aResult('CommandFailed', { sourceCommit: COMMIT }) },
    });
    return { store, launched, sources, resumes };
  }
  const old = (): SessionBuilder =>
    aSession('old')
      .in('team-a')
      .spec({
        createdBy: { user: 'ann' },
        displayName: 'Mend it',
        trigger: { source: 'github', event: 'issues' },
        framework: { type: 'claude', config: { prompt: 'mend', model: 'm' } },
        limits: { timeoutSeconds: 60, gracePeriodSeconds: 1 },
      })
      .status({ phase: 'Failed' });
  const refused = (work: Promise<unknown>, code: string, message: RegExp): Promise<void> =>
    assert.rejects(work, (error: unknown) => {
      assert.ok(error instanceof AmbientError && error.code === code, String(error));
      assert.match(error.message, message);
      return true;
    });

  it('is called like the old one, without what names may not have any more', async () => {
    const { resumes, launched } = await aDesk();
    const { spec } = old().build();
    const session = old()
      .spec({ ...spec, displayName: 'Mend\u202e\tit' })
      .build();
    await resumes.resume(session, { id: 'r1' }, CALL);
    assert.equal(launched[0]?.spec.displayName, 'Mend it');
  });

  it('launches one like it, by whoever asks, with what is to be another', async () => {
    const { resumes, launched } = await aDesk();
    const body = { id: 'r1', displayName: 'Mend the rest', config: { prompt: 'and the rest' } };
    const { name } = await resumes.resume(old().build(), body, CALL);
    assert.equal(name, 'new');
    assert.deepEqual(launched[0], {
      namespace: 'team-a',
      spec: {
        displayName: 'Mend the rest',
        framework: { type: 'claude', config: { prompt: 'and the rest', model: 'm' } },
        limits: { timeoutSeconds: 60, gracePeriodSeconds: 1 },
        resume: { session: 'old', uid: 'uid-of-old', source: 'uid-of-old' },
      },
      by: CALL.by,
      key: 'resume/uid-of-old/r1',
      door: 'live',
      traceId: 't1',
      signal: undefined,
    });
  });

  it('finds the uploaded source over any number of sessions, and takes no other', async () => {
    const { resumes, launched, sources, store } = await aDesk();
    const first = old().spec({ source: upload }).build();
    await refused(resumes.resume(first, {}, CALL), 'conflict', /not kept any more/);
    await store.put(keys.source({ namespace: 'team-a', uid: 'uid-of-old' }), Buffer.from('abc'), {
      contentType: 'application/gzip',
    });
    const again = old()
      .spec({ source: upload, resume: { session: 'older', uid: 'uid-of-older', source: 'uid-of-old' } })
      .build();
    again.metadata.uid = 'uid-of-again';
    await resumes.resume(again, {}, CALL);
    const spec = launched[0]?.spec;
    assert.deepEqual(spec?.resume, { session: 'old', uid: 'uid-of-again', source: 'uid-of-old' });
    const third = aSession('third')
      .in('team-a')
      .spec(spec ?? {})
      .pending()
      .build();
    assert.deepEqual(await sources.state(third), await sources.state(first));
    assert.equal((await sources.state(third)).complete, true);
    assert.equal(resumedBy(third)?.metadata.uid, 'uid-of-again');
    assert.equal(resumedBy(first), undefined);
  });

  it('begins at the commit at which the old one began', async () => {
    const { resumes, launched } = await aDesk();
    const git = { url: 'https://git.example/a.git', ref: 'main' };
    await resumes.resume(
      old()
        .spec({ source: { type: 'git', git } })
        .build(),
      {},
      CALL,
    );
    assert.deepEqual(launched[0]?.spec.source, { type: 'git', git: { ...git, ref: COMMIT } });
    // A pull request is still for the branch, however often it is resumed.
    const resume = { session: 'old', uid: 'uid-of-old', source: 'uid-of-old', ref: 'main' };
    assert.deepEqual(launched[0].spec.resume, resume);
    const again = old().spec(launched[0].spec).build();
    await resumes.resume(again, {}, CALL);
    assert.equal(launched[1]?.spec.resume?.ref, 'main');
  });

  it('is refused while the session runs, and for nonsense', async () => {
    const { resumes } = await aDesk();
    await refused(resumes.resume(old().running().build(), {}, CALL), 'conflict', /has not ended/);
    for (const body of [{ config: 'x' }, { resume: {} }, { displayName: '' }, []])
      await refused(resumes.resume(old().build(), body, CALL), 'invalid_request', /./);
  });
});
