/** `ambient.openAudit`: who did what to a session, and what came of it. */
import * as vscode from 'vscode';
import { isForbidden } from '../../common/kube/errors.ts';
import type { Clusters } from '../clusters/clusters.ts';
import type { Rights } from '../clusters/rights.ts';
import type { Notify } from '../ide/notify.ts';
import { isSessionRef } from '../sessions/session-ref.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { SessionTextDocuments } from '../sessions/text-documents.ts';

export interface AuditDeps {
  clusters: Pick<Clusters, 'connection'>;
  rights: Pick<Rights, 'refusal' | 'forget'>;
  notify: Notify;
}

const READ_MS = 60_000;
const KIND = { scheme: 'ambient-audit', title: 'audit', comment: '#' } as const;

export function registerAudit({ clusters, rights, notify }: AuditDeps): vscode.Disposable {
  const read = async (ref: SessionRef): Promise<string> => {
    const [connection, { readAudit }, { auditText }] = await Promise.all([
      clusters.connection(ref.cluster),
      import('./read-audit.ts'),
      import('./audit-text.ts'),
    ]);
    return auditText(ref, await readAudit(connection, ref, AbortSignal.timeout(READ_MS)));
  };
  const documents = new SessionTextDocuments(KIND, read);
  return vscode.Disposable.from(
    documents,
    vscode.commands.registerCommand('ambient.openAudit', async (ref: unknown) => {
      if (!isSessionRef(ref)) {
        notify.info('Select a session in the Ambient Sessions view first.');
        return;
      }
      const refusal = await rights.refusal(ref.cluster, ref.namespace, 'audit');
      if (refusal !== undefined) return notify.warn(refusal);
      try {
        await documents.show(ref);
      } catch (error) {
        if (isForbidden(error)) rights.forget(ref.cluster, ref.namespace);
        notify.failed('read the audit records', error, ref.cluster);
      }
    }),
  );
}
