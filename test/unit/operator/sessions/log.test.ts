/** A session's log over a real directory store: numbering, replicas, following, merging. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import type { LogRecord } from '../../../../common/api/log.ts';
import type { Session } from '../../../../common/api/session.ts';
import { isAmbientError } from '../../../../common/errors.ts';
import { keys, refOf } from '../../../../operator/store/keys.ts';
import { coverOf } from '../../../../operator/sessions/log-chunks.ts';
import { parseRecords } from '../../../../operator/sessions/log-records.ts';
import type { RecordLine } from '../../../../operator/sessions/log-records.ts';
import { SessionLog } from '../../../../operator/sessions/log.ts';
import type { LogLines, SessionLogOptions } from '../../../../operator/sessions/log.ts';
import { aSession } from '../../../support/fixtures.ts';
import { KnownSessions } from '../../../support/known-sessions.ts';
import { temporaryStore } from '../../../support/temporary-store.ts';
import type { TemporaryStore } from '../../../support/temporary-store.ts';
import { until } from '../../../support/until.ts';

const record = (seq: number): LogRecord => ({
  seq,
  time: '2030-01-01T00:00:00Z',
  type: 'output',
  text: `line ${seq}`,
  stream: 'stdout',
});

/** Records from..to, as the runner's door hands them over. */
const records = (from: number, to: number): RecordLine[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({
    seq: from + i,
    line: JSON.stringify(record(from + i)),
  }));

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

async function numbers(batches: AsyncIterable<LogLines>): Promise<number[]> {
  const found: number[] = [];
  for await (const { first, lines } of batches) {
    lines.forEach((line, index) => {
      const { seq } = JSON.parse(line) as LogRecord;
      assert.equal(seq, first + index);
      found.push(seq);
    });
  }
  return found;
}

