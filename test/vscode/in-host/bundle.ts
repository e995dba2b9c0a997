/** Bundles test files and their runner for the extension host, which loads CommonJS and brings `vscode`. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import type { Plugin } from 'esbuild';
import { PROJECT_ROOT } from '../install.ts';
import type { InHostPlan } from './events.ts';

export interface InHostBundle {
  /** What VS Code is given as its extensionTestsPath. */
  readonly entry: string;
  readonly eventsFile: string;
  /** Tests run only in development mode, which needs an extension under development: this one does nothing. */
  readonly hostExtension: string;
}

/** Writes everything a run needs into `folder`, which must be fresh. */
export async function bundleInHost(
  folder: string,
  tests: readonly string[],
  options: { readonly testTimeoutMs?: number; readonly grep?: string },
): Promise<InHostBundle> {
  await mkdir(folder, { recursive: true });
  const inputs = tests.map((test, index) => ({
    in: path.resolve(test),
    // Numbered: two files may have the same name in different folders.
    out: `${index + 1}-${path.basename(test).replace(/\.[cm]?ts$/, '')}`,
  }));
  await build({
    entryPoints: [...inputs, { in: path.join(import.meta.dirname, 'runner.ts'), out: 'runner' }],
    outdir: folder,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node22',
    external: ['vscode'],
    plugins: [ownPlace],
    sourcemap: 'linked',
    logLevel: 'silent',
  });
  const eventsFile = path.join(folder, 'events.ndjson');
  await writeFile(eventsFile, '');
  const plan: InHostPlan = {
    eventsFile,
    files: inputs.map(({ out }) => path.join(folder, `${out}.cjs`)),
    mocha: pathToFileURL(path.join(PROJECT_ROOT, 'node_modules/mocha/index.js')).href,
    testTimeoutMs: options.testTimeoutMs ?? 20_000,
    ...(options.grep === undefined ? {} : { grep: options.grep }),
  };
  const entry = path.join(folder, 'entry.cjs');
  await writeFile(entry, `exports.run = () => require('./runner.cjs').run(${JSON.stringify(plan)});\n`);
  const hostExtension = path.join(folder, 'host');
  await mkdir(hostExtension);
  const manifest = {
    name: 'host',
    publisher: 'ambient-test',
    version: '0.0.1',
    engines: { vscode: '^1.90.0' },
  };
  await writeFile(path.join(hostExtension, 'package.json'), JSON.stringify(manifest));
  return { entry, eventsFile, hostExtension };
}

/** In CommonJS `import.meta` is empty; tests that look for files beside themselves keep finding them. */
const ownPlace: Plugin = {
  name: 'own-place',
  setup(context) {
    context.onLoad({ filter: /\.ts$/ }, async ({ path: file }) => {
      const text = await readFile(file, 'utf8');
      if (!text.includes('import.meta.')) return undefined;
      const contents = text
        .replaceAll(/\bimport\.meta\.dirname\b/g, JSON.stringify(path.dirname(file)))
        .replaceAll(/\bimport\.meta\.filename\b/g, JSON.stringify(file))
        .replaceAll(/\bimport\.meta\.url\b/g, JSON.stringify(pathToFileURL(file).href));
      return { contents, loader: 'ts' };
    });
  },
};
