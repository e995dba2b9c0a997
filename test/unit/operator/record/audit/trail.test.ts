import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import type { AuditRecord } from '../../../../../common/api/audit.ts';
import { isAmbientError } from '../../../../../common/errors.ts';
import { SEGMENT_BYTES } from '../../../../../operator/record/audit/chain.ts';
import { chainLines, segmentsOf } from '../../../../../operator/record/audit/segments.ts';
import { verifyStore } from '../../../../../operator/record/audit/verify.ts';
import { keys } from '../../../../../operator/store/keys.ts';
import type { ArtifactStore } from '../../../../../operator/store/store.ts';
import { aTrail, anEvent, TestBoard } from '../../../../support/audit.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { temporaryStore } from '../../../../support/temporary-store.ts';
import type { TemporaryStore } from '../../../../support/temporary-store.ts';
import { until } from '../../../../support/until.ts';

const ref = { namespace: 'team-a', writer: 'operator-1' };

describe('the audit trail', () => {
  let temporary: TemporaryStore;
  let board: TestBoard;

  beforeEach(async () => {
    temporary = await temporaryStore();
    board = new TestBoard();
  });
  afterEach(() => temporary[Symbol.asyncDispose]());

  async function records(of = ref): Promise<AuditRecord[]> {
    const found: AuditRecord[] = [];
    for await (const line of chainLines(temporary.store, of)) found.push(JSON.parse(line) as AuditRecord);
    return found;
  }
  const events = async (of = ref): Promise<unknown[]> =>
    (await records(of)).map(({ resource, details }) => details?.['index'] ?? details?.['mark'] ?? resource);

  async function verified(): Promise<string[]> {
    const reports: string[] = [];
    for await (const report of verifyStore(temporary.store, board.list, {
      operatorNamespace: 'ambient-system',
    }))
      reports.push(
        `${report.namespace}/${report.writer} ${report.ok ? 'OK' : `${report.tampering} ${report.seq}`}`,
      );
    return reports;
  }

  /** Counts and holds what is written. */
  function watched(): { store: ArtifactStore; puts: number; hold: Promise<void> | undefined } {
    const seen = {
      puts: 0,
      hold: undefined as Promise<void> | undefined,
      store: temporary.store as ArtifactStore,
    };
    seen.store = Object.assign(Object.create(temporary.store) as ArtifactStore, {
      put: async (...args: Parameters<ArtifactStore['put']>) => {
        seen.puts++;
        await seen.hold;
        return temporary.store.put(...args);
      },
    });
    return seen;
  }

  it('has a record on the volume when it says so, with number, time and hashes', async () => {
    const trail = aTrail(temporary.store, board, { clock: new FakeClock() });
    await trail.record(anEvent({ since: 0 }, { traceId: 'a'.repeat(32) }));
    const [begin, record] = await records();
    assert.equal(begin?.details?.['mark'], 'begin');
    const { hash, previous, ...rest } = record ?? assert.fail();
    assert.match(hash, /^[0-9a-f]{64}$/);
    assert.equal(previous, begin?.hash);
    assert.deepEqual(rest, {
      seq: 2,
      writer: 'operator-1',
      timestamp: '2030-01-01T00:00:00.000Z',
      namespace: 'team-a',
      sessionId: 's1',
      sessionUid: 'uid-of-s1',
      actor: 'ann',
      action: 'view',
      resource: 'sessions/log',
      outcome: 'allowed',
      details: { since: 0 },
      traceId: 'a'.repeat(32),
    });
    assert.deepEqual(await verified(), ['team-a/operator-1 OK']);
  });

  it('writes what comes at the same time at once, in the order it came', async () => {
    const seen = watched();
    const trail = aTrail(seen.store, board);
    await Promise.all(Array.from({ length: 200 }, (_, index) => trail.record(anEvent({ index: index + 1 }))));
    assert.equal(seen.puts, 1);
    assert.deepEqual(await events(), ['begin', ...Array.from({ length: 200 }, (_, index) => index + 1)]);
  });

  it('keeps a chain for every namespace, none waiting for another', async () => {
    const seen = watched();
    const { promise, resolve } = Promise.withResolvers<void>();
    const trail = aTrail(seen.store, board);
    seen.hold = promise;
    const slow = trail.record(anEvent());
    await until(() => seen.puts === 1, 'the write');
    seen.hold = undefined;
    await trail.record(anEvent({}, { namespace: 'team-b' }));
    resolve();
    await slow;
    assert.deepEqual(await verified(), ['team-a/operator-1 OK', 'team-b/operator-1 OK']);
  });

  it('goes on in another segment when one is full, or when nothing was recorded for a while', async () => {
    const clock = new FakeClock();
    const trail = aTrail(temporary.store, board, { clock });
    const long = { text: 'x'.repeat(250) };
    for (let index = 0; index < 5; index++)
      await Promise.all(Array.from({ length: 100 }, () => trail.record(anEvent(long))));
    const full = await segmentsOf(temporary.store, ref);
    assert.ok(full.length >= 3, String(full.length));
    const info = await temporary.store.stat(full[0]?.key ?? '');
    assert.ok((info?.size ?? 0) >= SEGMENT_BYTES);
    await clock.advance(601_000);
    await trail.record(anEvent());
    assert.equal((await segmentsOf(temporary.store, ref)).length, full.length + 1);
    assert.deepEqual(await verified(), ['team-a/operator-1 OK']);
  });

  it('begins a chain of its own in each process, which names the heads of the others', async () => {
    await aTrail(temporary.store, board).record(anEvent());
    await aTrail(temporary.store, board, { writer: 'operator-2' }).record(anEvent());
    const [begin] = await records({ ...ref, writer: 'operator-2' });
    const [, last] = await records();
    assert.deepEqual(begin?.details?.['earlier'], [
      { writer: 'operator-1', seq: 2, hash: last?.hash, at: last?.timestamp },
    ]);
    assert.deepEqual(await verified(), ['team-a/operator-1 OK', 'team-a/operator-2 OK']);
  });

  it('cuts long texts and leaves out details that are too many', async () => {
    const trail = aTrail(temporary.store, board);
    await trail.record(anEvent({ text: 'x'.repeat(10_000), deep: { a: { b: { c: { d: 1 } } } } }));
    await trail.record(
      anEvent(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, 'y'.repeat(250)]))),
    );
    const [, cut, clipped] = await records();
    assert.equal(String(cut?.details?.['text']).length, 257);
    assert.deepEqual(cut?.details?.['deep'], { a: { b: { c: '…' } } });
    assert.deepEqual(clipped?.details, { clipped: true });
  });

  describe('when the store is away', () => {
    const away = (): Promise<void> => rename(temporary.root, `${temporary.root}-away`);
    const back = (): Promise<void> => rename(`${temporary.root}-away`, temporary.root);
    const unavailable = (error: unknown): boolean => isAmbientError(error, 'audit_unavailable');

    it('refuses, goes on when it is back, and records how much was refused', async () => {
      const trouble: string[] = [];
      let failed = 0;
      const trail = aTrail(temporary.store, board, {
        onTrouble: (namespace) => trouble.push(namespace),
        meters: { written: () => undefined, failed: (count) => (failed += count) },
      });
      await trail.record(anEvent({ index: 1 }));
      await away();
      for (let index = 0; index < 3; index++) await assert.rejects(trail.record(anEvent()), unavailable);
      assert.deepEqual(trouble, ['team-a'], 'told once');
      assert.equal(failed, 3);
      await back();
      await trail.record(anEvent({ index: 2 }));
      assert.deepEqual(await events(), ['begin', 1, 'gap', 2]);
      const gap = (await records())[2];
      assert.equal(gap?.details?.['records'], 3);
      assert.equal(gap?.details?.['effect'], 'refused');
      assert.deepEqual(await verified(), ['team-a/operator-1 OK']);
    });

    it('lets things happen when told so, and records the gap even if nothing more happens', async () => {
      const trail = aTrail(temporary.store, board, { onFailure: 'continue' });
      await trail.record(anEvent({ index: 1 }));
      await away();
      await trail.record(anEvent());
      await back();
      await trail.flush();
      assert.deepEqual(await events(), ['begin', 1, 'gap']);
      assert.equal((await records())[2]?.details?.['effect'], 'unrecorded');
      assert.deepEqual(await verified(), ['team-a/operator-1 OK']);
    });

    it('does not wait for a volume that hangs, and writes nothing before it knows how that write ended', async () => {
      const seen = watched();
      const clock = new FakeClock();
      const trail = aTrail(seen.store, board, { clock, patienceMs: 1000 });
      const { promise, resolve } = Promise.withResolvers<void>();
      seen.hold = promise;
      const hanging = assert.rejects(trail.record(anEvent({ index: 1 })), unavailable);
      await until(() => seen.puts === 1, 'the write');
      await clock.advance(1001);
      await hanging;
      await assert.rejects(trail.record(anEvent()), unavailable);
      assert.equal(seen.puts, 1);
      resolve();
      await until(() => board.list.length > 0, 'the write ends');
      await trail.record(anEvent({ index: 2 }));
      // What was refused for want of patience is there all the same, and the gap says that it did not happen.
      assert.deepEqual(await events(), ['begin', 1, 'gap', 2]);
      assert.deepEqual(await verified(), ['team-a/operator-1 OK']);
    });
  });

  it('has its data where no session has any', () => {
    assert.equal(keys.isNamespace('_audit'), false);
    assert.equal(keys.isNamespace('audit'), true);
    assert.ok(keys.auditSegment(ref, 1).startsWith('_audit/team-a/operator-1/'));
  });
});
