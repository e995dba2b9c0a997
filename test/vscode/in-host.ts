/** Runs mocha tests inside the extension host of a real VS Code, where `import * as vscode from 'vscode'` works. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { runInElectron } from './electron.ts';
import { bundleInHost } from './in-host/bundle.ts';
import type { InHostBundle } from './in-host/bundle.ts';
import type { InHostOptions } from './in-host/options.ts';
import { readResult } from './in-host/result.ts';
import type { InHostCounts } from './in-host/result.ts';
import { startVscode } from './launch.ts';
import type { VscodeServer } from './launch.ts';
import { VscodeUnavailable } from './unavailable.ts';
import { openWindow } from './window.ts';

export interface InHostResult extends InHostCounts {
  readonly launcher: 'server' | 'electron';
  readonly ms: number;
}

/**
 * Never throws for what tests do: a failing test, a file that does not load, a dead or hanging extension host, and no
 * test at all are all failures of the result. A machine that cannot run VS Code is one skipped entry with the reason.
 */
export async function runInHost(options: InHostOptions): Promise<InHostResult> {
  const launcher = options.launcher ?? (process.env['VSCODE_TEST'] === 'electron' ? 'electron' : 'server');
  const started = performance.now();
  try {
    const result = await (launcher === 'electron' ? runInElectron(options) : runInServer(options));
    return { launcher, ...result, ms: performance.now() - started };
  } catch (error) {
    if (!(error instanceof VscodeUnavailable)) throw error;
    const skips = [{ title: `tests in the extension host (${launcher})`, reason: error.message }];
    const ms = performance.now() - started;
    return { launcher, passed: 0, failed: 0, skipped: 1, failures: [], skips, tests: [], ms };
  }
}

async function runInServer(options: InHostOptions): Promise<InHostCounts> {
  if (options.server !== undefined) return runInWindow(options.server, options);
  await using server = await startVscode(options);
  return await runInWindow(server, options);
}

async function runInWindow(server: VscodeServer, options: InHostOptions): Promise<InHostCounts> {
  const folder = path.join(server.root, `in-host-${randomBytes(4).toString('hex')}`);
  const bundle = await bundleInHost(folder, options.tests, options);
  let exited: number | undefined;
  await using window = await openWindow(server, {
    prepare: async (page) => {
      await page.exposeFunction('codeAutomationLog', () => undefined);
      await page.exposeFunction('codeAutomationExit', (code: number) => (exited = code));
      await developmentMode(page, server.origin, bundle);
    },
    ...(options.folder === undefined ? {} : { folder: options.folder }),
  });
  let closed = false;
  window.page.on('close', () => (closed = true)).on('crash', () => (closed = true));
  const timeoutMs = options.timeoutMs ?? 120_000;
  const deadline = performance.now() + timeoutMs;
  // The exit code proves nothing: the workbench reports 0 when the host died. It only says that there is no more to come.
  while (exited === undefined && !closed && performance.now() < deadline) await delay(50);
  const how =
    exited !== undefined
      ? 'the extension host ended before the tests did'
      : closed
        ? 'the window closed before the tests ended'
        : `the tests did not end within ${timeoutMs} ms`;
  return await readResult(bundle.eventsFile, how);
}

/**
 * A built product takes development options from its address only with a flag that also suppresses notifications.
 * So they are put into the page's configuration before the workbench reads it.
 */
async function developmentMode(page: Page, origin: string, bundle: InHostBundle): Promise<void> {
  const authority = new URL(origin).host;
  await page.addInitScript(
    (options) => {
      if (window !== window.top) return;
      const observer = new MutationObserver(() => {
        const meta = document.getElementById('vscode-workbench-web-configuration');
        if (meta === null) return;
        observer.disconnect();
        const settings = JSON.parse(meta.dataset['settings'] ?? '{}') as Record<string, unknown>;
        settings['developmentOptions'] = options;
        meta.dataset['settings'] = JSON.stringify(settings);
      });
      observer.observe(document, { childList: true, subtree: true });
    },
    {
      extensions: [{ scheme: 'vscode-remote', authority, path: bundle.hostExtension }],
      extensionTestsPath: { scheme: 'vscode-remote', authority, path: bundle.entry },
    },
  );
}
