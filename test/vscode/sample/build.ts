/** Builds the throwaway extension into a folder, as an unpacked extension. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';

const command = (name: string, title: string): object => ({
  command: `sample.${name}`,
  title,
  category: 'Sample',
  icon: '$(rocket)',
});

const MANIFEST = {
  name: 'sample',
  publisher: 'ambient-test',
  version: '0.0.1',
  license: 'Apache-2.0',
  repository: 'https://example.invalid/sample',
  engines: { vscode: '^1.90.0' },
  main: './dist/extension.cjs',
  activationEvents: ['onFileSystem:sample'],
  extensionKind: ['workspace'],
  contributes: {
    commands: [
      command('hello', 'Hello'),
      command('eat', 'Eat'),
      command('ask', 'Ask'),
      command('confirm', 'Confirm'),
      command('panel', 'Open Panel'),
    ],
    viewsContainers: { activitybar: [{ id: 'sample', title: 'Sample View', icon: 'icon.svg' }] },
    views: { sample: [{ id: 'sample.tree', name: 'Things' }] },
    menus: {
      'view/item/context': [
        { command: 'sample.eat', when: 'viewItem == node', group: 'inline' },
        { command: 'sample.eat', when: 'viewItem == node', group: 'food@1' },
      ],
    },
  },
};

export async function buildSample(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'package.json'), JSON.stringify(MANIFEST, undefined, 2));
  await writeFile(path.join(folder, 'LICENSE'), 'A sample\n');
  await writeFile(path.join(folder, '.vscodeignore'), 'tests/**\n');
  await writeFile(
    path.join(folder, 'icon.svg'),
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><circle cx="12" cy="12" r="9"/></svg>',
  );
  const shared = { bundle: true, logLevel: 'silent', target: 'es2022' } as const;
  await build({
    ...shared,
    entryPoints: [path.join(import.meta.dirname, 'extension.ts')],
    outfile: path.join(folder, 'dist/extension.cjs'),
    platform: 'node',
    format: 'cjs',
    external: ['vscode'],
  });
  await build({
    ...shared,
    entryPoints: [path.join(import.meta.dirname, 'panel.ts')],
    outfile: path.join(folder, 'dist/panel.js'),
    platform: 'browser',
    format: 'iife',
  });
}
