import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { RECORD_TEXT_MAX } from '../../../common/api/log.ts';
import { LineSplitter, recordTexts } from '../../../runner/lines.ts';
import { Spool } from '../../../runner/spool.ts';
import { skipBecause } from '../../support/skip.ts';

const never = new AbortController().signal;

describe('the spool', () => {
  let folder: string;
  beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'spool-'))));
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const push = (spool: Spool, text = ''): void => spool.push((seq) => JSON.stringify({ seq, text }));
  const seqsOf = (body: Buffer): number[] =>
    body
      .toString('utf8')
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { seq: number }).seq);

  it('gives every record back once and in order, whatever is pushed, sent and acknowledged in which order', async function () {
    this.timeout(60_000);
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.record({
              do: fc.constant('push' as const),
              count: fc.integer({ min: 1, max: 600 }),
              size: fc.integer({ min: 0, max: 16_000 }),
            }),
            fc.record({
              do: fc.constant('send' as const),
              share: fc.double({ min: 0, max: 1, noNaN: true }),
              meanwhile: fc.integer({ min: 0, max: 400 }),
            }),
          ),
          { maxLength: 30 },
        ),
        async (steps) => {
          await using spool = new Spool({ folder, limitBytes: 1 << 30 });
          const stored: number[] = [];
          const send = async (share: number, meanwhile: number): Promise<boolean> => {
            const taking = spool.next(256 * 1024);
            for (let n = 0; n < meanwhile; n++) push(spool, 'm'.repeat(8_000));
            const batch = await taking;
            if (!batch) return false;
            const seqs = seqsOf(batch.body);
            assert.equal(seqs[0], batch.first);
            assert.equal(seqs.at(-1), batch.last);
            const kept = Math.round(seqs.length * share);
            stored.push(...seqs.slice(0, kept));
            if (kept > 0) spool.acknowledge(seqs[kept - 1] ?? 0);
            return true;
          };
          for (const step of steps)
            if (step.do === 'push') for (let n = 0; n < step.count; n++) push(spool, 'p'.repeat(step.size));
            else await send(step.share, step.meanwhile);
          while (await send(1, 0));
          assert.equal(spool.empty, true);
          assert.equal(stored.length, spool.lastSeq);
          stored.forEach((seq, index) => assert.equal(seq, index + 1));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('makes producers wait at its limit and lets them on when something was acknowledged', async () => {
    await using spool = new Spool({ folder, limitBytes: 2 * 1024 * 1024 });
    let pushed = 0;
    const producing = (async () => {
      for (; pushed < 20_000; pushed++) {
        push(spool, 'x'.repeat(1000));
        await spool.roomy(never);
      }
    })();
    let seen = -1;
    // Until it goes on no more, which it may also do while the disk is busy.
    while (pushed <= 2_000 || pushed !== seen) {
      seen = pushed;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(pushed < 12_000, `${pushed}`);
    let last = 0;
    while (last < 20_000) {
      const batch = await spool.next(256 * 1024);
      if (!batch) {
        await spool.change(never);
        continue;
      }
      assert.equal(batch.first, last + 1);
      last = batch.last;
      spool.acknowledge(last);
    }
    await producing;
  });

  it('lets producers on that came while the disk was slow, though nothing is taken', async () => {
    await using spool = new Spool({ folder, limitBytes: 1 << 30 });
    // More than fits in memory, before the first of it has moved.
    for (let n = 0; n < 7000; n++) push(spool, 'x'.repeat(1000));
    assert.equal(await spool.roomy(AbortSignal.timeout(5000)), true);
  });

  it('leaves no file that anybody could find', async () => {
    await using spool = new Spool({ folder, limitBytes: 1 << 30 });
    for (let n = 0; n < 5000; n++) push(spool, 'x'.repeat(1000));
    await spool.next(1);
    assert.deepEqual(await readdir(folder), []);
  });

  it('keeps the newest in memory when the disk is full', async function () {
    const mount = join(folder, 'small');
    try {
      execFileSync('sh', ['-c', `mkdir ${mount} && mount -t tmpfs -o size=2m tmpfs ${mount}`], {
        stdio: 'ignore',
      });
    } catch {
      skipBecause(this, 'needs root to mount a small file system');
    }
    try {
      await using spool = new Spool({ folder: mount, limitBytes: 1 << 30 });
      let pushed = 0;
      const producing = (async () => {
        for (; pushed < 15_000; pushed++) {
          push(spool, 'x'.repeat(1000));
          await spool.roomy(never);
        }
      })();
      let last = 0;
      while (last < 15_000) {
        const batch = await spool.next(256 * 1024);
        if (!batch) {
          await spool.change(never);
          continue;
        }
        assert.deepEqual(seqsOf(batch.body)[0], last + 1);
        last = batch.last;
        spool.acknowledge(last);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await producing;
    } finally {
      execFileSync('umount', ['-l', mount]);
    }
  });

  it('refuses numbers that cannot be true', async () => {
    await using spool = new Spool({ folder, limitBytes: 1 << 30 });
    for (let n = 0; n < 10; n++) push(spool);
    assert.throws(() => spool.acknowledge(1), /was not sent/);
    await spool.next(1 << 20);
    spool.acknowledge(5);
    assert.throws(() => spool.acknowledge(3), /lost records 4 to 5/);
    assert.throws(() => spool.acknowledge(11), /was not sent/);
    assert.equal((await spool.next(1 << 20))?.first, 6);
  });
});

describe('lines', () => {
  it('come out as they went in, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string({ unit: 'binary', maxLength: 60 }).filter((text) => !/[\n\r]/.test(text)),
          { maxLength: 20 },
        ),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
        fc.integer({ min: 4, max: 50 }),
        (lines, cuts, limit) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
          const splitter = new LineSplitter(limit);
          const pieces = [];
          for (let at = 0, cut = 0; at < bytes.length; cut++) {
            const size = cuts[cut % cuts.length] ?? 1;
            pieces.push(...splitter.push(bytes.subarray(at, at + size)));
            at += size;
          }
          pieces.push(...splitter.end());
          const joined: string[] = [];
          let open = '';
          for (const piece of pieces) {
            assert.ok(piece.bytes.length <= limit);
            open += piece.bytes.toString('utf8');
            if (piece.partial) continue;
            joined.push(open);
            open = '';
          }
          assert.deepEqual(
            joined,
            lines.map((line) => Buffer.from(line).toString('utf8')),
          );
        },
      ),
    );
  });

  it('are never longer than a record may be, however invalid their bytes', () => {
    for (const bytes of [
      Buffer.alloc(RECORD_TEXT_MAX, 0xff),
      Buffer.alloc(3 * RECORD_TEXT_MAX + 1, 0x80),
      Buffer.alloc(RECORD_TEXT_MAX + 1, 0xf0),
    ]) {
      const texts = [...recordTexts(bytes)];
      for (const { text } of texts) assert.ok(Buffer.byteLength(text) <= RECORD_TEXT_MAX);
      assert.deepEqual(
        texts.map(({ partial }) => partial),
        texts.map((_, index) => index < texts.length - 1),
      );
    }
  });
});