describe('SessionLog', () => {
  let temporary: TemporaryStore;
  let sessions: KnownSessions;
  let session: Session;
  let log: SessionLog;
  let errors: unknown[];
  const opened: SessionLog[] = [];

  /** Another replica has a log of its own over the same store. */
  const replica = (options: Partial<SessionLogOptions> = {}): SessionLog => {
    const made = new SessionLog({
      store: temporary.store,
      sessions,
      onError: (error) => errors.push(error),
      pollMs: 20,
      ...options,
    });
    opened.push(made);
    return made;
  };
  const chunks = (): Promise<string[]> => temporary.store.listKeys(keys.log(refOf(session)));

  beforeEach(async () => {
    temporary = await temporaryStore();
    sessions = new KnownSessions();
    errors = [];
    session = sessions.add(aSession().running().build());
    log = replica();
  });
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close();
    await temporary[Symbol.asyncDispose]();
    assert.deepEqual(errors, []);
  });

  it('acknowledges the highest number stored, and drops what it has', async () => {
    assert.equal(await log.append(session, []), 0);
    assert.equal(await log.append(session, records(1, 3)), 3);
    assert.equal(await log.append(session, records(2, 5)), 5);
    assert.equal(await log.append(session, records(1, 4)), 5);
    assert.deepEqual(await numbers(log.read(session, 0)), range(1, 5));
    assert.deepEqual(await numbers(log.read(session, 3)), [4, 5]);
    assert.deepEqual(await numbers(log.read(session, 5)), []);
    assert.deepEqual(await numbers(log.read(session, 99)), []);
  });

  it('refuses a gap and says where it stands', async () => {
    await log.append(session, records(1, 3));
    await assert.rejects(log.append(session, records(5, 6)), (error: unknown) => {
      assert.ok(isAmbientError(error, 'conflict'));
      assert.deepEqual(error.details, { acknowledged: 3 });
      return true;
    });
    assert.equal(await log.append(session, records(4, 6)), 6);
  });

  it('knows after a restart, and in another replica, what is stored', async () => {
    await log.append(session, records(1, 3));
    const other = replica();
    assert.equal(await other.append(session, []), 3);
    assert.equal(await other.append(session, records(4, 9)), 9);
    // This one believes 3, and finds out only when it must.
    assert.equal(await log.append(session, records(10, 12)), 12);
    assert.deepEqual(await numbers(log.read(session, 0)), range(1, 12));
  });

  it('gives each record once when replicas stored overlapping chunks', async () => {
    const other = replica();
    await log.append(session, records(1, 10));
    await other.append(session, []);
    await log.append(session, records(11, 30));
    // The answer was lost on the way, and the runner sends again through the other replica, with more.
    assert.equal(await other.append(session, records(11, 20)), 20);
    assert.equal(await other.append(session, records(15, 40)), 40);
    assert.equal((await chunks()).length, 4);
    assert.deepEqual(await numbers(log.read(session, 0)), range(1, 40));
    assert.deepEqual(await numbers(log.read(session, 17)), range(18, 40));
    log.finish(session);
    await log.close();
    assert.equal((await chunks()).length, 1);
    assert.deepEqual(await numbers(replica().read(session, 0)), range(1, 40));
  });

  it('covers every record once with the chunks there are, whatever their overlaps', () => {
    const chunk = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 15 }));
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 12 }), fc.integer({ min: 0, max: 30 }), (list, since) => {
        const made = list.map(([first, more]) => ({ first, last: first + more }));
        const has = (seq: number): boolean => made.some(({ first, last }) => first <= seq && seq <= last);
        const { cover, missing } = coverOf(made, since);
        let cursor = since;
        for (const { first, last } of cover) {
          assert.ok(first <= cursor + 1 && last > cursor);
          cursor = last;
        }
        assert.ok(!has(cursor + 1));
        const isLater = made.some(({ last }) => last > cursor);
        assert.equal(missing, isLater ? cursor + 1 : undefined);
      }),
    );
  });

  it('merges while it grows, under a reader and a follower', async () => {
    const merging = replica({ mergeAfter: 10, chunkBytes: 2000 });
    const stop = new AbortController();
    const following = numbers(replica().follow(session, 0, stop.signal));
    for (let seq = 1; seq <= 200; seq++) {
      await merging.append(session, records(seq, seq));
      if (seq % 50 === 0) assert.deepEqual(await numbers(merging.read(session, 0)), range(1, seq));
    }
    await merging.close();
    assert.ok((await chunks()).length < 40, `${(await chunks()).length} chunks`);
    assert.deepEqual(await numbers(log.read(session, 0)), range(1, 200));
    sessions.status(session, { phase: 'Completed' });
    assert.deepEqual(await following, range(1, 200));
  });

  it('merges once more what came, and what ended, while it merged', async () => {
    const merging = replica({ mergeAfter: 10 });
    for (let seq = 1; seq <= 10; seq++) await merging.append(session, records(seq, seq));
    // The tenth began a merge, which has its list of chunks before this one is stored.
    await merging.append(session, records(11, 11));
    merging.finish(session);
    await merging.close();
    assert.equal((await chunks()).length, 1);
    assert.deepEqual(await numbers(log.read(session, 0)), range(1, 11));
  });

  describe('a follower', () => {
    it('gets what there is, then what comes, and ends when the session is over and all was given', async () => {
      await log.append(session, records(1, 2));
      const stop = new AbortController();
      const following = numbers(log.follow(session, 1, stop.signal));
      await log.append(session, records(3, 4));
      await sleep(30);
      await log.append(session, records(5, 5));
      sessions.status(session, { phase: 'Failed' });
      assert.deepEqual(await following, [2, 3, 4, 5]);
      assert.equal(sessions.listeners, 0);
    });

    it('hears through the store of what another replica took', async () => {
      const other = replica();
      const stop = new AbortController();
      const following = numbers(log.follow(session, 0, stop.signal));
      for (let seq = 1; seq <= 5; seq++) {
        await other.append(session, records(seq, seq));
        await sleep(15);
      }
      sessions.status(session, { phase: 'Completed' });
      assert.deepEqual(await following, range(1, 5));
    });

    it('ends at once for a session that is over, and for one that is deleted', async () => {
      await log.append(session, records(1, 3));
      const stop = new AbortController();
      const deleted = numbers(log.follow(session, 0, stop.signal));
      await until(() => sessions.listeners > 0, 'the follower listens');
      sessions.remove(session);
      assert.deepEqual(await deleted, range(1, 3));
      const over = sessions.add(aSession().status({ phase: 'Completed' }).build());
      assert.deepEqual(await numbers(log.follow(over, 0, stop.signal)), range(1, 3));
    });

    it('follows a session the watch has not told of yet', async () => {
      sessions.unwatched.add(session.metadata.name);
      const stop = new AbortController();
      const following = numbers(log.follow(session, 0, stop.signal));
      await log.append(session, records(1, 1));
      await sleep(50);
      sessions.unwatched.clear();
      await log.append(session, records(2, 2));
      sessions.status(session, { phase: 'Completed' });
      assert.deepEqual(await following, [1, 2]);
    });

    it('stops when told to', async () => {
      const stop = new AbortController();
      const following = numbers(log.follow(session, 0, stop.signal));
      await until(() => sessions.listeners > 0, 'the follower listens');
      stop.abort();
      assert.deepEqual(await following, []);
      assert.equal(sessions.listeners, 0);
    });

    it('reads no further than its own reader does', async () => {
      for (let seq = 1; seq <= 20; seq++) await log.append(session, records(seq, seq));
      const stop = new AbortController();
      const batches = log.follow(session, 0, stop.signal);
      assert.deepEqual((await batches.next()).value?.lines.length, 1);
      await batches.return();
      assert.equal(sessions.listeners, 0);
    });
  });
});

