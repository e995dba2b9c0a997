/** ambient.openLog: shows a session's log as a document. */
import * as vscode from 'vscode';
import type { Clusters } from '../clusters/clusters.ts';
import { plain } from '../ide/plain-text.ts';
import { refOf } from '../sessions/session-ref.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { titleOf } from '../sessions/state.ts';
import { logUri } from './log-uri.ts';

/** Resolves when it is shown. Throws KubeError. */
export async function openLog(ref: SessionRef, clusters: Pick<Clusters, 'client'>): Promise<void> {
  const uri = vscode.Uri.from(await addressOf(ref, clusters));
  // Not openTextDocument, which keeps a document for minutes after its editor is closed.
  await vscode.commands.executeCommand('vscode.open', uri, { preview: true });
}

/** By UID, so that a document goes on meaning the same session when another of its name comes later; shown by its title. */
async function addressOf(
  ref: SessionRef,
  clusters: Pick<Clusters, 'client'>,
): Promise<{ scheme: string; path: string }> {
  const [client, { sessions }] = await Promise.all([
    clusters.client(ref.cluster),
    import('../../common/kube/resource.ts'),
  ]);
  const session = await client.get(sessions, ref);
  // Asked for is one of that name which is gone: its document says so.
  if (ref.uid !== undefined && session.metadata.uid !== ref.uid) return logUri(ref, ref.name);
  return logUri(refOf(ref.cluster, session), plain(titleOf(session), 80));
}
