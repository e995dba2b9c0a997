/**
 * The vendors' programs that framework images hold, as their lock files in runner/frameworks name them: fetched from npm once
 * on a machine, for Linux, since that is where images run. Nothing of them is run here, install scripts included.
 */
import { cp, copyFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cached, contentHash } from '../test/cluster/cache.ts';
import { run } from '../test/cluster/process.ts';

const folder = join(import.meta.dirname, '../runner/frameworks');

export const FRAMEWORK_IMAGES = ['claude-code', 'codex'] as const;
export type FrameworkImage = (typeof FRAMEWORK_IMAGES)[number];

/** Counted up when what is kept of a package changes. */
const LAYOUT = 1;

/** Returns a folder with what the image has in /agent. Throws CommandError when the registry cannot be reached. */
export async function frameworkPrograms(name: FrameworkImage, log: (line: string) => void): Promise<string> {
  const files = ['package.json', 'package-lock.json'].map((file) => join(folder, name, file));
  const inputs = await Promise.all(files.map((file) => readFile(file)));
  return cached(
    `agents/${name}-${contentHash(...inputs, process.arch, String(LAYOUT))}`,
    async (target) => {
      log(`fetching the programs of framework ${name} (once on this machine)`);
      const work = join(target, 'install');
      await mkdir(work);
      for (const file of files) await copyFile(file, join(work, file.slice(join(folder, name).length + 1)));
      await run(
        'npm',
        [
          ...['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
          ...['--os=linux', `--cpu=${process.arch}`, '--libc=glibc'],
        ],
        { cwd: work, timeoutMs: 600_000 },
      );
      await KEEP[name](join(work, 'node_modules'), target);
      await rm(work, { recursive: true });
    },
    log,
  );
}

const KEEP: Readonly<Record<FrameworkImage, (modules: string, target: string) => Promise<void>>> = {
  'claude-code': async (modules, target) => {
    const from = join(modules, `@anthropic-ai/claude-code-linux-${process.arch}`);
    await cp(join(from, 'claude'), join(target, 'claude'));
  },
  codex: async (modules, target) => {
    const vendor = join(modules, `@openai/codex-linux-${process.arch}`, 'vendor');
    const [triple = ''] = await readdir(vendor);
    // Voice is of no use without a microphone.
    await cp(join(vendor, triple), target, {
      recursive: true,
      filter: (source) => !source.endsWith('/codex-resources/voice'),
    });
  },
};

/** The program itself, below the folder of frameworkPrograms and below /agent. */
export const PROGRAM: Readonly<Record<FrameworkImage, string>> = {
  'claude-code': 'claude',
  codex: 'bin/codex',
};
