/** ambient.openTriggers: the triggers of a namespace, to be looked into and changed, and a new one. */
import * as vscode from 'vscode';
import type { PolicyRef } from '../../common/api/panels.ts';
import type { SessionTrigger } from '../../common/api/session-trigger.ts';
import { sessionTriggers } from '../../common/kube/resource.ts';
import { findCondition } from '../../common/rules/conditions.ts';
import { count } from '../../common/rules/wording.ts';
import { inStatusBar } from '../commands/progress.ts';
import { plain } from '../ide/plain-text.ts';
import { formatAge } from '../sessions/state.ts';
import type { TriggersDeps } from './index.ts';
import { TRIGGER_PROPOSAL } from './trigger-kind.ts';
import { triggerUri } from './trigger-ref.ts';

const ASK_MS = 15_000;
/** As a Session's label can hold it. */
const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

export async function openTriggers(
  { clusters, rights, previews, notify, now }: TriggersDeps,
  { cluster, namespace }: PolicyRef,
): Promise<void> {
  const refusal = await rights.refusal(cluster, namespace, 'viewTriggers');
  if (refusal !== undefined) return notify.warn(refusal);
  const { items } = await inStatusBar(`Reading the triggers of ${plain(namespace, 63)}…`, async () => {
    const client = await clusters.client(cluster);
    return await client.list(sessionTriggers, { namespace }, { signal: AbortSignal.timeout(ASK_MS) });
  });
  const title = `Triggers of ${plain(namespace, 63)}`;
  const creating = await rights.refusal(cluster, namespace, 'createTrigger');
  if (items.length === 0 && creating !== undefined)
    return notify.info(`There are no triggers in ${namespace}. ${creating}`);
  const rows = items
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .map((trigger) => ({ ...rowOf(trigger, now()), name: trigger.metadata.name }));
  const fresh = { label: '$(add) New Trigger…', name: undefined };
  const chosen =
    rows.length === 0
      ? fresh
      : await vscode.window.showQuickPick(creating === undefined ? [...rows, fresh] : rows, {
          title,
          placeHolder: 'Which trigger?',
          matchOnDescription: true,
        });
  if (chosen === undefined) return;
  if (chosen.name !== undefined) {
    const refused = await rights.refusal(cluster, namespace, 'editTrigger');
    const trigger = items.find(({ metadata }) => metadata.name === chosen.name);
    if (refused === undefined || trigger === undefined)
      return await show({ cluster, namespace, name: chosen.name }, false);
    // To look at: what cannot be saved is not offered for editing.
    const { triggerText } = await import('./trigger-yaml.ts');
    const text = triggerText(trigger).replace(/^#.*\n/, `# ${plain(refused)}\n`);
    await previews.show(`trigger ${plain(chosen.name, 63)} of ${plain(namespace, 63)}`, text);
    return;
  }
  const taken = new Set(rows.map(({ name }) => name));
  const name = await vscode.window.showInputBox({
    title,
    prompt: `Name of the new trigger in ${plain(namespace, 63)}`,
    placeHolder: 'issue-labeled',
    ignoreFocusOut: true,
    validateInput: (text) =>
      NAME.test(text)
        ? taken.has(text)
          ? 'There is a trigger of this name already.'
          : undefined
        : 'Lower case letters, digits and dashes, at most 63.',
  });
  if (name !== undefined) await show({ cluster, namespace, name }, true);
}

/** What is wrong with it stands below it: nothing else of the list says so. */
export function rowOf({ metadata, spec, status }: SessionTrigger, now: number): vscode.QuickPickItem {
  const valid = findCondition(status?.conditions, 'Valid');
  const isWrong = valid?.status === 'False';
  const { sessions, lastMatched } = status ?? {};
  const age = lastMatched === undefined ? undefined : formatAge(now - Date.parse(lastMatched.time));
  const description = [
    spec.source,
    plain((spec.when?.events ?? []).join(', '), 60),
    spec.enabled === false ? 'switched off' : '',
    isWrong ? 'has mistakes' : '',
    sessions === undefined ? '' : count(sessions.total, 'session'),
    age === undefined ? '' : age === 'now' ? 'matched just now' : `matched ${age} ago`,
  ]
    .filter(Boolean)
    .join(' · ');
  return {
    label: `$(${isWrong ? 'warning' : 'zap'}) ${plain(metadata.name, 63)}`,
    description,
    ...(isWrong ? { detail: plain(valid.message, 300) } : {}),
  };
}

async function show(
  ref: { cluster: string; namespace: string; name: string },
  isNew: boolean,
): Promise<void> {
  const document = await vscode.workspace.openTextDocument(triggerUri(ref));
  const editor = await vscode.window.showTextDocument(document, { preview: false });
  // What is not there yet is only a proposal: it can be saved as it is.
  if (isNew) await editor.edit((change) => change.insert(new vscode.Position(0, 0), TRIGGER_PROPOSAL));
}
