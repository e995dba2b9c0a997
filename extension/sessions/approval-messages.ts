/** Tells an approver that a session has begun to wait for them. */
import type { Notify } from '../ide/notify.ts';
import { plain } from '../ide/plain-text.ts';
import { settings } from '../ide/settings.ts';
import type { Awaiting } from './approvals.ts';
import { titleOf } from './state.ts';

export function tellAwaiting(notify: Notify, { ref, session }: Awaiting): void {
  if (!settings.notifyWhenApprovalNeeded()) return;
  const launcher = session.spec.createdBy?.user;
  const who = launcher === undefined ? '' : ` of ${plain(launcher, 80)}`;
  notify.info(`Session “${plain(titleOf(session), 80)}”${who} in ${ref.namespace} waits for your approval.`, [
    { title: 'Review', command: 'ambient.openSession', arguments: [ref] },
  ]);
}
