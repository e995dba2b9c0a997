/** ambient.openShell: a terminal in the pod of a running session, for whom Kubernetes lets into it. */
import * as vscode from 'vscode';
import { AmbientError } from '../../common/errors.ts';
import { sessions } from '../../common/kube/resource.ts';
import { plain } from '../ide/plain-text.ts';
import { titleOf } from '../sessions/state.ts';
import { chosenSessions } from './chosen-sessions.ts';
import type { Command } from './context.ts';

export const openShell: Command =
  (context) =>
  async (...args) => {
    const [ref] = await chosenSessions(context, args, {
      placeholder: 'Open a shell in which session?',
      nothing: 'No session is running.',
      only: (session) => session.status?.phase === 'Running',
    });
    if (ref === undefined) return;
    const client = await context.clusters.client(ref.cluster);
    const session = await client.get(sessions, ref);
    const { phase, workload } = session.status ?? {};
    if (phase !== 'Running' || workload?.podName === undefined)
      throw new AmbientError('conflict', 'The session has no running pod.');
    const { PodShell } = await import('../sessions/pod-shell.ts');
    const pty = new PodShell(client.connection, { namespace: ref.namespace, name: workload.podName });
    vscode.window.createTerminal({ name: plain(titleOf(session), 40), pty }).show();
  };
