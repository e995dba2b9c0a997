/** The directory store on a real folder, and on a real small volume. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { isAmbientError } from '../../../../common/errors.ts';
import type { ErrorCode } from '../../../../common/errors.ts';
import { DirectoryStore, TEMPORARY_MAX_AGE_MS } from '../../../../operator/store/directory.ts';
import type { ObjectInfo } from '../../../../operator/store/store.ts';
import { skipBecause } from '../../../support/skip.ts';

const run = promisify(execFile);
const plain = { contentType: 'text/plain' };
const sha256 = (bytes: string | Buffer): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

const refused = (work: Promise<unknown>, code: ErrorCode): Promise<void> =>
  assert.rejects(work, (error: unknown) => {
    assert.ok(isAmbientError(error), `expected ${code}, got ${String(error)}`);
    assert.equal(error.code, code, error.message);
    return true;
  });

async function read(store: DirectoryStore, key: string): Promise<string> {
  return await text((await store.get(key)).body);
}

async function all(objects: AsyncIterable<ObjectInfo>): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const object of objects) found.push(object);
  return found;
}

/** Every file and folder below, the root's own excluded. */
const entries = async (root: string): Promise<string[]> => (await readdir(root, { recursive: true })).sort();

/** A body that gives some bytes and then fails, as a connection does. */
function cutOff(bytes: string): Readable {
  return Readable.from(
    (function* () {
      yield Buffer.from(bytes);
      throw new Error('connection lost');
    })(),
  );
}

