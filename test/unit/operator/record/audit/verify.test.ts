import assert from 'node:assert/strict';
import { canonicalJson } from '../../../../../common/rules/audit-chain.ts';
import type { AuditRecord } from '../../../../../common/api/audit.ts';
import { sha256 } from '../../../../../operator/record/audit/chain.ts';
import type { ChainHeadOf } from '../../../../../operator/record/audit/marks.ts';
import { restMark } from '../../../../../operator/record/audit/marks.ts';
import { linesOf, segmentsOf } from '../../../../../operator/record/audit/segments.ts';
import { surveyHeads } from '../../../../../operator/record/audit/survey.ts';
import { trimAudit } from '../../../../../operator/record/audit/trim.ts';
import { verifyStore } from '../../../../../operator/record/audit/verify.ts';
import { keys } from '../../../../../operator/store/keys.ts';
import { DirectoryStore } from '../../../../../operator/store/directory.ts';
import { aTrail, anEvent, TestBoard } from '../../../../support/audit.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { temporaryStore } from '../../../../support/temporary-store.ts';
import type { TemporaryStore } from '../../../../support/temporary-store.ts';

const DAY = 86_400_000;
const one = { namespace: 'team-a', writer: 'operator-1' };
const two = { namespace: 'team-a', writer: 'operator-2' };

