/** ambient.openTriggers: the triggers of a namespace, to be looked into and changed, and a new one. */
import * as vscode from 'vscode';
import type { PolicyRef } from '../../common/api/panels.ts';
import type { Rights } from '../clusters/rights.ts';
import type { Notify } from '../ide/notify.ts';
import { plain } from '../ide/plain-text.ts';
import type { PreviewDocuments } from '../sessions/preview-documents.ts';
import { TRIGGER_PROPOSAL } from './trigger-kind.ts';
import { triggerRows } from './trigger-rows.ts';
import type { TriggerRowsDeps } from './trigger-rows.ts';
import { triggerUri } from './trigger-ref.ts';

export interface OpenTriggersDeps extends TriggerRowsDeps {
  rights: Pick<Rights, 'refusal'>;
  previews: Pick<PreviewDocuments, 'show'>;
  notify: Pick<Notify, 'info' | 'warn'>;
}

/** As a Session's label can hold it. */
const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

export async function openTriggers(deps: OpenTriggersDeps, { cluster, namespace }: PolicyRef): Promise<void> {
  const { rights, previews, notify } = deps;
  const refusal = await rights.refusal(cluster, namespace, 'viewTriggers');
  if (refusal !== undefined) return notify.warn(refusal);
  const rows = await triggerRows(deps, { cluster, namespace });
  const title = `Triggers of ${plain(namespace, 63)}`;
  const creating = await rights.refusal(cluster, namespace, 'createTrigger');
  if (rows.length === 0 && creating !== undefined)
    return notify.info(`There are no triggers in ${namespace}. ${creating}`);
  const fresh = { label: '$(add) New Trigger…', trigger: undefined };
  const chosen =
    rows.length === 0
      ? fresh
      : await vscode.window.showQuickPick(creating === undefined ? [...rows, fresh] : rows, {
          title,
          placeHolder: 'Which trigger?',
          matchOnDescription: true,
        });
  if (chosen === undefined) return;
  if (chosen.trigger !== undefined) {
    const { trigger } = chosen;
    const { name } = trigger.metadata;
    const refused = await rights.refusal(cluster, namespace, 'editTrigger');
    if (refused === undefined) return await show({ cluster, namespace, name }, false);
    // To look at: what cannot be saved is not offered for editing.
    const { triggerText } = await import('./trigger-yaml.ts');
    const text = triggerText(trigger).replace(/^#.*\n/, `# ${plain(refused)}\n`);
    await previews.show(`trigger ${plain(name, 63)} of ${plain(namespace, 63)}`, text);
    return;
  }
  const taken = new Set(rows.map(({ trigger }) => trigger.metadata.name));
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

async function show(
  ref: { cluster: string; namespace: string; name: string },
  isNew: boolean,
): Promise<void> {
  const document = await vscode.workspace.openTextDocument(triggerUri(ref));
  const editor = await vscode.window.showTextDocument(document, { preview: false });
  // What is not there yet is only a proposal: it can be saved as it is.
  if (isNew) await editor.edit((change) => change.insert(new vscode.Position(0, 0), TRIGGER_PROPOSAL));
}
