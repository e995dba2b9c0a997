/** Pages as panels of the editor: `ambient.openSession` shows one for each session, also again after VS Code restarted. */
import * as vscode from 'vscode';
import { artifactPlace } from '../artifacts/artifact-uri.ts';
import type { Clusters } from '../clusters/clusters.ts';
import { logPlace } from '../logs/log-uri.ts';
import { isSessionRef, refKey } from '../sessions/session-ref.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { OpenPages } from './open-pages.ts';
import { tabTitle } from './tab-title.ts';
import type { SessionPanel, SessionPanelDeps } from './session-panel.ts';

export const SESSION_PANEL = 'ambient.session';

export interface PanelsDeps extends SessionPanelDeps {
  clusters: SessionPanelDeps['clusters'] & Pick<Clusters, 'onDidChange'>;
}

export function registerPanels(
  context: Pick<vscode.ExtensionContext, 'extensionUri'>,
  deps: PanelsDeps,
): vscode.Disposable {
  const { notify } = deps;
  const pages = new OpenPages<SessionPanel>();

  const adopt = (panel: vscode.WebviewPanel, ref: SessionRef): Promise<void> =>
    pages.adopt(refKey(ref), panel, async () => {
      const { SessionPanel } = await import('./session-panel.ts');
      const { extensionUri } = context;
      const open = (other: SessionRef): void => notify.background('opening a session', show(other));
      return () => new SessionPanel({ panel, ref, extensionUri, deps, open });
    });

  const show = async (ref: SessionRef): Promise<void> => {
    const known = pages.get(refKey(ref));
    if (known !== undefined) return (await known)?.show(ref);
    const panel = vscode.window.createWebviewPanel(
      SESSION_PANEL,
      tabTitle(ref.name),
      vscode.ViewColumn.Active,
      { enableFindWidget: true },
    );
    await adopt(panel, ref);
  };

  return vscode.Disposable.from(
    deps.clusters.onDidChange(() => {
      // After all who listen: the watches of before are ended by then.
      queueMicrotask(() => {
        for (const page of pages)
          notify.background(
            'watching again',
            page.then((each) => each?.watchAgain()),
          );
      });
    }),
    vscode.commands.registerCommand('ambient.openSession', async (argument: unknown) => {
      const ref = sessionOf(argument);
      if (ref === undefined) notify.info('Select a session in the Ambient Sessions view first.');
      else await show(ref);
    }),
    vscode.window.registerWebviewPanelSerializer(SESSION_PANEL, {
      deserializeWebviewPanel: async (panel, state: unknown) => {
        const ref: unknown = Reflect.get(Object(state) as object, 'ref');
        // A second page of the same session, or one that does not say of which.
        if (!isSessionRef(ref) || pages.get(refKey(ref)) !== undefined) panel.dispose();
        else await adopt(panel, plainRef(ref));
      },
    }),
    {
      dispose: () => {
        // The panels stay: VS Code is shutting down and restores them.
        for (const page of pages)
          notify.background(
            'closing a page',
            page.then((each) => each?.rest()),
          );
      },
    },
  );
}

/** Given, or that of the log or artifact that is given or in the active editor. */
function sessionOf(argument: unknown): SessionRef | undefined {
  if (isSessionRef(argument)) return plainRef(argument);
  const uri = argument instanceof vscode.Uri ? argument : vscode.window.activeTextEditor?.document.uri;
  return uri === undefined ? undefined : (logPlace(uri) ?? artifactPlace(uri)?.ref);
}

/** Without whatever else a tree node carries. */
const plainRef = ({ cluster, namespace, name, uid }: SessionRef): SessionRef => ({
  cluster,
  namespace,
  name,
  ...(uid === undefined || uid === '' ? {} : { uid }),
});
