/** The triggers of a namespace as rows to choose from. */
import type * as vscode from 'vscode';
import type { PolicyRef } from '../../common/api/panels.ts';
import type { SessionTrigger } from '../../common/api/session-trigger.ts';
import { sessionTriggers } from '../../common/kube/resource.ts';
import { findCondition } from '../../common/rules/conditions.ts';
import { count } from '../../common/rules/wording.ts';
import type { Clusters } from '../clusters/clusters.ts';
import { inStatusBar } from '../commands/progress.ts';
import { plain } from '../ide/plain-text.ts';
import { formatAge } from '../sessions/state.ts';

const ASK_MS = 15_000;

export interface TriggerRowsDeps {
  clusters: Pick<Clusters, 'client'>;
  /** Epoch ms. */
  now: () => number;
}

export interface TriggerRow extends vscode.QuickPickItem {
  trigger: SessionTrigger;
}

/** By name. Throws KubeError. */
export async function triggerRows(
  { clusters, now }: TriggerRowsDeps,
  { cluster, namespace }: PolicyRef,
): Promise<TriggerRow[]> {
  const { items } = await inStatusBar(`Reading the triggers of ${plain(namespace, 63)}…`, async () => {
    const client = await clusters.client(cluster);
    return await client.list(sessionTriggers, { namespace }, { signal: AbortSignal.timeout(ASK_MS) });
  });
  return items
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .map((trigger) => ({ ...rowOf(trigger, now()), trigger }));
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
