/** A small program through the two builds that the extension goes through, then run. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { gatherEntry } from '../../../scripts/gather-entry.ts';

const SOURCES = {
  'shared.js': 'export class Problem extends Error {} export const names = new Set();',
  'more.js': 'export const greet = (name) => `hello ${name}`; export default 1;',
  'lazy.js':
    "import { Problem, names } from './shared.js'; export const fail = async () => { names.add('lazy'); const { raise } = await import('./lazier.js'); return raise(Problem); };",
  'lazier.js':
    "import { Problem } from './shared.js'; import one, { greet } from './more.js'; export const raise = (given) => new Problem(greet(String(given === Problem && one === 1)));",
  'activate.js':
    "import { Problem, names } from './shared.js'; import { greet } from './more.js'; export const run = async () => { const { fail } = await import('./lazy.js'); const problem = await fail(); return [problem instanceof Problem, problem.message, [...names], greet('entry')]; };",
};

describe('the entry of the extension', () => {
  it('is one file, and chunks share with it what both need', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ambient-gather-'));
    try {
      for (const [name, text] of Object.entries(SOURCES)) await writeFile(join(folder, name), text);
      const options = {
        absWorkingDir: folder,
        entryPoints: { activate: join(folder, 'activate.js') },
        outdir: join(folder, 'dist'),
        chunkNames: 'chunks/[name]-[hash]',
        bundle: true,
        metafile: true,
        minify: true,
        splitting: true,
        format: 'esm',
        platform: 'node',
        write: false,
      } as const;
      const split = await build(options);
      assert.ok(split.outputFiles.length > 3, 'esbuild alone makes the entry import small files');
      const { outputFiles } = await gatherEntry(split, options);
      for (const { path, contents } of outputFiles) {
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, contents);
      }
      const entry = join(folder, 'dist/activate.js');
      const text = Buffer.from(outputFiles.find(({ path }) => path === entry)?.contents ?? []).toString();
      assert.doesNotMatch(text, /from ?"|import ?"/);
      assert.equal((await readdir(join(folder, 'dist/chunks'))).length, 2, 'lazy and lazier');
      const { run } = (await import(pathToFileURL(entry).href)) as { run: () => Promise<unknown> };
      assert.deepEqual(await run(), [true, 'hello true', ['lazy'], 'hello entry']);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
