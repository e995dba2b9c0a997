/** What an agent remembers comes back as it was, and nothing else comes of whatever archive. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { pack } from 'tar-stream';
import type { Header } from 'tar-stream';
import { MEMORY_BYTES_MAX } from '../../../common/api/runner.ts';
import { packMemory, unpackMemory } from '../../../runner/memory.ts';

type Entry = [header: Partial<Header> & { name: string }, content: string];
const { signal } = new AbortController();

describe("an agent's memory", () => {
  let folder: string;
  let memory: string;
  let target: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'memory-'));
    [memory, target] = [join(folder, 'memory'), join(folder, 'target')];
    for (const path of [memory, target]) await mkdir(path);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const archived = async (...entries: Entry[]): Promise<Buffer> => {
    const archive = pack();
    for (const [header, content] of entries) archive.entry(header, content);
    archive.finalize();
    return gzipSync(await buffer(archive));
  };

  it('comes back as it was, without what is no file of its own', async () => {
    await mkdir(join(memory, '2026/11'), { recursive: true });
    await writeFile(join(memory, '2026/11/a-1.jsonl'), '{"a":1}\n');
    await writeFile(join(memory, 'empty'), '');
    await writeFile(join(folder, 'secret'), 'not its own');
    await symlink(join(folder, 'secret'), join(memory, 'link'));
    const made = await packMemory(memory, folder, signal);
    assert.deepEqual([made?.path, made?.type], ['.ambient/memory.tar.gz', 'intermediate']);
    await unpackMemory(await readFile(made?.file ?? ''), target);
    const names = (await readdir(target, { recursive: true })).sort();
    assert.deepEqual(names, ['2026', '2026/11', '2026/11/a-1.jsonl', 'empty']);
    assert.equal(await readFile(join(target, '2026/11/a-1.jsonl'), 'utf8'), '{"a":1}\n');
  });

  it('is none where nothing is remembered, and is refused where it is too much', async () => {
    assert.equal(await packMemory(memory, folder, signal), undefined);
    await writeFile(join(memory, 'large'), '');
    await truncate(join(memory, 'large'), MEMORY_BYTES_MAX + 1);
    await assert.rejects(packMemory(memory, folder, signal), /more than .* 32 MiB/);
  });

  it('is nothing where the archive holds what no runner has put there', async () => {
    const bad: Entry[] = [
      ...['../out', '/etc/x', 'a/../../out', '.hidden', 'a//b', 'a/./b', 'ä'].map((name): Entry => [
        { name },
        'x',
      ]),
      [{ name: 'link', type: 'symlink', linkname: '/etc/passwd' }, ''],
      [{ name: 'hard', type: 'link', linkname: 'a' }, ''],
      [{ name: 'pipe', type: 'fifo' }, ''],
    ];
    for (const entry of bad)
      await assert.rejects(unpackMemory(await archived(entry), target), /unexpected entry/, entry[0].name);
    assert.deepEqual(await readdir(target), []);
    assert.deepEqual((await readdir(folder)).sort(), ['memory', 'target']);
    await assert.rejects(unpackMemory(gzipSync(Buffer.alloc(MEMORY_BYTES_MAX * 2)), target), /larger/);
  });

  it('survives any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), fc.boolean(), async (bytes, zipped) => {
        const content = Buffer.from(bytes);
        await unpackMemory(zipped ? gzipSync(content) : content, target).catch(() => undefined);
        assert.deepEqual(await readdir(target), []);
      }),
      { numRuns: 50 },
    );
  });
});
