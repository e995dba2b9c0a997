/** Starts a real VS Code (server, Node extension host, web workbench) with an extension in it, and opens windows. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';
import { run } from '../cluster/process.ts';
import { writeBridgeExtension } from './bridge/client.ts';
import { BRIDGE_FOLDER_VARIABLE } from './bridge/protocol.ts';
import { findChromium } from './chromium.ts';
import { installVscode, PROJECT_NODE } from './install.ts';
import { startKeeper } from './keeper.ts';
import type { Keeper } from './keeper.ts';
import { defaultSettings, themeSettings } from './settings.ts';
import type { Settings, Theme } from './settings.ts';
import type { VscodeServer } from './vscode-server.ts';

export { openWindow } from './window.ts';
export type { VscodeWindow, WindowOptions } from './window.ts';
export { orSkip, VscodeUnavailable } from './unavailable.ts';
export type { Settings, Theme } from './settings.ts';
export type { VscodeServer } from './vscode-server.ts';

export interface VscodeOptions {
  /** An unpacked extension (a folder with package.json) to run in place. */
  readonly extensionPath?: string;
  /** More unpacked extensions beside it. */
  readonly beside?: readonly string[];
  /** A packaged extension to install, as users do. */
  readonly vsix?: string;
  /** The folder that windows open. */
  readonly folder: string;
  /** User settings, over those that keep VS Code quiet. */
  readonly settings?: Settings;
  /** What the extension host sees beside PATH and a HOME of its own. Nothing else is inherited from this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly theme?: Theme;
  /** Kept, to start again with the same state; else a temporary one. */
  readonly userDataDir?: string;
  /** Free when not given. */
  readonly port?: number;
  /** False leaves out the bridge that window.inHost() talks to: for people, not for tests. Default true. */
  readonly instrumented?: boolean;
  /** Where progress goes; default standard error. */
  readonly log?: (line: string) => void;
}

const toStderr = (line: string): void => void process.stderr.write(`vscode: ${line}\n`);

/**
 * Starts VS Code, installing it first where needed. Throws VscodeUnavailable when this machine cannot run it.
 */
export async function startVscode(options: VscodeOptions): Promise<VscodeServer> {
  const log = options.log ?? toStderr;
  const install = await installVscode(log);
  const chromiumPath = await findChromium(log, process.env);
  const keeper = await startKeeper('ambient-vscode');
  try {
    return await startServer(options, install.serverMain, chromiumPath, keeper);
  } catch (error) {
    await keeper.release();
    throw error;
  }
}

