/** The store in S3, against a real server: the contract of all stores, and what only a server can do wrong. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { credentialsFrom } from '../../../../operator/store/s3/credentials.ts';
import { S3Store } from '../../../../operator/store/s3/store.ts';
import type { S3StoreOptions } from '../../../../operator/store/s3/store.ts';
import { TEMPORARY_MAX_AGE_MS } from '../../../../operator/store/store.ts';
import { badLine } from '../../../support/bad-line.ts';
import type { BadLine } from '../../../support/bad-line.ts';
import { s3ServerOrSkip } from '../../../support/s3-server.ts';
import type { S3Server } from '../../../support/s3-server.ts';
import { smallVolumeOrSkip } from '../../../support/small-volume.ts';
import type { SmallVolume } from '../../../support/small-volume.ts';
import { until } from '../../../support/until.ts';
import { LARGE_BYTES, plain, read, refused, sha256, storeContract } from './contract.ts';

describe('S3Store', () => {
  let server: S3Server | undefined;
  let store: S3Store;
  const opened: S3Store[] = [];
  let now = new Date();

  const open = (options: Partial<S3StoreOptions> = {}): S3Store => {
    if (server === undefined) throw new Error('no server');
    const { bucket, endpoint, region, credentials } = server;
    const place = { bucket, prefix: 'of/ambient/', endpoint, region, pathStyle: true, credentials };
    const made = new S3Store({ ...place, now: () => now, ...options });
    opened.push(made);
    return made;
  };
  /** Files of the server, parts of unfinished objects among them. */
  const traces = async (): Promise<string[]> =>
    (await readdir(server?.folder ?? '', { recursive: true, withFileTypes: true }))
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name));

  before(async function () {
    server = await s3ServerOrSkip(this);
  });
  after(() => server?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    await rm(server?.folder ?? '', { recursive: true, force: true });
    await mkdir(server?.folder ?? '');
    now = new Date();
    store = open();
  });
  afterEach(() => {
    for (const each of opened.splice(0)) each.close();
  });

  storeContract(() => ({ store, now, again: open, traces }), {
    // The server of these tests keeps objects as files.
    without: (key) =>
      /(^|\/)\.{1,2}(\/|$)/.test(key) ||
      /^n\/a[@%]?\//.test(key) ||
      key.split('/').some((segment) => Buffer.byteLength(segment) > 240),
    runs: 30,
  });

  it('refuses keys that no server keeps, or that this one cannot beside others', async () => {
    for (const key of ['n/..', 'n/./x', '.tmp/x', `n/${'x/'.repeat(600)}x`])
      await refused((async () => store.put(key, Buffer.from(''), plain))(), 'invalid_request');
    await store.put('n/a', Buffer.from('1'), plain);
    await refused(store.put('n/a/b', Buffer.from('2'), plain), 'conflict');
    assert.equal(await read(store, 'n/a'), '1');
  });

  it('sees nothing of what others keep in the bucket', async () => {
    await store.put('n/u/x', Buffer.from('x'), plain);
    await writeFile(join(server?.folder ?? '', 'of', 'ambient', 'n', 'u', 'foreign'), 'foreign');
    await mkdir(join(server?.folder ?? '', 'else'));
    await writeFile(join(server?.folder ?? '', 'else', 'file'), 'foreign');
    assert.deepEqual(await store.listFolders(''), ['n']);
    assert.equal(await store.stat('n/u/foreign'), undefined);
    await refused(store.get('n/u/foreign'), 'not_found');
    const listed: string[] = [];
    for await (const { key } of store.list('n/')) listed.push(key);
    assert.deepEqual(listed, ['n/u/x']);
  });

  it('lists and removes more than fits into one answer', async function () {
    this.timeout(60_000);
    await store.put('n/u/0000', Buffer.from('x'), plain);
    const folder = join(server?.folder ?? '', 'of', 'ambient', 'n', 'u');
    const names = Array.from({ length: 2100 }, (_, number) => String(number + 1).padStart(4, '0'));
    await Promise.all(names.map((name) => writeFile(join(folder, name), 'x')));
    assert.equal((await store.listKeys('n/u/')).length, 2101);
    assert.deepEqual((await store.listKeys('n/u/', 'n/u/2098')).length, 2);
    await store.remove('n/u/');
    assert.deepEqual(await store.listKeys('n/'), []);
  });

  describe('with credentials from the files of a Secret', () => {
    let secret: string;
    beforeEach(async () => (secret = await mkdtemp(join(tmpdir(), 'ambient-secret-'))));
    afterEach(() => rm(secret, { recursive: true }));
    const write = async (accessKey: string, secretKey: string): Promise<void> => {
      await writeFile(join(secret, 'AWS_ACCESS_KEY_ID'), `${accessKey}\n`);
      await writeFile(join(secret, 'secret-access-key'), secretKey);
    };

    it('says what is wrong with them, and takes new ones without a restart', async () => {
      const withSecret = open({ credentials: credentialsFrom(secret, () => now) });
      await assert.rejects(withSecret.check(), /has no AWS_ACCESS_KEY_ID or access-key-id/);
      await write('test-access-key', 'wrong');
      await assert.rejects(withSecret.check(), {
        code: 'storage_unavailable',
        message: /refuses the operator's credentials: SignatureDoesNotMatch/,
      });
      await refused(withSecret.stat('a/x'), 'storage_unavailable');
      await refused(withSecret.listKeys('a/'), 'storage_unavailable');
      await write('test-access-key', 'test-secret-key');
      now = new Date(now.getTime() + 10_000);
      await withSecret.check();
      assert.deepEqual(await traces(), []);
    });
  });

  it('says unavailable when the bucket is not there, whatever is asked', async () => {
    const lost = open({ bucket: 'no-such-bucket' });
    await assert.rejects(lost.check(), {
      code: 'storage_unavailable',
      message: /no-such-bucket does not exist/,
    });
    await refused(lost.stat('a/x'), 'storage_unavailable');
    await refused(lost.get('a/x'), 'storage_unavailable');
    await refused(lost.listKeys('a/'), 'storage_unavailable');
    await refused(lost.listFolders(''), 'storage_unavailable');
    await refused(lost.remove('a/x'), 'storage_unavailable');
    await refused(lost.upload('a/x').received(), 'storage_unavailable');
  });

  it('counts every request, those that failed too', async () => {
    const counted: string[] = [];
    const counting = open({ onRequest: (operation, outcome) => counted.push(`${operation} ${outcome}`) });
    await counting.put('a/x', Buffer.from('x'), plain);
    await counting.listKeys('a/');
    await read(counting, 'a/x');
    await refused(counting.get('a/y'), 'not_found');
    assert.deepEqual(counted, ['PutObject ok', 'ListObjectsV2 ok', 'GetObject ok', 'GetObject NoSuchKey']);
  });

  describe('when the server', () => {
    it('is away: says unavailable at once, and goes on when it is back', async function () {
      await store.put('a/x', Buffer.from('kept'), plain);
      await server?.stop();
      try {
        await refused(store.put('a/x', Buffer.from('new'), plain), 'storage_unavailable');
        await refused(store.stat('a/x'), 'storage_unavailable');
        await refused(store.check(), 'storage_unavailable');
        await refused(store.upload('a/z').received(), 'storage_unavailable');
      } finally {
        await server?.start();
      }
      assert.equal(await read(store, 'a/x'), 'kept');
    });

    it('is killed in the middle of a large write: fails clearly, shows nothing half, and the rest is swept', async () => {
      await store.put('a/x', Buffer.from('old'), plain);
      const bytes = randomBytes(LARGE_BYTES);
      const body = Readable.from(
        (async function* () {
          yield bytes.subarray(0, 7_000_000);
          // One part has been sent when the next bytes are asked for.
          await until(async () => (await traces()).length > 1, 'a part has been sent');
          await server?.stop();
          yield bytes.subarray(7_000_000);
        })(),
      );
      await refused(store.put('a/x', body, { ...plain, digest: sha256(bytes) }), 'storage_unavailable');
      await server?.start();
      assert.equal(await read(store, 'a/x'), 'old');
      assert.equal(await store.sweepTemporary(), 0);
      const listed = await traces();
      assert.ok(listed.length > 1);
      now = new Date(Date.now() + TEMPORARY_MAX_AGE_MS + 2000);
      assert.equal(await store.sweepTemporary(), 1);
      assert.equal((await traces()).length, 1);
      await store.put('a/x', Readable.from([bytes]), { ...plain, digest: sha256(bytes) });
      assert.ok((await buffer((await store.get('a/x')).body)).equals(bytes));
    });

    it('is started again in the middle of a write: the write goes on', async () => {
      const bytes = randomBytes(LARGE_BYTES);
      const body = Readable.from(
        (async function* () {
          yield bytes.subarray(0, 7_000_000);
          await until(async () => (await traces()).length > 0, 'a part has been sent');
          await server?.stop();
          await server?.start();
          yield bytes.subarray(7_000_000);
        })(),
      );
      await store.put('a/x', body, { ...plain, digest: sha256(bytes) });
      assert.ok((await buffer((await store.get('a/x')).body)).equals(bytes));
    });

    it('is started again in the middle of a read: the reader gets every byte once', async () => {
      const bytes = randomBytes(30_000_000);
      await store.put('a/x', Readable.from([bytes]), { ...plain, digest: sha256(bytes) });
      const { body } = await store.get('a/x', { first: 10, last: 29_999_999 });
      const got: Buffer[] = [];
      let isFirst = true;
      for await (const chunk of body as AsyncIterable<Buffer>) {
        got.push(chunk);
        if (!isFirst) continue;
        isFirst = false;
        await server?.stop();
        await server?.start();
      }
      assert.ok(Buffer.concat(got).equals(bytes.subarray(10)));
    });
  });

  describe('over a line that', () => {
    let line: BadLine;
    beforeEach(async () => (line = await badLine(server?.port ?? 0)));
    afterEach(() => line[Symbol.asyncDispose]());
    const over = (limits: S3StoreOptions['limits'] = {}): S3Store =>
      open({ endpoint: `http://127.0.0.1:${line.port}`, limits });

    it('is slow, works; that is silent, ends in time', async () => {
      const slow = over({ answerMs: 600, silenceMs: 600, attempts: 2 });
      line.delayMs = 200;
      await slow.put('a/x', Buffer.from('x'), plain);
      assert.equal(await read(slow, 'a/x'), 'x');
      line.isSilent = true;
      const started = performance.now();
      await refused(slow.put('a/x', Buffer.from('y'), plain), 'storage_unavailable');
      await refused(slow.stat('a/x'), 'storage_unavailable');
      assert.ok(performance.now() - started < 5000);
    });

    it('breaks: reads go on where they were cut, as often as they get further', async () => {
      const bytes = randomBytes(8_000_000);
      await store.put('a/x', Readable.from([bytes]), { ...plain, digest: sha256(bytes) });
      line.cut = { afterBytes: 1_000_000, times: 6 };
      assert.ok((await buffer((await over().get('a/x')).body)).equals(bytes));
      assert.equal(line.cut.times, 0);
    });

    it('breaks, and meanwhile the object is another one: the reader is told instead of given a mixture', async () => {
      await store.put('a/x', Readable.from([randomBytes(8_000_000)]), plain);
      const { body } = await over().get('a/x');
      await store.put('a/x', Readable.from([randomBytes(8_000_000)]), plain);
      line.cut = { afterBytes: 1, times: 1 };
      await refused(buffer(body), 'storage_unavailable');
    });

    it('loses the answer to the last request of a large write: the object counts as written', async () => {
      const bytes = randomBytes(LARGE_BYTES);
      const unlucky = open({
        endpoint: `http://127.0.0.1:${line.port}`,
        onRequest: (operation) => {
          // The last part is stored; what is cut next is the answer to the completion.
          if (operation === 'UploadPart' && ++parts === 3) line.cut = { afterBytes: 0, times: 1 };
        },
      });
      let parts = 0;
      await unlucky.put('a/x', Readable.from([bytes]), { ...plain, digest: sha256(bytes) });
      assert.equal(line.cut?.times, 0);
      assert.ok((await buffer((await store.get('a/x')).body)).equals(bytes));
    });
  });

  describe('on a server whose volume is full', () => {
    let volume: SmallVolume | undefined;
    let small: S3Server | undefined;

    before(async function () {
      volume = await smallVolumeOrSkip(this, 4);
      small = await s3ServerOrSkip(this, { root: volume.root });
    });
    after(async () => {
      await small?.[Symbol.asyncDispose]();
      await volume?.[Symbol.asyncDispose]();
    });

    it('says full, keeps what it has, and works again when there is room', async () => {
      const full = open({ endpoint: small?.endpoint });
      await full.check();
      await full.put('a/keep', Buffer.from('keep'), plain);
      await full.put('a/fill', randomBytes(3_500_000), plain);
      await refused(full.put('a/more', randomBytes(1_500_000), plain), 'storage_full');
      await refused(full.put('a/fill', randomBytes(3_500_000), plain), 'storage_full');
      const upload = full.upload('a/up');
      await upload.append(0, Readable.from([Buffer.from('abc')]));
      await refused(upload.append(3, Readable.from([randomBytes(1_500_000)])), 'storage_full');
      assert.equal(await upload.received(), 3);
      assert.equal(await read(full, 'a/keep'), 'keep');
      assert.equal((await buffer((await full.get('a/fill')).body)).length, 3_500_000);
      await full.remove('a/fill');
      await full.put('a/more', randomBytes(1_500_000), plain);
    });
  });
});
