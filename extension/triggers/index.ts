/** What triggers sessions: the event that a session came from, and the triggers of a namespace. What is heavy loads on first use. */
import * as vscode from 'vscode';
import { sessions } from '../../common/kube/resource.ts';
import { inNamespace } from '../commands/in-namespace.ts';
import type { InNamespaceDeps } from '../commands/in-namespace.ts';
import { inStatusBar } from '../commands/progress.ts';
import { ObjectFiles } from '../objects/object-files.ts';
import type { ObjectFilesDeps } from '../objects/object-files.ts';
import { registerObjectLanguage } from '../objects/object-language.ts';
import { policyRefOf } from '../policies/policy-ref.ts';
import { isSessionRef } from '../sessions/session-ref.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { SessionTextDocuments } from '../sessions/text-documents.ts';
import type { DeleteTriggerDeps } from './delete-trigger.ts';
import type { OpenTriggersDeps } from './open-triggers.ts';
import { payloadLinks } from './payload-link.ts';
import { triggerKind } from './trigger-kind.ts';
import { triggerPlace } from './trigger-ref.ts';

export type TriggersDeps = InNamespaceDeps & ObjectFilesDeps & OpenTriggersDeps & DeleteTriggerDeps;

const READ_MS = 15_000;
const KIND = { scheme: 'ambient-event', title: 'event.jsonc', language: 'jsonc', comment: '//' } as const;

export function registerTriggers(deps: TriggersDeps): vscode.Disposable {
  const { clusters, notify, now } = deps;
  const kind = triggerKind({ client: (cluster) => clusters.client(cluster), now });
  const files = new ObjectFiles(kind, deps);
  const read = async ({ cluster, namespace, name }: SessionRef): Promise<string> => {
    const [client, { eventText }] = await Promise.all([clusters.client(cluster), import('./event-text.ts')]);
    const signal = AbortSignal.timeout(READ_MS);
    return eventText(await client.get(sessions, { namespace, name }, { signal }));
  };
  const documents = new SessionTextDocuments(KIND, read);
  return vscode.Disposable.from(
    files,
    registerObjectLanguage(kind, files, deps),
    documents,
    vscode.languages.registerDocumentLinkProvider(
      { scheme: KIND.scheme },
      payloadLinks((uri) => documents.refOf(uri)),
    ),
    vscode.commands.registerCommand('ambient.openTriggers', (given: unknown) =>
      inNamespace(deps, 'open the triggers', policyRefOf(given), async (ref) =>
        (await import('./open-triggers.ts')).openTriggers(deps, ref),
      ),
    ),
    // From the YAML of one, which the editor's title bar names, or from a namespace.
    vscode.commands.registerCommand('ambient.deleteTrigger', (given: unknown) => {
      const uri = given ?? vscode.window.activeTextEditor?.document.uri;
      const place = uri instanceof vscode.Uri ? triggerPlace(uri) : undefined;
      return inNamespace(deps, 'delete the trigger', place ?? policyRefOf(given), async (ref) =>
        (await import('./delete-trigger.ts')).deleteTrigger(deps, ref, place?.name),
      );
    }),
    vscode.commands.registerCommand('ambient.openTrigger', async (ref: unknown) => {
      if (!isSessionRef(ref)) {
        notify.info('Select a session in the Ambient Sessions view first.');
        return;
      }
      try {
        await inStatusBar('Reading what triggered the session…', () => documents.show(ref));
      } catch (error) {
        notify.failed('read what triggered the session', error, ref.cluster);
      }
    }),
  );
}