async function startServer(
  options: VscodeOptions,
  serverMain: string,
  chromiumPath: string,
  keeper: Keeper,
): Promise<VscodeServer> {
  const root = keeper.folder;
  const at = (name: string): string => path.join(root, name);
  const userData = options.userDataDir ?? at('user-data');
  const settingsFile = path.join(userData, 'User/settings.json');
  for (const folder of ['home', 'tmp', 'extensions', 'browser']) await mkdir(at(folder));
  await mkdir(path.dirname(settingsFile), { recursive: true });
  await updateSettings(settingsFile, {
    ...defaultSettings(),
    ...themeSettings(options.theme ?? 'dark'),
    ...options.settings,
  });

  const bridgeFolder = options.instrumented === false ? undefined : at('bridge');
  const env: Record<string, string> = {
    PATH: `${path.dirname(PROJECT_NODE)}:${process.env['PATH'] ?? ''}`,
    HOME: at('home'),
    TMPDIR: at('tmp'),
    LANG: 'C.UTF-8',
    ...(bridgeFolder === undefined ? {} : { [BRIDGE_FOLDER_VARIABLE]: bridgeFolder }),
    ...options.env,
  };
  const dirs = ['--server-data-dir', at('server-data'), '--user-data-dir', userData];
  dirs.push('--extensions-dir', at('extensions'));
  await provideExtensions(options, at('extensions'), bridgeFolder !== undefined);
  if (options.vsix !== undefined) {
    const args = [serverMain, ...dirs, '--accept-server-license-terms', '--install-extension', options.vsix];
    const clean = ['PATH', 'HOME', 'TMPDIR'].map((name) => `${name}=${env[name] ?? ''}`);
    await run('env', ['-i', ...clean, PROJECT_NODE, ...args], { timeoutMs: 120_000 });
  }

  const token = randomBytes(16).toString('hex');
  await writeFile(at('token'), token, { mode: 0o600 });
  const logFile = at('server.log');
  const out = await open(logFile, 'a');
  const server = spawn(
    PROJECT_NODE,
    [serverMain, ...dirs, ...FLAGS, '--port', `${options.port ?? 0}`, '--connection-token-file', at('token')],
    { env, cwd: options.folder, detached: true, stdio: ['ignore', out.fd, out.fd] },
  );
  const state: { end?: string } = {};
  server.on('error', (error) => (state.end = error.message));
  server.on('exit', (code, by) => (state.end = `ended with ${by ?? `code ${code ?? 0}`}`));
  if (server.pid !== undefined) keeper.watch(server.pid);
  await out.close();
  const port = await listeningPort(logFile, state);
  const origin = `http://127.0.0.1:${port}`;

  let browser: Promise<Browser> | undefined;
  const stop = async (): Promise<void> => {
    await browser?.then((b) => b.close()).catch(() => undefined);
    await keeper.release();
  };
  return {
    origin,
    folder: options.folder,
    root,
    bridgeFolder,
    url: (folder = options.folder) => `${origin}/?tkn=${token}&folder=${encodeURIComponent(folder)}`,
    updateSettings: (changes) => updateSettings(settingsFile, changes),
    log: () => readFile(logFile, 'utf8'),
    browser: () => (browser ??= startBrowser(chromiumPath, root)),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

const FLAGS = [
  ...['--host', '127.0.0.1', '--accept-server-license-terms', '--telemetry-level', 'off'],
  ...['--disable-telemetry', '--disable-experiments', '--disable-workspace-trust'],
  '--disable-getting-started-override',
];

/**
 * Unpacked extensions are linked into the extensions folder and listed as installed, so that VS Code is not in its
 * development mode: windows look and behave as those of users.
 */
async function provideExtensions(
  options: VscodeOptions,
  extensions: string,
  instrumented: boolean,
): Promise<void> {
  const listed: object[] = [];
  const list = async (folder: string): Promise<void> => {
    const { publisher, name, version } = JSON.parse(
      await readFile(path.join(folder, 'package.json'), 'utf8'),
    ) as Record<'publisher' | 'name' | 'version', string>;
    const relativeLocation = `${publisher}.${name}-${version}`;
    const location = path.join(extensions, relativeLocation);
    if (location !== folder) await symlink(path.resolve(folder), location);
    listed.push({
      identifier: { id: `${publisher}.${name}` },
      version,
      location: { $mid: 1, path: location, scheme: 'file' },
      relativeLocation,
    });
  };
  if (options.extensionPath !== undefined) await list(options.extensionPath);
  for (const folder of options.beside ?? []) await list(folder);
  if (instrumented) {
    const bridge = path.join(extensions, 'ambient-test.bridge-0.0.1');
    await writeBridgeExtension(bridge);
    await list(bridge);
  }
  await writeFile(path.join(extensions, 'extensions.json'), JSON.stringify(listed));
}

/** Over what is in the file, because VS Code writes there too; in place, because it watches that very file. */
async function updateSettings(file: string, changes: Settings): Promise<void> {
  const before = await readFile(file, 'utf8').catch(() => '{}');
  const settings = { ...(JSON.parse(before) as Settings), ...changes };
  await writeFile(file, JSON.stringify(settings, undefined, 2));
}

/** Waits until the server says where it listens. Throws with its log when it ends first or says nothing for 60 s. */
async function listeningPort(logFile: string, state: { readonly end?: string }): Promise<number> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const text = await readFile(logFile, 'utf8');
    const port = /Extension host agent listening on (\d+)/.exec(text)?.[1];
    if (port !== undefined) return Number(port);
    if (state.end !== undefined || performance.now() > deadline) {
      throw new Error(`VS Code did not start (${state.end ?? 'no answer in 60 s'}):\n${text.slice(-4000)}`);
    }
    await delay(20);
  }
}

async function startBrowser(executablePath: string, root: string): Promise<Browser> {
  // A persistent context only to decide where the profile lies: in the folder that the keeper removes.
  const holder = await chromium.launchPersistentContext(path.join(root, 'browser'), {
    executablePath,
    artifactsDir: path.join(root, 'tmp'),
    headless: true,
    env: { PATH: process.env['PATH'] ?? '', HOME: path.join(root, 'home'), TMPDIR: path.join(root, 'tmp') },
    args: [
      '--disable-gpu',
      '--disable-quic',
      '--disable-background-networking',
      '--disable-component-update',
    ],
    // The keeper ends it; handlers here would end the whole test run in the middle of other people's tear-down.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
  const browser = holder.browser();
  if (browser === null) throw new Error('Chromium was started without a browser to open windows in');
  return browser;
}
