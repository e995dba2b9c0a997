/** How long the extension takes to be there, measured inside a real VS Code. */
import { join } from 'node:path';
import { buildTargets } from '../../scripts/build.ts';
import { openWindow, startVscode, VscodeUnavailable } from '../vscode/launch.ts';
import { percentile, round } from './measure.ts';
import type { Section } from './measure.ts';

const root = join(import.meta.dirname, '..', '..');
const WINDOWS = 3;

export const activation: Section = {
  name: 'activation',
  async run(log) {
    await buildTargets(['extension', 'webview']);
    try {
      await using server = await startVscode({
        extensionPath: root,
        folder: join(root, 'docs'),
        env: { KUBECONFIG: '/nonexistent' },
        log,
      });
      const times: number[] = [];
      for (let index = 0; index < WINDOWS; index++) {
        await using window = await openWindow(server);
        times.push(
          await window.inHost(async (vscode) => {
            const extension = vscode.extensions.getExtension('ambient-sessions.ambient-sessions');
            if (extension === undefined) throw new Error('the extension is not installed');
            if (extension.isActive) throw new Error('something activated the extension before it was needed');
            const from = performance.now();
            await extension.activate();
            return performance.now() - from;
          }),
        );
      }
      return [
        {
          name: 'extension: load and activate, median',
          value: round(percentile(times, 50)),
          unit: 'ms',
          bar: { atMost: 50 },
        },
        { name: 'extension: load and activate, worst', value: round(Math.max(...times)), unit: 'ms' },
      ];
    } catch (error) {
      if (error instanceof VscodeUnavailable) return error.message;
      throw error;
    }
  },
};
