/** The directory store on a real folder, and on a real small volume. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { isAmbientError } from '../../../../common/errors.ts';
import { DirectoryStore } from '../../../../operator/store/directory.ts';
import { TEMPORARY_MAX_AGE_MS } from '../../../../operator/store/store.ts';
import { smallVolumeOrSkip } from '../../../support/small-volume.ts';
import type { SmallVolume } from '../../../support/small-volume.ts';
import { plain, read, refused, storeContract } from './contract.ts';

describe('DirectoryStore', () => {
  let root: string;
  let store: DirectoryStore;
  let now = new Date('2030-01-01T00:00:00Z');

  const again = (): DirectoryStore => new DirectoryStore({ root, now: () => now });
  const traces = async (): Promise<string[]> =>
    (await readdir(root, { recursive: true, withFileTypes: true }))
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name));

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'ambient-store-'));
    now = new Date('2030-01-01T00:00:00Z');
    store = new DirectoryStore({ root, now: () => now });
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  storeContract(() => ({ store, now, again, traces }));

  it('says damaged, not garbage, when the volume lost the end of a file', async () => {
    await store.put('a/x', Buffer.from('0123456789'), plain);
    await truncate(join(root, 'a', 'x@'), 20);
    await assert.rejects(store.get('a/x'), (error: unknown) => {
      assert.ok(isAmbientError(error, 'storage_unavailable'));
      assert.equal(error.details['damaged'], 'a/x');
      return true;
    });
  });

  it('keeps keys inside the root, however much they look like ways out', async () => {
    const odd = ['n/..', 'n/...', 'n/.', 'n/..%2f..%2fetc', `n/${'é'.repeat(140)}`, `n/${'.'.repeat(400)}`];
    for (const key of [...odd, `n/${'x'.repeat(255)}`, `n/${'x'.repeat(255)}/${'y'.repeat(300)}`]) {
      await store.put(key, Buffer.from(key), plain);
      assert.equal(await read(store, key), key);
      assert.deepEqual(await store.listKeys('n/'), [key]);
      assert.deepEqual((await readdir(root)).sort(), ['.tmp', 'n']);
      await store.remove('n/');
    }
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
    let volume: SmallVolume | undefined;

    before(async function () {
      volume = await smallVolumeOrSkip(this, 1);
    });
    after(() => volume?.[Symbol.asyncDispose]());

    it('says full, keeps what it has, and works again when there is room', async () => {
      const root = volume?.root ?? '';
      const small = new DirectoryStore({ root });
      await small.check();
      await small.put('a/keep', Buffer.from('keep'), plain);
      await small.put('a/fill', randomBytes(700_000), plain);
      await refused(small.put('a/more', randomBytes(700_000), plain), 'storage_full');
      await refused(small.put('a/fill', randomBytes(700_000), plain), 'storage_full');
      const upload = small.upload('a/up');
      await upload.append(0, Readable.from([Buffer.from('abc')]));
      await refused(upload.append(3, Readable.from([randomBytes(700_000)])), 'storage_full');
      assert.equal(await upload.received(), 3);
      assert.deepEqual(await readdir(join(root, '.tmp')), []);
      assert.equal(await read(small, 'a/keep'), 'keep');
      assert.equal((await buffer((await small.get('a/fill')).body)).length, 700_000);
      await upload.abort();
      await writeFile(join(root, 'ballast'), randomBytes(2_000_000)).catch(() => undefined);
      await refused(small.check(), 'storage_full');
      await rm(join(root, 'ballast'));
      await small.remove('a/fill');
      await small.check();
      await small.put('a/more', randomBytes(700_000), plain);
    });
  });
});
