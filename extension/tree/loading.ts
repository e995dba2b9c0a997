/** Rows that take a while: after a moment a row says so, instead of a view that stays blank until everything is there. */
import { setTimeout as delay } from 'node:timers/promises';
import { MessageNode } from './message-node.ts';
import type { TreeNode } from './node.ts';

/** Quick answers come without a flicker. */
export const PATIENCE_MS = 300;

/** Whether the work ended, well or not, within a moment. */
export async function isQuick(work: Promise<unknown>, patienceMs = PATIENCE_MS): Promise<boolean> {
  const over = work.then(
    () => true,
    () => true,
  );
  const timer = new AbortController();
  try {
    return await Promise.race([over, delay(Math.max(0, patienceMs), false, { signal: timer.signal })]);
  } finally {
    timer.abort();
  }
}

export const loadingNode = (parent: TreeNode, label: string): TreeNode =>
  new MessageNode(parent, 'loading', { label, icon: { id: 'loading~spin' } });
