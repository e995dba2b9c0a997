/** Image archives: what is written can be read back, and says the same digests. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openPlace, readArchive } from '../../cluster/archive-read.ts';
import { writeImage, writeTar } from '../../cluster/archive.ts';

describe('test/cluster/archive', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'ambient-archive-'));
  });

  afterEach(() => rm(folder, { recursive: true }));

  async function layer(name: string, content: string): Promise<string> {
    const file = path.join(folder, `${name}.tar`);
    await writeTar(file, [{ name, content: Buffer.from(content) }]);
    return file;
  }

  it('reads back tags, configuration and layers of an image it wrote', async () => {
    const layers = [await layer('one', 'x'.repeat(5000)), await layer('two', '')];
    const file = path.join(folder, 'image.tar');
    await writeImage(file, 'example.org/a:1', layers, { Cmd: ['a'] });
    const image = await readArchive(file);
    assert.ok(image);
    assert.deepEqual(image.tags, ['example.org/a:1']);
    assert.deepEqual((JSON.parse(image.config.toString()) as { config: unknown }).config, { Cmd: ['a'] });
    assert.equal(image.layers.length, 2);
    for (const [at, { digest, place }] of image.layers.entries()) {
      const bytes = await readFile(layers[at] ?? '');
      assert.deepEqual(Buffer.concat(await openPlace(file, place).toArray()), bytes);
      assert.equal(digest, createHash('sha256').update(bytes).digest('hex'));
    }
  });

  it('writes the same bytes for the same content', async () => {
    const [one, two] = [await layer('same', 'content'), path.join(folder, 'other.tar')];
    await writeTar(two, [{ name: 'same', content: Buffer.from('content') }]);
    assert.deepEqual(await readFile(one), await readFile(two));
  });

  it('knows that a file is no such archive', async () => {
    assert.equal(await readArchive(await layer('just-a-tar', '')), undefined);
    const text = path.join(folder, 'text');
    await writeFile(text, 'short');
    assert.equal(await readArchive(text), undefined);
  });
});
