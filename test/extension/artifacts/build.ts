/** Builds the extension's manifest with only the artifacts part behind it, as an unpacked extension. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';
import { PROJECT_ROOT } from '../../vscode/install.ts';

export async function buildArtifactsExtension(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const manifest = JSON.parse(await readFile(path.join(PROJECT_ROOT, 'package.json'), 'utf8')) as object;
  const own = {
    name: 'artifacts',
    publisher: 'ambient-test',
    main: './dist/extension/activate.cjs',
    type: 'commonjs',
  };
  await writeFile(path.join(folder, 'package.json'), JSON.stringify({ ...manifest, ...own }));
  await cp(path.join(PROJECT_ROOT, 'media'), path.join(folder, 'media'), { recursive: true });
  const shared = { bundle: true, logLevel: 'silent' } as const;
  await build({
    ...shared,
    entryPoints: [path.join(import.meta.dirname, 'extension.ts')],
    outfile: path.join(folder, 'dist/extension/activate.cjs'),
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    external: ['vscode'],
  });
  await build({
    ...shared,
    entryPoints: [path.join(PROJECT_ROOT, 'webview/artifact/main.ts')],
    outfile: path.join(folder, 'dist/webview/artifact.js'),
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
  });
}
