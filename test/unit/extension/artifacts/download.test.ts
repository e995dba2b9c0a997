/** Downloads from a source that cuts, stalls, refuses and lies: the bytes are right or there is an error. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AmbientError } from '../../../../common/errors.ts';
import { KubeError } from '../../../../common/kube/errors.ts';
import { readRanges, readWhole, saveWhole } from '../../../../extension/artifacts/download.ts';
import type { RangeSource } from '../../../../extension/artifacts/download.ts';

interface Asked {
  first: number;
  last: number;
}
type Fault = 'cut' | 'break' | 'nothing' | 'too-much' | 'unavailable' | 'forbidden' | 'damage' | undefined;

/** Answers request by request as `faults` say, then well. */
function flaky(bytes: Buffer, faults: Fault[] = []): { source: RangeSource; asked: Asked[] } {
  const asked: Asked[] = [];
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  async function* answer(first: number, last: number, fault: Fault): AsyncGenerator<Uint8Array> {
    if (fault === 'nothing') return;
    const body = Buffer.from(bytes.subarray(first, fault === 'too-much' ? undefined : last + 1));
    if (fault === 'damage') body[0] = (body[0] ?? 0) ^ 1;
    const half = Math.ceil(body.length / 2);
    yield body.subarray(0, half);
    if (fault === 'cut') return;
    if (fault === 'break') throw new Error('other side closed');
    yield body.subarray(half);
  }
  const source: RangeSource = {
    name: 'some.bin',
    size: bytes.length,
    digest,
    async fetchRange(first, last) {
      asked.push({ first, last });
      const fault = faults.shift();
      if (fault === 'unavailable') throw new KubeError('busy', { status: 503, reason: 'ServiceUnavailable' });
      if (fault === 'forbidden') throw new KubeError('no', { status: 403, reason: 'Forbidden' });
      return answer(first, last, fault);
    },
  };
  return { source, asked };
}

const never = (): AbortSignal => new AbortController().signal;
const pauses: number[] = [];
const quick = (
  pieceBytes = 1000,
): { signal: AbortSignal; pieceBytes: number; pause: (ms: number) => Promise<void> } => ({
  signal: never(),
  pieceBytes,
  pause: async (ms) => void pauses.push(ms),
});

describe('a download in ranges', () => {
  const bytes = randomBytes(3500);
  beforeEach(() => void (pauses.length = 0));

  it('asks piece by piece and for nothing twice', async () => {
    const { source, asked } = flaky(bytes);
    assert.deepEqual(await readWhole(source, quick()), bytes);
    assert.deepEqual(asked, [
      { first: 0, last: 999 },
      { first: 1000, last: 1999 },
      { first: 2000, last: 2999 },
      { first: 3000, last: 3499 },
    ]);
  });

  it('goes on where a silent cut stopped it', async () => {
    const { source, asked } = flaky(bytes, ['cut', undefined, 'break']);
    assert.deepEqual(await readWhole(source, quick()), bytes);
    assert.deepEqual(
      asked.map(({ first }) => first),
      [0, 500, 1500, 2000, 3000],
    );
    assert.deepEqual(pauses, []);
  });

  it('waits longer each time nothing comes, and forgets that after a byte', async () => {
    const { source } = flaky(bytes, ['nothing', 'unavailable', 'nothing', 'cut', 'unavailable']);
    assert.deepEqual(await readWhole(source, quick()), bytes);
    assert.deepEqual(pauses, [250, 500, 1000, 250]);
  });

  it('takes no more than it asked for', async () => {
    const { source } = flaky(bytes, ['too-much', 'too-much']);
    assert.deepEqual(await readWhole(source, quick()), bytes);
  });

  it('gives up when nothing comes again and again, with the reason', async () => {
    const silent = flaky(bytes, ['cut', ...Array<Fault>(6).fill('nothing')]);
    await assert.rejects(
      readWhole(silent.source, quick()),
      /broke off again and again at 500 bytes of 3.4 KiB of some.bin/,
    );
    const busy = flaky(bytes, Array<Fault>(6).fill('unavailable'));
    await assert.rejects(readWhole(busy.source, quick()), /busy/);
  });

  it('does not ask again after a refusal', async () => {
    const { source, asked } = flaky(bytes, ['forbidden']);
    await assert.rejects(
      readWhole(source, quick()),
      (error: unknown) => error instanceof AmbientError && error.code === 'forbidden',
    );
    assert.equal(asked.length, 1);
  });

  it('asks once more for damaged bytes, then says so', async () => {
    const once = flaky(bytes, ['damage']);
    assert.deepEqual(await readWhole(once.source, quick(10_000)), bytes);
    const always = flaky(bytes, ['damage', 'damage']);
    await assert.rejects(
      readWhole(always.source, quick(10_000)),
      (error: unknown) => error instanceof AmbientError && error.code === 'digest_mismatch',
    );
  });

  it('asks for nothing when there is nothing, yet checks the digest', async () => {
    const empty = flaky(Buffer.alloc(0));
    assert.equal((await readWhole(empty.source, quick())).length, 0);
    assert.equal(empty.asked.length, 0);
    await assert.rejects(
      readWhole({ ...empty.source, digest: flaky(bytes).source.digest }, quick()),
      /not what the session stored/,
    );
  });

  it('stops when told to, in the middle', async () => {
    const stop = new AbortController();
    const { source, asked } = flaky(bytes);
    const reading = readWhole(source, {
      ...quick(),
      signal: stop.signal,
      onProgress: (received) => received > 1500 && stop.abort(new Error('enough')),
    });
    await assert.rejects(reading, /enough/);
    assert.equal(asked.length, 2);
  });

  it('closes the body when its reader walks away', async () => {
    let closed = 0;
    const { source } = flaky(bytes);
    const watched: RangeSource = {
      ...source,
      async fetchRange(first, last, signal) {
        const body = await source.fetchRange(first, last, signal);
        return (async function* () {
          try {
            yield* body;
          } finally {
            closed += 1;
          }
        })();
      },
    };
    for await (const chunk of readRanges(watched, quick())) {
      assert.ok(chunk.length > 0);
      break;
    }
    assert.equal(closed, 1);
  });
});

describe('saving an artifact', () => {
  let folder: string;
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'ambient-save-'))));
  afterEach(() => rm(folder, { recursive: true, force: true }));
  const bytes = randomBytes(3500);

  it('writes what was stored, in place of what was there', async () => {
    const file = join(folder, 'x.bin');
    writeFileSync(file, 'old');
    await saveWhole(flaky(bytes, ['damage', 'cut']).source, file, quick());
    assert.deepEqual(readFileSync(file), bytes);
    assert.deepEqual(readdirSync(folder), ['x.bin']);
  });

  it('leaves the old file and nothing else when it fails', async () => {
    const file = join(folder, 'x.bin');
    writeFileSync(file, 'old');
    await assert.rejects(saveWhole(flaky(bytes, [undefined, 'forbidden']).source, file, quick()), /no/);
    assert.equal(readFileSync(file, 'utf8'), 'old');
    assert.equal(existsSync(`${file}.part`), false);
  });
});
