/** The second launcher of the tests in the extension host: the desktop VS Code, where it can be had. */
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { downloadAndUnzipVSCode, resolveCliPathFromVSCodeExecutablePath } from '@vscode/test-electron';
import { cacheRoot } from '../cluster/cache.ts';
import { run } from '../cluster/process.ts';
import { bundleInHost } from './in-host/bundle.ts';
import type { InHostOptions } from './in-host/options.ts';
import { readResult } from './in-host/result.ts';
import type { InHostCounts } from './in-host/result.ts';
import { startKeeper } from './keeper.ts';
import type { Keeper } from './keeper.ts';
import { defaultSettings, themeSettings } from './settings.ts';
import { VscodeUnavailable } from './unavailable.ts';

const RELEASES = 'https://update.code.visualstudio.com/api/releases/stable';

/**
 * Throws VscodeUnavailable where there is no display or no way to the download. VSCODE_EXECUTABLE names a VS Code
 * that is there already.
 */
export async function runInElectron(options: InHostOptions): Promise<InHostCounts> {
  const executable = process.env['VSCODE_EXECUTABLE'] ?? (await download(options.log ?? (() => undefined)));
  if (process.platform === 'linux' && !process.env['DISPLAY'] && !process.env['WAYLAND_DISPLAY']) {
    throw new VscodeUnavailable('the desktop VS Code needs a display: run under xvfb-run or set DISPLAY');
  }
  const keeper = await startKeeper('ambient-electron');
  try {
    return await runIn(executable, keeper, options);
  } finally {
    await keeper.release();
  }
}

async function download(log: (line: string) => void): Promise<string> {
  try {
    const answer = await fetch(RELEASES, { method: 'HEAD', signal: AbortSignal.timeout(15_000) });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  } catch (error) {
    const why = error instanceof Error ? (error.cause ?? error) : error;
    throw new VscodeUnavailable(`${new URL(RELEASES).host} cannot be reached: ${String(why)}`, error);
  }
  log('downloading the desktop VS Code ...');
  return downloadAndUnzipVSCode({ version: 'stable', cachePath: path.join(cacheRoot(), 'electron') });
}

async function runIn(executable: string, keeper: Keeper, options: InHostOptions): Promise<InHostCounts> {
  const at = (name: string): string => path.join(keeper.folder, name);
  const bundle = await bundleInHost(at('tests'), options.tests, options);
  const settings = { ...defaultSettings(), ...themeSettings(options.theme ?? 'dark'), ...options.settings };
  await mkdir(at('user-data/User'), { recursive: true });
  await writeFile(at('user-data/User/settings.json'), JSON.stringify(settings));
  const shared = [`--user-data-dir=${at('user-data')}`, `--extensions-dir=${at('extensions')}`];
  if (process.platform === 'linux' && process.getuid?.() === 0) shared.push('--no-sandbox');
  if (options.vsix !== undefined) {
    const cli = resolveCliPathFromVSCodeExecutablePath(executable);
    await run(cli, [...shared, '--install-extension', options.vsix], { timeoutMs: 120_000 });
  }
  const developed = [
    bundle.hostExtension,
    ...(options.extensionPath === undefined ? [] : [options.extensionPath]),
  ];
  const args = [
    ...[options.folder, ...shared, '--disable-workspace-trust', '--disable-updates', '--disable-gpu'],
    ...['--skip-welcome', '--skip-release-notes', `--extensionTestsPath=${bundle.entry}`],
    ...developed.map((folder) => `--extensionDevelopmentPath=${folder}`),
  ];
  const env = { ...inherited(), HOME: at('home'), TMPDIR: at('tmp'), ...options.env };
  for (const folder of ['home', 'tmp']) await mkdir(at(folder));
  let output = '';
  let end: string | undefined;
  const vscode = spawn(executable, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  if (vscode.pid !== undefined) keeper.watch(vscode.pid);
  for (const stream of [vscode.stdout, vscode.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-4000)));
  }
  vscode.on('error', (error) => (end = error.message));
  vscode.on('exit', (code, by) => (end = `VS Code ended (${by ?? `code ${code ?? 0}`})`));
  const timeoutMs = options.timeoutMs ?? 120_000;
  const deadline = performance.now() + timeoutMs;
  while (end === undefined && performance.now() < deadline) await delay(50);
  const how = end ?? `the tests did not end within ${timeoutMs} ms`;
  return await readResult(bundle.eventsFile, `${how}\n${output}`);
}

/** Only what a desktop program needs to show itself. */
function inherited(): Record<string, string> {
  const names = ['PATH', 'DISPLAY', 'WAYLAND_DISPLAY', 'XAUTHORITY', 'XDG_RUNTIME_DIR', 'LANG'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
