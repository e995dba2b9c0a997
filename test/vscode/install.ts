/** Installs the VS Code server of ./server once per machine and user, in the cache outside the checkout. */
import { copyFile, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { cached, contentHash, exists } from '../cluster/cache.ts';
import { CommandError, run, succeeds } from '../cluster/process.ts';
import { VscodeUnavailable } from './unavailable.ts';

export const PROJECT_ROOT = path.resolve(import.meta.dirname, '../..');
/** The Node that runs the server and with it the extension host: the project's own. */
export const PROJECT_NODE = path.join(PROJECT_ROOT, 'node_modules/node/bin/node');

/** Changes when the steps below do, so that an older cached install is not taken for the new one. */
const RECIPE = '2';

export interface VscodeInstall {
  /** The folder of the server: out/server-main.js, product.json, extensions/. */
  readonly folder: string;
  readonly serverMain: string;
}

/**
 * Returns the installed server, installing it first where needed (about 40 s, 400 MB).
 * Throws VscodeUnavailable when npm cannot install it here.
 */
export async function installVscode(log: (line: string) => void): Promise<VscodeInstall> {
  const source = path.join(import.meta.dirname, 'server');
  const manifest = JSON.parse(await readFile(path.join(source, 'package.json'), 'utf8')) as {
    dependencies: { 'code-server': string };
  };
  const version = manifest.dependencies['code-server'];
  const lock = await readFile(path.join(source, 'package-lock.json'));
  const abi = `${process.platform}-${process.arch}-${process.versions.modules}`;
  const native = await canCompile();
  const folder = await cached(
    `vscode-${version}-${contentHash(lock, abi, `native ${native}`, RECIPE)}`,
    async (target) => {
      log(`installing VS Code (code-server ${version}), about a minute, once per machine ...`);
      const started = performance.now();
      try {
        await install(source, target, native);
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        throw new VscodeUnavailable(
          `VS Code could not be installed by npm (is the registry reachable?): ${error.message}`,
          error,
        );
      }
      if (!native) log('no make, c++ and python3 here: VS Code goes without its native logger and watchdog');
      log(`VS Code installed in ${((performance.now() - started) / 1000).toFixed(1)} s`);
    },
    log,
  );
  const server = path.join(folder, 'node_modules/code-server/lib/vscode');
  return { folder: server, serverMain: path.join(server, 'out/server-main.js') };
}

async function install(source: string, target: string, native: boolean): Promise<void> {
  for (const file of ['package.json', 'package-lock.json']) {
    await copyFile(path.join(source, file), path.join(target, file));
  }
  const env = { PATH: `${path.dirname(PROJECT_NODE)}:${process.env['PATH'] ?? ''}` };
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  await run('npm', ['ci', ...quiet], { cwd: target, env });
  const server = path.join(target, 'node_modules/code-server/lib/vscode');
  // Its shrinkwrap leaves out a peer dependency, which plain `npm ci` refuses. Optional ones hold the file watcher.
  await run('npm', ['ci', ...quiet, '--legacy-peer-deps', '--omit=dev'], { cwd: server, env });
  // What the built-in extensions share; without it the language server of HTML crashes, and says so again and again.
  await run('npm', ['ci', ...quiet, '--omit=dev'], { cwd: path.join(server, 'extensions'), env });
  if (native) await buildNativeModules(server, env);
  // 170 MB of AI assistant that the settings of the tests switch off anyway.
  await rm(path.join(server, 'extensions/copilot'), { recursive: true, force: true });
  await rm(path.join(server, `node_modules/@github/copilot-sdk-${process.platform}-${process.arch}`), {
    recursive: true,
    force: true,
  });
}

/** The server runs without its native modules too, only that output channels with log levels then stay empty. */
async function canCompile(): Promise<boolean> {
  const tools = await Promise.all(['make', 'c++', 'python3'].map((tool) => succeeds(tool, ['--version'])));
  return tools.every(Boolean);
}

async function buildNativeModules(cwd: string, env: Readonly<Record<string, string>>): Promise<void> {
  const headers = await nodeHeaders();
  await run('npm', ['rebuild', '@vscode/spdlog', '@vscode/native-watchdog', '--loglevel=error'], {
    cwd,
    env: headers === undefined ? env : { ...env, npm_config_nodedir: headers },
  });
}

/** npm's `node` brings the headers of the version it installs; without them node-gyp would download them. */
async function nodeHeaders(): Promise<string | undefined> {
  const require = createRequire(path.join(PROJECT_ROOT, 'node_modules/node/package.json'));
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}/package.json`;
  try {
    const folder = path.dirname(require.resolve(name));
    return (await exists(path.join(folder, 'include/node/node.h'))) ? folder : undefined;
  } catch {
    return undefined;
  }
}
