/** npm run package: builds and packs the extension as ambient-sessions-<version>.vsix; .vscodeignore says what stays out. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createVSIX } from '@vscode/vsce';
import { buildTargets } from './build.ts';

const root = join(import.meta.dirname, '..');

/** Path of the packed file. */
export async function packageExtension(out = join(root, 'dist')): Promise<string> {
  await buildTargets(['extension', 'webview', 'mcp']);
  const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
  };
  const packagePath = join(out, `${name}-${version}.vsix`);
  // vsce tells its progress with console.log; standard output is for whoever called this
  const { log } = console;
  console.log = console.error;
  // everything shipped is bundled: node_modules stays out
  try {
    await createVSIX({
      cwd: root,
      packagePath,
      dependencies: false,
      readmePath: 'extension/README.md',
      allowMissingRepository: true,
    });
  } finally {
    console.log = log;
  }
  return packagePath;
}

if (import.meta.main) console.log(await packageExtension());
