/** ambient.deleteTrigger: removes a trigger, after asking; what was removed can be put back as it was. */
import * as vscode from 'vscode';
import type { PolicyRef } from '../../common/api/panels.ts';
import type { SessionTrigger } from '../../common/api/session-trigger.ts';
import { isConflict, isNotFound } from '../../common/kube/errors.ts';
import { sessionTriggers } from '../../common/kube/resource.ts';
import type { Rights } from '../clusters/rights.ts';
import { inStatusBar } from '../commands/progress.ts';
import type { Notify } from '../ide/notify.ts';
import { plain } from '../ide/plain-text.ts';
import { triggerRows } from './trigger-rows.ts';
import type { TriggerRowsDeps } from './trigger-rows.ts';

export interface DeleteTriggerDeps extends TriggerRowsDeps {
  rights: Pick<Rights, 'refusal'>;
  notify: Pick<Notify, 'info' | 'warn' | 'log' | 'failed' | 'background'>;
}

const CHANGE_MS = 30_000;
const DELETE = 'Delete';
const UNDO = 'Undo';

/** @param name of the trigger; undefined: asks which one */
export async function deleteTrigger(
  deps: DeleteTriggerDeps,
  ref: PolicyRef,
  name: string | undefined,
): Promise<void> {
  const { rights, notify } = deps;
  const { cluster, namespace } = ref;
  const refusal = await rights.refusal(cluster, namespace, 'deleteTrigger');
  if (refusal !== undefined) return notify.warn(refusal);
  const rows = await triggerRows(deps, ref);
  if (rows.length === 0) return notify.info(`There are no triggers in ${namespace}.`);
  const named = rows.find(({ trigger }) => trigger.metadata.name === name);
  if (name !== undefined && named === undefined)
    return notify.info(`There is no trigger ${name} in ${namespace} any more.`);
  const chosen =
    named ??
    (await vscode.window.showQuickPick(rows, {
      title: `Triggers of ${plain(namespace, 63)}`,
      placeHolder: 'Delete which trigger?',
      matchOnDescription: true,
    }));
  if (chosen === undefined) return;
  const { trigger } = chosen;
  const called = `trigger ${plain(trigger.metadata.name, 63)} of ${plain(namespace, 63)}`;
  const detail = 'Its events start no session any more. Sessions that it has started stay.';
  const answer = await vscode.window.showWarningMessage(`Delete ${called}?`, { modal: true, detail }, DELETE);
  if (answer !== DELETE) return;
  const removed = await inStatusBar(`Deleting ${called}…`, () => remove(deps, cluster, trigger));
  if (removed === undefined) return notify.info(`Somebody else has deleted the ${called} already.`);
  notify.log(`deleted ${called}`);
  notify.background('offering to undo', offerUndo(deps, cluster, removed, called));
}

/**
 * What was deleted, as it stood then: it may have been edited since it was listed. Undefined: somebody else was faster, and a
 * later trigger of the same name is another one. Throws KubeError.
 */
async function remove(
  { clusters }: DeleteTriggerDeps,
  cluster: string,
  { metadata: { namespace = '', name, uid } }: SessionTrigger,
): Promise<SessionTrigger | undefined> {
  const client = await clusters.client(cluster);
  const at = { namespace, name };
  const signal = AbortSignal.timeout(CHANGE_MS);
  for (;;)
    try {
      const current = await client.get(sessionTriggers, at, { signal });
      if (current.metadata.uid !== uid) return undefined;
      const { resourceVersion } = current.metadata;
      await client.delete(sessionTriggers, at, { signal, preconditions: { uid, resourceVersion } });
      return current;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      // Edited in between, if only by the operator, which writes down when it matched.
      if (!isConflict(error)) throw error;
    }
}

async function offerUndo(
  { clusters, notify }: DeleteTriggerDeps,
  cluster: string,
  { apiVersion, kind, metadata, spec }: SessionTrigger,
  called: string,
): Promise<void> {
  const answer = await vscode.window.showInformationMessage(`Deleted ${called}.`, UNDO);
  if (answer !== UNDO) return;
  const { namespace, name, labels = {}, annotations = {} } = metadata;
  const again = { apiVersion, kind, metadata: { namespace, name, labels, annotations }, spec };
  try {
    const client = await clusters.client(cluster);
    await client.create(sessionTriggers, again, { signal: AbortSignal.timeout(CHANGE_MS) });
  } catch (error) {
    notify.failed(`put back ${called}`, error, cluster);
  }
}
