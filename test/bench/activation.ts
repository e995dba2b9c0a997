/** How long the extension takes to be there, measured inside a real VS Code. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildTargets } from '../../scripts/build.ts';
import { openWindow, startVscode, VscodeUnavailable } from '../vscode/launch.ts';
import type { VscodeWindow } from '../vscode/launch.ts';
import { percentile, round } from './measure.ts';
import type { Section } from './measure.ts';
import { settled } from './settled.ts';
import { TRIVIAL, trivialExtension } from './trivial-extension.ts';

const root = join(import.meta.dirname, '..', '..');
const OURS = 'ambient-sessions.ambient-sessions';
const WINDOWS = 5;

export const activation: Section = {
  name: 'activation',
  async run(log) {
    await buildTargets(['extension', 'webview']);
    const folder = await mkdtemp(join(tmpdir(), 'ambient-bench-'));
    try {
      await using server = await startVscode({
        extensionPath: root,
        beside: [await trivialExtension(join(folder, 'trivial'))],
        folder: join(root, 'docs'),
        env: { KUBECONFIG: '/nonexistent' },
        log,
      });
      const ours: number[] = [];
      const trivial: number[] = [];
      for (let index = 0; index < WINDOWS; index++) {
        await using window = await openWindow(server);
        await settled(window);
        ours.push(await activationMs(window, OURS));
        await settled(window);
        trivial.push(await activationMs(window, TRIVIAL.id));
      }
      return [
        {
          name: 'extension: load and activate, median',
          value: round(percentile(ours, 50)),
          unit: 'ms',
          bar: { atMost: 50 },
        },
        { name: 'extension: load and activate, worst', value: round(Math.max(...ours)), unit: 'ms' },
        {
          name: 'an extension that does nothing, in the same windows, median',
          value: round(percentile(trivial, 50)),
          unit: 'ms',
        },
      ];
    } catch (error) {
      if (error instanceof VscodeUnavailable) return error.message;
      throw error;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

const activationMs = (window: VscodeWindow, id: string): Promise<number> =>
  window.inHost(async (vscode, name) => {
    const extension = vscode.extensions.getExtension(name);
    if (extension === undefined) throw new Error(`${name} is not installed`);
    if (extension.isActive) throw new Error(`something activated ${name} before it was needed`);
    const from = performance.now();
    await extension.activate();
    return performance.now() - from;
  }, id);
