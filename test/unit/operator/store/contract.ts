/** What every artifact store must do, whatever it is made of. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import fc from 'fast-check';
import { isAmbientError } from '../../../../common/errors.ts';
import type { ErrorCode } from '../../../../common/errors.ts';
import type { ArtifactStore, ObjectInfo } from '../../../../operator/store/store.ts';

export const plain = { contentType: 'text/plain' };
export const sha256 = (bytes: string | Buffer): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export const refused = (work: Promise<unknown>, code: ErrorCode): Promise<void> =>
  assert.rejects(work, (error: unknown) => {
    assert.ok(isAmbientError(error), `expected ${code}, got ${String(error)}`);
    assert.equal(error.code, code, error.message);
    return true;
  });

export async function read(store: ArtifactStore, key: string): Promise<string> {
  return await text((await store.get(key)).body);
}

async function all(objects: AsyncIterable<ObjectInfo>): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const object of objects) found.push(object);
  return found;
}

/** A body that gives some bytes and then fails, as a connection does. */
export function cutOff(...pieces: (string | Buffer)[]): Readable {
  return Readable.from(
    (function* () {
      for (const piece of pieces) yield Buffer.from(piece);
      throw new Error('connection lost');
    })(),
  );
}

/** Above what an S3 server takes in one part. */
export const LARGE_BYTES = 12_000_000;

export interface StoreUnderTest {
  readonly store: ArtifactStore;
  /** The clock of all stores that are made. */
  readonly now: Date;
  /** Another one on the same data, as another replica or a restarted operator has. */
  again(): ArtifactStore;
  /** All that lies where the data are, unfinished things and those made on the way included; without empty folders. */
  traces(): Promise<string[]>;
}

export interface ContractOptions {
  /** Keys that this store cannot keep. */
  without?: (key: string) => boolean;
  /** How many random keys are tried. */
  runs?: number;
}

