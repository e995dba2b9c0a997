/** The part of the extension that deals with artifacts, alone, with a connection to the tests' server. */
import * as vscode from 'vscode';
import { KubeClient } from '../../../common/kube/client.ts';
import { Connection } from '../../../common/kube/connection.ts';
import { registerArtifacts } from '../../../extension/artifacts/index.ts';
import { Emitter } from '../../../extension/ide/event.ts';
import { Notify } from '../../../extension/ide/notify.ts';
import type { SessionChange, SessionWatch, WatchState } from '../../../extension/sessions/session-watch.ts';

export function activate(context: vscode.ExtensionContext): void {
  const server = process.env['LIVE_SERVER'] ?? '';
  const connection = new Connection({ cluster: 'test', credentials: { server, tls: {} } });
  const output = vscode.window.createOutputChannel('Ambient Sessions', { log: true });
  const changed = new Emitter<SessionChange>();
  const watch: SessionWatch = {
    store: { get: () => undefined, list: () => [], size: 0 },
    onChange: changed.event,
    state: { phase: 'synced' },
    onState: new Emitter<WatchState>().event,
    ready: Promise.resolve(),
    dispose: () => undefined,
  };
  const metadata = { name: 's1', namespace: 'demo', uid: 'uid-1' };
  context.subscriptions.push(
    { dispose: () => connection.close().catch(() => undefined) },
    output,
    // Stands for an event of the watch.
    vscode.commands.registerCommand('ambientTest.changed', () =>
      changed.fire({
        type: 'updated',
        object: {
          apiVersion: 'ambient.ai/v1alpha1',
          kind: 'Session',
          metadata,
          spec: { framework: { type: 'generic' } },
        },
      }),
    ),
    registerArtifacts(context, {
      clusters: { connection: async () => connection, client: async () => new KubeClient(connection) },
      watches: { acquire: () => watch },
      notify: new Notify(output),
    }),
  );
}
