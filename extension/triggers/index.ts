/** What triggers sessions: the event that a session came from, and the triggers of a namespace. What is heavy loads on first use. */
import * as vscode from 'vscode';
import { sessions } from '../../common/kube/resource.ts';
import type { Clusters } from '../clusters/clusters.ts';
import type { Notify } from '../ide/notify.ts';
import { isSessionRef } from '../sessions/session-ref.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { SessionTextDocuments } from '../sessions/text-documents.ts';

export interface TriggersDeps {
  clusters: Pick<Clusters, 'client'>;
  notify: Notify;
}

const READ_MS = 15_000;
const KIND = { scheme: 'ambient-event', title: 'event.jsonc', language: 'jsonc', comment: '//' } as const;

export function registerTriggers({ clusters, notify }: TriggersDeps): vscode.Disposable {
  const read = async ({ cluster, namespace, name }: SessionRef): Promise<string> => {
    const [client, { eventText }] = await Promise.all([clusters.client(cluster), import('./event-text.ts')]);
    const signal = AbortSignal.timeout(READ_MS);
    return eventText(await client.get(sessions, { namespace, name }, { signal }));
  };
  const documents = new SessionTextDocuments(KIND, read);
  return vscode.Disposable.from(
    documents,
    vscode.commands.registerCommand('ambient.openTrigger', async (ref: unknown) => {
      if (!isSessionRef(ref)) {
        notify.info('Select a session in the Ambient Sessions view first.');
        return;
      }
      try {
        await documents.show(ref);
      } catch (error) {
        notify.failed('read what triggered the session', error, ref.cluster);
      }
    }),
  );
}