describe('DirectoryStore', () => {
  let root: string;
  let store: DirectoryStore;
  let now = new Date('2030-01-01T00:00:00Z');

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'ambient-store-'));
    now = new Date('2030-01-01T00:00:00Z');
    store = new DirectoryStore({ root, now: () => now });
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

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
    const before = await entries(root);
    await refused(store.put('a/x', cutOff('half'), plain), 'invalid_request');
    await refused(
      store.put('a/x', Buffer.from('new'), { ...plain, digest: sha256('other') }),
      'digest_mismatch',
    );
    assert.equal(await read(store, 'a/x'), 'old');
    assert.deepEqual(await entries(root), before);
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
    assert.deepEqual(await readdir(join(root, '.tmp')), []);
  });

  it('says damaged, not garbage, when the volume lost the end of a file', async () => {
    await store.put('a/x', Buffer.from('0123456789'), plain);
    await truncate(join(root, 'a', 'x@'), 20);
    await refused(store.get('a/x'), 'storage_unavailable');
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
    ];

    it('are kept apart, however odd, and listed in the order of their bytes', async () => {
      for (const key of odd) await store.put(key, Buffer.from(key), plain);
      for (const key of odd) assert.equal(await read(store, key), key);
      const byBytes = [...odd].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      assert.deepEqual(
        (await all(store.list('n/'))).map(({ key }) => key),
        byBytes,
      );
      assert.deepEqual(await store.listKeys('n/', 'n/a'), byBytes.slice(byBytes.indexOf('n/a') + 1));
      assert.deepEqual(await store.listKeys('n/a/'), ['n/a/b']);
    });

    it('stay inside the root, whatever they are', async function () {
      this.timeout(20_000);
      const segment = fc
        .string({ unit: 'binary', minLength: 1, maxLength: 40 })
        .map((s) => s.replaceAll('/', '.'));
      const key = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
      await fc.assert(
        fc.asyncProperty(key, async (each) => {
          await store.put(`n/${each}`, Buffer.from('x'), plain);
          assert.deepEqual(await store.listKeys('n/'), [`n/${each}`]);
          assert.deepEqual((await readdir(root)).sort(), ['.tmp', 'n']);
          await store.remove('n/');
        }),
        { numRuns: 100 },
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
      const long = 'z'.repeat(300);
      for (const key of ['b/u1/x', 'b/u2/x/y', `b/${long}/x`, 'a/u3/x', 'b/file'])
        await store.put(key, Buffer.from(''), plain);
      assert.deepEqual(await store.listFolders(''), ['a', 'b']);
      assert.deepEqual(await store.listFolders('b/'), ['u1', 'u2', long]);
    });
  });

  describe('symbolic links', () => {
    it('lead nowhere', async () => {
      const outside = await mkdtemp(join(tmpdir(), 'ambient-outside-'));
      try {
        const other = new DirectoryStore({ root: outside });
        await other.put('secret/x', Buffer.from('secret'), plain);
        await mkdir(join(root, 'n'));
        await symlink(join(outside, 'secret'), join(root, 'n', 'folder'));
        await symlink(join(outside, 'secret', 'x@'), join(root, 'n', 'file@'));
        assert.deepEqual(await store.listKeys('n/'), []);
        await refused(store.get('n/folder/x'), 'storage_unavailable');
        await refused(store.get('n/file'), 'storage_unavailable');
        await refused(store.put('n/folder/y', Buffer.from('y'), plain), 'storage_unavailable');
        await refused(store.remove('n/folder/x'), 'storage_unavailable');
        await store.put('n/file', Buffer.from('mine'), plain);
        await store.remove('n/');
        assert.deepEqual(await other.listKeys('secret/'), ['secret/x']);
        assert.equal(await read(other, 'secret/x'), 'secret');
      } finally {
        await rm(outside, { recursive: true });
      }
    });

    it('to the root itself are fine, as volumes are mounted that way', async () => {
      const link = `${root}-link`;
      await symlink(root, link);
      try {
        await new DirectoryStore({ root: link }).put('a/x', Buffer.from('through'), plain);
        assert.equal(await read(store, 'a/x'), 'through');
      } finally {
        await rm(link);
      }
    });
  });

  describe('an upload', () => {
    const piece = (bytes: string): Readable => Readable.from([Buffer.from(bytes)]);

    it('goes on after a restart where it stopped', async () => {
      assert.equal(await store.upload('a/x').received(), 0);
      assert.equal(await store.upload('a/x').append(0, piece('hello ')), 6);
      const restarted = new DirectoryStore({ root, now: () => now });
      assert.equal(await restarted.upload('a/x').received(), 6);
      assert.equal(await restarted.upload('a/x').append(6, piece('world')), 11);
      assert.equal(await store.stat('a/x'), undefined);
      assert.deepEqual(await store.listKeys('a/'), []);
      const info = await store.upload('a/x').complete({ ...plain, digest: sha256('hello world') });
      assert.equal(info.size, 11);
      assert.equal(await read(store, 'a/x'), 'hello world');
      assert.deepEqual(await readdir(join(root, 'a')), ['x@']);
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
      assert.deepEqual(await readdir(join(root, 'a')), []);
      await refused(upload.complete(plain), 'conflict');
    });

    it('takes one of two equal pieces sent at once through two replicas, and stays whole', async () => {
      const replica = new DirectoryStore({ root, now: () => now });
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

  it('sweeps only temporary files that nobody writes to any more', async () => {
    await store.check();
    const old = new Date(now.getTime() - TEMPORARY_MAX_AGE_MS - 1000);
    await writeFile(join(root, '.tmp', 'old'), 'x');
    await utimes(join(root, '.tmp', 'old'), old, old);
    await writeFile(join(root, '.tmp', 'young'), 'x');
    await utimes(join(root, '.tmp', 'young'), now, now);
    assert.equal(await store.sweepTemporary(), 1);
    assert.deepEqual(await readdir(join(root, '.tmp')), ['young']);
  });

  it('says unavailable, and makes no folder, when the volume is not there', async () => {
    await store.put('a/x', Buffer.from('x'), plain);
    await rename(root, `${root}-away`);
    try {
      await refused(store.check(), 'storage_unavailable');
      await refused(store.put('a/y', Buffer.from('y'), plain), 'storage_unavailable');
      await refused(store.get('a/x'), 'storage_unavailable');
      await refused(store.stat('a/x'), 'storage_unavailable');
      await refused(store.listKeys('a/'), 'storage_unavailable');
      await refused(store.listFolders(''), 'storage_unavailable');
      await refused(store.upload('a/z').received(), 'storage_unavailable');
      await assert.rejects(readdir(root), { code: 'ENOENT' });
    } finally {
      await rename(`${root}-away`, root);
    }
    assert.equal(await read(store, 'a/x'), 'x');
  });

  describe('on a volume of one mebibyte', () => {
    let volume: string;

    before(async function () {
      if (process.platform !== 'linux' || process.getuid?.() !== 0) {
        skipBecause(this, 'mounting a small volume needs root on Linux');
      }
      volume = await mkdtemp(join(tmpdir(), 'ambient-volume-'));
      try {
        await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', volume]);
      } catch (error) {
        await rm(volume, { recursive: true });
        skipBecause(this, `mounting a small volume failed: ${String(error)}`);
      }
    });
    after(async () => {
      if ((volume as string | undefined) === undefined) return;
      await run('umount', [volume]);
      await rm(volume, { recursive: true });
    });

    it('says full, keeps what it has, and works again when there is room', async () => {
      const small = new DirectoryStore({ root: volume });
      await small.check();
      await small.put('a/keep', Buffer.from('keep'), plain);
      await small.put('a/fill', randomBytes(700_000), plain);
      await refused(small.put('a/more', randomBytes(700_000), plain), 'storage_full');
      await refused(small.put('a/fill', randomBytes(700_000), plain), 'storage_full');
      const upload = small.upload('a/up');
      await upload.append(0, Readable.from([Buffer.from('abc')]));
      await refused(upload.append(3, Readable.from([randomBytes(700_000)])), 'storage_full');
      assert.equal(await upload.received(), 3);
      assert.deepEqual(await readdir(join(volume, '.tmp')), []);
      assert.equal(await read(small, 'a/keep'), 'keep');
      assert.equal((await buffer((await small.get('a/fill')).body)).length, 700_000);
      await upload.abort();
      await writeFile(join(volume, 'ballast'), randomBytes(2_000_000)).catch(() => undefined);
      await refused(small.check(), 'storage_full');
      await rm(join(volume, 'ballast'));
      await small.remove('a/fill');
      await small.check();
      await small.put('a/more', randomBytes(700_000), plain);
    });
  });
});
