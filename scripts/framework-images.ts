/**
 * npm run frameworks: makes dist/frameworks/{name}, from which the image of a vendor's agent is built:
 *   docker build --tag ambient-claude-code:0.1.0 dist/frameworks/claude-code
 */
import { copyFile, link, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { buildTargets } from './build.ts';
import { FRAMEWORK_IMAGES, frameworkPrograms } from './framework-programs.ts';
import type { FrameworkImage } from './framework-programs.ts';

const root = join(import.meta.dirname, '..');

/** Returns the folder, laid out as the image will be, with the runner as it stands in dist/runner. */
export async function frameworkContext(name: FrameworkImage, log: (line: string) => void): Promise<string> {
  const folder = join(root, 'dist/frameworks', name);
  const source = join(root, 'runner/frameworks', name);
  const runner = join(folder, 'runner');
  await mkdir(runner, { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints: { start: join(source, 'start.ts') },
    outdir: runner,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    legalComments: 'none',
    logLevel: 'warning',
  });
  await copyFile(join(root, 'dist/runner/main.mjs'), join(runner, 'main.mjs'));
  await copyFile(join(source, 'Dockerfile'), join(folder, 'Dockerfile'));
  await rm(join(folder, 'agent'), { recursive: true, force: true });
  await linkTree(await frameworkPrograms(name, log), join(folder, 'agent'));
  return folder;
}

/** Some hundred megabytes, which are never changed in place. */
async function linkTree(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await linkTree(source, target);
    // The cache may be on another file system.
    else await link(source, target).catch(() => copyFile(source, target));
  }
}

if (import.meta.main) {
  await buildTargets(['runner']);
  for (const name of FRAMEWORK_IMAGES) console.error(await frameworkContext(name, console.error));
}