/** Tests to be declared within a suite whose hooks make `under()` ready, empty, for each. */
export function storeContract(under: () => StoreUnderTest, options: ContractOptions = {}): void {
  const { without = () => false, runs = 100 } = options;
  let store: ArtifactStore;
  let now: Date;

  beforeEach(() => ({ store, now } = under()));

  it('gives back bytes, digest, type, time and metadata', async () => {
    const put = await store.put('team/uid/artifacts/a b.txt', Buffer.from('hello'), {
      contentType: 'text/plain; charset=utf-8',
      metadata: { type: 'output' },
    });
    const { info, body } = await store.get('team/uid/artifacts/a b.txt');
    assert.equal(await text(body), 'hello');
    assert.deepEqual(info, {
      key: 'team/uid/artifacts/a b.txt',
      size: 5,
      contentType: 'text/plain; charset=utf-8',
      digest: sha256('hello'),
      createdAt: now,
      metadata: { type: 'output' },
    });
    assert.deepEqual(put, info);
    assert.deepEqual(await store.stat('team/uid/artifacts/a b.txt'), info);
  });

  it('takes what need not survive the machine to replace what should, and the other way round', async () => {
    for (const [text, survives] of [
      ['one', 'process'],
      ['two', 'machine'],
      ['three', 'process'],
    ] as const) {
      await store.put('a/x', Buffer.from(text), { ...plain, survives });
      assert.equal(await read(store, 'a/x'), text);
      assert.equal(await read(under().again(), 'a/x'), text);
    }
    await store.flush('a/x');
    assert.equal(await read(store, 'a/x'), 'three');
    await store.flush('a/none');
    await store.flush('none/at/all');
  });

  it('keeps an object of no bytes', async () => {
    await store.put('a/empty', Buffer.alloc(0), plain);
    const { info, body } = await store.get('a/empty');
    assert.equal(info.size, 0);
    assert.equal((await buffer(body)).length, 0);
    await refused(store.get('a/empty', { first: 0, last: 0 }), 'range_not_satisfiable');
  });

  it('reads a range of an object', async () => {
    await store.put('a/x', Buffer.from('0123456789'), plain);
    assert.equal(await text((await store.get('a/x', { first: 3, last: 5 })).body), '345');
    assert.equal(await text((await store.get('a/x', { first: 9, last: 9 })).body), '9');
    await refused(store.get('a/x', { first: 9, last: 10 }), 'range_not_satisfiable');
    await refused(store.get('a/x', { first: 5, last: 4 }), 'range_not_satisfiable');
  });

  it('says not found for what is absent, and undefined for its description', async () => {
    await refused(store.get('no/such'), 'not_found');
    assert.equal(await store.stat('no/such'), undefined);
    assert.deepEqual(await store.listKeys('no/'), []);
    assert.deepEqual(await store.listFolders('no/'), []);
    await store.remove('no/such');
    await store.remove('no/');
  });

  it('keeps a large object whole, whether its digest was announced or not', async () => {
    const bytes = randomBytes(LARGE_BYTES);
    const digest = sha256(bytes);
    for (const announced of [{ digest }, {}]) {
      const pieces = Array.from({ length: 12 }, (_, at) => bytes.subarray(at * 1e6, (at + 1) * 1e6));
      const info = await store.put('a/large', Readable.from(pieces), {
        ...plain,
        ...announced,
        metadata: { type: 'größe' },
      });
      assert.equal(info.digest, digest);
      assert.deepEqual(await store.stat('a/large'), {
        key: 'a/large',
        size: LARGE_BYTES,
        contentType: 'text/plain',
        digest,
        createdAt: now,
        metadata: { type: 'größe' },
      });
      assert.ok((await buffer((await store.get('a/large')).body)).equals(bytes));
      const { body } = await store.get('a/large', { first: 4_999_990, last: 10_000_009 });
      assert.ok((await buffer(body)).equals(bytes.subarray(4_999_990, 10_000_010)));
      assert.equal((await under().traces()).length, 1);
      await store.remove('a/large');
    }
  });

  it('gives what is read from it up when nobody reads on', async () => {
    await store.put('a/large', randomBytes(LARGE_BYTES), plain);
    const { body } = await store.get('a/large');
    await new Promise((resolve) => body.once('data', resolve));
    body.destroy();
    assert.equal(await read(store, 'a/large').then(({ length }) => length > 0), true);
  });

  it('shows a reader the old object to its end while a new one takes its place', async () => {
    const old = randomBytes(3_000_000);
    await store.put('a/x', Readable.from([old]), plain);
    const { body } = await store.get('a/x');
    await store.put('a/x', Buffer.from('new'), plain);
    assert.ok((await buffer(body)).equals(old));
    assert.equal(await read(store, 'a/x'), 'new');
  });

  it('keeps the old object, and no leftovers, when the new one breaks off or has another digest', async () => {
    await store.put('a/x', Buffer.from('old'), plain);
    const before = await under().traces();
    await refused(store.put('a/x', cutOff('half'), plain), 'invalid_request');
    await refused(store.put('a/x', cutOff(randomBytes(LARGE_BYTES), 'more'), plain), 'invalid_request');
    await refused(
      store.put('a/x', cutOff(randomBytes(LARGE_BYTES), 'more'), { ...plain, digest: sha256('other') }),
      'invalid_request',
    );
    await refused(
      store.put('a/x', Readable.from([randomBytes(LARGE_BYTES)]), { ...plain, digest: sha256('other') }),
      'digest_mismatch',
    );
    await refused(
      store.put('a/x', Buffer.from('new'), { ...plain, digest: sha256('other') }),
      'digest_mismatch',
    );
    assert.equal(await read(store, 'a/x'), 'old');
    assert.deepEqual(await under().traces(), before);
    await store.put('a/x', Buffer.from('new'), { ...plain, digest: sha256('new') });
    assert.equal(await read(store, 'a/x'), 'new');
  });

  it('stops writing when told to, even while the sender is silent', async () => {
    const stop = new AbortController();
    const silent = new Readable({ read: () => undefined });
    silent.push('x');
    const putting = store.put('a/x', silent, { ...plain, signal: stop.signal });
    stop.abort(new Error('enough'));
    await assert.rejects(putting, /enough/);
    assert.deepEqual(await under().traces(), []);
  });

  it('removes one object, or all below a prefix, uploads included', async () => {
    await store.put('n/u/artifacts/a', Buffer.from('1'), plain);
    await store.put('n/u/artifacts/b', Buffer.from('2'), plain);
    await store.put('n/u2/artifacts/a', Buffer.from('3'), plain);
    await store.upload('n/u/source').append(0, Readable.from([Buffer.from('part')]));
    await store.remove('n/u/artifacts/a');
    assert.deepEqual(await store.listKeys('n/u/'), ['n/u/artifacts/b']);
    await store.remove('n/u/');
    assert.deepEqual(await store.listFolders('n/'), ['u2']);
    assert.throws(() => store.remove(''), /whole store/);
  });

  describe('keys', () => {
    const odd = [
      'n/new!0Aline',
      'n/!',
      'n/a+b',
      'n/a b',
      'n/a\u0001b',
      'n/a&b<c>"d\'e',
      'n/x?y#z=1',
      'n/%41',
      'n/A',
      'n/.hidden',
      'n/..',
      'n/...',
      'n/.',
      'n/..%2f..%2fetc',
      'n/back\\slash',
      'n/new\nline',
      'n/nul\0byte',
      'n/ü',
      'n/u\u0308',
      'n/日本語.md',
      'n/💥',
      'n/a@',
      'n/a',
      'n/a/b',
      'n/a@/b',
      'n/a%',
      'n/a%/c',
      'n/CON',
      'n/con',
      `n/${'x'.repeat(255)}`,
      `n/${'x'.repeat(255)}/${'y'.repeat(300)}`,
      `n/${'é'.repeat(140)}`,
      `n/${'.'.repeat(400)}`,
      'n/trailing ',
      'n/trailing.',
    ].filter((key) => !without(key));

    it('are kept apart, however odd, and listed in the order of their bytes', async () => {
      for (const key of odd) await store.put(key, Buffer.from(key), plain);
      for (const key of odd) assert.equal(await read(store, key), key);
      const byBytes = [...odd].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      assert.deepEqual(
        (await all(store.list('n/'))).map(({ key }) => key),
        byBytes,
      );
      for (const after of ['n/a', 'n/a!', 'n/a b', 'n/new\nline', 'n/nul\0byte', 'n/日', 'n/~'])
        assert.deepEqual(
          await store.listKeys('n/', after),
          byBytes.filter((key) => Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0),
          after,
        );
      if (!without('n/a/b')) assert.deepEqual(await store.listKeys('n/a/'), ['n/a/b']);
    });

    it('come back as they were, whatever they are', async function () {
      this.timeout(20_000);
      const segment = fc
        .string({ unit: 'binary', minLength: 1, maxLength: 40 })
        .map((s) => s.replaceAll('/', '.'));
      const key = fc
        .array(segment, { minLength: 1, maxLength: 4 })
        .map((parts) => parts.join('/'))
        .filter((each) => !without(`n/${each}`));
      await fc.assert(
        fc.asyncProperty(key, async (each) => {
          await store.put(`n/${each}`, Buffer.from('x'), plain);
          assert.deepEqual(await store.listKeys('n/'), [`n/${each}`]);
          assert.deepEqual(await store.listFolders(''), ['n']);
          await store.remove('n/');
        }),
        { numRuns: runs },
      );
    });

    it('are refused when empty in part, too long, or no Unicode', async () => {
      for (const key of ['', 'a//b', '/a', 'a\ud800']) {
        await refused((async () => store.put(key, Buffer.from(''), plain))(), 'invalid_request');
      }
      await refused((async () => store.stat('x'.repeat(5000)))(), 'invalid_request');
      await refused((async () => store.listKeys('a'))(), 'invalid_request');
    });

    it('lists the next segments below a prefix', async () => {
      const long = 'z'.repeat(200);
      for (const key of ['b/u1/x', 'b/u2/x/y', `b/${long}/x`, 'a/u3/x', 'b/file'])
        await store.put(key, Buffer.from(''), plain);
      assert.deepEqual(await store.listFolders(''), ['a', 'b']);
      assert.deepEqual(await store.listFolders('b/'), ['u1', 'u2', long]);
    });
  });

  describe('an upload', () => {
    const piece = (bytes: string): Readable => Readable.from([Buffer.from(bytes)]);

    it('goes on after a restart where it stopped', async () => {
      assert.equal(await store.upload('a/x').received(), 0);
      assert.equal(await store.upload('a/x').append(0, piece('hello ')), 6);
      const restarted = under().again();
      assert.equal(await restarted.upload('a/x').received(), 6);
      assert.equal(await restarted.upload('a/x').append(6, piece('world')), 11);
      assert.equal(await store.stat('a/x'), undefined);
      assert.deepEqual(await store.listKeys('a/'), []);
      const info = await store.upload('a/x').complete({ ...plain, digest: sha256('hello world') });
      assert.equal(info.size, 11);
      assert.equal(await read(store, 'a/x'), 'hello world');
      assert.equal((await under().traces()).length, 1);
      assert.equal(await store.upload('a/x').received(), 0);
    });

    it('refuses a piece that does not begin where the last one ended', async () => {
      const upload = store.upload('a/x');
      await refused(upload.append(1, piece('x')), 'conflict');
      await upload.append(0, piece('abc'));
      await assert.rejects(upload.append(0, piece('abc')), { code: 'conflict', details: { received: 3 } });
      await refused(upload.append(4, piece('x')), 'conflict');
    });

    it('keeps nothing of a piece that was cut short', async () => {
      const upload = store.upload('a/x');
      await refused(upload.append(0, cutOff('first')), 'invalid_request');
      assert.equal(await upload.received(), 0);
      await upload.append(0, piece('abc'));
      await refused(upload.append(3, cutOff('a long piece that breaks off')), 'invalid_request');
      assert.equal(await upload.received(), 3);
      await upload.append(3, piece('def'));
      await upload.complete({ ...plain, digest: sha256('abcdef') });
      assert.equal(await read(store, 'a/x'), 'abcdef');
    });

    it('forgets all pieces when the digest differs, or on abort', async () => {
      const upload = store.upload('a/x');
      await upload.append(0, piece('abc'));
      await refused(upload.complete({ ...plain, digest: sha256('xyz') }), 'digest_mismatch');
      assert.equal(await upload.received(), 0);
      await upload.append(0, piece('xyz'));
      await upload.abort();
      assert.equal(await upload.received(), 0);
      assert.deepEqual(await under().traces(), []);
      await refused(upload.complete(plain), 'conflict');
    });

    it('takes one of two equal pieces sent at once through two replicas, and stays whole', async () => {
      const replica = under().again();
      for (let offset = 0; offset < 50; offset += 5) {
        const results = await Promise.allSettled([
          store.upload('a/x').append(offset, piece('01234')),
          replica.upload('a/x').append(offset, piece('01234')),
        ]);
        for (const result of results) {
          if (result.status === 'rejected')
            assert.equal((result.reason as { code?: string }).code, 'conflict');
        }
        assert.equal(await store.upload('a/x').received(), offset + 5);
      }
      await store.upload('a/x').complete({ ...plain, digest: sha256('01234'.repeat(10)) });
    });
  });
}