describe('parseRecords', () => {
  const line = (more: object): string => JSON.stringify({ ...record(1), ...more });

  it('takes records numbered without a gap, with or without a last line end', () => {
    const text = `${JSON.stringify(record(7))}\n${JSON.stringify(record(8))}`;
    assert.deepEqual(parseRecords(text), records(7, 8));
    assert.deepEqual(parseRecords(`${text}\n\n`), records(7, 8));
    assert.deepEqual(parseRecords(''), []);
  });

  it('keeps only the fields of the contract', () => {
    const [first] = parseRecords(line({ data: { a: 1 }, evil: 'x', stream: 'stderr' }));
    assert.deepEqual(JSON.parse(first?.line ?? ''), { ...record(1), data: { a: 1 }, stream: 'stderr' });
  });

  const refused: [string, string, RegExp][] = [
    ['something that is not JSON', 'hello', /line 1 .*not JSON/],
    ['a number that is not whole', line({ seq: 1.5 }), /seq/],
    ['an unknown type', line({ type: 'gossip' }), /type/],
    ['a time that is none', line({ time: 'noon' }), /time/],
    ['too long a text', line({ text: 'x'.repeat(16 * 1024 + 1) }), /text has more than/],
    ['too long a text in bytes', line({ text: 'é'.repeat(8 * 1024 + 1) }), /text has more than/],
    ['too much data', line({ data: { x: 'y'.repeat(200_000) } }), /more than 131072 bytes/],
    ['a gap', `${line({})}\n${line({ seq: 3 })}`, /line 2: record 3 follows 1/],
    ['the same number twice', `${line({})}\n${line({})}`, /line 2: record 1 follows 1/],
  ];
  for (const [what, text, says] of refused) {
    it(`refuses ${what}, naming the line`, () => {
      assert.throws(
        () => parseRecords(text),
        (error: unknown) => isAmbientError(error, 'invalid_request') && says.test(error.message),
      );
    });
  }
});
