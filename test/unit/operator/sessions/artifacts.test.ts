/** What runners store and people fetch, over a real directory store. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { MEMORY_ARCHIVE } from '../../../../common/api/runner.ts';
import { ARTIFACTS_IN_STATUS_MAX } from '../../../../common/api/session.ts';
import { isAmbientError } from '../../../../common/errors.ts';
import type { ErrorCode } from '../../../../common/errors.ts';
import { Artifacts } from '../../../../operator/sessions/artifacts.ts';
import { removeOrphans } from '../../../../operator/sessions/orphans.ts';
import { keys, PROVENANCE_ARTIFACT, refOf } from '../../../../operator/store/keys.ts';
import { Results } from '../../../../operator/sessions/result.ts';
import { Sources } from '../../../../operator/sessions/source.ts';
import { aResult, aSession } from '../../../support/fixtures.ts';
import { temporaryStore } from '../../../support/temporary-store.ts';
import type { TemporaryStore } from '../../../support/temporary-store.ts';

const sha256 = (bytes: string): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const body = (bytes: string): Readable => Readable.from([Buffer.from(bytes)]);

const refused = (work: Promise<unknown>, code: ErrorCode, says?: RegExp): Promise<void> =>
  assert.rejects(work, (error: unknown) => {
    assert.ok(isAmbientError(error), `expected ${code}, got ${String(error)}`);
    assert.equal(error.code, code, error.message);
    if (says !== undefined) assert.match(error.message, says);
    return true;
  });

describe('session data', () => {
  let temporary: TemporaryStore;
  let now = new Date('2030-01-01T00:00:00Z');
  const session = aSession().running().build();
  const finished = aSession().status({ phase: 'Completed' }).build();

  beforeEach(async () => {
    now = new Date('2030-01-01T00:00:00Z');
    temporary = await temporaryStore(() => now);
  });
  afterEach(() => temporary[Symbol.asyncDispose]());

  describe('Artifacts', () => {
    it('lists by path, and gives the bytes', async () => {
      const artifacts = new Artifacts(temporary.store);
      await artifacts.put(session, { path: 'b/new\nline.txt', contentType: 'text/plain' }, body('two'));
      await artifacts.put(
        session,
        { path: 'a.md', type: 'intermediate', digest: sha256('one') },
        body('one'),
      );
      await artifacts.put(session, { path: 'empty', contentType: 'not a type' }, body(''));
      const listed = [];
      for await (const artifact of artifacts.list(session)) listed.push(artifact);
      assert.deepEqual(
        listed.map(({ path, type, size, contentType }) => ({ path, type, size, contentType })),
        [
          { path: 'a.md', type: 'intermediate', size: 3, contentType: 'application/octet-stream' },
          { path: 'b/new\nline.txt', type: 'output', size: 3, contentType: 'text/plain' },
          { path: 'empty', type: 'output', size: 0, contentType: 'application/octet-stream' },
        ],
      );
      assert.equal(await text((await artifacts.get(session, 'b/new\nline.txt')).body), 'two');
      assert.equal((await artifacts.describe(session, 'a.md')).digest, sha256('one'));
      await refused(artifacts.get(session, 'none'), 'not_found');
      await refused(artifacts.describe(session, 'none'), 'not_found');
    });

    for (const path of [
      '',
      '/etc/passwd',
      '../x',
      'a/../b',
      'a/./b',
      'a//b',
      'a/',
      '.',
      'a\0b',
      '\ud800',
      'x'.repeat(1025),
    ]) {
      it(`refuses the path ${JSON.stringify(path.slice(0, 20))}`, async () => {
        const artifacts = new Artifacts(temporary.store);
        await refused(artifacts.put(session, { path }, body('x')), 'unsafe_path');
        await refused(artifacts.get(session, path), 'unsafe_path');
      });
    }

    it('refuses a wrong type, digest or moment', async () => {
      const artifacts = new Artifacts(temporary.store);
      await refused(artifacts.put(session, { path: 'a', type: 'virus' }, body('x')), 'invalid_request');
      await refused(artifacts.put(session, { path: 'a', digest: 'md5:1' }, body('x')), 'invalid_request');
      await refused(artifacts.put(session, { path: 'a', digest: sha256('y') }, body('x')), 'digest_mismatch');
      await refused(artifacts.put(finished, { path: 'a' }, body('x')), 'already_finished');
    });

    it('sums up what does not fit into status', async () => {
      const artifacts = new Artifacts(temporary.store);
      const many = ARTIFACTS_IN_STATUS_MAX + 5;
      for (let i = 0; i < many; i++)
        await artifacts.put(session, { path: `f${String(i).padStart(3, '0')}` }, body('xy'));
      await artifacts.put(session, { path: MEMORY_ARCHIVE }, body('remembered'));
      // It is there already where an operator looks again.
      const statement = keys.artifact(refOf(session), PROVENANCE_ARTIFACT);
      await temporary.store.put(statement, Buffer.from('signed'), {
        contentType: 'text/plain',
        metadata: {},
      });
      const { generated, count, totalBytes, storedBytes, products } = await artifacts.summary(session);
      assert.equal(generated.length, ARTIFACTS_IN_STATUS_MAX);
      assert.deepEqual(
        [count, products.length, totalBytes, storedBytes],
        [many, many, 2 * many, 2 * many + 10],
      );
      const counted = async (list: AsyncIterable<unknown>): Promise<number> => {
        let found = 0;
        for await (const _ of list) found++;
        return found;
      };
      assert.equal(await counted(artifacts.made(session)), many);
      assert.equal(await counted(artifacts.list(session)), many + 2);
      assert.deepEqual(generated[0], {
        type: 'output',
        location: 'f000',
        size: 2,
        contentType: 'application/octet-stream',
        createdAt: now.toISOString(),
        metadata: { digest: sha256('xy') },
      });
    });
  });

  describe('Sources', () => {
    const archive = 'an archive';
    const uploading = aSession()
      .spec({ source: { type: 'upload', upload: { sizeBytes: archive.length, digest: sha256(archive) } } })
      .build();

    it('are complete when all bytes are there, and tell so once', async () => {
      const completed: string[] = [];
      const sources = new Sources({
        store: temporary.store,
        onComplete: ({ metadata }) => completed.push(metadata.name),
      });
      assert.deepEqual(await sources.state(uploading), {
        kind: 'SourceState',
        apiVersion: 'live.ambient.ai/v1alpha1',
        received: 0,
        sizeBytes: 10,
        complete: false,
      });
      assert.equal((await sources.append(uploading, 0, body('an '))).received, 3);
      assert.equal(await sources.isComplete(uploading), false);
      await refused(sources.get(uploading), 'not_found');
      assert.equal((await sources.append(uploading, 3, body('archive'))).complete, true);
      assert.deepEqual(completed, ['s1']);
      assert.equal((await sources.state(uploading)).complete, true);
      assert.equal(await text((await sources.get(uploading, { first: 3, last: 9 })).body), 'archive');
      await assert.rejects(sources.append(uploading, 10, body('')), (error: unknown) => {
        assert.ok(isAmbientError(error, 'conflict'));
        assert.equal((error.details['state'] as { complete: boolean }).complete, true);
        return true;
      });
    });

    it('are completed by whoever asks next when the operator was killed before it had checked the last piece', async () => {
      const completed: string[] = [];
      const upload = temporary.store.upload.bind(temporary.store);
      let isKilled = true;
      temporary.store.upload = (key) => {
        const made = upload(key);
        if (isKilled) made.complete = () => Promise.reject(new Error('killed'));
        return made;
      };
      const sources = new Sources({
        store: temporary.store,
        onComplete: ({ metadata }) => completed.push(metadata.name),
      });
      await assert.rejects(sources.append(uploading, 0, body(archive)), /killed/);
      isKilled = false;
      assert.equal((await sources.state(uploading)).complete, true);
      assert.deepEqual(completed, ['s1']);
    });

    it('say where the next piece belongs', async () => {
      const sources = new Sources({ store: temporary.store });
      await sources.append(uploading, 0, body('an '));
      await assert.rejects(sources.append(uploading, 0, body('an ')), (error: unknown) => {
        assert.ok(isAmbientError(error, 'conflict'));
        assert.equal((error.details['state'] as { received: number }).received, 3);
        return true;
      });
    });

    it('begin anew after bytes with another digest', async () => {
      const sources = new Sources({ store: temporary.store });
      await refused(sources.append(uploading, 0, body('0123456789')), 'digest_mismatch');
      assert.equal((await sources.state(uploading)).received, 0);
      assert.equal((await sources.append(uploading, 0, body(archive))).complete, true);
    });

    it('take no more than was announced, and nothing from whom nothing is expected', async () => {
      const sources = new Sources({ store: temporary.store });
      await refused(sources.append(uploading, 0, body(`${archive}!`)), 'too_large');
      assert.equal((await sources.state(uploading)).received, 0);
      await refused(sources.state(session), 'invalid_request', /its source is none/);
      await refused(sources.append(session, 0, body('x')), 'invalid_request');
      const late = aSession().spec(uploading.spec).status({ phase: 'Failed' }).build();
      await refused(sources.append(late, 0, body(archive)), 'already_finished');
    });
  });

  describe('Results', () => {
    it('are kept once, and the same again does no harm', async () => {
      const results = new Results(temporary.store);
      assert.equal(await results.get(session), undefined);
      await results.put(session, aResult('Succeeded'));
      await results.put(finished, aResult('Succeeded'));
      await refused(results.put(session, aResult('CommandFailed')), 'conflict');
      assert.deepEqual(await results.get(session), aResult('Succeeded'));
    });

    it('are checked, and not taken after the end', async () => {
      const results = new Results(temporary.store);
      await refused(results.put(session, { outcome: 'Fine' }), 'invalid_request', /outcome/);
      await refused(results.put(session, undefined), 'invalid_request');
      await refused(results.put(finished, aResult('Succeeded')), 'already_finished');
    });
  });

  it('is removed when its session is gone for certain, and not a moment earlier', async () => {
    const artifacts = new Artifacts(temporary.store);
    const named = (name: string, namespace: string) => aSession(name).in(namespace).build();
    const [known, unseen, young, orphan, lost] = [
      named('known', 'n1'),
      named('unseen', 'n1'),
      named('young', 'n1'),
      named('orphan', 'n1'),
      named('lost', 'gone'),
    ];
    for (const each of [known, unseen, orphan, lost]) await artifacts.put(each, { path: 'a' }, body('x'));
    // What is the operator's own lies beside the namespaces.
    await temporary.store.put('_outbox/n1/u/ledger.json', Buffer.from('{}'), {
      contentType: 'application/json',
    });
    now = new Date(now.getTime() + 3600_000);
    await artifacts.put(young, { path: 'a' }, body('x'));
    const audited = keys.auditSegment({ namespace: 'gone', writer: 'operator-1' }, 1);
    await temporary.store.put(audited, Buffer.from('{}\n'), { contentType: 'application/x-ndjson' });
    now = new Date(now.getTime() + 3600_000);
    await artifacts.put(young, { path: 'a' }, body('x'));
    const asked: string[] = [];
    const removed = await removeOrphans({
      store: temporary.store,
      isKnown: ({ uid }) => uid === known.metadata.uid,
      listUids: async (namespace) => {
        asked.push(namespace);
        return new Set(namespace === 'n1' ? [known.metadata.uid ?? '', unseen.metadata.uid ?? ''] : []);
      },
      minimumAgeMs: 600_000,
      now: () => now,
    });
    assert.deepEqual(removed.map(({ uid }) => uid).sort(), ['uid-of-lost', 'uid-of-orphan']);
    assert.deepEqual(asked.sort(), ['gone', 'n1']);
    assert.deepEqual(await temporary.store.listFolders('n1/'), [
      'uid-of-known',
      'uid-of-unseen',
      'uid-of-young',
    ]);
    assert.deepEqual(await temporary.store.listFolders('gone/'), []);
    assert.ok(await temporary.store.stat(audited), 'audit records belong to no session');
    assert.equal((await temporary.store.listKeys('_outbox/')).length, 1);
  });
});
