/**
 * npm run build: bundles every deliverable into dist/, each with only what it imports.
 *   dist/extension/activate.js   all that activation needs, in one file
 *   dist/extension/chunks        the rest of the extension, loaded on first use
 *   dist/webview/*.js                     one bundle a page
 *   dist/mcp/main.mjs                     the MCP server, which the extension offers to the editor
 *   dist/operator/main.mjs and chunks, dist/runner/main.mjs   what their images hold
 *   dist/meta/*.json                      what went into which bundle, for the bench
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import type { BuildOptions } from 'esbuild';
import { gatherEntry } from './gather-entry.ts';
import type { Built } from './gather-entry.ts';

const root = join(import.meta.dirname, '..');
const at = (...parts: string[]): string => join(root, ...parts);

// CommonJS packages inside an ES module bundle call require for Node's own modules.
const requireBanner = {
  js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
};

const common = {
  absWorkingDir: root,
  bundle: true,
  metafile: true,
  minify: true,
  keepNames: true,
  legalComments: 'linked',
  logLevel: 'warning',
} as const satisfies BuildOptions;

type TargetOptions = Omit<BuildOptions, keyof typeof common | 'write'> & {
  outdir: string;
  keepNames?: boolean;
  minify?: boolean;
};

const targets: Record<Target, TargetOptions> = {
  extension: {
    entryPoints: { activate: at('extension/activate.ts') },
    outdir: at('dist/extension'),
    chunkNames: 'chunks/[name]-[hash]',
    platform: 'node',
    format: 'esm',
    splitting: true,
    target: 'node22',
    external: ['vscode'],
  },
  webview: {
    entryPoints: {
      session: at('webview/session/main.ts'),
      artifact: at('webview/artifact/main.ts'),
      policy: at('webview/policy/main.ts'),
    },
    outdir: at('dist/webview'),
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    keepNames: false,
    loader: { '.ttf': 'file' },
  },
  mcp: {
    entryPoints: { main: at('extension/mcp/main.ts') },
    outdir: at('dist/mcp'),
    outExtension: { '.js': '.mjs' },
    platform: 'node',
    format: 'esm',
    target: 'node22',
    banner: requireBanner,
  },
  operator: {
    entryPoints: { main: at('operator/main.ts') },
    outdir: at('dist/operator'),
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunks/[name]-[hash]',
    platform: 'node',
    format: 'esm',
    // The client of S3 is memory that an operator with a directory does not pay for.
    splitting: true,
    target: 'node24',
    // Names are left alone instead of being restored: keepNames costs a call for every function made at run time.
    keepNames: false,
    minify: false,
    minifyWhitespace: true,
    minifySyntax: true,
    banner: requireBanner,
  },
  runner: {
    entryPoints: { main: at('runner/main.ts') },
    outdir: at('dist/runner'),
    outExtension: { '.js': '.mjs' },
    platform: 'node',
    format: 'esm',
    target: 'node24',
    banner: requireBanner,
  },
};

export type Target = 'extension' | 'webview' | 'mcp' | 'operator' | 'runner';

/** Builds the named targets, or all. Throws when a source does not bundle. */
export async function buildTargets(
  names: Target[] = ['extension', 'webview', 'mcp', 'operator', 'runner'],
): Promise<void> {
  mkdirSync(at('dist/meta'), { recursive: true });
  await Promise.all(
    names.map(async (name) => {
      const { metafile, outputFiles } = await bundle(name);
      replaceFolder(
        at('dist', name),
        new Map(outputFiles.map(({ path, contents }) => [path, contents] as const)),
      );
      writeFileSync(at('dist/meta', `${name}.json`), JSON.stringify(metafile));
      const dockerfile = at(name, 'Dockerfile');
      if (existsSync(dockerfile)) copyFileSync(dockerfile, at('dist', name, 'Dockerfile'));
    }),
  );
}

async function bundle(name: Target): Promise<Built> {
  const options = { ...common, ...targets[name], write: false } as const;
  const built = await build(options);
  return name === 'extension' ? await gatherEntry(built, { ...options, banner: requireBanner }) : built;
}

/** What is the same already is not touched: an editor or a test may be running from there. */
function replaceFolder(folder: string, files: ReadonlyMap<string, Uint8Array>): void {
  for (const [path, contents] of files) {
    if (existsSync(path) && readFileSync(path).equals(contents)) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.new`, contents);
    renameSync(`${path}.new`, path);
  }
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !files.has(path) && entry.name !== 'Dockerfile') rmSync(path);
  }
}

if (import.meta.main) {
  const names = process.argv.slice(2) as Target[];
  const started = performance.now();
  await buildTargets(names.length > 0 ? names : undefined);
  for (const file of [
    'extension/activate.js',
    'webview/session.js',
    'webview/artifact.js',
    'webview/policy.js',
    'mcp/main.mjs',
    'operator/main.mjs',
    'runner/main.mjs',
  ])
    if (existsSync(at('dist', file)))
      console.error(`dist/${file}  ${Math.ceil(statSync(at('dist', file)).size / 1024)} KiB`);
  console.error(`built in ${Math.round(performance.now() - started)} ms`);
}