describe('verifying the audit store', () => {
  let temporary: TemporaryStore;
  let store: DirectoryStore;
  let board: TestBoard;
  let clock: FakeClock;

  beforeEach(async () => {
    clock = new FakeClock();
    temporary = await temporaryStore();
    store = new DirectoryStore({ root: temporary.root, now: () => new Date(clock.now()) });
    board = new TestBoard();
  });
  afterEach(() => temporary[Symbol.asyncDispose]());

  async function verified(heads: readonly ChainHeadOf[] | undefined = board.list): Promise<string[]> {
    const reports: string[] = [];
    for await (const report of verifyStore(store, heads, { operatorNamespace: 'ambient-system' }))
      reports.push(
        `${report.namespace}/${report.writer} ${report.ok ? `${report.records} OK` : `${report.tampering} ${report.seq}`}`,
      );
    return reports;
  }

  /** Two processes, of which the second knows the heads of the first; three segments of the first. */
  async function twoChains(): Promise<void> {
    const first = aTrail(store, board, { clock });
    for (let segment = 0; segment < 3; segment++) {
      for (let index = 0; index < 3; index++) await first.record(anEvent({ index }));
      await clock.advance(DAY);
    }
    const second = aTrail(store, board, { clock, writer: two.writer });
    for (let index = 0; index < 3; index++) await second.record(anEvent({ index }));
  }

  /** Changes the lines of the segment that begins with `first`. */
  async function rewrite(
    ref: typeof one,
    first: number,
    change: (lines: string[]) => string[],
  ): Promise<void> {
    const key = keys.auditSegment(ref, first);
    const lines = change(await linesOf(store, key));
    await store.put(key, Buffer.from(lines.map((line) => `${line}\n`).join('')), {
      contentType: 'application/x-ndjson',
    });
  }

  it('finds nothing in chains as they were written', async () => {
    await twoChains();
    assert.deepEqual(await verified(), ['team-a/operator-1 10 OK', 'team-a/operator-2 4 OK']);
  });

  it('finds a record that was removed, in the middle, at the front of a segment, and a whole segment', async () => {
    await twoChains();
    await rewrite(one, 5, (lines) => lines.toSpliced(1, 1));
    assert.equal((await verified())[0], 'team-a/operator-1 removed 6');
    await rewrite(one, 5, (lines) => lines.toSpliced(0, 1));
    assert.equal((await verified())[0], 'team-a/operator-1 removed 5');
    await store.remove(keys.auditSegment(one, 5));
    assert.equal((await verified())[0], 'team-a/operator-1 removed 5');
  });

  it('finds the first segment removed', async () => {
    await twoChains();
    await store.remove(keys.auditSegment(one, 1));
    assert.equal((await verified())[0], 'team-a/operator-1 removed 1');
  });

  it('finds a record that was edited, also when it was sealed again', async () => {
    await twoChains();
    const edit = (isSealed: boolean) => (lines: string[]) =>
      lines.map((line, index) => {
        if (index !== 1) return line;
        const { hash, ...rest } = { ...(JSON.parse(line) as AuditRecord), actor: 'mallory' };
        return canonicalJson({ ...rest, hash: isSealed ? sha256(canonicalJson(rest)) : hash });
      });
    await rewrite(one, 5, edit(true));
    assert.equal((await verified())[0], 'team-a/operator-1 edited 6');
    await rewrite(one, 5, edit(false));
    assert.equal((await verified())[0], 'team-a/operator-1 edited 6');
  });

  it('finds records in another order', async () => {
    await twoChains();
    await rewrite(one, 5, ([first = '', second = '', ...rest]) => [second, first, ...rest]);
    assert.equal((await verified())[0], 'team-a/operator-1 reordered 5');
  });

  it('finds a truncated chain by its published head, and by the chain that came after', async () => {
    await twoChains();
    await rewrite(one, 8, (lines) => lines.slice(0, 1));
    assert.equal((await verified())[0], 'team-a/operator-1 truncated 9');
    assert.equal((await verified([]))[0], 'team-a/operator-1 truncated 9', 'operator-2 had named its head');
    await rewrite(two, 1, (lines) => lines.slice(0, 2));
    assert.equal((await verified())[1], 'team-a/operator-2 truncated 3');
    assert.equal(
      (await verified([]))[1],
      'team-a/operator-2 2 OK',
      'of the newest chain only a head can tell',
    );
  });

  it('finds that a whole chain, or a whole namespace, is gone', async () => {
    await twoChains();
    await store.remove(keys.auditChain(one));
    assert.deepEqual(await verified(), ['team-a/operator-2 4 OK', 'team-a/operator-1 chain missing 1']);
    assert.deepEqual((await verified([]))[1], 'team-a/operator-1 chain missing 1');
    await store.remove(keys.auditNamespace('team-a'));
    assert.deepEqual(await verified(), [
      'team-a/operator-1 chain missing 1',
      'team-a/operator-2 chain missing 1',
    ]);
  });

  it('finds a chain that was given the name of another', async () => {
    await twoChains();
    const [segment] = await segmentsOf(store, two);
    const lines = await linesOf(store, segment?.key ?? '');
    await store.put(
      keys.auditSegment({ ...one, writer: 'operator-3' }, 1),
      Buffer.from(`${lines.join('\n')}\n`),
      {
        contentType: 'application/x-ndjson',
      },
    );
    assert.equal((await verified())[2], 'team-a/operator-3 inserted 1');
  });

  it('tells at the start what the store lacks, and how far chains have grown beyond what was published', async () => {
    await twoChains();
    const now = new Date(clock.now() + 1);
    const heads = board.list;
    const [head = assert.fail()] = heads;
    const middle = { ...head, seq: 2, hash: 'f'.repeat(64) };
    const { lacks, beyond } = await surveyHeads(
      store,
      [...heads, middle, { ...head, writer: 'operator-9' }],
      now,
    );
    assert.deepEqual(
      lacks.map(({ writer, seq, what }) => `${writer} ${seq} ${what}`),
      ['operator-1 2 another record', 'operator-9 10 chain missing'],
    );
    assert.deepEqual(beyond, []);
    const recent = await surveyHeads(store, [], new Date(clock.now() - 1000));
    assert.deepEqual(recent, { lacks: [], beyond: [heads[1]] }, 'operator-2 was killed a moment ago');
    const record = JSON.parse((await linesOf(store, keys.auditSegment(one, 5)))[0] ?? '') as AuditRecord;
    const old = { ...head, seq: 5, hash: record.hash };
    assert.deepEqual((await surveyHeads(store, [old], now)).beyond, [head]);
    await store.remove(keys.auditSegment(one, 8));
    assert.deepEqual(
      (await surveyHeads(store, [head], now)).lacks.map(({ what }) => what),
      ['truncated'],
    );
  });

  it('holds chains against heads that are kept in a record for want of room', async () => {
    await twoChains();
    const audit = aTrail(store, board, { clock, writer: 'operator-3' });
    await audit.mark(restMark('ambient-system', board.list));
    for (const ref of [one, two]) board.gone(ref);
    assert.deepEqual(await verified(), [
      'ambient-system/operator-3 2 OK',
      'team-a/operator-1 10 OK',
      'team-a/operator-2 4 OK',
    ]);
    await store.remove(keys.auditNamespace('team-a'));
    assert.deepEqual((await verified()).slice(1), [
      'team-a/operator-1 chain missing 1',
      'team-a/operator-2 chain missing 1',
    ]);
  });

  it('believes retention that removed a namespace whose heads are kept in a record', async () => {
    await twoChains();
    const audit = aTrail(store, board, { clock, writer: 'operator-3' });
    await audit.mark(restMark('ambient-system', board.list));
    await clock.advance(DAY);
    const options = { store, board, audit, operatorNamespace: 'ambient-system' };
    await trimAudit(options, 'team-a', new Date(clock.now()));
    assert.deepEqual(await verified(), ['ambient-system/operator-3 3 OK']);
  });

  describe('after retention', () => {
    const trim = async (daysAgo: number, writer = 'operator-3'): Promise<number> =>
      trimAudit(
        { store, board, audit: aTrail(store, board, { clock, writer }), operatorNamespace: 'ambient-system' },
        'team-a',
        new Date(clock.now() - daysAgo * DAY),
      );

    it('finds nothing in chains whose old segments were trimmed', async () => {
      await twoChains();
      assert.equal(await trim(1.5), 2);
      assert.deepEqual(await verified(), [
        'team-a/operator-1 3 OK',
        'team-a/operator-2 4 OK',
        'team-a/operator-3 2 OK',
      ]);
      await clock.advance(DAY);
      assert.equal(await trim(1.5, 'operator-4'), 1);
      assert.deepEqual(await verified(), [
        'team-a/operator-2 4 OK',
        'team-a/operator-3 2 OK',
        'team-a/operator-4 2 OK',
      ]);
      assert.ok(!board.list.some(({ writer }) => writer === 'operator-1'), 'its head is published no more');
    });

    it('still finds a segment that went without a record of it', async () => {
      await twoChains();
      await trim(2.5);
      assert.equal((await verified())[0], 'team-a/operator-1 6 OK');
      await store.remove(keys.auditSegment(one, 5));
      assert.equal((await verified())[0], 'team-a/operator-1 removed 1');
    });

    it('leaves chains that are whole when it breaks off between the record and the removal', async () => {
      await twoChains();
      const remove = store.remove.bind(store);
      let removed = 0;
      store.remove = async (key) => {
        if (removed++ > 0) throw new Error('killed');
        await remove(key);
      };
      await assert.rejects(trim(1.5), /killed/);
      assert.equal((await verified())[0], 'team-a/operator-1 6 OK');
      store.remove = remove;
      assert.equal(await trim(1.5, 'operator-4'), 1);
      assert.equal((await verified())[0], 'team-a/operator-1 3 OK');
    });

    it('removes a namespace in which nothing new happens, and says so in that of the operator', async () => {
      await twoChains();
      await clock.advance(DAY);
      assert.equal(await trim(0.5), 4);
      assert.deepEqual(await store.listFolders(keys.audit), ['ambient-system']);
      assert.deepEqual(await verified(), ['ambient-system/operator-3 2 OK']);
      assert.equal(await trim(0.5), 0);
    });

    it('begins anew when its own chain was removed', async () => {
      const audit = aTrail(store, board, { clock });
      await audit.record(anEvent());
      await clock.advance(DAY);
      const options = { store, board, audit, operatorNamespace: 'ambient-system' };
      assert.equal(await trimAudit(options, 'team-a', new Date(clock.now())), 1);
      await audit.record(anEvent());
      assert.deepEqual(await verified(), ['ambient-system/operator-1 2 OK', 'team-a/operator-1 2 OK']);
      // What may still grow stays, however old.
      assert.equal(await trimAudit(options, 'team-a', new Date(clock.now() + 1)), 0);
      await audit[Symbol.asyncDispose]();
    });
  });
});
