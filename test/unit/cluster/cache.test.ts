/** The cache outside the checkout: nothing half made, nothing made twice. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cacheRoot, cached, contentHash, lock } from '../../cluster/cache.ts';

const silent = (): void => undefined;

describe('test/cluster/cache', () => {
  let folder: string;
  const saved = process.env['XDG_CACHE_HOME'];

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'ambient-cache-'));
    process.env['XDG_CACHE_HOME'] = folder;
  });

  afterEach(async () => {
    if (saved === undefined) delete process.env['XDG_CACHE_HOME'];
    else process.env['XDG_CACHE_HOME'] = saved;
    await rm(folder, { recursive: true });
  });

  it('lies under XDG_CACHE_HOME when that is an absolute path', () => {
    assert.equal(cacheRoot({ XDG_CACHE_HOME: '/somewhere' }), '/somewhere/ambient-sessions');
    assert.match(cacheRoot({ XDG_CACHE_HOME: 'relative' }), /\/\.cache\/ambient-sessions$/);
    assert.match(cacheRoot({}), /\/\.cache\/ambient-sessions$/);
  });

  it('makes an entry once when two ask for it at the same time', async () => {
    let made = 0;
    const make = async (target: string): Promise<void> => {
      made += 1;
      await writeFile(path.join(target, 'file'), String(made));
    };
    const [one, two] = await Promise.all([cached('a/b', make, silent), cached('a/b', make, silent)]);
    assert.equal(one, two);
    assert.equal(made, 1);
    assert.equal(await readFile(path.join(one, 'file'), 'utf8'), '1');
  });

  it('keeps nothing of an entry whose making failed, and makes it the next time', async () => {
    const fail = cached('key', () => Promise.reject(new Error('broken')), silent);
    await assert.rejects(fail, /broken/);
    assert.deepEqual(await readdir(cacheRoot()), []);
    const target = await cached('key', (part) => writeFile(path.join(part, 'good'), ''), silent);
    assert.deepEqual(await readdir(target), ['good']);
  });

  it('does not take what a killed process was making for complete', async () => {
    const module = path.join(import.meta.dirname, '../../cluster/cache.ts');
    const script = `
      import { writeFile } from 'node:fs/promises';
      const { cached } = await import(${JSON.stringify(module)});
      await cached('key', async (part) => {
        await writeFile(part + '/half', '');
        console.log('making');
        await new Promise((resolve) => setTimeout(resolve, 60_000));
      }, () => {});`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    const waiting: string[] = [];
    const mine = cached(
      'key',
      (part) => writeFile(path.join(part, 'whole'), ''),
      (line) => {
        waiting.push(line);
        child.kill('SIGKILL');
      },
    );
    assert.deepEqual(await readdir(await mine), ['whole']);
    assert.equal(waiting.length, 1);
  });

  it('lets waiting owners of a lock have it one after the other', async () => {
    const order: string[] = [];
    const hold = async (name: string): Promise<void> => {
      await using _lock = await lock(folder);
      order.push(`${name} in`);
      await new Promise((resolve) => setImmediate(resolve));
      order.push(`${name} out`);
    };
    await Promise.all(['a', 'b', 'c'].map(hold));
    for (let at = 0; at < order.length; at += 2) {
      assert.equal(order[at]?.replace(' in', ' out'), order[at + 1]);
    }
    assert.equal(order.length, 6);
  });

  it('hashes parts so that moving a boundary changes the result', () => {
    assert.notEqual(contentHash('ab', 'c'), contentHash('a', 'bc'));
    assert.equal(contentHash('a', Buffer.from('b')), contentHash('a', 'b'));
  });
});
