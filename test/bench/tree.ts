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
import { settled } from './settled.ts';
import { createNamespace, createSessions, finishSessions, sessionOf } from './sessions.ts';
import { TRIVIAL, trivialExtension } from './trivial-extension.ts';

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
      const beside = [await trivialExtension(join(folder, 'trivial'))];
      const times: Record<keyof typeof WAYS, number[]> = { loaded: [], fresh: [], trivial: [] };
      for (let index = 0; index < WINDOWS; index++) {
        for (const way of ['loaded', 'fresh', 'trivial'] as const) {
          // Each with a server of its own: a window opens with the views that the one before it showed.
          await using server = await startVscode({
            extensionPath: PROJECT_ROOT,
            beside,
            folder,
            env: { KUBECONFIG: cluster.kubeconfig },
            settings: { 'ambient.namespaces': [NAMESPACE] },
            log,
          });
          times[way].push(await firstPaint(server, WAYS[way]));
        }
      }
      return [
        {
          name: `tree: a namespace of ${SESSIONS} sessions shown → first session on screen, p50`,
          value: round(percentile(times.loaded, 50)),
          unit: 'ms',
          bar: { atMost: 300 },
        },
        { name: 'tree: the same, worst', value: round(Math.max(...times.loaded)), unit: 'ms' },
        {
          name: 'tree: the same with the extension not loaded before, p50',
          value: round(percentile(times.fresh, 50)),
          unit: 'ms',
        },
        {
          name: 'a view as deep whose rows are there, in such a window, p50',
          value: round(percentile(times.trivial, 50)),
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

interface Way {
  extension: string;
  view: string;
  /** How the first row begins that counts. */
  row: string;
  /** Loaded before the view is shown. */
  isLoaded: boolean;
}

const OURS = { extension: 'ambient-sessions.ambient-sessions', view: 'ambient.sessions', row: 'session ' };
const WAYS = {
  loaded: { ...OURS, isLoaded: true },
  fresh: { ...OURS, isLoaded: false },
  trivial: { extension: TRIVIAL.id, view: TRIVIAL.view, row: TRIVIAL.row, isLoaded: true },
} as const satisfies Record<string, Way>;

/** From the wish to see the view, in a window at rest, to the frame in which a row is drawn. */
async function firstPaint(server: VscodeServer, { extension, view, row, isLoaded }: Way): Promise<number> {
  await using window = await openWindow(server);
  if (isLoaded)
    await window.inHost(async (vscode, id) => {
      await vscode.extensions.getExtension(id)?.activate();
    }, extension);
  await settled(window);
  const painted = window.page.evaluate(
    ([start, patienceMs]) =>
      new Promise<number>((resolve, reject) => {
        const from = performance.now();
        setTimeout(() => reject(new Error('no row was drawn')), patienceMs);
        const observer = new MutationObserver(() => {
          if (document.querySelector(`.monaco-list-row[aria-label^="${start}"]`) === null) return;
          observer.disconnect();
          requestAnimationFrame(() => resolve(performance.now() - from));
        });
        observer.observe(document.body, { childList: true, subtree: true, attributes: true });
      }),
    [row, PATIENCE_MS] as const,
  );
  const [milliseconds] = await Promise.all([
    painted,
    window.inHost((vscode, id) => vscode.commands.executeCommand(`${id}.focus`), view),
  ]);
  return milliseconds;
}
