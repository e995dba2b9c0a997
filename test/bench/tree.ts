/** A namespace with 5,000 sessions, opened in the tree of a real VS Code: how long until the first of them is on screen. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildTargets } from '../../scripts/build.ts';
import { PROJECT_ROOT } from '../vscode/install.ts';
import { openWindow, startVscode, VscodeUnavailable } from '../vscode/launch.ts';
import type { VscodeServer } from '../vscode/launch.ts';
import { percentile, round } from './measure.ts';
import type { Section } from './measure.ts';
import { FRAMEWORK, openPlant } from './plant.ts';
import { createNamespace, createSessions, finishSessions, sessionOf } from './sessions.ts';

const NAMESPACE = 'bench-tree';
const SESSIONS = 5000;
/** Not over yet: they stand at the top. */
const PENDING = 100;
const WINDOWS = 3;
const PATIENCE_MS = 30_000;

export const tree: Section = {
  name: 'tree',
  async run(log) {
    const opened = await openPlant(log);
    if (typeof opened === 'string') return opened;
    await using plant = opened;
    const { client, cluster } = plant;
    log(`creating ${SESSIONS} sessions`);
    await createNamespace(client, NAMESPACE);
    const names: { namespace: string; name: string }[] = [];
    await createSessions(
      client,
      SESSIONS,
      () => sessionOf(NAMESPACE, FRAMEWORK),
      ({ metadata }) => names.push({ namespace: NAMESPACE, name: metadata.name }),
    );
    await finishSessions(client, names.slice(PENDING));
    await buildTargets(['extension', 'webview']);
    const folder = await mkdtemp(join(tmpdir(), 'ambient-bench-'));
    try {
      const times: number[] = [];
      for (let index = 0; index < WINDOWS; index++) {
        // Each with a server of its own: a window opens with the views that the one before it showed.
        await using server = await startVscode({
          extensionPath: PROJECT_ROOT,
          folder,
          env: { KUBECONFIG: cluster.kubeconfig },
          settings: { 'ambient.namespaces': [NAMESPACE] },
          log,
        });
        times.push(await firstPaint(server));
      }
      return [
        {
          name: `tree: a namespace of ${SESSIONS} sessions shown → first session on screen, p50`,
          value: round(percentile(times, 50)),
          unit: 'ms',
          bar: { atMost: 300 },
        },
        { name: 'tree: the same, worst', value: round(Math.max(...times)), unit: 'ms' },
      ];
    } catch (error) {
      if (error instanceof VscodeUnavailable) return error.message;
      throw error;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** From the wish to see the view, with the extension there already, to the frame in which a session is drawn. */
async function firstPaint(server: VscodeServer): Promise<number> {
  await using window = await openWindow(server);
  await window.inHost(async (vscode) => {
    await vscode.extensions.getExtension('ambient-sessions.ambient-sessions')?.activate();
  });
  const painted = window.page.evaluate(
    (patienceMs) =>
      new Promise<number>((resolve, reject) => {
        const from = performance.now();
        setTimeout(() => reject(new Error('no session was drawn')), patienceMs);
        const observer = new MutationObserver(() => {
          if (document.querySelector('.monaco-list-row[aria-label^="session "]') === null) return;
          observer.disconnect();
          requestAnimationFrame(() => resolve(performance.now() - from));
        });
        observer.observe(document.body, { childList: true, subtree: true, attributes: true });
      }),
    PATIENCE_MS,
  );
  const [milliseconds] = await Promise.all([
    painted,
    window.inHost((vscode) => vscode.commands.executeCommand('ambient.sessions.focus')),
  ]);
  return milliseconds;
}
